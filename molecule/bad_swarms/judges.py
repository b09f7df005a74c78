"""A client of the host and what it makes of items: runs there, prints what it had in the end as JSON.

    judges.py CLIENT ADDRESS PORT DIRECTORY

CLIENT is aria2, libtorrent or transmission, ADDRESS the host's address that is the client's own, PORT and the one above
it are free. Standard input is JSON: `items`, by name each with `torrent` (base64), `magnet` (empty to use the
.torrent), `whole` (seconds in which it has to complete, 0 if it need not) and `metadata` (the same for its metadata);
`count`, whether to count what goes over the wire to port `peer_port`, unencrypted.

What it prints: `items` by name with `complete`, `metadata`, `has` (the pieces that the client says it has), `wrong`
(those of them that are not the torrent's on the disk), `sha256` of the whole file once it is complete, `said`; and
`counted`, by info hash what was seen on the wire.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from typing import Any, Iterator

READY = 60.0  # seconds until a client answers
POLL = 0.3
ALL, IPV4 = 0x0003, 0x0800  # what packet(7) calls protocols: a socket for one alone does not see what goes out
RCVBUFFORCE = 33  # SO_RCVBUFFORCE, absent from socket


class State:
    """How one item stands, in the client's own words."""

    def __init__(self, has: bytes = b"", *, complete: bool = False, metadata: bool = False, said: str = "") -> None:
        self.has, self.complete, self.metadata, self.said = has, complete, metadata, said


class Client:
    """A client that downloads all items at once into one directory."""

    def __init__(self, address: str, port: int, directory: str, *, plain: bool) -> None:
        self.address, self.port, self.directory, self.plain = address, port, directory, plain
        self.refused: dict[str, str] = {}  # what it said of those that it did not take

    def add(self, name: str, torrent: bytes, magnet: str) -> None:
        raise NotImplementedError

    def states(self) -> dict[str, State]:
        raise NotImplementedError

    def stop(self) -> None:
        """End it, with all that it has on the disk."""


class Daemon(Client):
    """A client that is a process with JSON-RPC."""

    process: subprocess.Popen[bytes]

    def start(self, *command: str) -> None:
        log = open(os.path.join(self.directory, "log"), "wb")  # noqa: SIM115 - the process keeps it
        self.process = subprocess.Popen(command, cwd=self.directory, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + READY
        while True:
            try:
                self.hello()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise
            time.sleep(POLL)  # between two questions; the deadline bounds the wait

    def hello(self) -> None:
        raise NotImplementedError

    def ask(self, url: str, body: Any, **headers: str) -> Any:
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=READY) as answer:
            return json.loads(answer.read())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(READY)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Aria2(Daemon):
    def __init__(self, address: str, port: int, directory: str, *, plain: bool) -> None:
        super().__init__(address, port, directory, plain=plain)
        self.gids: dict[str, str] = {}
        self.start(
            *("aria2c", "--no-conf", "--enable-rpc", f"--rpc-listen-port={port + 1}", f"--dir={directory}"),
            *(f"--interface={address}", f"--listen-port={port}", f"--dht-listen-port={port}"),
            # UDP trackers are asked through the socket of DHT, which knows nobody.
            *("--enable-dht=true", f"--dht-file-path={directory}/dht", "--enable-peer-exchange=false"),
            *("--bt-enable-lpd=false", "--seed-time=0", "--file-allocation=none", "--disk-cache=0"),
            *("--max-concurrent-downloads=1000", "--follow-torrent=mem", "--allow-overwrite=true", "--quiet"),
            *("--enable-dht6=false", "--bt-max-peers=0", "--max-download-result=1000", "--auto-save-interval=0"),
        )

    def call(self, method: str, *params: Any) -> Any:
        body = {"jsonrpc": "2.0", "id": "1", "method": f"aria2.{method}", "params": list(params)}
        try:
            return self.ask(f"http://127.0.0.1:{self.port + 1}/jsonrpc", body)["result"]
        except urllib.error.HTTPError as error:
            with error:
                return json.loads(error.read())  # which is no result

    def hello(self) -> None:
        self.call("getVersion")

    def add(self, name: str, torrent: bytes, magnet: str) -> None:
        what = ("addUri", [magnet]) if magnet else ("addTorrent", base64.b64encode(torrent).decode())
        answer = self.call(*what)
        if isinstance(answer, str):
            self.gids[name] = answer
        else:
            self.refused[name] = answer["error"]["message"]

    def states(self) -> dict[str, State]:
        return {name: self._state(name) for name in self.gids}

    def _state(self, name: str) -> State:
        keys = ["status", "bitfield", "followedBy", "errorMessage", "totalLength", "completedLength", "bittorrent"]
        found = self.call("tellStatus", self.gids[name], keys)
        if found.get("followedBy"):
            self.gids[name] = found["followedBy"][0]
            found = self.call("tellStatus", self.gids[name], keys)
        info = "info" in found.get("bittorrent", {})
        complete = info and found.get("status") == "complete"
        has = bytes.fromhex(found.get("bitfield", "")) if info else b""
        return State(has, complete=complete, metadata=info, said=found.get("errorMessage", ""))


