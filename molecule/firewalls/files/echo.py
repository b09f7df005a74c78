#!/usr/bin/python3
"""Says something to whoever connects, and answers each datagram: echo.py PORT..."""

import selectors
import socket
import sys

waiting = selectors.DefaultSelector()
for port in map(int, sys.argv[1:]):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        sock = socket.socket(socket.AF_INET6, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("::", port))
        if kind == socket.SOCK_STREAM:
            sock.listen(16)
        waiting.register(sock, selectors.EVENT_READ)
while True:
    for key, _ in waiting.select():
        sock = key.fileobj
        if sock.type == socket.SOCK_STREAM:
            client, _ = sock.accept()
            client.sendall(b"here\n")
            client.close()
        else:
            data, client = sock.recvfrom(2048)
            sock.sendto(data, client)
