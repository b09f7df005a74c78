"""What every downloading client is to the lab: one contract and one vocabulary, whatever it speaks inside."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Sequence

from ansible.module_utils.seedbed.base.errors import SeedbedError

FEATURES = {
    "torrent": "takes a .torrent file",
    "magnet": "takes a magnet link with its trackers",
    "bare_magnet": "takes a magnet link without trackers, and is told of trackers apart from it",
    "private": "downloads private torrents (BEP 27)",
    "hybrid": "takes hybrid torrents (BEP 52) by their v1 info hash",
    "v2": "takes torrents of v2 alone (BEP 52)",
    "web_seed": "downloads from web seeds (BEP 19)",
    "udp_tracker": "asks UDP trackers (BEP 15)",
    "udp_tracker_ipv6": "asks UDP trackers at IPv6 addresses, too",
    "file_choice": "downloads chosen files alone",
    "dht": "finds peers by a DHT that it is told a node of (BEP 5)",
    "pex": "finds peers by those it has (BEP 11)",
    "lpd": "finds peers in its own network (BEP 14)",
}
"""What a client may lack; an order that needs it is skipped, not failed."""

FINDS = ("dht", "pex", "lpd")
"""How peers are found besides trackers; all of it is off unless it is asked for."""

STATES = ("waiting", "metadata", "checking", "downloading", "complete", "failed")
"""How a download stands: not begun, fetching the metadata of a magnet, reading its own disk, fetching content, having
all that was chosen, given up by the client."""


class ClientError(SeedbedError):
    """A client did not start, has ended, or refused a call."""


class ClientSilent(ClientError):
    """A client does not answer: it has not come up yet, or has ended."""


class ClientSettings(NamedTuple):
    """What a client's process needs to know."""

    directory: str
    """It may write there and nowhere else."""
    user: str
    control_port: int
    peer_port: int
    address: str
    """Where it listens and connects from; empty for the system's choice."""
    parallel: int
    """How many downloads it runs side by side."""
    seconds: int
    """After which systemd ends it, whatever has become of us; 0: never."""
    secret: str = ""
    """With it the control port is open to others; without, a client has one that nobody knows."""
    bound_to: str = ""
    """The unit with which it ends."""
    finds: Sequence[str] = ()
    """Of FINDS what is switched on."""
    dht_nodes: Sequence[str] = ()
    """Where its DHT begins, as address:port."""


class Order(NamedTuple):
    """One download, as a client is told of it."""

    directory: str
    torrent: bytes = b""
    magnet: str = ""
    trackers: Sequence[str] = ()
    """Announce URLs that the client is told apart from .torrent and magnet, in the way it has for that."""
    files: Sequence[int] = ()
    """The chosen files, counted from 0 in the torrent's order, padding among them; none: all."""
    paths: Sequence[str] = ()
    """The same by their paths below the torrent's name, for clients that count no padding."""


class Status(NamedTuple):
    """How a download stands, in the words of the contract."""

    state: str
    bytes: int = 0
    """Of the content; what clients say of it counts blocks that are not verified yet."""
    peers: int = 0
    error: str = ""


class Client(ABC):
    """One kind of client. As a context it runs: entered, it is ready for orders; left, nothing of it runs any more."""

    name: str
    features: frozenset[str]

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings

    @abstractmethod
    def __enter__(self) -> Client:
        """Start it and return when it takes orders; raise ClientError, with nothing left running, if it does not."""

    @abstractmethod
    def __exit__(self, *_: object) -> None:
        """End it."""

    @abstractmethod
    def add(self, order: Order) -> str:
        """Begin a download and return its handle."""

    @abstractmethod
    def status(self, handle: str) -> Status:
        """Return how a download stands."""

    @abstractmethod
    def files(self, handle: str) -> list[str]:
        """Return the paths of a download's files in the torrent's order, padding included or not."""

    @abstractmethod
    def remove(self, handle: str) -> None:
        """Forget a download, whether it has ended or not; its files stay where they are."""

    def last_words(self, handle: str, info_hash: str) -> list[str]:
        """Return what it wrote about a download that failed, if anything; info_hash is empty for a UDP tracker."""
        del handle, info_hash  # most clients say all in their status
        return []
