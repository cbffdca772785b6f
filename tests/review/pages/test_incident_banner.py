"""What everybody has to know stands on every page, without loading it anew."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.made_reviews import flag, flag_opened
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)

DIFFERS = "hold <b>whatever</b> shows it"


def test_an_incident_is_on_all_pages_with_its_end_until_it_is_ended(site: Site) -> None:
    site.account("anna")
    site.account("sena", "senior")
    site.tell(flag_opened(flag(1)), flag_opened(flag(2, session="s-2")))
    watching, at_case = site.signed_in("anna"), site.signed_in("sena")
    at_case.keyboard.press("n")
    ready(at_case, "Case: P1 tvec")
    senior = at_case.context.new_page()
    senior.goto("/incidents")
    ready(senior, "Incidents")

    senior.get_by_label("Name").fill("Attack in X")
    senior.get_by_label("What is done differently").fill(DIFFERS)
    senior.keyboard.press("Enter")

    for page in (watching, at_case, senior):
        expect(page.locator("#incidents")).to_contain_text("Incident: Attack in X, until 20")
        expect(page.locator("#incidents")).to_contain_text(DIFFERS)
    assert Axe().run(senior).response["violations"] == []
    watching.goto("/exposure")
    expect(watching.locator("#incidents")).to_contain_text("Attack in X")
    senior.get_by_role("button", name="End Attack in X").click()
    expect(senior.get_by_role("status")).to_have_text("Ended.")
    expect(at_case.locator("#incidents p")).to_have_count(0)
