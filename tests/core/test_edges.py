from collections.abc import Iterator

import numpy as np
import pytest

from streamguard.core import edges
from streamguard.core.edges import (
    MAX_BLANKS,
    MEMORY_PICTURES,
    MIN_MARKED_SHARE,
    MIN_STEP,
    N_BLOCKS,
    NEW_COST,
    LineMemory,
    Lines,
    lines_between_columns,
    lines_between_rows,
)
from streamguard.kernels.compiled import kernels
from tests.core.made_layouts import scene
from tests.kernel_paths import needs_kernels


@pytest.fixture(
    params=[pytest.param("kernel", marks=needs_kernels), "numpy"], scope="module", autouse=True
)
def way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Run every test by the kernel and by numpy."""
    edges.kernels = kernels if request.param == "kernel" else None
    yield
    edges.kernels = kernels


FLAT = Lines(np.zeros((N_BLOCKS, 8), np.float32), step=1)


def marked(line: int) -> Lines:
    """Give eight lines of which one is marked all along."""
    lines = Lines(FLAT.density.copy(), step=1)
    lines.density[:, line] = 1.0
    return lines


def places(lines: Lines) -> list[int]:
    """List where lines are marked over half of their length and more."""
    return [lines.place_of(int(i)) for i in np.flatnonzero(lines.density.mean(axis=0) >= 0.5)]


@pytest.mark.parametrize(("step", "is_edge"), [(MIN_STEP, True), (MIN_STEP - 1, False)])
def test_edge_begins_at_the_least_step(step: int, *, is_edge: bool) -> None:
    luma = np.full((200, 300), 100, np.uint8)
    luma[80:] -= np.uint8(step)

    assert places(lines_between_rows(luma)) == ([80] if is_edge else [])
    assert places(lines_between_columns(luma.T)) == ([80] if is_edge else [])


@pytest.mark.parametrize("shape", [(144, 256), (360, 640), (720, 1280), (1080, 1920)])
def test_edge_is_found_within_half_a_step_at_any_size(shape: tuple[int, int]) -> None:
    height, width = shape
    for share in (0.11, 0.37, 0.5, 0.9):
        luma = np.full(shape, 60, np.uint8)
        luma[int(share * height) :, int(share * width) :] = 180
        rows, columns = lines_between_rows(luma), lines_between_columns(luma)

        [y] = {rows.place_of(int(i)) for i in np.flatnonzero(rows.density[-1])}
        [x] = {columns.place_of(int(i)) for i in np.flatnonzero(columns.density[-1])}

        assert abs(y - int(share * height)) <= rows.step / 2
        assert abs(x - int(share * width)) <= columns.step / 2


def test_edge_is_dense_where_it_runs_and_nowhere_else() -> None:
    luma = np.full((160, 160), 60, np.uint8)
    luma[80:, 40:120] = 180

    lines = lines_between_rows(luma)

    assert lines.density[:, places(lines)[0] - lines.place_of(0)].tolist() == (
        [0.0] * 4 + [1.0] * 8 + [0.0] * 4
    )


@pytest.mark.parametrize(("beside", "is_edge"), [(20, True), (21, False)])
@pytest.mark.parametrize("side", [-2, 2])
def test_step_counts_when_it_is_twice_those_two_lines_away(
    beside: int, side: int, *, is_edge: bool
) -> None:
    luma = np.full((200, 200), 20, np.uint8)
    luma[100:] += np.uint8(40)
    luma[100 + side :] += np.uint8(beside)

    assert (100 in places(lines_between_rows(luma))) is is_edge


def test_smooth_scene_has_no_edge() -> None:
    luma = scene(720, 1280, seed=1)

    assert not places(lines_between_rows(luma))
    assert not places(lines_between_columns(luma))


@pytest.mark.parametrize("shape", [(15, 400), (400, 15), (1, 1)])
def test_picture_below_sixteen_pixels_has_no_lines(shape: tuple[int, int]) -> None:
    luma = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)

    assert lines_between_rows(luma).density.shape == (N_BLOCKS, 0)
    assert lines_between_columns(luma).density.shape == (N_BLOCKS, 0)


def test_padding_of_rows_is_not_seen() -> None:
    luma = scene(360, 640, seed=3)
    padded = np.full((360, 704), 255, np.uint8)
    padded[:, :640] = luma

    for lines_of in (lines_between_rows, lines_between_columns):
        assert np.array_equal(lines_of(padded[:, :640]).density, lines_of(luma).density)


def test_turned_and_mirrored_pictures_have_the_lines_of_their_copies() -> None:
    luma = scene(360, 640, seed=3)
    luma[100:, 200:] = 250

    for turned in (luma[:, ::-1], luma[::-1], luma.T, np.rot90(luma)):
        for lines_of in (lines_between_rows, lines_between_columns):
            assert np.array_equal(lines_of(turned).density, lines_of(turned.copy()).density)


def test_new_edge_shows_at_once_and_the_old_one_is_remembered() -> None:
    memory = LineMemory()
    for _ in range(MEMORY_PICTURES):
        memory.join(marked(2))

    joined = memory.join(marked(5))

    assert joined.density[0, 5] == pytest.approx(1 - NEW_COST)
    assert joined.density[0, 2] == pytest.approx(1 - 1 / MEMORY_PICTURES)


def test_edge_that_shows_again_counts_in_full() -> None:
    memory = LineMemory()
    for _ in range(MEMORY_PICTURES):
        memory.join(marked(2))
    memory.join(marked(5))

    joined = memory.join(marked(5))

    assert joined.density[0, 5] == 1.0


def test_edge_of_the_first_picture_counts_in_full() -> None:
    assert LineMemory().join(marked(5)).density[0, 5] == 1.0


def test_edge_that_is_seen_no_more_fades() -> None:
    memory = LineMemory()
    memory.join(marked(2))

    for _ in range(3 * MEMORY_PICTURES):
        last = memory.join(marked(5))

    assert 0 < last.density[0, 2] < 0.1


def test_black_pictures_are_passed_over_until_there_are_too_many() -> None:
    memory = LineMemory()
    memory.join(marked(2))

    remembered = [memory.join(FLAT).density[0, 2] for _ in range(MAX_BLANKS + 1)]

    assert remembered[:-1] == [1.0] * MAX_BLANKS
    assert remembered[-1] < 1.0


@pytest.mark.parametrize(("n_marks", "is_blank"), [(1, True), (2, False)])
def test_picture_is_black_below_a_least_share_of_marks(n_marks: int, *, is_blank: bool) -> None:
    memory = LineMemory()
    lines = [Lines(np.zeros((N_BLOCKS, 100), np.float32), step=1) for _ in range(2)]
    lines[0].density[:, 7] = 1.0
    lines[1].density[:n_marks, 3] = 1.0
    assert 1 < MIN_MARKED_SHARE * lines[1].density.size < 2
    memory.join(lines[0])

    joined = memory.join(lines[1])

    assert joined.density[0, 7] == (1.0 if is_blank else 0.5)


def test_one_picture_with_edges_ends_the_count_of_black_ones() -> None:
    memory = LineMemory()
    for _ in range(3):
        memory.join(marked(2))
        remembered = [memory.join(FLAT).density[0, 2] for _ in range(MAX_BLANKS)]

    assert remembered == [1.0] * MAX_BLANKS


def test_memory_changes_nothing_that_it_was_given() -> None:
    memory, first = LineMemory(), marked(2)
    memory.join(first)
    memory.join(marked(5))

    assert np.array_equal(first.density, marked(2).density)
