"""Chooses which packets of a stream are decoded, and which decoded frames become samples.

Rule: every keyframe is decoded in every mode (the floor); `keyframes` never decodes more. Time is
the stream's own; the caller does the decoding.
"""

from collections import deque
from enum import Enum, StrEnum, auto

from streamguard.core.evasion import BlankKeyframes, Evasion, RareKeyframes
from streamguard.core.types import Packet

MAX_KEYFRAME_GAP_US = 2_500_000
"""A media second is screened if a verdict lies within 2.5 s of it: keyframes alone may do that."""

DENSE_INTERVAL_US = 250_000
"""Four samples a second find 96 % of copies against a list hashed once a second (measured)."""

NEAR_MISS_DENSE_US = 10_000_000
"""How long a near miss buys dense sampling."""

ALLOWANCE_US = 60_000_000
"""How much of it a stream has in store: what is known shows itself within seconds, a slate or a
game that looks like an entry comes close for hours."""

ALLOWANCE_SHARE = 6
"""...and one second in so many comes back: dense decoding costs twenty times the keyframes, so
that endless near misses cost a stream four times its floor."""

CALM_KEYFRAMES = 3
"""So many keyframes in time, one after another, end the dense sampling that rare ones began."""

MAX_CATCH_UP_US = 10_000_000
"""A GOP that has gone on for longer is not caught up with: its packets would all come at once, and
push what is new out of the lane."""

MAX_EVASIONS = 16
"""Evasions that wait to be counted; they are fetched twice a second."""


class Sampling(StrEnum):
    """How much of a stream is decoded."""

    AUTO = "auto"
    KEYFRAMES = "keyframes"
    DENSE = "dense"


class Level(StrEnum):
    """How much of a stream that is sampled by itself the machine can afford."""

    FLOOR = "floor"  # keyframes alone, whatever lies between them
    STANDARD = "standard"  # keyframes, long GOPs, and what a near miss or a blank keyframe asks for
    DENSE = "dense"  # all of it: there is time to spare, and a risk


class Step(Enum):
    """What to do with a packet."""

    SKIP = auto()
    KEYFRAME = auto()  # decode it alone, drain the decoder
    CATCH_UP = auto()  # decode in order from where this GOP, or a refresh, began to this packet
    DENSE = auto()  # decode it in order, after its predecessors


