import re

import pytest

from loadtest.transforms import BY_NAME, TRANSFORMS, Size, Transform, even

SIZE = Size(640, 272)


def graph_of(name: str) -> str:
    return BY_NAME[name].graph(SIZE)


def test_every_transform_has_a_name_of_its_own() -> None:
    assert len(BY_NAME) == len(TRANSFORMS)


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.name)
def test_a_graph_leads_from_the_clip_to_one_end(transform: Transform) -> None:
    graph = transform.graph(SIZE)

    end = "[clip]" if any(transform.lead_s) else "[out]"
    assert graph.count("[v]") == 1
    assert graph.endswith(end)
    assert graph.count(end) == 1
    assert ("[more]" in graph) == (transform.more is not None and not any(transform.lead_s))


@pytest.mark.parametrize("transform", TRANSFORMS, ids=lambda transform: transform.name)
def test_labels_within_a_graph_are_made_once_and_used_once(transform: Transform) -> None:
    labels = re.findall(r"\[(\w+)\]", transform.graph(SIZE))

    inner = set(labels) - {"v", "more", "out", "clip"}
    assert all(labels.count(label) == 2 for label in inner)


def percents_cut(transform: Transform) -> list[float]:
    found = re.search(r"crop=([\d.]+):([\d.]+):([\d.]+):([\d.]+)", transform.graph(SIZE))
    assert found is not None
    width, height, left, top = (float(part) for part in found.groups())
    across, down = 100 / SIZE.width, 100 / SIZE.height
    right, bottom = SIZE.width - width - left, SIZE.height - height - top
    return [round(p, 1) for p in (left * across, right * across, top * down, bottom * down)]


def test_crops_cut_2_to_10_percent_off_a_side_centred_and_not() -> None:
    crops = [percents_cut(t) for t in TRANSFORMS if t.group == "crop"]

    centred = [cut for cut in crops if len(set(cut)) == 1]
    others = [cut for cut in crops if cut not in centred]
    for some in (centred, others):
        assert {max(cut) for cut in some} >= {2.0, 5.0, 10.0}
    assert max(max(cut) for cut in crops) == 10.0
    assert min(min(cut) for cut in crops) == 0.0


def test_bars_leave_the_picture_whole_and_even() -> None:
    found = re.match(r"\[v\]pad=(\d+):(\d+):(\d+):(\d+):black\[out\]", graph_of("windowbox"))

    assert found is not None
    width, height, left, top = (int(part) for part in found.groups())
    assert (width - 2 * left, height - 2 * top) == (SIZE.width, SIZE.height)
    assert left % 2 == top % 2 == 0


def test_a_letterbox_has_no_bars_at_the_sides() -> None:
    assert graph_of("letterbox").startswith(f"[v]pad={SIZE.width}:")


def test_the_combined_disguise_mirrors_before_the_logo_and_boxes_at_the_end() -> None:
    graph = graph_of("box-mirror-logo")

    assert "[v]hflip[turned]" in graph
    assert "[turned][top]overlay" in graph
    assert re.search(r"\[seen\]pad=.*\[out\]$", graph)


@pytest.mark.parametrize("percent", [75, 90])
def test_a_picture_in_picture_from_75_percent_on_counts_with_all(percent: int) -> None:
    assert not BY_NAME[f"pip-{percent}"].is_apart


@pytest.mark.parametrize("percent", [50, 60])
def test_a_smaller_picture_in_picture_is_reported_apart(percent: int) -> None:
    assert BY_NAME[f"pip-{percent}"].is_apart


def test_speeds_sizes_and_qualities_span_what_is_promised() -> None:
    speeds = [transform.speed for transform in TRANSFORMS]
    codecs = [transform for transform in TRANSFORMS if transform.group == "codec"]

    assert (min(speeds), max(speeds)) == (0.8, 1.25)
    assert {1080, 144} <= {transform.height for transform in codecs}
    assert {28, 45} <= {transform.crf for transform in codecs}
    assert {24, 30, 60} <= {transform.fps for transform in TRANSFORMS}


@pytest.mark.parametrize(("pixels", "expected"), [(1.2, 2), (2.9, 2), (3.1, 4), (271.9, 272)])
def test_sizes_are_rounded_to_even_ones(pixels: float, expected: int) -> None:
    assert even(pixels) == expected
