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


def told(page: Page, *words: str) -> None:
    """Say by keyboard who was told, and what they call it, from the first field on."""
    page.keyboard.press("9")
    expect(page.locator("#authority")).to_be_focused()
    for text in words:
        page.keyboard.type(text)
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
    page.locator("#told").focus()
    page.keyboard.press("Space")


def test_a_note_and_a_referral_go_with_the_decision(site: Site, page: Page) -> None:
    page.keyboard.press("8")
    expect(page.locator("#note")).to_be_focused()
    page.keyboard.type("seen by <b>two</b>")
    page.keyboard.press("Tab")
    page.keyboard.type("shown elsewhere too")
    page.keyboard.press("Enter")  # keys do something again
    told(page, "the police of X", "A-17")
    expect(page.locator("#told-at")).to_have_value(re.compile("^[0-9]{2}:[0-9]{2}$"))
    assert Axe().run(page).response["violations"] == []
    page.locator("#told-note").focus()
    page.keyboard.type("they call back")
    page.keyboard.press("Escape")  # keys decide again
    for key in ("h", "a"):
        page.keyboard.press(key)

    expect(page.get_by_role("status")).to_contain_text("Decided: confirmed")
    [made] = site.decisions()
    assert made.note == "seen by <b>two</b>; they call back"
    assert made.explanation_public == "shown elsewhere too"
    assert made.referral is not None
    assert (made.referral.authority, made.referral.means) == ("the police of X", "phone")
    assert made.referral.reference == "A-17"
    assert utc_seconds(made.referral.told_at) > 0
    assert made.undo_until is None  # who was told cannot be untold
    expect(page.locator("#facts")).to_contain_text("seen by <b>two</b>")
    expect(page.locator("#referrals li")).to_have_count(1)
    expect(page.locator("#authority")).to_have_value("")


def test_a_referral_is_put_on_record_by_itself_before_the_decision_and_after(
    site: Site, page: Page
) -> None:
    page.clock.set_fixed_time("2026-01-02T03:04:05Z")
    told(page, "the police of <X>")
    page.locator("#told-at").fill("03:01")
    page.locator("#reference").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("On record: the police of <X> was told.")
    expect(page.locator("#referrals")).to_contain_text(
        "Told: the police of <X> at 03:01 UTC on 2026-01-02 (phone), by anna"
    )
    assert site.decisions() == []
    page.keyboard.press("2")  # keys decide again
    page.keyboard.press("f")
    expect(page.get_by_role("status")).to_contain_text("Decided: rejected")
    told(page, "the embassy")
    assert Axe().run(page).response["violations"] == []
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("On record: the embassy was told.")
    expect(page.locator("#referrals li")).to_have_count(2)
    [made] = site.decisions()
    assert made.referral is None


def test_a_senior_puts_a_referral_on_record_of_a_case_that_another_has_in_hand(
    site: Site, page: Page
) -> None:
    site.account("sena", "senior")
    sena = site.signed_in("sena")
    sena.goto(page.url)
    ready(sena, "Case: P0 tvec")
    sena.clock.set_fixed_time("2026-01-02T03:04:05Z")
    assert sena.locator("#decide").count() == 0

    told(sena, "the police of X")
    sena.keyboard.press("Enter")

    expect(sena.get_by_role("status")).to_contain_text("the police of X was told")
    expect(page.locator("#referrals")).to_contain_text("by sena")
    assert Axe().run(page).response["violations"] == []


def test_who_only_reads_a_case_is_offered_no_referral(site: Site, page: Page) -> None:
    site.account("ben")
    site.account("audrey", "auditor")
    for name in ("ben", "audrey"):
        reads = site.signed_in(name)
        reads.goto(page.url)
        ready(reads, "Case: P0 tvec")

        assert reads.locator("#outside").count() == 0
        reads.keyboard.press("9")


def test_a_pointer_opens_and_closes_what_goes_in_words(page: Page) -> None:
    summary = page.locator("#words summary")

    summary.click()
    expect(page.locator("#note")).to_be_visible()
    summary.click()

    expect(page.locator("#note")).not_to_be_visible()


def test_half_a_referral_is_refused(site: Site, page: Page) -> None:
    page.keyboard.press("9")
    page.keyboard.type("the police of X")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_contain_text("Say who was told")
    page.keyboard.press("Escape")
    page.keyboard.press("h")
    expect(page.locator("#reasons")).to_be_visible()
    page.keyboard.press("a")

    expect(page.locator("#problem")).to_contain_text("Say who was told")
    expect(page.locator("#referrals")).to_have_count(0)
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
