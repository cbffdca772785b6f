"""What each `model` verb does.

Rule: a verb looks and tells; it changes nothing. Results go to stdout, for people or as JSON.
"""

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from streamguard.app import open_model
from streamguard.core.errors import ConfigError, ModelError, StreamguardError
from streamguard.core.model import Picture
from streamguard.model_pack import MANIFEST, load_pack
from streamguard.sections.small_sections import ModelSection

OK = "ok"

FRAME = (360, 640, 3)
"""Shape of the pictures that are scored: of the smallest rendition that serves."""


@dataclass(frozen=True, slots=True)
class PackState:
    """A pack, as `list` shows it; of one that cannot be read, no more than its place and state.

    state:      "ok", or what is wrong, in one line.
    categories: the pack's own threshold of each.
    """

    directory: str
    state: str = OK
    name: str | None = None
    version: str | None = None
    sees: str | None = None
    licence: str | None = None
    categories: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What `verify` found.

    provider: what really ran the model.
    run_ms:   milliseconds that scoring one picture took.
    scores:   of a grey picture, by category.
    problems: one line each; none where all is well.
    """

    directory: str
    problems: tuple[str, ...] = ()
    name: str | None = None
    version: str | None = None
    provider: str | None = None
    run_ms: float | None = None
    scores: dict[str, float] = field(default_factory=dict)


def list_packs(arguments: argparse.Namespace) -> int:
    """Tell which packs there are, what each sees, and whether it can be loaded."""
    directory: Path = arguments.directory
    if not directory.is_dir():
        raise ConfigError(f"{directory} is no folder: name the one that holds the model packs")
    packs = [_state_of(file.parent) for file in sorted(directory.glob(f"*/{MANIFEST}"))]
    if arguments.json:
        print(json.dumps({"models": [asdict(pack) for pack in packs]}, ensure_ascii=False))
        return 0
    for pack in packs:
        print(*_lines(pack), sep="\n")
    if not packs:
        print(f"{directory} holds no model packs")
    return 0


def verify(arguments: argparse.Namespace) -> int:
    """Check a pack from its manifest to its scores; exit code 2 where something is wrong."""
    verdict = _verdict_on(arguments.directory)
    if arguments.json:
        print(json.dumps(asdict(verdict), ensure_ascii=False))
        return 2 if verdict.problems else 0
    for problem in verdict.problems:
        print(problem)
    if not verdict.problems:
        of_grey = ", ".join(f"{name} {score}" for name, score in verdict.scores.items())
        print(f"{verdict.directory}: ok: {verdict.name} {verdict.version}")
        print(f"runs on {verdict.provider}, {verdict.run_ms} ms a picture; grey scores {of_grey}")
    return 2 if verdict.problems else 0


def _state_of(directory: Path) -> PackState:
    try:
        pack = load_pack(directory)
    except StreamguardError as error:
        return PackState(str(directory), str(error))
    spec = pack.spec
    return PackState(
        directory=str(directory),
        name=spec.name,
        version=spec.version,
        sees=pack.sees,
        licence=spec.licence,
        categories=dict(spec.thresholds),
    )


def _lines(pack: PackState) -> Iterator[str]:
    """Show a pack to people."""
    title = pack.directory if pack.name is None else f"{pack.name} {pack.version}"
    yield f"{title}  {pack.state}"
    if pack.name is None:
        return
    categories = ", ".join(f"{name} from {score}" for name, score in pack.categories.items())
    yield f"  folder      {pack.directory}"
    yield f"  sees        {pack.sees}"
    yield f"  licence     {pack.licence}"
    yield f"  categories  {categories}"


def _verdict_on(directory: Path) -> Verdict:
    """Load a pack as `run` does, and let it score a few pictures."""
    try:
        classifier = open_model(directory, ModelSection())
    except StreamguardError as error:
        return Verdict(str(directory), (str(error),))
    spec = classifier.spec
    verdict = Verdict(str(directory), (), spec.name, spec.version, classifier.provider)
    try:
        for picture in _other_pictures():
            classifier.run([classifier.prepare(picture)])
        prepared = classifier.prepare(np.full(FRAME, 128, np.uint8))
        start_s = time.perf_counter()
        (row,) = classifier.run([prepared])
    except ModelError as error:
        return replace(verdict, problems=(str(error),))
    run_ms = round((time.perf_counter() - start_s) * 1000, 3)
    scores = {
        spec.categories[label]: round(float(score), 6)
        for label, score in zip(spec.labels, row, strict=True)
        if label in spec.categories
    }
    return replace(verdict, run_ms=run_ms, scores=scores)


def _other_pictures() -> Iterator[Picture]:
    """Give pictures at the edges of what a camera sends; the first also warms the model up."""
    yield np.zeros(FRAME, np.uint8)
    yield np.full(FRAME, 255, np.uint8)
    yield np.random.default_rng(1).integers(0, 256, FRAME, np.uint8)
