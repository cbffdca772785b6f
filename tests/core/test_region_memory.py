import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamguard.core.edges import lines_between_columns, lines_between_rows
from streamguard.core.insets import find_insets
from streamguard.core.quad import Quad
from streamguard.core.region_memory import (
    MAX_DOUBTS,
    MAX_INSETS,
    MAX_REGIONS,
    RegionMemory,
    is_same,
)
from streamguard.core.regions import Rectangle, content_rectangle
from tests.core.made_layouts import scene, window
from tests.core.made_screens import LEANING, filmed, shown

SHAPE = (270, 480)
LETTERBOX = Rectangle(40, 230, 0, 480)
WINDOW = Rectangle(40, 230, 60, 420)


def busy(height: int, width: int, seed: int = 1) -> NDArray[np.uint8]:
    """Paint a picture with no flat line in it."""
    return np.random.default_rng(seed).integers(40, 256, (height, width), dtype=np.uint8)


def boxed(content: Rectangle, seed: int = 1, level: int = 16) -> NDArray[np.uint8]:
    """Paint a picture of SHAPE with flat bars around its content."""
    luma = np.full(SHAPE, level, np.uint8)
    content.of(luma)[:] = busy(*content.of(luma).shape, seed)
    return luma


def blocks(seed: int, shape: tuple[int, int] = (360, 640)) -> NDArray[np.uint8]:
    """Paint tiles of 16 x 16: many edges, none of them long and strong alone."""
    tiles = np.random.default_rng(seed).integers(0, 256, (shape[0] // 16, shape[1] // 16))
    luma = np.zeros(shape, np.uint8)
    grown = np.kron(tiles, np.ones((16, 16))).astype(np.uint8)
    luma[: grown.shape[0], : grown.shape[1]] = grown
    return luma


def contents(memory: RegionMemory, luma: NDArray[np.uint8]) -> list[Rectangle]:
    parts = [part for region, part in memory.regions_of(luma) if region == "content"]
    return [part for part in parts if isinstance(part, Rectangle)]


def screens(memory: RegionMemory, luma: NDArray[np.uint8]) -> list[Quad]:
    return [part for _, part in memory.regions_of(luma) if isinstance(part, Quad)]


def dark_edged(content: Rectangle) -> NDArray[np.uint8]:
    """Paint a letterboxed scene so dark at its top that the bar seems to go on."""
    luma = boxed(content)
    luma[content.y0 : content.y0 + 30] = 16
    return luma


def test_dark_frame_keeps_the_content_that_is_known_and_adds_its_own() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(LETTERBOX))

    found = contents(memory, dark_edged(LETTERBOX))

    assert found == [LETTERBOX, Rectangle(70, 230, 0, 480)]


def test_black_frame_between_two_scenes_keeps_the_content() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(LETTERBOX))

    found = contents(memory, np.full(SHAPE, 16, np.uint8))

    assert found == [LETTERBOX]


def test_flash_that_brightens_the_bars_too_keeps_the_content() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(LETTERBOX))

    found = contents(memory, np.full(SHAPE, 250, np.uint8))

    assert found == [LETTERBOX]


def test_banner_over_one_bar_keeps_the_content() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(LETTERBOX))
    bannered = boxed(LETTERBOX)
    bannered[230:] = busy(40, 480)

    found = contents(memory, bannered)

    assert found == [LETTERBOX, Rectangle(40, 270, 0, 480)]


def test_cut_to_a_picture_without_bars_gives_the_content_up_at_once() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(WINDOW))

    assert contents(memory, busy(*SHAPE)) == []
    assert contents(memory, np.full(SHAPE, 16, np.uint8)) == []


def test_cut_to_other_bars_takes_them_at_once() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(WINDOW))
    thinner = Rectangle(10, 260, 10, 470)

    assert contents(memory, boxed(thinner)) == [thinner]


def test_enough_frames_that_disagree_make_their_content_the_known_one() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(LETTERBOX))
    narrower = Rectangle(40, 230, 60, 420)

    for _ in range(MAX_DOUBTS - 1):
        assert contents(memory, boxed(narrower)) == [LETTERBOX, narrower]

    assert contents(memory, boxed(narrower)) == [narrower]


def test_one_frame_that_agrees_ends_all_doubt() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(LETTERBOX))
    for _ in range(MAX_DOUBTS - 1):
        memory.regions_of(dark_edged(LETTERBOX))

    assert contents(memory, boxed(LETTERBOX)) == [LETTERBOX]
    for _ in range(MAX_DOUBTS - 1):
        assert LETTERBOX in contents(memory, dark_edged(LETTERBOX))


def test_edges_that_jitter_do_not_move_the_content() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(LETTERBOX))

    assert contents(memory, boxed(Rectangle(41, 229, 0, 480))) == [LETTERBOX]


def test_other_size_of_picture_begins_anew() -> None:
    memory = RegionMemory()
    memory.regions_of(boxed(LETTERBOX))

    assert contents(memory, np.full((720, 1280), 16, np.uint8)) == []
    assert contents(memory, np.full(SHAPE, 16, np.uint8)) == []


