"""From the commit of a flag to an open page, and from a key to the still and the clip of a case.

Rule: the browser tells what it showed and when, clients when they heard; whoever commits the flag
notes when that was. All clocks are that of one machine.
"""

import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from loadtest.console_page import ConsolePage, console_page
from loadtest.console_people import Client, Listener, listening, signed_in
from loadtest.console_stage import ConsoleStage, Footage, flag, footage
from loadtest.console_work import Crew, wait_for
from loadtest.contents import made_video
from loadtest.encoding import Scene, cached, encode_broadcast
from loadtest.live import quantiles
from loadtest.made_contents import Made

N_OPEN = 500
N_CLIENTS = 19
"""Beside the browser: twenty reviewers."""

MAX_SEEN_S, MAX_STILL_S, MAX_CLIP_S = 1.0, 0.5, 1.5
"""The bars, each of 95 % of the cases, seconds."""

JUDGED_FROM_FLAGS, JUDGED_FROM_CASES = 100, 20
CLIP_S = 10.0
EVERY_S = (0.5, 1.5)
"""From one flag to the next: at no fixed beat, which the console's own looking could fall in."""

LATE_S = 10.0
"""How long the last flag may take before it counts as never shown."""

OF_ALL, OF_THE_PAGE = "LOAD-TEST", "LOAD-PAGE"
"""Policies: what everybody is cleared for, and what the browser alone gets to open."""

MEASURED = re.compile(r"measured-\d{4}")
LOW = ("P1", "P2", "P2", "P3", "P3")


def measured(n_flags: int, n_cases: int) -> dict[str, Any]:
    """Measure over so many flags, and so many cases that are opened."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        stage = stack.enter_context(ConsoleStage.serving(Path(name)))
        people = signed_in(stage, [(f"client-{n}", "reviewer", OF_ALL) for n in range(N_CLIENTS)])
        signed_in(stage, [("page", "reviewer", "*")])[0].close()
        stage.tell(*(flag(f"waiting-{n}", LOW[n % len(LOW)], OF_ALL) for n in range(N_OPEN)))
        shown = footage(cached("evidence-10.mp4", _encode_evidence))
        crew = Crew(stage, people, N_OPEN)
        at = (stage.consoles[0].url, "page", MEASURED)
        page = stack.enter_context(console_page(*at))
        listeners = stack.enter_context(listening(people, MEASURED))
        stack.enter_context(crew.working())
        told_s = _told(stage, crew, shown, n_flags)
        _wait_heard(told_s, listeners)
        rows_s = page.rows_s()
        wait_for(lambda: not _n_urgent(people[0]), 60.0)
        opened = [_opened(stage, page, shown, number) for number in range(n_cases)]
        heard = [[one.heard_s.get(text) for text in told_s] for one in listeners]
    figures = {
        "flags": n_flags,
        "open_cases": N_OPEN,
        "clients": N_CLIENTS,
        "decided_meanwhile": crew.n_decided,
        "refused_meanwhile": crew.n_refused,
    }
    told = list(told_s.values())
    seen = _late([rows_s.get(text) for text in told_s], told)
    by_clients = [late for each in heard for late in _late(each, told)]
    return figures | judged(seen, by_clients, opened)


def _encode_evidence(out: Path) -> None:
    """Make ten seconds as live encoders send them, of made footage."""
    print("encoding made footage as 1080p30, once", file=sys.stderr)
    original = made_video(Made("fly-over", 77, CLIP_S, 30))
    encode_broadcast([Scene(original, 0.0, CLIP_S)], out, crop=True)


def _told(stage: ConsoleStage, crew: Crew, shown: Footage, n_flags: int) -> dict[str, float]:
    """Have flags open, one after another; give when each was committed."""
    chance, told_s = random.Random(1), {}
    time.sleep(EVERY_S[1])
    for number in range(n_flags):
        name = f"measured-{number:04}"
        event = flag(name, "P0", OF_ALL)
        stage.keep(event, shown)
        crew.came()
        told_s[name] = stage.tell(event)
        time.sleep(chance.uniform(*EVERY_S))
        if number % 20 == 19:
            print(f"{number + 1} of {n_flags} flags", file=sys.stderr)
    return told_s


def _wait_heard(told_s: dict[str, float], listeners: Sequence[Listener]) -> None:
    wait_for(lambda: all(len(one.heard_s) == len(told_s) for one in listeners), LATE_S)


def _n_urgent(client: Client) -> int:
    """Count the cases that would come before those of the browser, or beside them."""
    cases = client.get("/api/v1/queue").json()["cases"]
    return sum(one["severity"] == "P0" and one["lease"] is None for one in cases)


def _opened(
    stage: ConsoleStage, page: ConsolePage, shown: Footage, number: int
) -> tuple[float, float]:
    """Open a case of its own in the browser, and decide it; give what still and clip took."""
    event = flag(f"opened-{number}", "P0", OF_THE_PAGE)
    stage.keep(event, shown)
    stage.tell(event)
    still_s, clip_s = page.opened_s()
    page.reject()
    print(f"case {number + 1}: still {still_s:.2f} s, clip {clip_s:.2f} s", file=sys.stderr)
    return still_s, clip_s


def _late(seen_s: Sequence[float | None], told_s: Sequence[float]) -> list[float | None]:
    pairs = zip(seen_s, told_s, strict=True)
    return [None if seen is None else seen - told for seen, told in pairs]


def judged(
    seen: Sequence[float | None],
    by_clients: Sequence[float | None],
    opened: Sequence[tuple[float, float]],
) -> dict[str, Any]:
    """Put the figures together, and hold them against the bars.

    seen, by_clients: how long after its commit each flag was there, None where it never was.
    opened: what still and clip of each case took. All in seconds.
    """
    stills, clips = zip(*opened, strict=True)
    spreads = {
        "flag_to_page_ms": (seen, MAX_SEEN_S),
        "flag_to_clients_ms": (by_clients, MAX_SEEN_S),
        "case_to_still_ms": (stills, MAX_STILL_S),
        "case_to_clip_ms": (clips, MAX_CLIP_S),
    }
    figures: dict[str, Any] = {
        "never_shown": seen.count(None),
        "never_heard": by_clients.count(None),
    }
    is_good = not figures["never_shown"] and not figures["never_heard"]
    for name, (found, bar_s) in spreads.items():
        figures[name] = quantiles([1000 * one for one in found if one is not None] or [0.0])
        is_good = is_good and figures[name]["p95"] <= bar_s * 1000
    is_judged = len(seen) >= JUDGED_FROM_FLAGS and len(opened) >= JUDGED_FROM_CASES
    return figures | {"pass": is_good if is_judged else None}