class Transmission(Daemon):
    def __init__(self, address: str, port: int, directory: str, *, plain: bool) -> None:
        super().__init__(address, port, directory, plain=plain)
        self.session = ""
        self.ids: dict[str, int] = {}
        home = os.path.join(directory, "home")
        os.makedirs(home)
        settings = {
            "rpc-port": port + 1,
            "rpc-bind-address": "127.0.0.1",
            "rpc-whitelist-enabled": False,
            "rpc-authentication-required": False,
            "peer-port": port,
            "bind-address-ipv4": address,
            "dht-enabled": False,
            "pex-enabled": False,
            "lpd-enabled": False,
            "port-forwarding-enabled": False,
            # 3.00 with uTP closes its way back to TCP without a byte.
            "utp-enabled": False,
            "download-dir": directory,
            "incomplete-dir-enabled": False,
            "preallocation": 0,
            "download-queue-enabled": False,
            "queue-stalled-enabled": False,
            "rename-partial-files": False,
            "cache-size-mb": 0,
            "cache-size-mib": 0,
            "encryption": 1,
            "peer-limit-global": 1000,
        }
        with open(os.path.join(home, "settings.json"), "w", encoding="utf-8") as file:
            json.dump(settings, file)
        self.start("transmission-daemon", "--foreground", "--config-dir", home)

    def call(self, method: str, **arguments: Any) -> Any:
        url, body = f"http://127.0.0.1:{self.port + 1}/transmission/rpc", {"method": method, "arguments": arguments}
        try:
            return self.ask(url, body, **{"X-Transmission-Session-Id": self.session})
        except urllib.error.HTTPError as error:
            with error:
                if error.code != 409:
                    raise
                self.session = error.headers["X-Transmission-Session-Id"]
        return self.call(method, **arguments)

    def hello(self) -> None:
        self.call("session-get")

    def add(self, name: str, torrent: bytes, magnet: str) -> None:
        what = {"filename": magnet} if magnet else {"metainfo": base64.b64encode(torrent).decode()}
        answer = self.call("torrent-add", paused=False, **what)
        if answer["result"] == "success":
            self.ids[name] = next(iter(answer["arguments"].values()))["id"]
        else:
            self.refused[name] = answer["result"]

    def states(self) -> dict[str, State]:
        fields = ["id", "pieces", "leftUntilDone", "metadataPercentComplete", "errorString", "status"]
        torrents = self.call("torrent-get", fields=fields)["arguments"]["torrents"]
        found = {torrent["id"]: torrent for torrent in torrents}
        return {name: self._state(found[number]) for name, number in self.ids.items()}

    @staticmethod
    def _state(torrent: dict[str, Any]) -> State:
        info = torrent["metadataPercentComplete"] == 1
        has = base64.b64decode(torrent["pieces"]) if info else b""
        return State(has, complete=info and torrent["leftUntilDone"] == 0, metadata=info, said=torrent["errorString"])


