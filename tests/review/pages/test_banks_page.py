"""Bank entries are looked up, and set aside, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from streamguard.adapters.bank_file import add_entries
from streamguard.adapters.bank_live import open_bank
from streamguard.core.audit import Deed
from tests.made_banks import entry
from tests.made_reviews import flag, flag_opened
from tests.review.bench import CUT
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)


def test_a_senior_sets_an_entry_aside_that_reviewers_disagreed_with(site: Site) -> None:
    site.account("sena", "senior")
    anna = site.account("anna").person
    add_entries(site.bank, [entry("a clip"), entry("<b>another</b>")])
    site.tell(flag_opened(flag(1)))
    claimed = site.bench.claim(anna)
    vote = {"bank": "own", "entry": "a clip", "agrees": False}
    choice = CUT.model_validate(CUT.model_dump() | {"votes": [vote]})
    site.review.rulings.decide(anna, claimed.case.case_id, claimed.lease.token, choice)
    page = site.signed_in("sena")
    page.get_by_role("link", name="Bank entries").click()
    ready(page, "Bank entries")
    expect(page.locator("tbody tr")).to_have_count(2)
    assert Axe().run(page).response["violations"] == []

    page.get_by_label("Part of the name").fill("clip")
    page.keyboard.press("Enter")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows.locator("td").nth(3)).to_have_text("1")  # disagreed
    page.locator("body[data-ready]").wait_for()
    rows.locator("summary").click()
    rows.get_by_label("Why").fill("it is a logo")
    page.keyboard.press("Enter")

    expect(rows).to_contain_text("set aside: it is a logo")
    facts = open_bank(site.bank).entry_of("a clip")
    assert facts is not None
    assert facts.is_quarantined
    rows.get_by_role("button", name="Let in").click()
    expect(rows).to_contain_text("matches")
    deeds = [action for _, action, _ in site.bench.deeds()]
    assert deeds[-2:] == ["bank.set_aside", "bank.let_in"]


def test_entries_of_other_policies_are_not_there(site: Site) -> None:
    site.account("sena", "senior", "another-policy")
    add_entries(site.bank, [entry("a clip")])
    page = site.signed_in("sena")

    page.goto("/banks")

    expect(page.locator("caption")).to_contain_text("0 entries")
    token = page.evaluate("async () => (await (await fetch('/api/v1/me')).json()).csrf")
    answer = page.request.post(
        "/api/v1/banks/own/set-aside",
        data={"entry": "a clip", "reason": "x"},
        headers={"x-csrf-token": token},
    )
    assert answer.status == 422
    facts = open_bank(site.bank).entry_of("a clip")
    assert facts is not None
    assert not facts.is_quarantined


def test_what_became_of_a_banking_is_shown_as_it_comes_on_the_case_and_among_the_banks(
    site: Site,
) -> None:
    site.account("sena", "senior")
    anna = site.account("anna").person
    site.tell(flag_opened(flag(1)))
    claimed = site.bench.claim(anna)
    choice = CUT.model_validate(CUT.model_dump() | {"bank": "own"})
    case_id = claimed.case.case_id
    made = site.review.rulings.decide(anna, case_id, claimed.lease.token, choice)
    page = site.signed_in("sena")
    page.goto(f"/cases/{case_id}")
    banking = page.locator("#banking")
    expect(banking).to_have_text("Under way: bank own")

    said = {"bank": "own", "entry": "an entry", "why": "its <b>clip</b> is gone"}
    deed = Deed("anna", "bank.added", case_id, made.decision_id, said, is_refused=True)
    site.bench.desk.trail.note(deed)

    expect(banking.locator("strong")).to_have_text("NOT banked in own: its <b>clip</b> is gone")
    page.get_by_role("link", name="Bank entries").click()
    ready(page, "Bank entries")
    expect(page.locator("#bankings li")).to_contain_text("NOT banked in own")
    assert Axe().run(page).response["violations"] == []
    page.locator("#bankings a").click()
    expect(banking).to_be_visible()
