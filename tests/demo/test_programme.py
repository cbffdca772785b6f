from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.demo.programme import (
    BIT_RATE,
    KNOWN,
    KNOWN_CLIP_S,
    Segment,
    programme,
)
from streamguard.demo.scenes import FPS


def insertions(seconds: float) -> list[Segment]:
    return [segment for segment in programme(seconds) if segment.scene == KNOWN]


@given(st.floats(1.0, 600.0))
def test_programme_is_without_a_break_from_start_to_end(seconds: float) -> None:
    segments = programme(seconds)

    assert segments[0].first_frame == 0
    assert segments[-1].end_frame == round(seconds * FPS)
    assert all(now.end_frame == then.first_frame for now, then in pairwise(segments))


@given(st.floats(1.0, 600.0))
def test_insertions_lie_within_the_clip_and_not_at_its_start(seconds: float) -> None:
    for known in insertions(seconds):
        assert known.from_s > 1.0
        assert known.from_s + known.end_s - known.start_s < KNOWN_CLIP_S


@pytest.mark.parametrize("seconds", [60.0, 90.0])
def test_full_programme_shows_the_known_scene_three_times(seconds: float) -> None:
    shown = [(known.start_s, known.end_s, known.disguise) for known in insertions(seconds)]

    assert shown == [(10, 16, "letterbox"), (30, 36, "pillarbox"), (45, 51, "low_bitrate")]


def test_shorter_programme_is_scaled() -> None:
    shown = [(known.start_s, known.end_s, known.disguise) for known in insertions(30.0)]

    assert shown == [(5, 8, "letterbox"), (15, 18, "pillarbox"), (22.5, 25.5, "low_bitrate")]


@pytest.mark.parametrize(("seconds", "n_insertions"), [(23.9, 1), (24.0, 3)])
def test_brief_programme_has_one_insertion(seconds: float, n_insertions: int) -> None:
    assert len(insertions(seconds)) == n_insertions


def test_eight_seconds_show_the_known_scene_from_two_to_six() -> None:
    assert [(known.start_s, known.end_s) for known in insertions(8.0)] == [(2.0, 6.0)]


def test_only_the_low_bitrate_disguise_has_fewer_bits() -> None:
    assert {s.disguise for s in programme(60.0) if s.bit_rate < BIT_RATE} == {"low_bitrate"}
    assert max(segment.bit_rate for segment in programme(60.0)) == BIT_RATE


@pytest.mark.parametrize(
    ("index", "black_rows", "black_columns"), [(0, 0, 0), (330, 92, 0), (930, 0, 160)]
)
def test_disguise_puts_bars_around_the_picture(
    index: int, black_rows: int, black_columns: int
) -> None:
    segment = next(s for s in programme(60.0) if index < s.end_frame)

    is_black = segment.picture(index).luma == 16

    assert np.count_nonzero(is_black.all(axis=1)) == black_rows
    assert np.count_nonzero(is_black.all(axis=0)) == black_columns
