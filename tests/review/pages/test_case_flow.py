"""From signing in to a decision, in a real browser, by keyboard alone."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.made_reviews import flag, flag_opened
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture
def page(site: Site) -> Page:
    """Open a case with evidence, taken from the queue by its key."""
    site.account("anna")
    site.keep_evidence(1)
    site.tell(flag_opened(flag(1, severity="P0")))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P0 tvec")
    return page


def until_played(page: Page, seconds: float) -> None:
    """Wait until the loop is so far on."""
    video = page.locator("#stage video")
    ends_s = time.monotonic() + PATIENCE_MS / 1000
    while video.evaluate("one => one.currentTime") <= seconds:
        assert time.monotonic() < ends_s
        page.wait_for_timeout(50)


def test_three_keys_cut_a_stream(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()

    page.keyboard.press("1")
    page.keyboard.press("a")
    page.keyboard.down("x")
    expect(page.get_by_role("status")).to_have_text(re.compile("^Decided: confirmed"))
    page.keyboard.up("x")

    [made] = site.decisions()
    assert (made.outcome, made.reason_code, made.action) == ("confirmed", "TVEC.ATTACK_LIVE", "cut")
    assert made.scopes == ("live", "recording", "clips")
    assert [(one.entry, one.agrees) for one in made.votes] == [("clip", True)]
    assert made.exposure is not None
    assert made.exposure.stills_viewed == 1


def test_a_cut_wants_its_key_to_stay_pressed(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()

    page.keyboard.press("x")
    page.keyboard.press("a")  # no reason yet: nothing was chosen
    page.keyboard.press("h")

    expect(page.locator("[data-action=hold]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-action=cut]")).to_have_attribute("aria-pressed", "false")
    assert site.decisions() == []


def test_what_is_reversible_is_undone_by_a_key(site: Site, page: Page) -> None:
    page.keyboard.press("h")
    page.keyboard.press("g")
    expect(page.get_by_role("status")).to_contain_text("Decided: confirmed, TVEC.GLORIFY, hold")
    expect(page.locator("#undo")).to_be_visible()

    page.keyboard.press("u")

    expect(page.get_by_role("status")).to_contain_text("Undone")
    assert [one.outcome for one in site.decisions()] == ["confirmed", "undone"]
    assert site.decisions()[1].action == "restore"


def test_a_rejection_wants_a_code_and_a_context_is_one_key(site: Site, page: Page) -> None:
    page.keyboard.press("2")
    expect(page.locator("#reasons")).to_be_visible()
    assert site.decisions() == []

    page.keyboard.press("n")

    expect(page.get_by_role("status")).to_contain_text("Decided: rejected, CONTEXT.NEWS")
    [made] = site.decisions()
    assert made.context == ("newsworthy",)


def test_levels_go_from_facts_to_a_silent_loop_and_esc_hides_all(site: Site, page: Page) -> None:
    stage = page.locator("#stage")
    still = stage.locator("img")
    expect(still).to_be_visible()
    expect(stage).to_have_class(re.compile("blurred"))
    box = still.bounding_box()
    assert box is not None
    assert box["width"] <= 320

    page.keyboard.press("Space")
    expect(stage).to_have_attribute("data-level", "2")
    expect(stage).not_to_have_class(re.compile("blurred"))
    assert "grayscale(1)" in still.evaluate("one => getComputedStyle(one).filter")
    expect(stage).to_have_class(re.compile("blurred"))  # by itself

    page.keyboard.press("Space")
    expect(stage).not_to_have_class(re.compile("blurred"))
    page.keyboard.press("Space")
    video = stage.locator("video")
    expect(video).to_be_visible()
    until_played(page, 1.2)
    assert video.evaluate("one => one.muted && one.loop")

    page.keyboard.press("Escape")
    assert stage.evaluate("one => one.childElementCount") == 0
    expect(stage).to_have_attribute("data-level", "0")
    expect(page.locator("#where")).to_contain_text("Nothing is shown")


def test_onset_and_end_are_marked_where_the_picture_is(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()
    page.keyboard.press("[")
    expect(page.locator("#marks")).to_contain_text("starts at 2.0 s")
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    until_played(page, 2.5)
    page.keyboard.press("]")
    expect(page.locator("#marks")).to_contain_text("ends at")
    expect(page.locator("#timeline .onset")).to_have_count(2)

    page.keyboard.press("2")
    page.keyboard.press("f")

    expect(page.get_by_role("status")).to_contain_text("Decided")
    [made] = site.decisions()
    assert (made.onset_epoch, made.onset_pts_ms) == (0, 2_000)
    assert made.end_pts_ms is not None
    assert made.end_pts_ms > 2_500
