"""What two people do together, and what goes with a decision in words, in real browsers."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from streamguard.core.event_data import utc_seconds
from tests.made_reviews import flag, flag_opened
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)


def taken(site: Site, name: str) -> Page:
    """Have somebody take the case that waits."""
    page = site.signed_in(name)
    page.keyboard.press("n")
    ready(page, "Case: P0 tvec")
    return page


@pytest.fixture
def page(site: Site) -> Page:
    site.account("anna")
    site.keep_evidence(1)
    site.tell(flag_opened(flag(1, severity="P0")))
    return taken(site, "anna")


def test_a_case_is_handed_to_a_colleague_who_is_told(site: Site, page: Page) -> None:
    site.account("ben")
    site.account("carl", "reviewer", "another-policy")
    ben, _ = site.signed_in("ben"), site.signed_in("carl")
    expect(ben.locator("#yours")).not_to_be_visible()

    page.keyboard.press("7")
    colleagues = page.locator("#colleagues button")
    expect(colleagues).to_have_count(1)
    expect(colleagues).to_have_text("1 ben")
    assert Axe().run(page).response["violations"] == []
    page.keyboard.press("1")

    expect(page.get_by_role("status")).to_contain_text("in the hands of ben")
    expect(page.locator("#stage img")).to_have_count(0)
    expect(ben.locator("#yours")).to_be_visible()
    ben.keyboard.press("n")
    ready(ben, "Case: P0 tvec")
    expect(ben.locator("#decide")).to_be_visible()


def test_a_note_and_a_referral_go_with_the_decision(site: Site, page: Page) -> None:
    page.keyboard.press("8")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("seen by <b>two</b>")
    for text in ("shown elsewhere too", "the police of X"):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.locator("#reference").focus()
    page.keyboard.type("A-17")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("#told-at")).to_contain_text("at 20")
    assert Axe().run(page).response["violations"] == []
    page.locator("#reference").focus()
    page.keyboard.press("Enter")  # keys decide again
    for key in ("h", "a"):
        page.keyboard.press(key)

    expect(page.get_by_role("status")).to_contain_text("Decided: confirmed")
    [made] = site.decisions()
    assert (made.note, made.explanation_public) == ("seen by <b>two</b>", "shown elsewhere too")
    assert made.referral is not None
    assert (made.referral.authority, made.referral.means) == ("the police of X", "phone")
    assert made.referral.reference == "A-17"
    assert utc_seconds(made.referral.told_at) > 0
    assert made.undo_until is None  # who was told cannot be untold
    expect(page.locator("#facts")).to_contain_text("seen by <b>two</b>")


def test_a_pointer_opens_and_closes_what_goes_in_words(page: Page) -> None:
    summary = page.locator("#words summary")

    summary.click()
    expect(page.locator("#note")).to_be_visible()
    summary.click()

    expect(page.locator("#note")).not_to_be_visible()


def test_half_a_referral_is_refused(site: Site, page: Page) -> None:
    page.keyboard.press("8")
    page.locator("#authority").focus()
    page.keyboard.type("the police of X")
    page.keyboard.press("Enter")
    for key in ("h", "a"):
        page.keyboard.press(key)

    expect(page.locator("#problem")).to_contain_text("Say who was told")
    assert site.decisions() == []


def test_a_second_person_is_asked_who_does_not_know_what_the_first_chose(
    site: Site, page: Page
) -> None:
    page.keyboard.press("1")
    page.keyboard.press("a")
    page.keyboard.down("z")
    expect(page.get_by_role("status")).to_have_text(re.compile("^Decided: needs_second"))
    page.keyboard.up("z")
    page.keyboard.press("n")
    page.wait_for_url("**/")  # not to whoever was first
    ready(page, "Queue")
    site.account("ben")
    ben = taken(site, "ben")

    expect(ben.locator("#facts")).to_contain_text("is not told what others chose")
    expect(ben.locator("#facts")).not_to_contain_text("ATTACK_LIVE")
    assert "cut_and_suspend" not in ben.locator("#facts").inner_html()
    ben.keyboard.press("1")
    ben.keyboard.press("a")
    ben.keyboard.down("z")
    expect(ben.get_by_role("status")).to_have_text(re.compile("cut_and_suspend"))
    ben.keyboard.up("z")

    first, second = site.decisions()
    assert (first.outcome, first.action) == ("needs_second", "hold")
    assert (second.outcome, second.action) == ("confirmed", "cut_and_suspend")
    assert second.reviewer is not None
    assert second.reviewer.is_second
