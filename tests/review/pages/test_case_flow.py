"""From signing in to a decision, in a real browser, by keyboard alone."""

import re
import time

import pytest
from playwright.sync_api import Page, expect

from streamguard.core.action_events import action_event, action_id_of
from tests.core_fakes import SOURCE
from tests.made_actions import failed
from tests.made_reviews import flag, flag_id, flag_opened
from tests.review.bench import CUT
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)


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


def test_a_decision_waits_for_no_account_of_what_was_seen(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()
    page.route("**/exposure*", lambda _: None)  # it is never answered
    given_up: list[str] = []
    page.on("requestfailed", lambda request: given_up.append(request.url))

    page.keyboard.press("e")
    page.keyboard.press("u")

    expect(page.get_by_role("status")).to_have_text(re.compile("^Decided: escalated"))
    assert [one for one in given_up if "/exposure" in one] == []
    assert [one.outcome for one in site.decisions()] == ["escalated"]


def test_a_cut_wants_its_key_to_stay_pressed(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()

    page.keyboard.press("x")
    page.keyboard.press("a")  # no reason yet: nothing was chosen
    page.keyboard.press("h")

    expect(page.locator("[data-action=hold]")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-action=cut]")).to_have_attribute("aria-pressed", "false")
    assert site.decisions() == []


def test_a_finger_that_only_scrolled_cuts_nothing(site: Site, page: Page) -> None:
    page.keyboard.press("1")
    page.keyboard.press("a")
    cut = page.locator("[data-action=cut]")
    cut.dispatch_event("pointerdown")
    expect(cut).to_have_class(re.compile("pressed"))

    cut.dispatch_event("pointercancel")

    expect(cut).not_to_have_class(re.compile("pressed"))
    page.wait_for_timeout(600)  # longer than it would have had to stay pressed
    assert site.decisions() == []


def test_a_screen_reader_cuts_by_pressing_twice(site: Site, page: Page) -> None:
    page.keyboard.press("1")
    page.keyboard.press("a")
    cut = page.locator("[data-action=cut]")

    cut.evaluate("one => one.click()")
    expect(page.get_by_role("status")).to_have_text("Press it once more to do it.")
    assert site.decisions() == []
    cut.evaluate("one => one.click()")

    expect(page.get_by_role("status")).to_have_text(re.compile("^Decided: confirmed"))
    assert [one.action for one in site.decisions()] == ["cut"]


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


def test_whoever_wants_less_motion_sees_none_unasked(site: Site, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    page.reload()
    ready(page, "Case: P0 tvec")
    expect(page.locator("#stage img")).to_be_visible()

    for _ in range(2):
        page.keyboard.press("Space")
    expect(page.locator("#where")).to_contain_text("Space plays it.")
    video = page.locator("#stage video")
    assert video.evaluate("one => one.paused")
    page.keyboard.press("Space")

    until_played(page, 1.2)


def test_a_lease_that_is_not_renewed_warns_before_it_ends(site: Site, page: Page) -> None:
    page.clock.install()
    page.reload()
    ready(page, "Case: P0 tvec")
    expect(page.locator("#lease")).not_to_be_visible()
    page.route("**/renew", lambda route: route.abort())

    page.clock.fast_forward(31_000)
    expect(page.locator("#lease")).to_contain_text("may soon not be in your hands")
    expect(page.locator("#decide")).to_be_visible()
    page.clock.fast_forward(30_000)

    expect(page.locator("#lease")).to_contain_text("no longer in your hands")
    expect(page.locator("#decide")).not_to_be_visible()


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


def test_an_onset_is_of_the_timeline_of_its_picture(site: Site) -> None:
    site.account("anna")
    site.keep_evidence(1)
    site.tell(flag_opened(flag(1)))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")
    expect(page.locator("#stage img")).to_be_visible()
    later = flag(2)
    stream = later.stream.model_copy(update={"epoch": 1})
    site.tell(flag_opened(later.model_copy(update={"stream": stream})))
    expect(page.locator("#timeline")).to_have_attribute("data-epoch", "1")

    page.keyboard.press("[")
    expect(page.locator("#marks")).to_contain_text("starts at 2.0 s")
    expect(page.locator("#timeline .onset")).to_have_count(0)  # another timeline is drawn
    page.keyboard.press("2")
    page.keyboard.press("f")

    expect(page.get_by_role("status")).to_contain_text("Decided")
    [made] = site.decisions()
    assert (made.onset_epoch, made.onset_pts_ms) == (0, 2_000)


def test_nothing_is_heard_before_it_is_asked_for(page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()
    page.keyboard.press(".")
    for _ in range(2):
        page.keyboard.press("Space")
    until_played(page, 1.2)
    video = page.locator("#stage video")
    assert video.evaluate("one => one.muted")

    page.keyboard.press(".")
    expect(page.locator("#where")).to_contain_text("With sound")
    assert not video.evaluate("one => one.muted")
    page.keyboard.press(".")

    assert video.evaluate("one => one.muted")


def test_the_clip_of_a_stream_that_goes_on_is_shown_as_far_as_it_is(site: Site) -> None:
    site.account("anna")
    with site.growing_evidence(1):
        site.tell(flag_opened(flag(1, severity="P0")))
        page = site.signed_in("anna")
        page.keyboard.press("n")
        ready(page, "Case: P0 tvec")
        expect(page.locator("#stage img")).to_be_visible()

        for _ in range(2):
            page.keyboard.press("Space")
        until_played(page, 2.0)

    expect(page.locator("#live")).to_have_text("The stream is live.")
    looks = [
        one.about for one in site.bench.desk.trail.records() if one.action == "evidence.viewed"
    ]
    assert looks == [f"{flag_id(1)}/0", f"{flag_id(1)}/clip"]


def test_a_loop_begins_again_after_six_seconds(page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()
    for _ in range(2):
        page.keyboard.press("Space")
    video = page.locator("#stage video")
    until_played(page, 1.2)

    video.evaluate("one => { one.currentTime = 7.2; }")  # it began at 1 s
    page.wait_for_timeout(50)
    ends_s = time.monotonic() + PATIENCE_MS / 1000
    while video.evaluate("one => one.currentTime") > 5:
        assert time.monotonic() < ends_s
        page.wait_for_timeout(50)


def test_evidence_is_stepped_through_without_a_mouse(site: Site) -> None:
    site.account("anna")
    for number in (1, 2):
        site.keep_evidence(number)
        site.tell(flag_opened(flag(number)))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")
    where = page.locator("#where")
    expect(where).to_have_text("A blurred still. Evidence: 1 of 2.")

    page.keyboard.press("j")
    expect(where).to_have_text("A blurred still. Evidence: 2 of 2.")
    page.keyboard.press("k")

    expect(where).to_have_text("A blurred still. Evidence: 1 of 2.")


def test_a_case_is_skipped_for_a_reason_and_goes_to_somebody_else(site: Site, page: Page) -> None:
    page.keyboard.press("s")
    expect(page.locator("#skips")).to_be_visible()
    page.keyboard.press("3")

    expect(page.get_by_role("status")).to_contain_text("Skipped")
    expect(page.locator("#stage img")).to_have_count(0)
    [deed] = [one for one in site.bench.desk.trail.records() if one.action == "case.skipped"]
    assert [one.value for one in deed.details] == ["language"]


def test_a_live_stream_is_not_put_aside_as_one_that_ended(site: Site, page: Page) -> None:
    page.keyboard.press("4")

    expect(page.get_by_role("alert").filter(has_text="is live")).to_be_visible()
    assert site.decisions() == []


def test_a_case_is_escalated_by_two_keys(site: Site, page: Page) -> None:
    page.keyboard.press("e")
    page.keyboard.press("u")

    expect(page.get_by_role("status")).to_contain_text("Decided: escalated, PROCESS.UNSURE")
    assert [one.outcome for one in site.decisions()] == ["escalated"]


def test_help_tells_the_keys_and_single_keys_can_be_turned_off(site: Site, page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.locator("#keys").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    expect(page.locator("#help")).not_to_be_visible()

    page.keyboard.press("2")
    expect(page.locator("#reasons")).not_to_be_visible()
    page.locator("[data-outcome=rejected]").focus()
    page.keyboard.press("Enter")

    expect(page.locator("#reasons")).to_be_visible()
    assert site.decisions() == []


def test_enough_passes_the_case_on_and_signs_out(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()

    page.keyboard.press("q")

    page.get_by_role("heading", name="Sign in").wait_for()
    deeds = [action for _, action, _ in site.bench.deeds()]
    assert deeds[-2:] == ["case.skipped", "account.signed_out"]
    assert site.bench.desk.held() == {}


def test_whoever_lost_the_lease_is_told_and_sees_nothing_more(site: Site, page: Page) -> None:
    expect(page.locator("#holder")).to_have_text("anna")
    expect(page.locator("#stage img")).to_be_visible()
    site.account("ben")
    site.bench.clock.advance(61)  # the tab slept: nobody was heard
    other = site.signed_in("ben")
    other.keyboard.press("n")
    ready(other, "Case: P0 tvec")

    page.keyboard.press("2")
    page.keyboard.press("f")
    expect(page.locator("#lease")).to_contain_text("no longer")
    expect(page.locator("#holder")).to_have_text("ben")
    other.keyboard.press("2")
    other.keyboard.press("f")
    expect(other.get_by_role("status")).to_contain_text("Decided")

    [made] = site.decisions()
    assert made.reviewer is not None
    refused = [(action, is_refused) for _, action, is_refused in site.bench.deeds()]
    assert ("case.decided", True) in refused
    assert ("case.decided", False) in refused


def test_the_page_says_why_in_numbers(page: Page) -> None:
    facts = page.locator("#facts")

    for text in (
        "shared/clip",
        "12 bits off, alone a match up to 31",
        "2 samples agree, certain",
        "2 samples in 1 flag",
        "nobody says how many watch",
        "no other case of this stream was confirmed",
        "P0: an attack in progress",
        "waiting for",
    ):
        expect(facts).to_contain_text(text)
    label = page.get_by_role("img", name="Timeline of the case")
    expect(label).to_have_count(1)


def test_what_was_seen_is_told_to_that_person_alone(site: Site, page: Page) -> None:
    expect(page.locator("#stage img")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator("#stage")).to_have_class(re.compile("blurred"))
    page.keyboard.press("e")
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_contain_text("Decided")

    page.get_by_role("link", name="What I have seen").click()

    expect(page.locator("#stills")).to_have_text("1")
    expect(page.locator("#unblurred")).to_have_text("5 s")
    site.account("ben")
    other = site.signed_in("ben")
    other.goto("/exposure")
    expect(other.locator("#stills")).to_have_text("0")


def test_evidence_is_banked_by_a_key_with_the_decision_that_confirms_it(
    site: Site, page: Page
) -> None:
    page.keyboard.press("b")
    expect(page.locator("#bank-it")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("h")
    page.keyboard.press("p")

    expect(page.get_by_role("status")).to_contain_text("Decided: confirmed, TVEC.KNOWN_PERP")
    [made] = site.decisions()
    assert made.banking is not None
    assert (made.banking.bank, made.banking.entry[:9]) == ("own", "reviewed-")


def test_a_senior_restores_a_stream_that_was_cut(site: Site) -> None:
    site.account("sena", "senior")
    anna = site.account("anna").person
    site.tell(flag_opened(flag(1)))
    claimed = site.bench.claim(anna)
    site.review.rulings.decide(anna, claimed.case.case_id, claimed.lease.token, CUT)
    site.bench.clock.advance(90)
    page = site.signed_in("sena")
    page.goto(f"/cases/{claimed.case.case_id}")
    ready(page, "Case: P1 tvec")

    page.keyboard.press("r")
    expect(page.get_by_label("Restore the stream, because")).to_be_focused()
    assert [one.action for one in site.decisions()] == ["cut"]
    page.keyboard.press("Enter")

    expect(page.get_by_role("status")).to_have_text("Decided: the stream is to be restored.")
    assert [one.action for one in site.decisions()] == ["cut", "restore"]
    expect(page.locator("#facts")).to_contain_text("restore after 1.5 minutes, by sena")


def test_each_still_of_a_flag_is_stepped_to(site: Site) -> None:
    site.account("anna")
    for _ in range(2):
        site.keep_evidence(1)
    site.tell(flag_opened(flag(1)))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")
    expect(page.locator("#where")).to_have_text("A blurred still. Evidence: 1 of 2.")

    page.keyboard.press("j")

    expect(page.locator("#where")).to_have_text("A blurred still. Evidence: 2 of 2.")


def test_whoever_cut_a_stream_hears_what_came_of_it(site: Site, page: Page) -> None:
    page.keyboard.press("1")
    page.keyboard.press("a")
    page.keyboard.down("x")
    expect(page.get_by_role("status")).to_have_text(re.compile("^Decided: confirmed"))
    page.keyboard.up("x")
    [made] = site.decisions()
    action = {
        "action_id": action_id_of(made.decision_id, "live"),
        "decision_id": made.decision_id,
        "act": "cut",
        "scope": "live",
        "actor": made.actor,
    }

    site.tell(action_event(SOURCE, failed(action=action, reason="still_live"), recorded_s=2.0))

    expect(page.get_by_role("status")).to_have_text(
        re.compile(r"^NOT DONE: cut \(still_live\)\. Decided: confirmed")
    )
    expect(page.locator("#not-done")).to_contain_text("Not done: still_live")
