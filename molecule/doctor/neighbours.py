"""Trackers and a peer that misbehave, on one host: python3 neighbours.py SEEDER_ADDRESS

Port 7001 is a tracker, each path with a fault of its own; port 7002 is a peer that takes plain connections alone and
has no metadata to give.
"""

import ipaddress
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

HELLO = b"\x13BitTorrent protocol"
# It has everything (BEP 6), and no extension (BEP 10).
EVERYTHING = b"\x00\x00\x00\x01\x0e" + b"\x00\x00\x00\x09\x14\x00d1:mdee"


def peers(address, port):
    return b"5:peers6:" + ipaddress.ip_address(address).packed + port.to_bytes(2, "big")


class Tracker(BaseHTTPRequestHandler):
    def do_GET(self):
        url = urlsplit(self.path)
        own, seeder = self.connection.getsockname()[0], sys.argv[1]
        good = b"d8:completei1e10:incompletei0e8:intervali1800e%be"
        answer = {
            "/hasty/announce": good.replace(b"1800", b"5") % peers(seeder, 8082),
            "/refusing/announce": b"d14:failure reason7:go awaye",
            "/plain/announce": good % peers(own, 7002),
            "/lost/announce": good % peers(seeder, 8082),
            "/picky/announce": good % peers(seeder, 8082),
        }.get(url.path, b"d5:filesdee")
        if url.path == "/picky/announce" and parse_qs(url.query).get("port") == ["8082"]:
            answer = b"d14:failure reason10:not to youe"
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Says nothing."""


class Peer(socketserver.BaseRequestHandler):
    def handle(self):
        hello = self.request.recv(68)
        if hello.startswith(HELLO):
            self.request.sendall(
                HELLO + bytes(5) + b"\x10\x00\x04" + hello[28:48] + b"-XX0001-" + bytes(12) + EVERYTHING
            )
            while self.request.recv(1000):
                pass


threading.Thread(target=socketserver.ThreadingTCPServer(("", 7002), Peer).serve_forever, daemon=True).start()
ThreadingHTTPServer(("", 7001), Tracker).serve_forever()
