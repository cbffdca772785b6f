"""Whoever has seen as much as they should is asked to stop, in a real browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.made_reviews import flag, flag_opened
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def strict(tmp_path: Path, chromium: Browser) -> Iterator[Site]:
    """Serve a console in which one still of a P0 is as much as anybody should see."""
    with Site.serving(tmp_path, chromium, budget_s=4.0) as site:
        site.account("anna")
        site.keep_evidence(1)
        site.tell(flag_opened(flag(1, severity="P0")), flag_opened(flag(2, session="s-2")))
        yield site


def asked(site: Site) -> Page:
    """Have anna look at a still until she is asked to stop."""
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P0 tvec")
    expect(page.locator("#spent")).to_be_visible()
    return page


def test_at_once_nothing_is_shown_any_more_and_enough_passes_the_case_on(strict: Site) -> None:
    page = asked(strict)
    assert page.locator("#stage img").count() == 0
    page.keyboard.press("1")  # keys of the case do nothing meanwhile
    expect(page.locator("[data-outcome=confirmed]")).to_have_attribute("aria-pressed", "false")
    assert Axe().run(page).response["violations"] == []

    page.keyboard.press("q")

    page.get_by_role("heading", name="Sign in").wait_for()
    deeds = [action for _, action, _ in strict.bench.deeds()]
    assert deeds[-2:] == ["case.skipped", "account.signed_out"]


def test_whoever_goes_on_is_asked_again_before_the_next_case(strict: Site) -> None:
    page = asked(strict)
    page.keyboard.press("9")
    expect(page.locator("#spent")).not_to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator("#stage img")).to_be_visible()
    page.keyboard.press("2")
    page.keyboard.press("f")
    expect(page.get_by_role("status")).to_contain_text("Decided")

    page.keyboard.press("n")
    expect(page.locator("#spent")).to_be_visible()
    assert strict.bench.desk.held() == {}
    page.keyboard.press("9")

    ready(page, "Case: P1 tvec")


def test_the_ledger_says_how_much_of_the_budget_is_left(strict: Site) -> None:
    page = asked(strict)
    page.keyboard.press("9")

    page.goto("/exposure")

    expect(page.locator("#budget")).to_contain_text("It is time to stop")
    expect(page.locator("#stills")).to_have_text("1")


def test_a_senior_sees_what_the_team_has_seen_and_never_one_of_them(strict: Site) -> None:
    asked(strict)
    strict.account("sena", "senior")
    page = strict.signed_in("sena")

    page.get_by_role("link", name="The team").click()

    expect(page.locator("#too-few")).to_contain_text("Fewer than 5 people")
    expect(page.locator("main")).not_to_contain_text("anna")
    assert Axe().run(page).response["violations"] == []
