"""What the console shows shuts nobody out, at twice the size and in both colour schemes."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from streamguard.core.decision_data import Exposure
from streamguard.review.budgets import FEWEST
from streamguard.review.looks import Held
from tests.made_reviews import flag, flag_opened
from tests.review.bench import CUT
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)

WIDE = "() => document.documentElement.scrollWidth - innerWidth"
"""By how much a page is wider than its window."""


@pytest.fixture(params=["light", "dark"])
def page(site: Site, request: pytest.FixtureRequest) -> Page:
    """Sign a senior in, who sees all at 200 %: half of 1280 by 800."""
    site.account("sena", "senior")
    page = site.signed_in("sena")
    page.set_viewport_size({"width": 640, "height": 400})
    page.emulate_media(color_scheme=request.param, reduced_motion="reduce")
    return page


def shut_out(page: Page) -> list[str]:
    """Say what on a page a program finds to be in somebody's way."""
    found = [one["id"] for one in Axe().run(page).response["violations"]]
    return found + (["wider than the window"] if page.evaluate(WIDE) else [])


def taken(site: Site, page: Page) -> None:
    """Have the case in hand, with its evidence."""
    site.keep_evidence(1)
    site.tell(flag_opened(flag(1, severity="P0")))
    page.keyboard.press("n")
    ready(page, "Case: P0 tvec")
    expect(page.locator("#stage img")).to_be_visible()


def test_a_still_in_grey(site: Site, page: Page) -> None:
    taken(site, page)

    page.keyboard.press("Space")
    expect(page.locator("#stage")).to_have_attribute("data-level", "2")

    assert shut_out(page) == []


def test_a_clip_that_may_be_played(site: Site, page: Page) -> None:
    taken(site, page)

    for _ in range(3):
        page.keyboard.press("Space")
    expect(page.locator("#stage video")).to_be_visible()

    assert shut_out(page) == []


@pytest.mark.parametrize(
    ("key", "shown"),
    [("s", "#skips"), ("1", "#reasons"), ("8", "#note"), ("9", "#authority"), ("6", "#more")],
)
def test_what_a_key_offers(site: Site, page: Page, key: str, shown: str) -> None:
    taken(site, page)

    page.keyboard.press(key)
    expect(page.locator(shown)).to_be_visible()

    assert shut_out(page) == []


def test_a_case_that_is_decided_and_may_be_restored(site: Site, page: Page) -> None:
    anna = site.account("anna").person
    site.tell(flag_opened(flag(1)))
    claimed = site.bench.claim(anna)
    site.review.rulings.decide(anna, claimed.case.case_id, claimed.lease.token, CUT)

    page.goto(f"/cases/{claimed.case.case_id}")
    ready(page, "Case: P1 tvec")
    expect(page.locator("#restore")).to_be_visible()

    assert shut_out(page) == []


def test_what_a_team_has_seen(site: Site, page: Page) -> None:
    for number in range(FEWEST):
        person = site.account(f"person-{number}").person
        site.tell(flag_opened(flag(number, session=f"s-{number}")))
        claimed = site.bench.claim(person)
        held = Held(person, claimed.case.case_id, claimed.lease.token)
        site.review.looks.expose(held, Exposure(clip_ms=60_000))

    page.goto("/team")
    expect(page.locator("#n-people")).to_have_text(str(FEWEST))

    assert shut_out(page) == []
