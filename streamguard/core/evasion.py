"""Notices streams whose keyframes hide what lies between them.

Rule: keyframes alone are never trusted for long: where they are rare, missing or show nothing, what
lies between them is looked at, and the evasion is counted. Times are the stream's own.
"""

from enum import StrEnum

from streamguard.core.types import Packet

STRETCHED_US = 10_000_000
"""GOPs up to this length are common (OBS at its defaults); beyond, nobody's encoder is set so."""

PROBE_US = 2_500_000
"""How far after a keyframe that shows nothing the frames are looked at: as far as a verdict on it
would have reached."""

MAX_PROBE_EVERY_US = 10_000_000
"""A stream that shows nothing at all is looked at between keyframes so often at least: what begins
to hide there is met within that time, for a quarter of the cost of looking on."""

MIN_BLANK = 2
"""So many keyframes in a row that show nothing, with pictures between them, are no fade."""

CALM = 3
"""So many keyframes in a row that show something end the suspicion."""


class Evasion(StrEnum):
    """How keyframes hide what is shown."""

    STRETCHED_GOP = "stretched_gop"
    INTRA_REFRESH = "intra_refresh"
    BLANK_KEYFRAMES = "blank_keyframes"


class RareKeyframes:
    """Notices GOPs that are stretched, and pictures that are refreshed without keyframes."""

    def __init__(self) -> None:
        self._epoch = -1
        self._key_us: int | None = None
        self._was_told = False
        self._refreshes = False

    def read(self, packet: Packet) -> Evasion | None:
        """Take the next packet, in the order of reading; say what begins with it."""
        if packet.epoch != self._epoch:
            self._epoch, self._key_us = packet.epoch, None
            self._was_told = self._refreshes = False
        if packet.is_refresh and not self._refreshes:
            self._refreshes = True
            return Evasion.INTRA_REFRESH
        if packet.is_keyframe or self._key_us is None:
            self._key_us, self._was_told = packet.pts_us, False
        is_stretched = packet.pts_us - self._key_us > STRETCHED_US
        if not is_stretched or self._was_told or self._refreshes:
            return None
        self._was_told = True
        return Evasion.STRETCHED_GOP


class BlankKeyframes:
    """Says when to look between keyframes that show nothing, and whether something was there."""

    def __init__(self) -> None:
        self._epoch = -1
        self._begin(-1)

    def _begin(self, epoch: int) -> None:
        self._epoch = epoch
        self._n_blank = self._n_good = self._n_vain = 0
        self._saw_between = self._is_suspect = False
        self._not_before_us: int | None = None
        self.probe_until_us: int | None = None
        """Up to which media time of the epoch frames are to be looked at; None for none."""

    def judged(self, epoch: int, pts_us: int, *, is_keyframe: bool, is_blank: bool) -> bool:
        """Take the verdict on a sample, in the order of presentation; say if an evasion begins.

        is_blank: nothing of it could be held against a bank.
        """
        if epoch != self._epoch:
            self._begin(epoch)
        if is_keyframe:
            self._keyframe(pts_us, is_blank=is_blank)
        elif not is_blank and self._n_blank:
            self._saw_between = True
        is_evasive = self._saw_between and self._n_blank >= MIN_BLANK
        begins = is_evasive and not self._is_suspect
        self._is_suspect |= is_evasive
        return begins

    def is_probing(self, epoch: int, pts_us: int) -> bool:
        """Say whether a frame at this time is to be looked at; any thread."""
        until_us = self.probe_until_us
        return epoch == self._epoch and until_us is not None and pts_us < until_us

    def _keyframe(self, pts_us: int, *, is_blank: bool) -> None:
        if not is_blank:
            self._n_blank, self._n_good = 0, self._n_good + 1
            if self._n_good >= CALM:
                self._is_suspect = self._saw_between = False
                self._n_vain, self._not_before_us = 0, None
        else:
            self._n_blank, self._n_good = self._n_blank + 1, 0
        if self._saw_between:  # what was there may be there again
            self._n_vain = 0
            self.probe_until_us = pts_us + PROBE_US
        elif is_blank and (self._not_before_us is None or pts_us >= self._not_before_us):
            self.probe_until_us = pts_us + PROBE_US
            self._n_vain += 1
            self._not_before_us = pts_us + min(MAX_PROBE_EVERY_US, PROBE_US << min(self._n_vain, 3))
