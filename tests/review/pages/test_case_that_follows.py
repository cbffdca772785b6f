"""A case for a publisher who came back before the cut, in a real browser, by keyboard."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from streamguard.core.action_events import action_event
from tests.core_fakes import SOURCE
from tests.made_actions import ACTION, failed
from tests.made_reviews import flag, flag_id, flag_opened, stream_started
from tests.review.bench import CUT, SENIOR
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)


def test_it_says_why_shows_what_was_seen_before_and_is_cut_by_three_keys(site: Site) -> None:
    site.account("anna")
    site.keep_evidence(1)
    first = {"session": "s-1", "stream_id": "lobby"}
    site.tell(stream_started("s-1", 1.0), flag_opened(flag(1, **first), 2.0))
    held = site.bench.claim(SENIOR)
    site.tell(stream_started("s-2", 3.0))
    made = site.bench.rulings.decide(SENIOR, held.case.case_id, held.lease.token, CUT)
    action = {**ACTION, "decision_id": made.decision_id}
    site.tell(action_event(SOURCE, failed(action=action), recorded_s=4.0))
    page = site.signed_in("anna")

    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")
    expect(page.locator("#stage img")).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("the publisher came back before the cut")
    leads = page.locator("#follows a").get_attribute("href")
    violations = Axe().run(page).response["violations"]
    page.keyboard.press("1")
    page.keyboard.press("a")
    page.keyboard.down("x")
    expect(page.get_by_role("status")).to_have_text(re.compile("^Decided: confirmed"))
    page.keyboard.up("x")

    assert leads == f"/cases/{held.case.case_id}"
    assert violations == []
    assert site.vault.entries()[-1].evidence_id == flag_id(1)
    [_, again] = site.decisions()
    assert (again.stream.session_id, again.action) == ("s-2", "cut")