class Sampler:
    """Decides packet by packet for one stream; one thread feeds it."""

    def __init__(self, mode: Sampling) -> None:
        self._mode = mode
        self._is_dense = False
        self._epoch = -1
        self._last_key_us: int | None = None
        self._rare_until_calm = 0
        self._dense_until: tuple[int, int] = (-1, 0)  # epoch and media time
        self._left_us = ALLOWANCE_US
        self._asked: tuple[int, int] = (-1, 0)
        self._rare = RareKeyframes()
        self._blank = BlankKeyframes()
        self._evasions: deque[Evasion] = deque(maxlen=MAX_EVASIONS)
        self.level = Level.STANDARD
        """What the machine can afford; any thread may set it. The other modes go their own way."""

    def judged(self, epoch: int, pts_us: int, *, is_keyframe: bool, is_blank: bool) -> None:
        """Take note of what a sample showed, see BlankKeyframes.judged. One thread, any."""
        if self._blank.judged(epoch, pts_us, is_keyframe=is_keyframe, is_blank=is_blank):
            self._evasions.append(Evasion.BLANK_KEYFRAMES)

    def take_evasions(self) -> list[Evasion]:
        """Give the evasions that began since this was last asked; any thread."""
        return [self._evasions.popleft() for _ in range(len(self._evasions))]

    @property
    def has_begun(self) -> bool:
        """Say whether a packet came; any thread."""
        return self._epoch >= 0

    @property
    def needs_all_frames(self) -> bool:
        """Say whether also frames that no other frame needs are decoded, of what is decoded.

        A long GOP is decoded only to be seen now and then: the others are enough.
        """
        epoch, until_us = self._dense_until
        is_asked = epoch == self._epoch and (self._last_key_us or 0) < until_us
        return self._mode is Sampling.DENSE or self.level is Level.DENSE or is_asked

    def request_dense(self, epoch: int, from_us: int) -> None:
        """Take a near miss at a media time; harmless in the other modes. One thread, any.

        Near misses that go on use up what a stream has in store; then few of them are heard.
        """
        asked_epoch, asked_us = self._asked
        if epoch == asked_epoch:
            came_back_us = max(0, from_us - asked_us) // ALLOWANCE_SHARE
            self._left_us = min(ALLOWANCE_US, self._left_us + came_back_us)
        self._asked = (epoch, from_us)
        bought_epoch, until_us = self._dense_until
        since_us = max(from_us, until_us) if epoch == bought_epoch else from_us
        price_us = from_us + NEAR_MISS_DENSE_US - since_us
        if price_us <= self._left_us:
            self._left_us -= price_us
            self._dense_until = (epoch, from_us + NEAR_MISS_DENSE_US)

    @property
    def wants_keyframes_alone(self) -> bool:
        """Say whether what comes before the next keyframe would be skipped, if that comes in time.

        One thread, the one that calls `step`.
        """
        if self._mode is not Sampling.AUTO:
            return self._mode is Sampling.KEYFRAMES
        if self.level is not Level.STANDARD:
            return self.level is Level.FLOOR
        if self._blank.is_probing(self._epoch, self._last_key_us or 0):
            return False
        epoch, until_us = self._dense_until
        is_asked = epoch == self._epoch and (self._last_key_us or 0) < until_us
        return not (is_asked or self._is_dense or self._rare_until_calm)

    def step(self, packet: Packet) -> Step:
        """Choose for the next packet, in the order of reading."""
        if packet.epoch != self._epoch:
            self._begin_epoch(packet.epoch)
        evasion = self._rare.read(packet)
        if evasion is not None:
            self._evasions.append(evasion)
        wants_dense = self._wants_dense(packet)
        if packet.is_keyframe:
            self._last_key_us = packet.pts_us
            self._is_dense = wants_dense
            return Step.DENSE if wants_dense else Step.KEYFRAME
        if self._is_dense and self._is_at_floor:
            self._is_dense = False  # a GOP may last for minutes
        if wants_dense and not self._is_dense:
            return self._begin_between(packet)
        # a GOP whose decoding began goes on to its end: stopping midway would save little
        return Step.DENSE if self._is_dense else Step.SKIP

    @property
    def _is_at_floor(self) -> bool:
        return self._mode is Sampling.AUTO and self.level is Level.FLOOR

    def _begin_between(self, packet: Packet) -> Step:
        """Begin to decode in order after a keyframe, or where the picture begins to be renewed."""
        key_us = self._last_key_us
        is_young = key_us is not None and packet.pts_us - key_us <= MAX_CATCH_UP_US
        self._is_dense = is_young or packet.is_poor_start
        return Step.CATCH_UP if self._is_dense else Step.SKIP

    def _begin_epoch(self, epoch: int) -> None:
        self._epoch = epoch
        self._is_dense = False
        self._last_key_us = None
        self._rare_until_calm = 0

    def _wants_dense(self, packet: Packet) -> bool:
        if self._mode is not Sampling.AUTO:
            return self._mode is Sampling.DENSE
        last_key_us = packet.pts_us if self._last_key_us is None else self._last_key_us
        if packet.pts_us - last_key_us > MAX_KEYFRAME_GAP_US or packet.is_poor_start:
            self._rare_until_calm = CALM_KEYFRAMES
        elif packet.is_keyframe and self._rare_until_calm:
            self._rare_until_calm -= 1
        if self.level is not Level.STANDARD:
            return self.level is Level.DENSE
        epoch, until_us = self._dense_until
        is_asked = packet.epoch == epoch and packet.pts_us < until_us
        is_probing = self._blank.is_probing(packet.epoch, packet.pts_us)
        return self._rare_until_calm > 0 or is_asked or is_probing


class FramePicker:
    """Thins the frames of dense decoding to four a second; keyframes always pass."""

    def __init__(self) -> None:
        self._epoch = -1
        self._last_us = self._due_us = 0

    def wants(self, epoch: int, pts_us: int, *, is_keyframe: bool) -> bool:
        """Say whether this frame becomes a sample; frames come in the order of presentation."""
        if epoch == self._epoch:
            if pts_us <= self._last_us or (pts_us < self._due_us and not is_keyframe):
                return False
            # from the time that was due, not from the frame that came: four a second, not fewer
            self._due_us = max(self._due_us, pts_us - DENSE_INTERVAL_US) + DENSE_INTERVAL_US
        else:
            self._due_us = pts_us + DENSE_INTERVAL_US
        self._epoch, self._last_us = epoch, pts_us
        return True
