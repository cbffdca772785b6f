"""Appeals are heard, and the audit is searched, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.made_reviews import flag, flag_opened
from tests.review.bench import CUT
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)

STATEMENT = "it was <b>a game</b>"


def appealed(site: Site) -> None:
    """Have anna cut a stream, and its streamer object."""
    anna = site.account("anna").person
    site.keep_evidence(1)
    site.tell(flag_opened(flag(1)))
    claimed = site.bench.claim(anna)
    made = site.review.rulings.decide(anna, claimed.case.case_id, claimed.lease.token, CUT)
    site.review.appeals.receive("platform:api", made.decision_id, STATEMENT, None)


def test_an_appeal_is_overturned_by_somebody_else_with_three_keys(site: Site) -> None:
    appealed(site)
    site.account("ben")
    page = site.signed_in("ben")
    page.get_by_role("link", name="Appeals").click()
    ready(page, "Appeals")

    page.keyboard.press("n")
    ready(page, "Appeal")
    expect(page.locator("blockquote")).to_have_text(STATEMENT)
    expect(page.locator("#stage img")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.keyboard.press("8")
    page.keyboard.type("it was a game, 12 of 12")
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    page.keyboard.press("m")

    expect(page.get_by_role("status")).to_have_text("Answered: overturned, CONTEXT.GAMEPLAY.")
    assert [one.action for one in site.decisions()] == ["cut", "restore"]
    assert site.decisions()[1].appeal_id is not None
    assert site.decisions()[1].explanation_public == "it was a game, 12 of 12"
    expect(page.locator("#stage img")).to_have_count(0)


def test_an_appeal_is_passed_on_by_its_key(site: Site) -> None:
    appealed(site)
    site.account("ben")
    page = site.signed_in("ben")
    page.goto("/appeals")
    ready(page, "Appeals")
    page.keyboard.press("n")
    ready(page, "Appeal")

    page.keyboard.press("9")

    expect(page.get_by_role("status")).to_have_text("Passed on: it goes to somebody else.")
    expect(page.locator("#stage img")).to_have_count(0)
    page.keyboard.press("n")
    ready(page, "Appeals")
    page.keyboard.press("n")
    expect(page.get_by_role("status")).to_have_text("Nothing waits that you may hear.")


def test_whoever_decided_gets_no_appeal_against_it(site: Site) -> None:
    appealed(site)
    page = site.signed_in("anna")
    page.goto("/appeals")
    ready(page, "Appeals")

    page.keyboard.press("n")

    expect(page.get_by_role("status")).to_have_text("Nothing waits that you may hear.")
    [appeal] = site.review.appeals.waiting(site.account("ben").person)
    assert page.goto(f"/appeals/{appeal.appeal_id}").status == 409  # type: ignore[union-attr]  # there is an answer
    expect(page.locator("main")).to_contain_text("not in your hands")


def test_an_auditor_finds_who_did_what_to_a_case(site: Site) -> None:
    appealed(site)
    site.account("audrey", "auditor")
    page = site.signed_in("audrey")
    page.get_by_role("link", name="Audit").click()

    page.get_by_label("What was done").fill("case.decided")
    page.keyboard.press("Enter")

    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("case.decided")
    expect(rows).to_contain_text("action: cut")
    assert Axe().run(page).response["violations"] == []
    assert site.bench.deeds()[-1][1] == "audit.searched"