class Libtorrent(Client):
    def __init__(self, address: str, port: int, directory: str, *, plain: bool) -> None:
        super().__init__(address, port, directory, plain=plain)
        import libtorrent  # of the host's own release; the others do without  # noqa: PLC0415

        self.lt = libtorrent
        settings = {
            "listen_interfaces": f"{address}:{port}",
            "outgoing_interfaces": address,
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "active_downloads": -1,
            "active_limit": -1,
            "active_checking": -1,
            "connections_limit": 2000,
            "alert_mask": 0,
        }
        if plain:
            settings.update(out_enc_policy=2, in_enc_policy=2, enable_outgoing_utp=False)
        self.session = libtorrent.session(settings)
        self.handles: dict[str, Any] = {}

    def add(self, name: str, torrent: bytes, magnet: str) -> None:
        if magnet:
            params = self.lt.parse_magnet_uri(magnet)
        else:
            params = self.lt.add_torrent_params()
            try:
                params.ti = self.lt.torrent_info(self.lt.bdecode(torrent))
            except RuntimeError as error:
                self.refused[name] = str(error)
                return
        params.save_path = self.directory
        params.flags &= ~(self.lt.torrent_flags.auto_managed | self.lt.torrent_flags.paused)
        self.handles[name] = self.session.add_torrent(params)

    def states(self) -> dict[str, State]:
        return {name: self._state(handle.status()) for name, handle in self.handles.items()}

    @staticmethod
    def _state(status: Any) -> State:
        bits = "".join("1" if one else "0" for one in status.pieces)
        padded = bits + "0" * (-len(bits) % 8)
        has = int(padded or "0", 2).to_bytes(len(padded) // 8, "big")
        info = bool(status.has_metadata)
        return State(
            has if info else b"", complete=info and status.is_seeding, metadata=info, said=str(status.errc.message())
        )

    def stop(self) -> None:
        self.handles.clear()
        del self.session  # which waits until all is written


CLIENTS = {"aria2": Aria2, "transmission": Transmission, "libtorrent": Libtorrent}


# -- what goes over the wire ------------------------------------------------------------------------------------------


class Wire:
    """Counts the messages of unencrypted connections to a port, from the packets themselves."""

    def __init__(self, address: str, port: int) -> None:
        self._address, self._port = socket.inet_aton(address), port
        self._parts: dict[tuple[bytes, int, bool], dict[int, bytes]] = {}
        self._first: dict[tuple[bytes, int, bool], int] = {}
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
        self._sock.setsockopt(socket.SOL_SOCKET, RCVBUFFORCE, 64 * 2**20)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while not self._over.is_set() or select.select([self._sock], [], [], 0)[0]:
            if select.select([self._sock], [], [], POLL)[0]:
                packet, (_device, kind, *_rest) = self._sock.recvfrom(2**18)
                if kind == IPV4:
                    self._packet(packet)

    def _packet(self, packet: bytes) -> None:
        """Keep the payload of a TCP segment by its place in the stream (RFC 791, 9293)."""
        if packet[9] != 6:
            return
        head = (packet[0] & 15) * 4
        source, target = packet[12:16], packet[16:20]
        from_port, to_port, at = struct.unpack_from(">HHI", packet, head)
        up = source == self._address and to_port == self._port
        if not up and not (target == self._address and from_port == self._port):
            return
        stream = (target if up else source, from_port if up else to_port, up)
        if packet[head + 13] & 2:  # SYN: the stream begins behind it
            self._first[stream] = (at + 1) & 0xFFFFFFFF
            self._parts[stream] = {}
        end = struct.unpack_from(">H", packet, 2)[0] or len(packet)
        data = packet[head + (packet[head + 12] >> 4) * 4 : end]
        if data and stream in self._first:
            place = (at - self._first[stream]) & 0xFFFFFFFF
            known = self._parts[stream].get(place, b"")
            self._parts[stream][place] = max(known, data, key=len)

    def _stream(self, stream: tuple[bytes, int, bool]) -> bytes:
        whole = bytearray()
        for place, data in sorted(self._parts.get(stream, {}).items()):
            assert place <= len(whole), "a packet was missed"
            whole += data[len(whole) - place :]
        return bytes(whole)

    def counted(self) -> dict[str, dict[str, int]]:
        """Return by info hash what was said; nothing of it is known to whoever testifies."""
        self._over.set()
        self._thread.join()
        self._sock.close()
        found: dict[str, dict[str, int]] = {}
        for address, port, up in list(self._first):
            hello = self._stream((address, port, True))
            if up and hello.startswith(b"\x13BitTorrent protocol"):
                sums = found.setdefault(
                    hello[28:48].hex(), {"requests": 0, "haves": 0, "cancels": 0, "blocks": 0, "bytes": 0}
                )
                for kind, _length in messages(hello):
                    for number, name in ((6, "requests"), (4, "haves"), (8, "cancels")):
                        sums[name] += kind == number
                for kind, length in messages(self._stream((address, port, False))):
                    sums["blocks"] += kind == 7
                    sums["bytes"] += length - 9 if kind == 7 else 0
        return found


def messages(stream: bytes) -> Iterator[tuple[int, int]]:
    """Yield kind and length of the messages behind a handshake (BEP 3), as far as they are whole."""
    at = 68
    while at + 5 <= len(stream):
        length = struct.unpack_from(">I", stream, at)[0]
        if length and at + 4 + length <= len(stream):
            yield stream[at + 4], length
        at += 4 + length


# -- what came ---------------------------------------------------------------------------------------------------------


def pieces_of(torrent: bytes) -> tuple[int, list[bytes]]:
    """Return piece length and hashes of a torrent of version 1, read as far as that takes; none of other versions."""
    at = torrent.find(b"12:piece lengthi")
    size = int(torrent[at + 16 : torrent.index(b"e", at + 16)]) if at >= 0 else 0
    at = torrent.find(b"6:pieces")
    if at < 0:
        return size, []
    colon = torrent.index(b":", at + 8)
    raw = torrent[colon + 1 : colon + 1 + int(torrent[at + 8 : colon])]
    return size, [raw[place : place + 20] for place in range(0, len(raw), 20)]


def found(state: State, path: str, torrent: bytes) -> dict[str, Any]:
    """Compare what a client says it has with the disk."""
    size, hashes = pieces_of(torrent)
    has = [index for index in range(8 * len(state.has)) if state.has[index // 8] >> (7 - index % 8) & 1]
    if state.complete and hashes:
        has = list(range(len(hashes)))
    wrong = []
    content = b""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        content = file.read()
    for index in has:
        if hashes and hashlib.sha1(content[index * size : (index + 1) * size]).digest() != hashes[index]:
            wrong.append(index)
    whole = hashlib.sha256(content).hexdigest() if state.complete else ""
    return {
        "complete": state.complete,
        "metadata": state.metadata,
        "has": has,
        "wrong": wrong,
        "sha256": whole,
        "said": state.said,
    }


def main() -> None:
    kind, address, port, directory = sys.argv[1:]
    asked = json.load(sys.stdin)
    os.makedirs(directory)
    wire = Wire(address, asked["peer_port"]) if asked["count"] else None
    client = CLIENTS[kind](address, int(port), directory, plain=asked["count"])
    items = asked["items"]
    began = time.monotonic()
    try:
        for name, item in items.items():
            client.add(name, base64.b64decode(item["torrent"]), item["magnet"])
        while True:
            states, age = client.states(), time.monotonic() - began
            states.update({name: State(said=why) for name, why in client.refused.items()})
            open_yet = [
                name
                for name, item in items.items()
                if (age < item["whole"] and not states[name].complete)
                or (age < item["metadata"] and not states[name].metadata)
            ]
            if not open_yet:
                break
            time.sleep(POLL)  # between two looks; each item's own limits bound the wait
    finally:
        client.stop()
    results = {
        name: found(states[name], os.path.join(directory, name), base64.b64decode(item["torrent"]))
        for name, item in items.items()
    }
    print(json.dumps({"items": results, "counted": wire.counted() if wire else {}, "seconds": round(age, 1)}))


if __name__ == "__main__":
    main()
