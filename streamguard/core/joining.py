"""Says where to begin to decode a stream that was joined midway, and shows no place to begin.

Rule: a stream that has shown one is left alone; what is decoded from elsewhere counts as nothing
that was screened.
"""

JOIN_US = 2_500_000
"""How long to wait for a keyframe, microseconds: as long as a verdict on it would reach back."""

AGAIN_US = 2_500_000
"""After so long there is another such place: decoding that lost a packet goes on from there."""


class Joining:
    """One connection; one thread."""

    def __init__(self) -> None:
        self._is_joined = False
        self._next_us: int | None = None

    def begins(self, dts_us: int, *, is_start: bool) -> bool:
        """Take the next packet, in the order of decoding; say whether to begin blindly with it.

        is_start: decoding in order may begin with it anyway.
        """
        self._is_joined |= is_start
        if self._is_joined:
            return False
        if self._next_us is None:
            self._next_us = dts_us + JOIN_US
        if dts_us < self._next_us:
            return False
        self._next_us = dts_us + AGAIN_US
        return True
