"""What a console has to do is held by browser tests, row by row."""

import re
import tomllib
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
ROWS: list[dict[str, Any]] = tomllib.loads((FOLDER / "acceptance.toml").read_text())["rows"]
BROWSERS = {"page", "site", "strict", "requires_chromium"}
"""What a test takes that opens a browser."""


def arguments(name: str) -> set[str]:
    """Give the arguments of a test, `FILE::NAME`; none where it is not there."""
    file, _, test = name.partition("::")
    path = FOLDER / file
    text = path.read_text() if path.exists() else ""
    found = re.search(rf"^def {test}\(([^)]*)\)", text, re.MULTILINE)
    return set(re.findall(r"(\w+):", found[1])) if found else set()


def test_each_row_is_named_once_and_has_a_test() -> None:
    assert [row["number"] for row in ROWS] == list(range(1, 13))
    assert all(row["tests"] and row["asks"] for row in ROWS)


def test_each_test_is_there_and_opens_a_browser() -> None:
    missing = [name for row in ROWS for name in row["tests"] if not arguments(name) & BROWSERS]

    assert missing == []
    assert arguments("test_case_flow.py::test_that_is_not_there") == set()
    assert not arguments("test_pages.py::test_events_are_for_those_who_have_signed_in") & BROWSERS
