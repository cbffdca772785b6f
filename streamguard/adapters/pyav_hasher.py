"""Reads and hashes the frames of a video or image, one after another, for banks and for `hash`.

Rule: it looks at a frame exactly as screening does, so that a bank and a stream agree.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import dropwhile

from streamguard.adapters.pyav_decoder import PyavDecoder
from streamguard.adapters.pyav_source import PyavSource
from streamguard.core.errors import SourceCorrupt, SourceInvalid, StreamguardError
from streamguard.core.location import Location
from streamguard.core.look import views_of
from streamguard.core.ports import Clock, InOrder
from streamguard.core.region_memory import RegionMemory
from streamguard.core.timeline import Timeline
from streamguard.core.types import Frame, Packet, View


@dataclass(frozen=True, slots=True, eq=False)
class Hashed:
    """The views of one frame.

    offset_us: media time since the first frame; an unbroken count also where the timeline breaks.
    """

    offset_us: int
    views: tuple[View, ...]


def hash_source(location: Location, clock: Clock, *, every_frame: bool) -> Iterator[Hashed]:
    """Yield the hashed frames in the order of presentation: every frame, or keyframes alone.

    What earlier frames showed is remembered as in screening: windows in the picture are found.

    Raises:
        StreamguardError: what opening and reading a source raises; frames before it were given.
        SourceInvalid: not one picture can be decoded.
    """
    epoch, memory = 0, RegionMemory()
    for offset_us, frame in read_frames(location, clock, every_frame=every_frame):
        if frame.packet.epoch != epoch:
            epoch, memory = frame.packet.epoch, RegionMemory()
        yield Hashed(offset_us, views_of(frame.luma, full_range=frame.full_range, memory=memory))


def read_frames(
    location: Location, clock: Clock, *, every_frame: bool
) -> Iterator[tuple[int, Frame]]:
    """Yield the frames themselves, each with its offset_us; see Hashed and hash_source."""
    shift_us: int | None = None
    last_us = epoch = 0
    for frame in _frames(location, clock, every_frame=every_frame):
        packet = frame.packet
        if shift_us is None or packet.epoch != epoch:
            shift_us, epoch = last_us - packet.pts_us, packet.epoch
        last_us = max(last_us, packet.pts_us + shift_us)
        yield packet.pts_us + shift_us, frame
    if shift_us is None:
        raise SourceInvalid(f"no picture of {location.label} can be decoded")


def _frames(location: Location, clock: Clock, *, every_frame: bool) -> Iterator[Frame]:
    """Decode past damaged packets; what cannot be decoded is left out."""
    with PyavSource(location, Timeline(), clock) as source:
        decoder = PyavDecoder(clock)
        if every_frame:
            yield from _all(source.packets(), decoder.in_order(source.codec))
            return
        for packet in source.packets():
            if packet.is_keyframe:
                with suppress(SourceCorrupt):
                    yield decoder.keyframe(source.codec, packet)


def _all(packets: Iterator[Packet], in_order: InOrder) -> Iterator[Frame]:
    """Decode in order; frames held back come before the error that the packets end with."""
    problem: StreamguardError | None = None
    try:
        for packet in dropwhile(lambda packet: not packet.is_keyframe, packets):
            with suppress(SourceCorrupt):
                yield from in_order.feed(packet)
    except StreamguardError as error:
        problem = error
    with suppress(SourceCorrupt):
        yield from in_order.finish()
    if problem is not None:
        raise problem
