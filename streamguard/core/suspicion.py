"""Finds the stream that kills workers, and says how long it is held back.

Rule: one death blames nobody, and each death holds back one stream at most: of those that were in
hand at it, the one that was in hand at most deaths. Whoever is innocent may have been there by
chance, but is there less often; whatever is held back comes back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamguard.core.crew import Trouble
from streamguard.core.hands import LastWords, mark_of


@dataclass(frozen=True, slots=True)
class Hold:
    """A stream that is held back.

    n_deaths: workers that died with it in hand, lately.
    until_s:  Clock.monotonic() when it comes back, seconds.
    """

    stream_id: str
    n_deaths: int
    until_s: float


HANG_S = 1.0
"""What hangs has been in hand for longer, seconds: a 1080p keyframe takes 12 ms, and the kernel a
fraction of a second to end what is killed."""


def in_hand(
    words: LastWords, trouble: Trouble, stream_ids: Iterable[str], now_s: float
) -> list[str]:
    """Say which of a process's streams may have ended it, what was longest in hand first.

    A crash tells the very thread. Of a process that was killed all that was in hand counts; of one
    that hung, what was in hand for long; of one that grew, nothing: it took many packets.

    trouble: why it was given up, or `died`.
    """
    by_mark = {mark_of(one): one for one in stream_ids}
    if trouble == "fat":
        return []
    if words.crash:
        marks = [] if words.culprit is None else [words.culprit]
    else:
        until_s = now_s - HANG_S if trouble in {"stuck", "silent"} else now_s
        hands = sorted(words.hands, key=lambda hand: hand.since_s)
        marks = [hand.mark for hand in hands if hand.since_s <= until_s]
    return [by_mark[mark] for mark in dict.fromkeys(marks) if mark in by_mark]


class Suspicion:
    """What deaths of workers say about streams."""

    ENOUGH = 2
    """So many deaths with a stream in hand are no chance: one worker's decode threads have one or
    two of a hundred streams in hand."""
    LATELY_S = 600.0
    """Deaths are forgotten after so long. Who kills a worker less often costs its neighbours two
    seconds in ten minutes: a third of a percent."""
    FIRST_S, TIMES, MOST_S = 60.0, 4, 3600.0
    """The first hold lasts a minute, each one after it four times as long, up to an hour: a broken
    publish is mended or over by then, and an innocent stream loses a minute."""
    FORGIVEN_S = 86_400.0
    """A day without a hold, and the next one is a first one again."""

    def __init__(self) -> None:
        self._deaths_s: dict[str, list[float]] = {}  # of whom, as clock seconds
        self._n_holds: dict[str, int] = {}
        self._held: dict[str, Hold] = {}  # the last hold of each stream, also when it is over

    def died(self, suspects: Sequence[str], now_s: float) -> Hold | None:
        """Take note of a death; give the stream that is to be held back, if one is.

        suspects: the streams in hand, in the order of suspicion.
        """
        self._forget(now_s)
        for stream_id in suspects:
            self._deaths_s.setdefault(stream_id, []).append(now_s)
        first = max(suspects, key=lambda one: len(self._deaths_s[one]), default=None)
        if first is None or len(self._deaths_s[first]) < self.ENOUGH:
            return None
        n_holds = self._n_holds[first] = self._n_holds.get(first, 0) + 1
        seconds = min(self.MOST_S, self.FIRST_S * self.TIMES ** (n_holds - 1))
        hold = Hold(first, len(self._deaths_s[first]), now_s + seconds)
        # it comes back on probation: one death more is enough
        self._deaths_s[first] = [hold.until_s] * hold.n_deaths
        self._held[first] = hold
        return hold

    def is_suspect(self, stream_id: str, now_s: float) -> bool:
        """Say whether a worker died lately with a stream in hand."""
        return any(now_s - at_s < self.LATELY_S for at_s in self._deaths_s.get(stream_id, ()))

    def held(self, now_s: float) -> dict[str, Hold]:
        """Give what is held back, by stream."""
        return {one: hold for one, hold in self._held.items() if now_s < hold.until_s}

    def let_back(self, stream_id: str, now_s: float) -> bool:
        """End a hold early, and forget the deaths that led to it; False where there is none."""
        if stream_id not in self.held(now_s):
            return False
        hold = self._held[stream_id]
        self._held[stream_id] = Hold(stream_id, hold.n_deaths, now_s)
        del self._deaths_s[stream_id]
        return True

    def _forget(self, now_s: float) -> None:
        for stream_id, deaths_s in tuple(self._deaths_s.items()):
            recent = [at_s for at_s in deaths_s if now_s - at_s < self.LATELY_S]
            if recent:
                self._deaths_s[stream_id] = recent
            else:
                del self._deaths_s[stream_id]
        for stream_id, hold in tuple(self._held.items()):
            if now_s - hold.until_s >= self.FORGIVEN_S:
                del self._held[stream_id], self._n_holds[stream_id]
