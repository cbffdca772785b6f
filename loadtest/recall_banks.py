"""The lists that recall is measured against: of every frame, of one frame a second, and imported.

Rule: `bank build` makes all hashes of our own lists. What is hashed is kept by a digest of the
original and of the code that hashes, so that a change of either makes it anew.
"""

import tempfile
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache
from pathlib import Path

import numpy as np

from loadtest.cached_video import cached_video, digest_of
from loadtest.code_digest import code_digest
from loadtest.contents import Content
from loadtest.encoding import ffmpeg
from loadtest.programs import CACHE, output_of, streamguard
from loadtest.vpdq_method import features
from streamguard.adapters.bank_file import add_entries
from streamguard.adapters.bank_live import open_bank
from streamguard.core.bank_values import Entry

POLICY = "LOAD-TEST"


class HashList(StrEnum):
    """What a list holds of each content."""

    FRAMES = "frames"  # every frame, as `bank build` makes it
    SECONDS = "seconds"  # one frame a second, with the variants that `bank build` makes of it
    IMPORTED = "imported"  # one plain hash a second, as exchanges hand them out


@cache
def _code_of(hash_list: HashList) -> str:
    """Name the code that makes the hashes of a list."""
    is_imported = hash_list is HashList.IMPORTED
    return code_digest("streamguard." + ("exchange_verbs" if is_imported else "bank_build"))


def entry_of(content: Content, hash_list: HashList) -> Entry:
    """Give a content's entry in a list, hashed where that has not been done yet."""
    original = (content.original.name, content.original.stat().st_size)
    digest = digest_of(original, hash_list, _code_of(hash_list))
    kept = CACHE / "entries" / f"{content.name}-{hash_list}-{digest}.npz"
    cached_video(kept, lambda out: _save(_hashed(content, hash_list), out))
    with np.load(kept) as arrays:
        return Entry(
            name=content.name,
            policy=POLICY,
            kind="video",
            duration_us=int(arrays["duration_us"]),
            hashes=arrays["hashes"],
            offsets_us=arrays["offsets_us"],
            variants=arrays["variants"],
        )


def make_bank(contents: Sequence[Content], hash_list: HashList, folder: Path) -> Path:
    """Put the entries of contents into a new bank."""
    bank = folder / f"{hash_list}-{digest_of([content.name for content in contents])}"
    if not bank.exists():
        add_entries(bank, [entry_of(content, hash_list) for content in contents])
    return bank


def _save(entry: Entry, out: Path) -> None:
    with out.open("wb") as file:
        np.savez(
            file,
            duration_us=entry.duration_us,
            hashes=entry.hashes,
            offsets_us=entry.offsets_us,
            variants=entry.variants,
        )


def _hashed(content: Content, hash_list: HashList) -> Entry:
    makers: dict[HashList, Callable[[Content, Path], Entry]] = {
        HashList.FRAMES: lambda content, folder: _built(content, content.original, folder),
        HashList.SECONDS: _of_seconds,
        HashList.IMPORTED: _of_features,
    }
    with tempfile.TemporaryDirectory() as folder:
        return makers[hash_list](content, Path(folder))


def _built(content: Content, video: Path, folder: Path) -> Entry:
    """Have `bank build` hash a video, and read what it made."""
    bank = folder / "bank"
    named = ("--policy", POLICY, "--entry", content.name)
    output_of(streamguard("bank", "build", bank, video, *named))
    return _only_entry(bank, content)


def _only_entry(directory: Path, content: Content) -> Entry:
    """Read the one entry of a bank, under the content's name."""
    ((_, facts, stretch),) = open_bank(directory).entries()
    return Entry(
        name=content.name,
        policy=POLICY,
        kind="video",
        duration_us=facts.duration_us,
        hashes=np.array(stretch.hashes),
        offsets_us=np.array(stretch.offsets_us),
        variants=np.array(stretch.variants),
    )


def _of_seconds(content: Content, folder: Path) -> Entry:
    """Keep one frame a second, at its own time and without loss, and build of that."""
    thinned = folder / "thinned.mp4"
    once_a_second = "select=isnan(prev_selected_t)+gte(t-prev_selected_t\\,0.999)"
    lossless = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0", "-g", "1")
    picture = ("-an", "-vf", f"{once_a_second},format=yuv420p", "-vsync", "vfr")
    ffmpeg("-i", content.original, *picture, *lossless, thinned)
    return _built(content, thinned, folder)


def _of_features(content: Content, folder: Path) -> Entry:
    """Take in, by `bank import`, the file that vPDQ's program would hand out."""
    handed_out, bank = folder / f"{content.name}.txt", folder / "bank"
    made = features(content.original)
    lines = [f"{f.frame},{f.quality},{f.pdq.tobytes().hex()},{f.at_us / 1e6:.3f}\n" for f in made]
    handed_out.write_text("".join(lines))
    terms = ("--format", "vpdq", "--policy", POLICY)
    output_of(streamguard("bank", "import", bank, handed_out, *terms))
    return _only_entry(bank, content)