@pytest.mark.parametrize(("off", "same"), [(6, True), (7, False)])
def test_edges_are_the_same_within_six_thousandths(off: int, *, same: bool) -> None:
    one, other = Rectangle(100, 900, 0, 1000), Rectangle(100, 900, off, 1000)

    assert is_same(one, other, (1000, 1000)) is same
    assert is_same(other, one, (1000, 1000)) is same


def insets(memory: RegionMemory, luma: NDArray[np.uint8]) -> list[Rectangle]:
    return [part for region, part in memory.regions_of(luma) if region == "inset"]


def test_window_is_found_at_once_and_remembered_through_a_dark_picture() -> None:
    memory, inset = RegionMemory(), Rectangle(40, 300, 60, 520)

    first = insets(memory, window((360, 640), inset, seed=1))
    dark = insets(memory, scene(360, 640, seed=2) // 8)

    assert first[0] == inset
    assert dark[0] == inset


def test_window_is_given_up_some_pictures_after_a_cut() -> None:
    memory, inset = RegionMemory(), Rectangle(40, 300, 60, 520)
    for seed in range(4):
        memory.regions_of(window((360, 640), inset, seed))

    after = [insets(memory, scene(360, 640, seed)) for seed in range(10, 22)]

    assert any(is_same(inset, found, (360, 640)) for found in after[0])
    assert not any(after[-3:])


def test_new_layout_is_found_at_once_beside_the_old_one() -> None:
    memory, new = RegionMemory(), Rectangle(20, 200, 300, 620)
    for seed in range(8):
        memory.regions_of(window((360, 640), Rectangle(40, 300, 60, 520), seed))

    found = [insets(memory, window((360, 640), new, seed)) for seed in range(2)]

    assert any(new in insets for insets in found)


@pytest.mark.parametrize("content", [LETTERBOX, WINDOW, Rectangle(0, 270, 80, 400)])
def test_bars_alone_make_no_insets(content: Rectangle) -> None:
    memory = RegionMemory()

    for seed in range(5):
        assert memory.regions_of(boxed(content, seed)) == (("content", content),)


def test_window_within_bars_follows_the_content() -> None:
    memory, inset = RegionMemory(), Rectangle(80, 280, 120, 400)
    luma = np.full((360, 640), 16, np.uint8)
    luma[40:320] = window((360, 640), inset, seed=1)[40:320]

    regions = memory.regions_of(luma)

    assert regions[:2] == (("content", Rectangle(40, 320, 0, 640)), ("inset", inset))


def test_every_candidate_has_its_turn() -> None:
    memory = RegionMemory()
    luma = window((360, 640), Rectangle(40, 300, 60, 520), seed=1)
    luma[100:260, 160:400] = scene(160, 240, seed=7)
    candidates = find_insets(lines_between_rows(luma), lines_between_columns(luma), luma)

    turns = [insets(memory, luma) for _ in candidates]

    assert len(candidates) > MAX_INSETS
    assert all(turn[:-1] == list(candidates[: MAX_INSETS - 1]) for turn in turns)
    assert {part for turn in turns for part in turn} == set(candidates)


frames = st.one_of(
    st.builds(
        lambda y0, y1, x0, x1, seed: boxed(Rectangle(y0, 270 - y1, x0, 480 - x1), seed),
        *[st.integers(0, 60)] * 4,
        st.integers(0, 9),
    ),
    st.builds(dark_edged, st.just(LETTERBOX)),
    st.builds(
        lambda y0, x0, seed: window(SHAPE, Rectangle(y0, y0 + 150, x0, x0 + 300), seed),
        st.integers(0, 120),
        st.integers(0, 180),
        st.integers(0, 9),
    ),
    st.builds(blocks, st.integers(0, 9), st.just(SHAPE)),
    st.builds(lambda level: np.full(SHAPE, level, np.uint8), st.integers(0, 255)),
)


@settings(max_examples=60, deadline=None)
@given(pictures=st.lists(frames, min_size=1, max_size=8))
def test_memory_costs_no_content_that_one_frame_shows_and_keeps_the_budget(
    pictures: list[NDArray[np.uint8]],
) -> None:
    memory = RegionMemory()

    for luma in pictures:
        regions = memory.regions_of(luma)

        alone = content_rectangle(luma)
        assert len(regions) <= MAX_REGIONS
        assert len(set(regions)) == len(regions)
        if alone:
            kept = [part for region, part in regions if region == "content"]
            assert any(is_same(alone, part, SHAPE) for part in kept)


def test_screen_filmed_from_aside_is_a_content_after_its_rectangle() -> None:
    memory = RegionMemory()

    regions = memory.regions_of(filmed(shown(), LEANING))

    kinds = [(region, type(part)) for region, part in regions[:2]]
    assert kinds == [("content", Rectangle), ("content", Quad)]
    assert len(regions) <= MAX_REGIONS


def test_screen_is_forgotten_with_its_content() -> None:
    memory = RegionMemory()
    memory.regions_of(filmed(shown(), LEANING))

    found = screens(memory, busy(*SHAPE))

    assert found == []
