"""Who watches an empty queue: a tone for who asked for it, and a question before signing out."""

import pytest
from playwright.sync_api import Page, expect

from streamguard.review.web_sessions import HEARD_S, IDLE_S
from tests.made_reviews import flag, flag_opened
from tests.processes import until
from tests.review.pages.site import PATIENCE_MS, Site

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)

COUNTED = """
window.tones = 0;
const start = OscillatorNode.prototype.start;
OscillatorNode.prototype.start = function () { window.tones += 1; return start.call(this); };
"""
"""Counts the tones that a page makes."""


@pytest.fixture
def page(site: Site) -> Page:
    site.account("anna")
    page = site.signed_in("anna")
    page.add_init_script(COUNTED)
    page.reload()
    page.locator("body[data-ready]").wait_for()
    return page


def tones(page: Page) -> int:
    return int(page.evaluate("() => window.tones"))


def urgent(site: Site, page: Page, number: int) -> None:
    site.tell(flag_opened(flag(number, session=f"s-{number}", severity="P0")))
    expect(page.locator("#n-cases")).to_have_text(str(number))


def test_a_new_urgent_case_is_silent_unless_a_tone_was_asked_for(site: Site, page: Page) -> None:
    expect(page.get_by_label("A tone for each new urgent case")).not_to_be_checked()
    urgent(site, page, 1)
    assert tones(page) == 0

    page.locator("#cue").focus()
    page.keyboard.press("Space")
    assert tones(page) == 1  # so that one knows it
    urgent(site, page, 2)

    assert tones(page) == 2
    page.reload()
    expect(page.locator("#cue")).to_be_checked()  # this browser remembers


def test_whoever_only_watches_is_asked_before_being_signed_out(site: Site, page: Page) -> None:
    page.clock.install()
    page.reload()
    page.locator("body[data-ready]").wait_for()
    site.bench.clock.advance(IDLE_S - 300)
    page.clock.fast_forward((IDLE_S - 360) * 1000)  # a minute is left, however slow all is
    expect(page.locator("#problem")).to_have_text("")

    page.clock.fast_forward(61_000)
    expect(page.locator("#problem")).to_contain_text("Are you there?")
    with page.expect_response("**/api/v1/me"):
        page.keyboard.press("Shift")

    expect(page.locator("#problem")).to_have_text("")
    site.bench.clock.advance(IDLE_S - 1)
    until(lambda: site.review.sessions.present() != [])  # by its open page


def test_whoever_has_the_queue_open_is_there_and_gone_soon_after_it_is_closed(
    site: Site, page: Page
) -> None:
    sessions = site.review.sessions
    site.bench.clock.advance(HEARD_S)

    until(lambda: sessions.present() != [])  # nothing but the open page speaks
    page.goto("about:blank")
    until(lambda: site.n_followed() == 0)
    site.bench.clock.advance(HEARD_S)

    assert sessions.present() == []
