"""The clock of a case: how long it has been going on, told to who looks and not to who listens."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.made_reviews import flag, flag_opened, flag_updated
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)

LATE = {**flag().window.model_dump(mode="json"), "start_pts_ms": 12_000, "end_pts_ms": 13_000}
"""The window of a flag 10 s after the still that is kept of it."""


PLACES = """() => ['began', 'began-from', 'holder'].map((id) => {
  const { x, y, width, height } = document.getElementById(id).getBoundingClientRect();
  return { x, y, width, height };
})"""
"""Where the clock is and what stands around it, at one instant: what is new replaces all of it."""


def opened(site: Site, **what: Any) -> Page:
    """Take a case whose first hit was 5 s ago, in a browser whose clock can be turned on."""
    site.account("anna")
    site.keep_evidence(1)
    site.tell(flag_opened(flag(1, **what)))
    site.bench.clock.advance(5)
    page = site.signed_in("anna")
    page.clock.install()
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")
    expect(page.locator("#began")).not_to_be_empty()
    return page


def seconds(page: Page) -> int:
    return int(page.locator("#began").inner_text().removesuffix(" s"))


def test_the_clock_goes_on_by_the_second_and_moves_nothing(site: Site) -> None:
    page = opened(site)
    expect(page.locator("#began-from")).to_have_text("since the first hit:")
    at_first = seconds(page)
    places = page.evaluate(PLACES)

    page.clock.run_for(12_000)  # what is read may be a quarter of a second old

    assert at_first >= 5
    assert seconds(page) >= at_first + 11
    assert page.evaluate(PLACES) == places


def test_from_two_minutes_on_minutes_are_told_in_the_same_room(site: Site) -> None:
    site.bench.clock.advance(590)  # 9 min 55 s with what follows
    page = opened(site)
    clock = page.locator("#began")
    expect(clock).to_have_text(re.compile(r"^\d+ min \d\d s$"))
    places = page.evaluate(PLACES)

    page.clock.run_for(10_000)

    expect(clock).to_have_text(re.compile(r"^1\d min \d\d s$"))
    assert page.evaluate(PLACES) == places


def test_hours_are_told_as_such(site: Site) -> None:
    site.bench.clock.advance(7_200)

    page = opened(site)

    expect(page.locator("#began")).to_have_text("2 h 00 min")


def test_nobody_who_listens_is_interrupted_by_the_clock(site: Site) -> None:
    clock = opened(site).locator("#began")

    expect(clock).to_have_attribute("role", "timer")
    expect(clock).to_have_attribute("aria-live", "off")
    loud = "[aria-live=polite], [aria-live=assertive], [role=status], [role=alert]"
    assert clock.evaluate("(one, loud) => one.closest(loud)", loud) is None


def test_an_onset_that_is_marked_is_what_it_counts_from(site: Site) -> None:
    page = opened(site, window=LATE)
    expect(page.locator("#stage img")).to_be_visible()
    until_first_hit = seconds(page)

    page.keyboard.press("[")  # where the still is, at 2 s

    expect(page.locator("#began-from")).to_have_text("since the start that you marked:")
    assert seconds(page) >= until_first_hit + 10
    site.tell(flag_updated(flag(1, state="updated", revision=1, window=LATE | {"n_samples": 77})))
    expect(page.locator("#facts")).to_contain_text("77 samples")
    expect(page.locator("#began-from")).to_have_text("since the start that you marked:")
    assert seconds(page) >= until_first_hit + 10
