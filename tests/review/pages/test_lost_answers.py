"""Of an answer that never came, and of a case that was lost, the page says what is true now."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from streamguard.review.desk import LEASE_S
from tests.review.bench import REJECT
from tests.review.pages.site import PATIENCE_MS, Site

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)


def lose(route: Route) -> None:
    """Have the console decide, and its answer never come."""
    route.fetch()
    route.abort()


def test_an_answer_that_is_lost_is_asked_for_and_told(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()

    page.route("**/decision", lose)
    page.keyboard.press("1")
    page.keyboard.press("a")
    page.keyboard.press("h")

    said = "Decided: confirmed, TVEC.ATTACK_LIVE, hold. The answer had been lost."
    expect(page.get_by_role("status")).to_have_text(said)
    expect(page.locator("#problem")).to_have_text("")
    expect(page.locator("#facts")).to_contain_text("by anna")
    expect(page.locator("#decide")).not_to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_have_text("Undone: the case waits again.")
    assert [one.outcome for one in site.decisions()] == ["confirmed", "undone"]


def test_a_request_that_is_lost_is_told_and_made_again(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()
    page.route("**/decision", lambda route: route.abort(), times=1)
    page.keyboard.press("e")
    page.keyboard.press("u")
    expect(page.locator("#problem")).to_have_text(
        "The console did not answer, and nothing was done: try again."
    )
    assert site.decisions() == []

    page.keyboard.press("e")
    page.keyboard.press("u")

    expect(page.get_by_role("status")).to_have_text(re.compile("^Decided: escalated"))
    assert [one.outcome for one in site.decisions()] == ["escalated"]


def test_while_the_console_is_not_heard_nobody_claims_to_know_what_came_of_it(
    site: Site, page: Page
) -> None:
    expect(page.locator("#stage img")).to_be_visible()

    page.route("**/decision", lose, times=1)
    page.route(re.compile("/api/v1/cases/[^/]*$"), lambda route: route.abort(), times=1)
    page.keyboard.press("e")
    page.keyboard.press("u")
    expect(page.locator("#problem")).to_contain_text("what came of it is not known")

    page.keyboard.press("e")
    page.keyboard.press("u")

    expect(page.get_by_role("status")).to_have_text(re.compile("^Decided: escalated.*lost[.]$"))
    expect(page.locator("#problem")).to_have_text("")
    assert len(site.decisions()) == 1


def test_who_comes_too_late_is_told_what_was_decided(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()
    page.route("**/renew", lambda route: route.abort())
    site.bench.clock.advance(LEASE_S)
    other = site.account("ben").person
    claimed = site.bench.claim(other)
    site.review.rulings.decide(other, claimed.case.case_id, claimed.lease.token, REJECT)

    page.keyboard.press("e")
    page.keyboard.press("u")

    latest = "Nothing was done: the latest decision is rejected, NOTHING.FOUND, none"
    expect(page.locator("#problem")).to_contain_text(latest)
    expect(page.locator("#lease")).to_contain_text("no longer in your hands")
    expect(page.locator("#facts")).to_contain_text("by ben")
