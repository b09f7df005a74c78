"""Run on a host of the lab: announce to a tracker for a while, with clients beside that break off, hurry and babble.

soak ADDRESS PORT SECONDS. Prints as JSON how many announces the tracker has taken, how many of them it still knows at
the end, and how much else was done to it. It stops by itself, and sends to this one address alone.
"""

import json
import os
import socket
import struct
import sys
import threading
import time
import urllib.parse

ADDRESS, PORT, SECONDS = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
PAUSE = 0.005  # of each client between two deeds: a few hundred a second together
MOST = 20000  # deeds of each client
end = time.monotonic() + SECONDS
taken, counts, errors = [], {}, []


def connect():
    return socket.create_connection((ADDRESS, PORT), timeout=10)


def request(info_hash):
    peer_id = b"-SO0000-" + os.urandom(6).hex().encode()
    # Not urlencode, whose "+" for a space is none to a tracker.
    query = f"info_hash={urllib.parse.quote(info_hash, safe='')}&peer_id={urllib.parse.quote(peer_id)}"
    query += "&port=8082&uploaded=0&downloaded=0&left=0&compact=1"
    return f"GET /announce?{query} HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n".encode()


def answer_of(connection):
    answer = b""
    while True:
        part = connection.recv(65536)
        if not part:
            return answer
        answer += part


def over_http():
    info_hash = os.urandom(20)
    with connect() as connection:
        connection.sendall(request(info_hash))
        if b"8:interval" in answer_of(connection):
            taken.append(info_hash)


def over_udp():
    info_hash, peer_id = os.urandom(20), b"-SO0000-" + os.urandom(6).hex().encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.settimeout(10)
        channel.connect((ADDRESS, PORT))
        channel.send(struct.pack(">QII", 0x41727101980, 0, 1))
        connection_id = channel.recv(100)[8:16]
        fields = struct.pack(">QQQIIIiH", 0, 0, 0, 2, 0, 0, -1, 8082)
        channel.send(connection_id + struct.pack(">II", 1, 2) + info_hash + peer_id + fields)
        if channel.recv(2000)[:8] == struct.pack(">II", 1, 2):
            taken.append(info_hash)


def broken_off():
    """A reset instead of the rest of a request."""
    connection = connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    text = request(os.urandom(20))
    connection.sendall(text[: os.urandom(1)[0] % len(text)])
    connection.close()


def not_awaited():
    """A reset while the answer comes."""
    connection = connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.sendall(request(os.urandom(20)))
    connection.close()


def pipelined():
    with connect() as connection:
        connection.sendall(request(os.urandom(20)) * 5)
        answer_of(connection)


def oversized():
    with connect() as connection:
        connection.sendall(b"GET /announce?" + b"x" * 70000 + b" HTTP/1.1\r\n\r\n")
        answer_of(connection)


def babble():
    with connect() as connection:
        connection.sendall(os.urandom(300) + b"\r\n\r\n")
        answer_of(connection)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        for length in (0, 1, 15, 16, 97, 98, 1400):
            channel.sendto(os.urandom(length), (ADDRESS, PORT))


def client(deed, strict):
    for _ in range(MOST):
        if time.monotonic() > end:
            return
        try:
            deed()
            counts[deed.__name__] = counts.get(deed.__name__, 0) + 1
        except OSError as error:
            if strict:  # whoever behaves is answered
                errors.append(f"{deed.__name__}: {error}")
        time.sleep(PAUSE)  # bounds the rate; the end and the count above bound the load


def known(hashes):
    found = 0
    for start in range(0, len(hashes), 40):
        query = "&".join(
            "info_hash=" + urllib.parse.quote(info_hash, safe="") for info_hash in hashes[start : start + 40]
        )
        with connect() as connection:
            connection.sendall(f"GET /scrape?{query} HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n".encode())
            found += answer_of(connection).count(b"8:completei1e")
    return found


clients = [
    threading.Thread(target=client, args=(deed, deed in (over_http, over_udp)))
    for deed in (over_http, over_http, over_udp, over_udp, broken_off, not_awaited, pipelined, oversized, babble)
]
for one in clients:
    one.start()
for one in clients:
    one.join()
print(json.dumps({"taken": len(taken), "known": known(taken), "errors": errors[:5], "deeds": counts}))
