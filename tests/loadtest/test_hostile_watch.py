"""Who watches the processes that screen hostile cases sees what must not be."""

import sys
from pathlib import Path

import pytest

from loadtest.hostile_watch import ScreenedBy, Watched

DEADLINE_S = 60.0
HASTY_S = 5.0
"""For an answer that never comes."""

CHILD = """
import json, os, sys
held = {"threads": 2, "descriptors": 7, "rss_mb": 1.0}
for line in sys.stdin:
    asked = line.strip()
    if asked == "hang":
        sys.stdin.read()
    if asked == "die":
        sys.exit("of this case")
    if asked in held:
        held[asked] += 3
    print(json.dumps({"end": "", "frames": int(sys.argv[1])} | held), flush=True)
"""


def asked(*lines: str, within_s: float = DEADLINE_S) -> list[ScreenedBy]:
    with Watched((sys.executable, "-c", CHILD, "1"), within_s) as watched:
        return [watched.ask(line) for line in lines]


def test_an_answer_is_no_problem() -> None:
    (seen,) = asked("case")

    assert seen.problem == ""
    assert seen.answer is not None
    assert seen.answer["frames"] == 1


def test_a_hang_is_told_in_time_and_others_are_screened_after_it() -> None:
    hung, after = asked("hang", "die", within_s=HASTY_S)

    assert hung.problem == "hung for 5 s"
    assert HASTY_S <= hung.seconds < DEADLINE_S
    assert after.problem == "died: 1 of this case"  # of another process, which heard it


def test_a_process_that_died_is_told_with_its_last_words() -> None:
    died, after = asked("die", "case")

    assert died.problem == "died: 1 of this case"
    assert after.problem == ""


@pytest.mark.parametrize("what", ["threads", "descriptors"])
def test_what_is_kept_after_a_case_is_told_once(what: str) -> None:
    leaking, after = asked(what, "case")

    assert leaking.problem == f"kept 3 {what}"
    assert after.problem == ""


def test_who_finds_no_frames_in_whole_cases_shows_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="whole cases are not screened"):
        Watched((sys.executable, "-c", CHILD, "0"), DEADLINE_S).__enter__()

    assert not list(tmp_path.iterdir())
