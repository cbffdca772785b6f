"""vPDQ's files: the frames of one video, which is named by its file.

Rule: three forms are read, and the one of the C++ program is written, a line a frame:
`frame,quality,hash,seconds`. JSON comes as a list of "hash,quality,seconds", or, from older
versions, as an object of {"quality", "hash", "timestamp"} by frame number.
Source: facebook/ThreatExchange, vpdq/cpp/vpdq/cpp/io (0.2.5) and
python-threatexchange/threatexchange/extensions/vpdq/vpdq_util.py (1.2.16).
"""

import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

from streamguard.core.types import MIN_QUALITY
from streamguard.exchange.record import FieldProblem, Record, make_record
from streamguard.exchange.text_file import TextFile

Frame = tuple[str, str, str, str]
"""Frame number, quality, hash, seconds."""


def read(file: TextFile, defaults: dict[str, str]) -> Iterator[Record]:
    """Yield the frames of a file; the video is named by it.

    Raises:
        ListInvalid: a line is no frame; nothing after it was read.
    """
    video_id = file.path.stem
    first = next((line for line in file.lines() if line.strip()), "")
    is_json = first.lstrip()[:1] in ("[", "{")
    for number, quality, text, seconds in _of_json(file) if is_json else _of_lines(file):
        try:
            fields = {
                "record_id": f"{video_id}#{_whole('frame', number)}",
                "hash_type": "vpdq-frame",
                "hash": text.strip(),
                "quality": _whole("quality", quality),
                "video_id": video_id,
                "t_offset_ms": _milliseconds(seconds),
            }
            yield make_record({**defaults, **fields})
        except FieldProblem as problem:
            raise file.problem(problem.what, problem.field) from None


def write(records: Iterable[Record]) -> Iterator[str]:
    """Yield a line for each frame, in order of time; of no quality known, the least that counts."""
    frames = [record for record in records if record.is_matched and record.variant == 0]
    frames.sort(key=lambda record: record.t_offset_ms or 0)
    for number, frame in enumerate(frames):
        quality = MIN_QUALITY if frame.quality is None else frame.quality
        yield f"{number},{quality},{frame.hash},{(frame.t_offset_ms or 0) / 1000:.3f}\n"


def _of_lines(file: TextFile) -> Iterator[Frame]:
    for line in file.lines():
        if not line.strip():
            continue
        cells = line.split(",")
        if len(cells) != 4:  # noqa: PLR2004  # as the rule above says
            raise file.problem("a line is frame,quality,hash,seconds")
        yield cells[0], cells[1], cells[2], cells[3]


def _of_json(file: TextFile) -> Iterator[Frame]:
    try:
        document: Any = json.loads(file.whole())
    except (ValueError, RecursionError):
        raise file.problem("it is not JSON") from None
    if isinstance(document, list):
        for number, item in enumerate(document):
            cells = item.split(",") if isinstance(item, str) else []
            if len(cells) != 3:  # noqa: PLR2004  # as the rule above says
                raise file.problem('a frame is "hash,quality,seconds"', f"frame {number}")
            yield str(number), cells[1], cells[0], cells[2]
    elif isinstance(document, dict):
        for number, item in document.items():
            if not isinstance(item, dict) or not {"quality", "hash", "timestamp"} <= item.keys():
                raise file.problem("a frame has quality, hash and timestamp", "frame")
            yield number, str(item["quality"]), str(item["hash"]), str(item["timestamp"])
    else:
        raise file.problem("frames are a list or an object")


def _whole(field: str, text: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10):  # noqa: PLR2004  # a year at 30 fps
        raise FieldProblem(field, "a whole number is needed")
    return int(text)


def _milliseconds(text: str) -> int:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise FieldProblem("seconds", "a number of seconds is needed")
    return round(seconds * 1000)
