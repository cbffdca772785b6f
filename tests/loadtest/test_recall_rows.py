from dataclasses import replace

from loadtest.recall_rows import BARS, OTHERS, VPDQ, Row, Share, grouped, judged, share, summary
from loadtest.recall_table import misses, tables

ROW = Row(
    content="one",
    is_real=True,
    transform="mirror",
    group="mirror",
    is_apart=False,
    list="frames",
    sampling="auto",
    n_keyframes=2,
)
FOUND = replace(ROW, first_s=0.0, first_keyframe=1)
LATE = replace(ROW, first_s=4.0, first_keyframe=3)


def bar_of(rows: list[Row], what: str) -> dict[str, object]:
    return next(bar for bar in judged(rows) if bar["what"] == what)


def test_a_pair_is_found_once_its_content_is_named() -> None:
    assert FOUND.is_found
    assert not ROW.is_found


def test_a_share_counts_pairs() -> None:
    assert share([FOUND, LATE, ROW]).part == 2 / 3
    assert share([]).part == 1.0


def test_a_share_is_told_as_all_only_where_nothing_is_missing() -> None:
    assert Share(1_999, 2_000).told == "99.9 %"
    assert Share(2_000, 2_000).told == "100 %"
    assert Share(57, 100).told == "57 %"
    assert Share(0, 0).told == "100 %"


def test_a_bar_is_kept_at_its_bound_and_missed_below() -> None:
    kept = bar_of([FOUND] * 99 + [ROW], "frames/auto")
    missed = bar_of([FOUND] * 98 + [ROW], "frames/auto")

    assert (kept["pass"], missed["pass"]) == (True, False)


def test_what_is_reported_apart_does_not_count_with_the_others() -> None:
    apart = replace(ROW, is_apart=True)

    assert bar_of([FOUND, apart], "frames/auto")["found"] == 1.0
    assert bar_of([FOUND, apart], "frames/auto, reported apart")["found"] == 0.0


def test_the_median_first_flag_may_come_at_the_second_keyframe_and_no_later() -> None:
    what = "median keyframe of the first flag, frames/auto"

    assert bar_of([FOUND, LATE], what)["pass"]
    assert not bar_of([FOUND, LATE, LATE], what)["pass"]


def test_bars_of_what_was_not_measured_are_left_out() -> None:
    assert judged([]) == []
    assert {bar["what"] for bar in judged([ROW])} == {"frames/auto"}
    assert len(BARS) == 4


def test_a_wrong_name_fails_the_run() -> None:
    assert summary([FOUND], None)["pass"]
    assert not summary([replace(FOUND, wrong=("two",))], None)["pass"]


def test_a_flag_of_unrelated_footage_fails_the_run() -> None:
    assert summary([FOUND], 0)["pass"]
    assert not summary([FOUND], 1)["pass"]


def test_rows_against_others_count_for_false_flags_alone() -> None:
    against = replace(ROW, list=OTHERS)

    summed = summary([FOUND, against], None)
    assert summed["pass"]
    assert summed["modes"].keys() == {"frames/auto"}
    assert not summary([FOUND, replace(against, wrong=("two",))], None)["pass"]


def test_nothing_measured_is_neither_kept_nor_missed() -> None:
    assert summary([], None)["pass"] is None


def test_groups_come_in_the_order_of_their_first_rows() -> None:
    rows = [replace(ROW, content=name) for name in ("b", "a", "b")]

    assert list(grouped(rows, lambda row: row.content)) == ["b", "a"]


def test_tables_show_counts_by_transform_and_mode() -> None:
    lines = list(tables([FOUND, ROW, replace(FOUND, sampling="keyframes")]))

    assert lines[0] == "| transform | frames/auto | frames/keyframes | median first flag | wrong |"
    assert lines[2] == "| mirror | 50 % (1/2) | 100 % (1/1) | 0.0 s (1), 0.0 s (1) | 0 |"


def test_what_the_other_method_calls_wrongly_is_not_our_false_flag() -> None:
    theirs = replace(ROW, list=VPDQ, sampling="whole", wrong=("two",))

    assert summary([FOUND, theirs], None)["pass"]
    assert list(misses([theirs])) == []


def test_the_summary_tells_transforms_and_contents_apart() -> None:
    summed = summary([FOUND, replace(ROW, transform="logo", content="two")], None)

    assert summed["transforms"]["mirror"]["frames/auto"]["found"] == 1.0
    assert summed["transforms"]["logo"]["frames/auto"]["found"] == 0.0
    assert summed["contents"]["two"]["frames/auto"]["pairs"] == 1


def test_misses_say_how_near_a_look_came_and_which_names_were_wrong() -> None:
    missed = replace(ROW, nearest="nearest 40 bits")
    wrong = replace(FOUND, wrong=("two",))

    lines = list(misses([FOUND, missed, wrong, replace(ROW, list=OTHERS)]))
    assert [line.split()[0] for line in lines] == ["MISSED", "WRONG"]
    assert "nearest 40 bits" in lines[0]
