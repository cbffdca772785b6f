"""What a method said it found, held against what the programme showed.

Rule: a copy counts as found if its own original is named within its scene; a name where another
copy was shown is a wrong one.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from loadtest.peer_programme import Shown

SLACK_S = 0.5
"""A sample may be told so much before or after the cut: rates differ, and pipes round."""

OURS = frozenset({"keyframes", "auto"})


@dataclass(frozen=True, slots=True)
class Finding:
    """An original that was named, and for which stretch of the programme, seconds."""

    content: str
    start_s: float
    end_s: float


def read_findings(method: str, said: str) -> list[Finding]:
    """Read a method's output: events of ours, else the last line of the others."""
    if method in OURS:
        events = map(json.loads, said.splitlines())
        return [each for event in events if ".flag." in event["type"] for each in _named(event)]
    last = said.strip().splitlines()[-1:] or ["[]"]
    return [Finding(content, at_s, at_s) for at_s, content in json.loads(last[0])]


def _named(event: dict[str, Any]) -> Iterator[Finding]:
    window = event["data"]["window"]
    for signal in event["data"]["signals"]:
        if match := signal.get("match"):
            start_s, end_s = window["start_pts_ms"] / 1000, window["end_pts_ms"] / 1000
            yield Finding(match["entry"], start_s, end_s)


def tally(findings: Sequence[Finding], shown: Sequence[Shown]) -> dict[str, Any]:
    """Count the copies that were found, and the names that were wrong."""
    missed = [
        f"{scene.content} {scene.disguise}"
        for scene in shown
        if not any(each.content == scene.content and _touch(each, scene) for each in findings)
    ]
    wrong = {
        (each.content, each.start_s)
        for each in findings
        if not any(each.content == scene.content and _touch(each, scene) for scene in shown)
    }
    n_found = len(shown) - len(missed)
    return {
        "found": n_found,
        "recall": round(n_found / len(shown), 3),
        "wrong": len(wrong),
        "missed": missed,
    }


def _touch(found: Finding, scene: Shown) -> bool:
    return found.start_s < scene.end_s + SLACK_S and found.end_s > scene.start_s - SLACK_S
