"""Accounts are made and changed, and a password is, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.review.console import PASSWORD
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)

NEW = "seven tractors in the rain"


def test_an_administrator_makes_an_account_and_changes_it(site: Site) -> None:
    site.account("ada", "administrator")
    page = site.signed_in("ada")
    page.get_by_role("link", name="Accounts").click()
    ready(page, "Accounts")
    assert Axe().run(page).response["violations"] == []

    page.locator("#name").fill("ben")
    page.locator("#role").select_option("senior")
    page.locator("#clearance").fill("TVEC, OTHER")
    page.locator("#password").fill("password1234")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_contain_text("soon guessed")
    page.locator("#password").fill(NEW)
    page.keyboard.press("Enter")
    row = page.locator("tbody tr").filter(has_text="ben")
    expect(row).to_contain_text("OTHER TVEC")

    row.locator("summary").click()
    row.get_by_label("May sign in").uncheck()
    row.get_by_role("button", name="Change").click()

    expect(page.get_by_role("status")).to_have_text("Changed: ben.")
    ben = site.accounts.named("ben")
    assert ben is not None
    assert (ben.role, sorted(ben.clearance), ben.is_active) == ("senior", ["OTHER", "TVEC"], False)


def test_an_auditor_reads_the_accounts_and_changes_none(site: Site) -> None:
    site.account("audrey", "auditor")
    page = site.signed_in("audrey")

    page.goto("/accounts")

    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("main form")).to_have_count(0)


def test_somebody_changes_their_password_and_signs_in_with_it(site: Site) -> None:
    site.account("anna")
    page = site.signed_in("anna")
    page.get_by_role("link", name="password").click()
    ready(page, "My password")
    assert Axe().run(page).response["violations"] == []

    page.locator("#current").fill(PASSWORD)
    page.locator("#new").fill(NEW)
    page.locator("#again").fill(f"{NEW}!")
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_have_text("The two are not the same.")
    page.locator("#again").fill(NEW)
    page.keyboard.press("Enter")

    ready(page, "Sign in")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(NEW)
    page.keyboard.press("Enter")
    ready(page, "Queue")


def test_what_is_typed_before_the_script_is_there_never_goes_into_the_address(site: Site) -> None:
    page = site.browser.new_context(base_url=site.url, java_script_enabled=False).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto("/sign-in")

    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Sign in")).to_be_disabled()

    assert page.url == f"{site.url}/sign-in"
    assert [one for one in asked if "?" in one] == []
