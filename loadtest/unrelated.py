"""An hour of footage that no bank knows: screened for false flags, and shown not to be easy.

Rule: it moves, and no two of its scenes have a seed in common with each other or with a content.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from loadtest.contents import UNRELATED_SEED, made_video
from loadtest.made_contents import UNRELATED, Made
from loadtest.recall_nearest import samples_of
from loadtest.screening import screen_file
from streamguard.core.sampling import Sampling
from streamguard.core.types import MATCH_DISTANCE_BITS
from streamguard.live_banks import LiveBanks

SCENES = 4
"""Of each generator, with seeds of their own."""

SCENE_S = 32.5
"""28 generators with four scenes each of this length are 61 minutes."""

FPS = 15
FIRST_SEED = UNRELATED_SEED + 100


@dataclass(frozen=True, slots=True)
class Scene:
    """What one scene gave.

    median_quality:  PDQ quality of its samples, four a second, 0..100.
    n_distinct:      hashes that lie farther than a match from all that came before.
    nearest_bits:    of any sample to any hash of the bank; None where nothing was within reach.
    flags:           what was flagged, by sampling.
    """

    generator: str
    seed: int
    length_s: float
    median_quality: float
    n_distinct: int
    n_samples: int
    nearest_bits: int | None
    flags: tuple[str, ...]


def recipes(n_scenes: int = SCENES) -> list[Made]:
    """List the scenes, generator by generator."""
    return [
        Made(name, FIRST_SEED + number * SCENES + scene, SCENE_S, FPS)
        for number, name in enumerate(UNRELATED)
        for scene in range(n_scenes)
    ]


def screened_scene(banks: Sequence[Path], recipe: Made) -> Scene:
    """Screen one scene in `auto` and densely, and measure how much there is to see in it."""
    video, opened = made_video(recipe), LiveBanks(banks)
    flags = tuple(
        f"{sampling}: {named.entry} at {named.at_s:.2f} s, {named.distance_bits} bits"
        for sampling in (Sampling.AUTO, Sampling.DENSE)
        for named in screen_file(video, opened, sampling)
    )
    samples = [views for _, views in samples_of(video, is_dense=True)]
    matchable = [view for views in samples for view in views if view.is_matchable]
    matches = [match for view in matchable for match in opened().query(view.pdq, view.region)[:1]]
    return Scene(
        generator=recipe.generator,
        seed=recipe.seed,
        length_s=recipe.length_s,
        median_quality=median(views[0].quality for views in samples),
        n_distinct=count_distinct([views[0].pdq for views in samples if views[0].is_matchable]),
        n_samples=len(samples),
        nearest_bits=min((match.distance_bits for match in matches), default=None),
        flags=flags,
    )


def count_distinct(hashes: Sequence[NDArray[np.uint8]]) -> int:
    """Count the hashes, (32,) uint8 each, that are no match of any that was counted before."""
    kept: list[NDArray[np.uint8]] = []
    for pdq in hashes:
        if not kept or _distance_bits(pdq, kept) > MATCH_DISTANCE_BITS:
            kept.append(pdq)
    return len(kept)


def _distance_bits(pdq: NDArray[np.uint8], others: Sequence[NDArray[np.uint8]]) -> int:
    bits = np.bitwise_count(np.stack(others) ^ pdq).sum(axis=1, dtype=np.uint16)
    return int(bits.min())


def unrelated_table(scenes: Sequence[Scene]) -> Iterator[str]:
    """Yield a line for each generator: how hard it is, and what was flagged."""
    yield "| generator | s | median quality | distinct hashes a minute | nearest | flags |"
    yield "|---" * 6 + "|"
    for name in dict.fromkeys(scene.generator for scene in scenes):
        mine = [scene for scene in scenes if scene.generator == name]
        seconds = sum(scene.length_s for scene in mine)
        quality = median(scene.median_quality for scene in mine)
        distinct = sum(scene.n_distinct for scene in mine) / seconds * 60
        nearest = min((s.nearest_bits for s in mine if s.nearest_bits is not None), default=None)
        flags = "; ".join(flag for scene in mine for flag in scene.flags) or "none"
        near = "over 61" if nearest is None else f"{nearest}"
        yield f"| {name} | {seconds:.0f} | {quality:.0f} | {distinct:.0f} | {near} | {flags} |"
