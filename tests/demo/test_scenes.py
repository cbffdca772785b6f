from itertools import combinations
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from streamguard.core.pdq_reference import reference_pdq
from streamguard.core.types import MATCH_DISTANCE_BITS, MIN_QUALITY
from streamguard.demo.programme import _OTHERS, KNOWN
from streamguard.demo.scenes import (
    FPS,
    Picture,
    Scene,
    _world,
    letterboxed,
    scene_frame,
    write_clip,
)

SCENES = (KNOWN, *_OTHERS)
SMALL = (320, 180)
UNRELATED_BITS = 80


def pdq(luma: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    return reference_pdq(luma.astype(np.float32))


def distance(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    return int(np.bitwise_count(one ^ other).sum())


def hash_at(scene: Scene, t_s: float) -> NDArray[np.uint8]:
    return pdq(scene_frame(scene, t_s, *SMALL).luma)[0]


def test_same_seed_gives_the_same_picture() -> None:
    first = scene_frame(Scene("one", 7), 3.3, *SMALL)
    _world.cache_clear()

    again = scene_frame(Scene("another", 7), 3.3, *SMALL)

    assert np.array_equal(first.luma, again.luma)
    assert np.array_equal(first.chroma, again.chroma)


@pytest.mark.parametrize(("width", "height"), [(640, 360), (2, 2), (426, 240), (36, 64)])
def test_picture_fills_the_size_asked_for_in_limited_range(width: int, height: int) -> None:
    picture = scene_frame(KNOWN, 1.0, width, height)

    assert picture.luma.shape == (height, width)
    assert picture.chroma.shape == (2, height // 2, width // 2)
    assert picture.luma.min() >= 16
    assert picture.luma.max() <= 235


def test_view_does_not_depend_on_its_size() -> None:
    large, small = scene_frame(KNOWN, 5.0, 640, 360), scene_frame(KNOWN, 5.0, 320, 360)

    assert distance(pdq(large.luma)[0], pdq(small.luma)[0]) <= 8


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_scene_has_enough_in_it_at_all_times(scene: Scene) -> None:
    qualities = [pdq(scene_frame(scene, t_s, *SMALL).luma)[1] for t_s in np.arange(0, 20, 2.0)]

    assert min(qualities) >= MIN_QUALITY


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_scene_moves_but_not_by_leaps(scene: Scene) -> None:
    for t_s in np.arange(0.0, 20.0, 2.0):
        now = hash_at(scene, t_s)

        assert distance(now, hash_at(scene, t_s + 1 / FPS)) <= MATCH_DISTANCE_BITS
        assert distance(now, hash_at(scene, t_s + 0.5)) >= 10


def test_scenes_are_unrelated() -> None:
    hashes = {scene: [hash_at(scene, t_s) for t_s in np.arange(0, 20, 1.0)] for scene in SCENES}

    nearest = min(
        distance(here, there)
        for one, other in combinations(SCENES, 2)
        for here in hashes[one]
        for there in hashes[other]
    )

    assert nearest > UNRELATED_BITS


@pytest.mark.parametrize(("width", "height"), [(640, 268), (480, 360), (320, 180)])
def test_letterboxed_picture_keeps_its_content_between_black_bars(width: int, height: int) -> None:
    picture = scene_frame(KNOWN, 5.0, 640, 360)
    rows = slice((360 - height) // 2, (360 + height) // 2)
    columns = slice((640 - width) // 2, (640 + width) // 2)

    boxed = letterboxed(picture, width, height)

    bars = np.ones((360, 640), bool)
    bars[rows, columns] = False
    assert boxed.luma.shape == picture.luma.shape
    assert set(boxed.luma[bars].tolist()) == {16}
    assert set(boxed.chroma[:, bars[::2, ::2]].ravel().tolist()) == {128}
    assert distance(pdq(boxed.luma[rows, columns])[0], pdq(picture.luma)[0]) <= 16


def test_picture_without_bars_stays_as_it_is() -> None:
    picture = scene_frame(KNOWN, 5.0, 640, 360)

    boxed = letterboxed(picture, 640, 360)

    assert np.array_equal(boxed.luma, picture.luma)
    assert np.array_equal(boxed.chroma, picture.chroma)


def test_video_frame_holds_the_planes_in_their_order() -> None:
    luma = np.arange(8 * 4, dtype=np.uint8).reshape(4, 8)
    chroma = np.arange(100, 100 + 2 * 2 * 4, dtype=np.uint8).reshape(2, 2, 4)

    frame = Picture(luma, chroma).to_video_frame()

    assert frame.format.name == "yuv420p"
    assert np.array_equal(frame.to_ndarray().ravel(), np.r_[luma.ravel(), chroma.ravel()])


def test_clip_shows_the_scene_from_its_start(tmp_path: Path) -> None:
    path = tmp_path / "known.mp4"

    write_clip(path, KNOWN, 1.0, *SMALL)

    with av.open(str(path)) as container:
        frames = [
            np.asarray(frame.to_ndarray()[: SMALL[1]], np.uint8)
            for frame in container.decode(video=0)
        ]
    assert len(frames) == FPS
    for index, luma in enumerate(frames):
        # what the encoder makes of it differs from run to run, by 6 to 10 bits
        assert distance(pdq(luma)[0], hash_at(KNOWN, index / FPS)) <= 16
