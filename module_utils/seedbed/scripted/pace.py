"""Who talks without end is not listened to for a moment: a pause instead of a burnt core."""

from __future__ import annotations

import time

REST = 0.5  # seconds of a pause


class Pace:
    """Counts what happens within a second; above a number it is time for a pause."""

    rests = 0  # of all, for the daemon's state

    def __init__(self, most: int) -> None:
        self._most = most
        self._second = self._count = 0.0

    def is_over(self, weight: int = 1) -> bool:
        """Count, and return whether a pause is due; then counting begins anew."""
        now = time.monotonic()
        if now - self._second > 1:
            self._second, self._count = now, 0
        self._count += weight
        if self._count <= self._most:
            return False
        self._second, self._count = now, 0
        Pace.rests += 1
        return True
