"""The vault alone: what evidence costs in CPU, memory and disk, and that no flipped bit escapes.

Rule: one thread; CPU is that of the process. Flags come one after another, each with a clip and a
still of random bytes, and every write is synchronised as `streamguard run` does it.
"""

import argparse
import json
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pyrage

from loadtest.live import quantiles
from loadtest.vault_looks import looks
from streamguard.adapters.system_clock import SystemClock
from streamguard.core.kept import Ends, Part, Piece, Subject
from streamguard.vault.checking import Checked, check
from streamguard.vault.collecting import Collector
from streamguard.vault.encrypting import read_recipients
from streamguard.vault.export import Order, export
from streamguard.vault.folder import Folder
from streamguard.vault.keys import KeyFiles, Keys
from streamguard.vault.recording import Recordings
from streamguard.vault.sealing import new_key, opened, sealed
from streamguard.vault.vault import Vault

MB = 1_000_000
CLIP_BYTES = 5_625_000
"""Ten seconds of 4.5 Mbit/s, as the load tests' streams have it."""

STILL_BYTES = 120_000
"""A JPEG of 1080p."""

LARGE_BYTES = 100 * MB
STEP_BITS = 1
"""Each how many bits one is flipped; a test of this test takes fewer."""

N_SEALED = 5
N_PIECES = 120
"""Of a minute, half a second each."""

ORDER = Order("loadtest", "1")


@dataclass(slots=True)
class Spent:
    """What something took, seconds."""

    cpu_s: float = 0.0
    wall_s: float = 0.0


