"""qBittorrent without a screen as a guarded process of its own, told what to do by its Web API."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import secrets
import urllib.parse
from typing import Any, Mapping

from ansible.module_utils.seedbed.base.net import loopback
from ansible.module_utils.seedbed.clients.contract import (
    Client,
    ClientError,
    ClientSettings,
    ClientSilent,
    Order,
    Status,
)
from ansible.module_utils.seedbed.clients.unit import ClientUnit
from ansible.module_utils.seedbed.transmission.daemon import installed_version
from ansible.module_utils.seedbed.transmission.rpc import parse_version

PROGRAM = "/usr/bin/qbittorrent-nox"
USER = "seedbed"
# Nothing waits in a queue, nor in memory when it is said to be there. Told by the Web API, since 4.2 does not take all
# of it from its file.
PREFERENCES = {
    "queueing_enabled": False,
    "announce_to_all_trackers": True,
    "announce_to_all_tiers": True,
    "disk_cache": 0,
}
FORM = "application/x-www-form-urlencoded"
ROUNDS = 100_000  # of PBKDF2, which its settings do not say
_STATES = {
    "metaDL": "metadata",
    "forcedMetaDL": "metadata",
    "allocating": "checking",
    "checkingDL": "checking",
    "checkingUP": "checking",
    "checkingResumeData": "checking",
    "moving": "checking",
    "downloading": "downloading",
    "stalledDL": "downloading",
    "forcedDL": "downloading",
    "uploading": "complete",
    "stalledUP": "complete",
    "forcedUP": "complete",
    "queuedUP": "complete",
    "pausedUP": "complete",
    "stoppedUP": "complete",
    "error": "failed",
    "missingFiles": "failed",
}


def configuration(settings: ClientSettings, secret: str, salt: bytes) -> str:
    """Return qBittorrent.conf: peers come from trackers alone.

    4.2 has some of it under other names than its successors, and each passes over what it does not know.
    """
    off = ("DHTEnabled", "PeXEnabled", "LSDEnabled", "SSRFMitigation", "UseRandomPort")
    sections: dict[str, dict[str, Any]] = {
        "LegalNotice": {"Accepted": "true"},
        "Network": {"PortForwardingEnabled": "false"},
        "BitTorrent": {
            **{f"Session\\{name}": "false" for name in off},
            "Session\\Port": settings.peer_port,
            "Session\\BTProtocol": "TCP",
            "Session\\MultiConnectionsPerIp": "true",
            "Session\\DefaultSavePath": settings.directory,
            **({"Session\\InterfaceAddress": settings.address} if settings.address else {}),
        },
        "Preferences": {
            **{f"Bittorrent\\{name}": "false" for name in ("DHT", "PeX", "LSD")},
            "Connection\\UPnP": "false",
            "Connection\\PortRangeMin": settings.peer_port,
            "WebUI\\Address": loopback(),
            "WebUI\\Port": settings.control_port,
            "WebUI\\UseUPnP": "false",
            "WebUI\\LocalHostAuth": "true",
            "WebUI\\Username": USER,
            "WebUI\\Password_PBKDF2": f'"@ByteArray({password_hash(secret, salt)})"',
        },
    }
    return "\n".join(
        f"[{section}]\n" + "".join(f"{key}={value}\n" for key, value in values.items())
        for section, values in sections.items()
    )


def password_hash(password: str, salt: bytes) -> str:
    """Return a password as qBittorrent keeps it."""
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ROUNDS)
    return ":".join(base64.b64encode(part).decode() for part in (salt, digest))


def multipart(fields: Mapping[str, str], torrent: bytes) -> tuple[bytes, str]:
    """Return a form with a .torrent, and its media type."""
    boundary = secrets.token_hex(16)
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    if torrent:
        head = b'name="torrents"; filename="item.torrent"\r\nContent-Type: application/x-bittorrent\r\n\r\n'
        parts.append(head + torrent)
    body = b"".join(b"--%s\r\nContent-Disposition: form-data; %s\r\n" % (boundary.encode(), part) for part in parts)
    return body + b"--%s--\r\n" % boundary.encode(), f"multipart/form-data; boundary={boundary}"


class Qbittorrent(Client):
    """The qbittorrent-nox of the host's release."""

    name = "qbittorrent"

    def __init__(self, settings: ClientSettings) -> None:
        super().__init__(settings)
        can = {"torrent", "magnet", "bare_magnet", "private", "hybrid", "web_seed", "udp_tracker", "file_choice"}
        # From 4.4 on it may be built with libtorrent 2, as Debian's is.
        self.features = frozenset(can | ({"v2"} if installed_version(PROGRAM) >= (4, 4) else set()))
        self._secret = settings.secret or secrets.token_hex(16)
        self._process = ClientUnit(settings, "qbittorrent-nox")
        self._cookie = ""
        self._start = "torrents/start"
        self._orders: dict[str, Order] = {}

    def __enter__(self) -> Qbittorrent:
        """Start it and log in."""
        profile = self.settings.directory
        for part in ("qBittorrent", "qBittorrent/config"):
            self._process.make_directory(os.path.join(profile, part))
        self._process.run(
            {"qBittorrent/config/qBittorrent.conf": configuration(self.settings, self._secret, os.urandom(16))},
            [PROGRAM, f"--profile={profile}", f"--webui-port={self.settings.control_port}"],
            self._log_in,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.stop()

    def add(self, order: Order) -> str:
        """Begin a download; the handle is its category, since adding says nothing of its hash.

        The list of trackers is one for all that is added after.
        """
        handle = str(len(self._orders) + 1)
        self._process.make_directory(order.directory)
        trackers = {"add_trackers_enabled": bool(order.trackers), "add_trackers": "\n".join(order.trackers)}
        self._call("app/setPreferences", {"json": json.dumps(trackers)})
        fields = {"savepath": order.directory, "category": handle, "contentLayout": "Original", "root_folder": "true"}
        if order.paths:  # it waits until they are chosen; 5 has another word for it, and 4.2 none with a magnet
            waits = {"stopCondition": "MetadataReceived"} if order.magnet else {"paused": "true", "stopped": "true"}
            fields.update(waits)
        body, media = multipart({**fields, **({"urls": order.magnet} if order.magnet else {})}, order.torrent)
        answer = self._post("torrents/add", body, media)
        if answer != b"Ok.":
            raise ClientError("qBittorrent refuses it: {}".format(answer.decode(errors="replace")))
        self._orders[handle] = order
        return handle

    def status(self, handle: str) -> Status:
        """Return how a download stands."""
        found = self._call("torrents/info", {"category": handle})
        order = self._orders[handle]
        if not found:
            return Status("metadata" if order.magnet else "waiting")
        seen = found[0]
        peers = seen["num_seeds"] + seen["num_leechs"]
        state = _STATES.get(seen["state"], "waiting")
        if state == "failed":
            return Status(state, seen["completed"], peers, "; ".join(self.last_words(handle, "")) or seen["state"])
        if order.paths and state not in ("metadata", "checking"):
            self._choose(seen["hash"], order)
            self._orders[handle] = order._replace(paths=())
            return Status("downloading", 0, peers)
        return Status(state, seen["completed"], peers)

    def files(self, handle: str) -> list[str]:
        """Return the paths of a download's files."""
        seen = self._seen(handle)
        return [os.path.join(seen["save_path"], file["name"]) for file in self._files(seen["hash"])]

    def remove(self, handle: str) -> None:
        """Forget a download."""
        self._call("torrents/delete", {"hashes": self._seen(handle)["hash"], "deleteFiles": "false"})

    def last_words(self, handle: str, info_hash: str) -> list[str]:
        """Return what its trackers say."""
        del info_hash
        with contextlib.suppress(ClientError):
            trackers = self._call("torrents/trackers", {"hash": self._seen(handle)["hash"]})
            return [tracker["msg"] for tracker in trackers if tracker["msg"]]
        return []

    def _choose(self, torrent: str, order: Order) -> None:
        """Have it leave out the other files, as soon as it knows of them; it names them below the torrent's name."""
        names = [file["name"].partition("/")[2] or file["name"] for file in self._files(torrent)]
        others = [str(index) for index, name in enumerate(names) if name not in order.paths]
        if others:
            self._call("torrents/filePrio", {"hash": torrent, "id": "|".join(others), "priority": "0"})
        self._call(self._start, {"hashes": torrent})

    def _files(self, torrent: str) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = self._call("torrents/files", {"hash": torrent})
        return files

    def _seen(self, handle: str) -> dict[str, Any]:
        found = self._call("torrents/info", {"category": handle})
        if not found:
            raise ClientError("qBittorrent does not have the torrent")
        seen: dict[str, Any] = found[0]
        return seen

    def _log_in(self) -> None:
        self._call("auth/login", {"username": USER, "password": self._secret})
        if not self._cookie:
            raise ClientError("qBittorrent refuses the login")
        version = self._post("app/webapiVersion", b"", FORM).decode()
        if parse_version(version) < (2, 11):
            self._start = "torrents/resume"
        self._call("app/setPreferences", {"json": json.dumps(PREFERENCES)})

    def _call(self, method: str, fields: Mapping[str, str]) -> Any:
        """Make one call and return its answer, as data where there is any."""
        answer = self._post(method, urllib.parse.urlencode(fields).encode(), FORM)
        return json.loads(answer) if answer[:1] in (b"[", b"{") else None

    def _post(self, method: str, body: bytes, media: str) -> bytes:
        connection = http.client.HTTPConnection(loopback(), self.settings.control_port, timeout=30)
        try:
            connection.request("POST", f"/api/v2/{method}", body, {"Content-Type": media, "Cookie": self._cookie})
            answer = connection.getresponse()
            content = answer.read()
        except OSError as error:
            raise ClientSilent(f"qBittorrent does not answer on port {self.settings.control_port}: {error}") from error
        except http.client.HTTPException as error:
            raise ClientError(f"port {self.settings.control_port} does not speak qBittorrent's Web API") from error
        finally:
            connection.close()
        if answer.status >= 300:
            said = content.decode(errors="replace").strip()
            raise ClientError(f"qBittorrent answers {method} with {answer.status} {said or answer.reason}")
        self._cookie = (answer.getheader("Set-Cookie") or self._cookie).partition(";")[0]
        return content
