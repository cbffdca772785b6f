import numpy as np
import pytest

from streamguard.core.halves import hash_halves, may_mirror
from streamguard.core.look import MAX_VIEWS, views_of
from streamguard.core.pdq import hash_luma, hash_thumbnail, thumbnail
from streamguard.core.pdq_reference import MIN_SIDE
from streamguard.core.region_memory import RegionMemory
from streamguard.core.regions import Rectangle
from streamguard.core.types import MIN_QUALITY
from tests.core.made_layouts import window

PICTURE = np.random.default_rng(4).integers(0, 256, (180, 320), dtype=np.uint8)


def test_picture_without_bars_has_the_full_view_only() -> None:
    views = views_of(PICTURE, full_range=True)

    assert [view.region for view in views] == ["full"]
    assert np.array_equal(views[0].pdq, hash_luma(PICTURE, full_range=True).bits)


def test_bars_leave_the_hash_of_the_content_untouched() -> None:
    clean = views_of(PICTURE, full_range=True)[0]

    full, content = views_of(np.pad(PICTURE, 40, constant_values=16), full_range=True)

    assert (full.region, content.region) == ("full", "content")
    assert np.array_equal(content.pdq, clean.pdq)
    assert not np.array_equal(full.pdq, clean.pdq)
    assert (content.quality, content.is_stable) == (clean.quality, clean.is_stable)


@pytest.mark.parametrize("full_range", [True, False])
def test_range_counts_for_every_view(*, full_range: bool) -> None:
    ramp = (np.add.outer(np.arange(180), np.arange(320)) % 97).astype(np.uint8)
    boxed = np.pad(ramp // 16, 40, constant_values=200)

    views = views_of(boxed, full_range=full_range)

    content = hash_luma(ramp // 16, full_range=full_range)
    assert 0 < content.quality < 100
    assert views[1].quality == content.quality
    assert views[0].quality == hash_luma(boxed, full_range=full_range).quality


def test_picture_too_small_to_hash_is_not_matchable() -> None:
    views = views_of(np.zeros((MIN_SIDE - 1, 320), np.uint8), full_range=True)

    assert [view.is_matchable for view in views] == [False]


def test_without_memory_every_picture_stands_alone() -> None:
    boxed = np.pad(PICTURE, 40, constant_values=16)
    dark = np.full_like(boxed, 16)

    views_of(boxed, full_range=True)

    assert [view.region for view in views_of(dark, full_range=True)] == ["full"]


def test_memory_keeps_the_content_through_a_picture_that_does_not_show_it() -> None:
    boxed = np.pad(PICTURE, 40, constant_values=16)
    bright_bar = boxed.copy()
    bright_bar[-40:] = np.random.default_rng(9).integers(0, 256, (40, 400), dtype=np.uint8)
    memory = RegionMemory()

    first = views_of(boxed, full_range=True, memory=memory)
    second = views_of(bright_bar, full_range=True, memory=memory)

    assert [view.region for view in second[:3]] == ["full", "content", "content"]
    assert np.array_equal(first[1].pdq, second[1].pdq)


def test_insets_come_after_the_content_and_all_keep_the_budget() -> None:
    memory, inset = RegionMemory(), Rectangle(80, 280, 120, 400)
    luma = np.full((360, 640), 16, np.uint8)
    luma[40:320] = window((360, 640), inset, seed=1)[40:320]

    views = views_of(luma, full_range=True, memory=memory)

    assert [view.region for view in views] == ["full", "content", "inset", "inset", "inset"]
    assert len(views) <= MAX_VIEWS
    assert np.array_equal(views[2].pdq, hash_luma(inset.of(luma), full_range=True).bits)


def test_halves_follow_where_the_picture_mirrors_itself() -> None:
    mirroring = np.vstack([PICTURE, PICTURE[::-1]])

    views = views_of(mirroring, full_range=True)

    thumb = thumbnail(mirroring)
    expected, _ = hash_halves(thumb, hash_thumbnail(thumb, full_range=True).odd)
    assert [view.region for view in views] == ["full"] * 4
    assert [view.is_matchable for view in views] == [False, True, True, True]
    assert np.array_equal([view.pdq for view in views[1:]], expected)
    assert {view.quality for view in views} == {100}


def test_bars_are_not_folded_but_what_lies_between_them() -> None:
    plain = np.pad(PICTURE, 40, constant_values=16)
    folded = np.pad(np.vstack([PICTURE, PICTURE[::-1]]), 40, constant_values=16)

    assert may_mirror(hash_luma(plain, full_range=True).odd)
    assert [view.region for view in views_of(plain, full_range=True)] == ["full", "content"]
    assert [view.region for view in views_of(folded, full_range=True)] == ["full"] + 4 * ["content"]


def test_a_picture_without_structure_has_no_halves() -> None:
    faint = np.vstack([PICTURE, PICTURE[::-1]]) // 64

    pdq = hash_luma(faint, full_range=True)

    assert may_mirror(pdq.odd)
    assert pdq.quality < MIN_QUALITY
    assert len(views_of(faint, full_range=True)) == 1
