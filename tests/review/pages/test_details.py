"""What a decision says beside outcome, reason and action, by keys with Shift, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from streamguard.core.decision_data import Notice
from streamguard.core.event_data import utc_text
from tests.review.pages.site import PATIENCE_MS, Site

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def decided(page: Page) -> None:
    expect(page.get_by_role("status")).to_contain_text("Decided: ")


def test_what_is_confirmed_carries_a_context_by_one_key(site: Site, page: Page) -> None:
    news = page.locator("[data-context=newsworthy]")

    press(page, "Shift+N", "h", "a")
    decided(page)

    [made] = site.decisions()
    assert (made.outcome, made.context) == ("confirmed", ("newsworthy",))
    expect(page.locator("#facts")).to_contain_text("context: newsworthy")
    expect(news).to_have_text("⇧N news reporting")


@pytest.mark.parametrize(
    ("key", "context"),
    [
        ("D", "documentation_of_abuse"),
        ("E", "educational"),
        ("M", "gameplay_or_fiction"),
        ("S", "satire"),
    ],
)
def test_every_context_has_its_key(site: Site, page: Page, key: str, context: str) -> None:
    press(page, f"Shift+{key}", "h", "a")
    decided(page)

    assert [one.context for one in site.decisions()] == [(context,)]


def test_a_key_pressed_again_takes_back_and_so_does_choosing_anew(site: Site, page: Page) -> None:
    satire, clips = page.locator("[data-context=satire]"), page.locator("[data-scope=clips]")
    press(page, "Shift+S", "Shift+C")
    expect(satire).to_have_attribute("aria-pressed", "true")
    expect(clips).to_have_attribute("aria-pressed", "false")
    press(page, "Shift+S", "Shift+G", "Shift+T", "Shift+P")
    expect(satire).to_have_attribute("aria-pressed", "false")
    expect(page.locator("#ground")).to_have_value("illegal")

    press(page, "Backspace", "h", "a")
    decided(page)

    [made] = site.decisions()
    assert (made.context, made.ground, made.notify_user) == ((), None, Notice(required=True))
    assert (made.scopes, made.preserve) == (("live", "recording", "clips"), None)


def test_ground_law_scopes_length_and_notice_are_said_by_keys(site: Site, page: Page) -> None:
    more = page.locator("#more")
    expect(more).not_to_have_attribute("open", "")

    press(page, "Shift+G")
    expect(page.get_by_role("status")).to_have_text("illegal content.")
    expect(more).to_have_attribute("open", "")  # nothing is changed that is not seen
    press(page, "Shift+R")
    expect(page.locator("#legal-ref")).to_be_focused()
    page.keyboard.type("§ 131 <b>StGB</b>")
    press(page, "Enter", "Shift+K", "Shift+H", "Shift+H", "Shift+T", "Shift+W", "Shift+P")
    assert Axe().run(page).response["violations"] == []
    press(page, "h", "a")
    decided(page)

    [made] = site.decisions()
    now_s = site.bench.clock.wall()
    assert (made.ground, made.legal_ref) == ("illegal", "§ 131 <b>StGB</b>")
    assert (made.scopes, made.preserve) == (("live", "clips"), True)
    assert made.expires_at == utc_text(now_s + 3_600)
    assert made.notify_user == Notice(
        required=True, delayed_until=utc_text(now_s + 3_600), delay_reason="investigation"
    )
    facts = page.locator("#facts")
    for text in (
        "hold (live, clips alone) until 2026",
        "ground: illegal, § 131 <b>StGB</b>, not to be told before 2026",
        "(investigation), evidence held until somebody releases it, by anna",
    ):
        expect(facts).to_contain_text(text)


def test_a_choice_comes_round_to_what_is_usual(site: Site, page: Page) -> None:
    ground = page.locator("#ground")
    values = []
    for _ in range(3):
        press(page, "Shift+G")
        values.append(ground.input_value())

    assert values == ["illegal", "terms", ""]
    press(page, "6")
    page.locator("#hold-s").focus()  # what is chosen without keys is left by Esc
    press(page, "ArrowDown", "Escape", "h", "a")
    decided(page)

    [made] = site.decisions()
    assert made.expires_at == utc_text(site.bench.clock.wall() + 900)


def test_an_action_on_nothing_is_refused_and_says_so(site: Site, page: Page) -> None:
    press(page, "Shift+L", "Shift+K", "Shift+C", "h", "a")

    expect(page.locator("#problem")).to_contain_text("Say what it is done to")
    assert site.decisions() == []
    press(page, "Shift+L", "h", "a")
    decided(page)

    assert [one.scopes for one in site.decisions()] == [("live",)]


def test_with_caps_lock_a_key_alone_does_what_it_does_without(site: Site, page: Page) -> None:
    live = page.locator("[data-scope=live]")

    press(page, "L")  # a capital without Shift
    expect(page.locator("[data-action=limit_reach]")).to_have_attribute("aria-pressed", "true")
    expect(live).to_have_attribute("aria-pressed", "true")
    press(page, "A")
    decided(page)

    [made] = site.decisions()
    assert (made.action, made.scopes) == ("limit_reach", ("live", "recording", "clips"))


def test_a_pointer_toggles_what_a_key_does(site: Site, page: Page) -> None:
    page.locator("[data-context=newsworthy]").click()
    expect(page.get_by_role("status")).to_have_text("news reporting: yes.")
    page.locator("#more summary").click()
    page.locator("[data-scope=clips]").click()
    press(page, "h", "a")
    decided(page)

    [made] = site.decisions()
    assert (made.context, made.scopes) == (("newsworthy",), ("live", "recording"))