@contextmanager
def spending() -> Iterator[Spent]:
    """Measure what happens within."""
    spent, cpu_s, wall_s = Spent(), time.process_time(), time.perf_counter()
    yield spent
    spent.cpu_s, spent.wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a flipped bit escapes."""
    parser = argparse.ArgumentParser(prog="python -m loadtest vault", description=__doc__)
    parser.add_argument("--flags", type=int, default=200)
    parser.add_argument("--json", action="store_true", help="the default: one object, last line")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:  # a disk, which /tmp need not be
        folder = Path(name)
        memory = _memory(folder / "large")
        sealing = _sealing()
        flags = _flags(folder / "flags", options.flags)
        growing = _growing(folder / "growing")
        looked = looks(_made(folder / "looks"), _made(folder / "looks"))
        bits = _every_bit(folder / "small")
    load = [round(load, 2) for load in os.getloadavg()]
    is_good = bits["n_missed"] == 0
    figures = {"sealing": sealing, "flags": flags, "growing": growing, "memory": memory}
    print(json.dumps({**figures, "looks": looked, "bits": bits, "load": load, "pass": is_good}))
    return 0 if is_good else 1


def _made(directory: Path) -> Vault:
    keys = Keys(KeyFiles.beside(directory))
    return Vault(Folder(directory), keys, Collector("loadtest", "0"), SystemClock())


def _id(number: int) -> str:
    return str(UUID(int=number))


def _subject(number: int) -> Subject:
    return Subject(_id(number), f"stream-{number}", _id(1_000_000 + number))


def _part(role: str, content: bytes) -> Part:
    kind = "video/mp4" if role == "clip" else "image/jpeg"
    return Part(role, kind, 0, 10_000, is_original=role == "clip", content=content)


def _memory(directory: Path) -> dict[str, Any]:
    """Keep, verify and export one large part; tell how far the process grows at each."""
    vault = _made(directory)
    vault.keep(_subject(0), (_part("clip", b"small"),))  # all is imported and made
    parts = [_part("clip", random.Random(1).randbytes(LARGE_BYTES))]
    print(f"one part of {LARGE_BYTES // MB} MB", file=sys.stderr)
    kept = _growth(lambda: vault.keep(_subject(1), parts))
    parts.clear()
    verified = _growth(lambda: list(check(vault, Checked())))
    exported = _growth(lambda: export(vault, _id(1), directory.with_suffix(".zip"), ORDER))
    return {
        "part_mb": LARGE_BYTES // MB,
        "keep_grows_by_mb": kept,  # beside the part itself
        "verify_grows_by_mb": verified,  # what part and keeping took is free again
        "export_grows_by_mb": exported,
    }


def _growth(do: Callable[[], object]) -> float:
    """Give by how much the peak of resident memory rose, MB."""
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    do()
    after_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round((after_kb - before_kb) * 1024 / MB, 1)


def _sealing() -> dict[str, Any]:
    """Encrypt and decrypt in memory alone."""
    key, content = new_key(), random.Random(2).randbytes(CLIP_BYTES)
    print("sealing", file=sys.stderr)
    with spending() as sealing:
        stored = [bytes(sealed(key, _id(1), number, content)) for number in range(N_SEALED)]
    with spending() as opening:
        for number, each in enumerate(stored):
            opened(key, _id(1), number, each)
    n_mb = N_SEALED * CLIP_BYTES / MB
    return {
        "seal_mb_per_cpu_s": round(n_mb / sealing.cpu_s),
        "open_mb_per_cpu_s": round(n_mb / opening.cpu_s),
    }


def _flags(directory: Path, n_flags: int) -> dict[str, Any]:
    """Keep the evidence of many flags, then look at all of it, and hand some out."""
    vault, rng = _made(directory), random.Random(3)
    parts = (_part("clip", rng.randbytes(CLIP_BYTES)), _part("still", rng.randbytes(STILL_BYTES)))
    print(f"{n_flags} flags", file=sys.stderr)
    spent: list[Spent] = []
    for number in range(n_flags):
        with spending() as one:
            vault.keep(_subject(number), parts)
        spent.append(one)
    n_mb = n_flags * (CLIP_BYTES + STILL_BYTES) / MB
    with spending() as verifying:
        n_problems = len(list(check(_made(directory), Checked())))
    plain, encrypted = _exports(vault, directory)
    each_mb = n_mb / n_flags
    return {
        "flags": n_flags,
        "mb_per_flag": round(each_mb, 3),
        "disk_mb_per_flag": round(_size(directory) / MB / n_flags, 3),
        "cpu_ms_per_flag": round(1000 * sum(one.cpu_s for one in spent) / n_flags, 2),
        "keep_ms": quantiles([1000 * one.wall_s for one in spent]),
        "keep_mb_per_cpu_s": round(n_mb / sum(one.cpu_s for one in spent)),
        "flags_per_s": round(n_flags / sum(one.wall_s for one in spent), 1),
        "verify_mb_per_cpu_s": round(n_mb / verifying.cpu_s),
        "verify_s": round(verifying.wall_s, 2),
        "export_mb_per_cpu_s": round(each_mb / plain.cpu_s),
        "export_age_mb_per_cpu_s": round(each_mb / encrypted.cpu_s),
        "n_problems": n_problems,
    }


def _growing(directory: Path) -> dict[str, Any]:
    """Let one clip grow for a minute of its stream, half a second at a time, until it is a part."""
    vault = _made(directory)
    recordings, content = Recordings(vault), random.Random(4).randbytes(CLIP_BYTES // 20)
    spent: list[Spent] = []
    print("a clip that grows", file=sys.stderr)
    for number in range(N_PIECES):
        ends: Ends = "clip" if number == N_PIECES - 1 else ""
        with spending() as one:
            recordings.grow(_subject(0), Piece(0, 0, 500 * (number + 1), content, ends))
        spent.append(one)
    pieces, last = spent[:-1], spent[-1]
    return {
        "cpu_ms_per_minute_of_clip": round(1000 * sum(one.cpu_s for one in spent), 1),
        "piece_ms": quantiles([1000 * one.wall_s for one in pieces]),
        "made_a_part_in_ms": round(1000 * last.wall_s, 1),
        "clips_per_core": round(60 / sum(one.cpu_s for one in spent)),
    }


def _exports(vault: Vault, directory: Path) -> tuple[Spent, Spent]:
    """Hand out one evidence plainly, and one encrypted."""
    recipients = read_recipients([str(pyrage.x25519.Identity.generate().to_public())])
    with spending() as plain:
        export(vault, _id(0), directory.with_suffix(".zip"), ORDER)
    with spending() as encrypted:
        export(vault, _id(1), directory.with_suffix(".age"), ORDER, recipients)
    return plain, encrypted


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _every_bit(directory: Path) -> dict[str, Any]:
    """Flip every bit of every file of a small store, one at a time; count what was not found."""
    vault = _made(directory)
    vault.keep(_subject(1), (_part("clip", b"a clip"), _part("still", b"a still")))
    vault.note(_id(1), "view", {"items": ("0",)}, actor="anna", purpose="case 7")
    n_bits = n_missed = 0
    print(f"every bit of {_size(directory)} bytes", file=sys.stderr)
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        content = path.read_bytes()
        for bit in range(0, 8 * len(content), STEP_BITS):
            made = bytearray(content)
            made[bit // 8] ^= 1 << bit % 8
            path.write_bytes(made)
            n_bits, n_missed = n_bits + 1, n_missed + (not _finds_something(vault))
        path.write_bytes(content)
    return {"n_bits": n_bits, "n_missed": n_missed, "sound_after": not _finds_something(vault)}


def _finds_something(vault: Vault) -> bool:
    return any(True for _ in check(vault, Checked()))
