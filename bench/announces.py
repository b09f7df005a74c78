"""Ask a tracker as fast as it answers, for a while. Runs on a host of the lab, with its Python alone.

announces PORT PID HTTP|udp announce|scrape SECONDS PROCESSES HASHES

Prints as JSON what was asked and answered, and the seconds of processor time that process PID, the tracker, has taken
for it. It asks this host alone, and stops by itself. What it asks for are the torrents HASHES (a file, a line each).
"""

import json
import os
import socket
import struct
import sys
import time

PORT, PID, PROTOCOL, KIND = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
SECONDS, PROCESSES, HASHES = float(sys.argv[5]), int(sys.argv[6]), sys.argv[7]
WINDOW = 32  # questions over UDP that wait for an answer at a time, in each process
PATIENCE = 5.0  # seconds until a question is lost
# A socket that was closed keeps its port for a minute: each address of loopback has ports of its own.
ADDRESSES = 4096
CONNECT = struct.pack(">QII", 0x41727101980, 0, 1)


def processor_time():
    with open(f"/proc/{PID}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def source(number):
    return f"127.{64 + number // 65536 % 64}.{number // 256 % 256}.{number % 256}"


def over_http(hashes, number, end):
    """One connection a question, as clients do."""
    quoted = ["".join(f"%{byte:02x}" for byte in each) for each in hashes]
    more = "&peer_id=-SB0000-%012d&port=%d&uploaded=0&downloaded=0&left=1&compact=1" if KIND == "announce" else ""
    wanted = b"8:interval" if KIND == "announce" else b"5:files"
    asked = answered = 0
    faults = {}
    while time.monotonic() < end:
        head = f"GET /{KIND}?info_hash={quoted[asked % len(quoted)]}"
        query = more % (asked, 1024 + asked % 60000) if more else ""
        place = source(number * ADDRESSES + asked % ADDRESSES)
        asked += 1
        try:
            with socket.socket() as connection:
                connection.settimeout(PATIENCE)
                connection.bind((place, 0))
                connection.connect(("127.0.0.1", PORT))
                connection.sendall(f"{head}{query} HTTP/1.1\r\n\r\n".encode())
                answer = b""
                while part := connection.recv(65536):
                    answer += part
            answered += wanted in answer
            why = "" if wanted in answer else f"answered {answer[:60]!r}"
        except OSError as error:
            why = str(error)
        if why:
            faults[why] = faults.get(why, 0) + 1
    return asked, answered, faults


def over_udp(hashes, number, end):
    """Many questions at a time over one socket; each is told by its transaction."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.bind((source(number * ADDRESSES), 0))
    channel.settimeout(PATIENCE)
    channel.connect(("127.0.0.1", PORT))
    channel.send(CONNECT)
    connection_id = channel.recv(100)[8:16]
    action = 1 if KIND == "announce" else 2
    asked = answered = 0
    waiting = set()
    while time.monotonic() < end or waiting:
        while len(waiting) < WINDOW and time.monotonic() < end:
            question = connection_id + struct.pack(">II", action, asked) + hashes[asked % len(hashes)]
            if action == 1:
                question += b"-SB0000-%012d" % asked
                question += struct.pack(">QQQIIIiH", 0, 1, 0, 2, 0, 0, -1, 1024 + asked % 60000)
            channel.send(question)
            waiting.add(asked)
            asked += 1
        try:
            answer = channel.recv(4096)
        except socket.timeout:
            break  # what still waits is lost
        number_of, transaction = struct.unpack(">II", answer[:8])
        if transaction in waiting:
            waiting.discard(transaction)
            answered += number_of == action
    return asked, answered, {}


def main():
    with open(HASHES, encoding="ascii") as file:
        hashes = [bytes.fromhex(line) for line in file.read().split()]
    ask = over_http if PROTOCOL == "http" else over_udp
    before, began = processor_time(), time.monotonic()
    pipes = []
    for number in range(PROCESSES):
        reading, writing = os.pipe()
        if not os.fork():
            os.write(writing, json.dumps(ask(hashes, number, began + SECONDS)).encode())
            os._exit(0)
        os.close(writing)
        pipes.append(reading)
    counts = [json.loads(os.read(pipe, 1000)) for pipe in pipes]
    asked, answered = (sum(count[index] for count in counts) for index in range(2))
    told = {"asked": asked, "answered": answered, "seconds": time.monotonic() - began}
    print(json.dumps({**told, "processor": processor_time() - before, "faults": [count[2] for count in counts]}))


main()
