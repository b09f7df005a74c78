"""The seven states of a torrent in Transmission, the same in every version."""

from __future__ import annotations

from enum import IntEnum


class TorrentStatus(IntEnum):
    """torrent-get's `status`; a name in lower case is how results tell it to programs."""

    STOPPED = 0
    CHECK_WAIT = 1
    CHECKING = 2
    DOWNLOAD_WAIT = 3
    DOWNLOADING = 4
    SEED_WAIT = 5
    SEEDING = 6

    @property
    def words(self) -> str:
        """Return what a person is told: it is ..."""
        return _WORDS.get(self, self.name.lower())

    @property
    def is_check(self) -> bool:
        """Return whether the daemon reads the content, or will when its turn comes."""
        return self in (TorrentStatus.CHECK_WAIT, TorrentStatus.CHECKING)

    @property
    def is_idle(self) -> bool:
        """Return whether it neither serves nor fetches nor is being checked."""
        return self in (TorrentStatus.STOPPED, TorrentStatus.DOWNLOAD_WAIT, TorrentStatus.SEED_WAIT)


_WORDS = {
    TorrentStatus.CHECK_WAIT: "waiting to be checked",
    TorrentStatus.CHECKING: "being checked",
    TorrentStatus.DOWNLOAD_WAIT: "queued",
    TorrentStatus.SEED_WAIT: "queued",
}
