"""The queue on the screen: what comes by itself, what it says, and that it is only text."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.made_actions import taken_up
from tests.made_reviews import flag, flag_opened, stream_ended
from tests.review.bench import SUSPEND
from tests.review.pages.site import PATIENCE_MS, Site, ready

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)

HOSTILE = (
    """<img src=x onerror="document.body.dataset.hit='1'">"""
    """<script>document.body.dataset.hit=1</script>"'`{{7*7}}"""
)
"""A name that would like to be a script."""


def test_a_new_case_appears_by_itself_first_where_it_is_more_urgent(site: Site) -> None:
    site.account("anna")
    site.tell(flag_opened(flag(1)))
    page = site.signed_in("anna")
    rows = page.locator("#rows tr")
    expect(rows).to_have_count(1)

    site.tell(flag_opened(flag(2, session="s-2", severity="P0")))

    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("P0")
    expect(rows.first).to_contain_text("an attack in progress")
    expect(rows.first).to_contain_text("the stream is live")
    expect(page.get_by_role("status")).to_contain_text("A new case; 2 wait.")


def test_who_has_a_case_in_hand_is_seen_by_name(site: Site) -> None:
    site.account("anna")
    site.account("ben")
    site.tell(flag_opened(flag(1)))
    watching, taking = site.signed_in("anna"), site.signed_in("ben")
    expect(watching.locator("#present")).to_have_text("anna, ben")

    taking.keyboard.press("n")

    expect(watching.locator("#rows")).to_contain_text("in the hands of ben")


def test_a_stream_that_ends_says_so_on_the_open_case(site: Site) -> None:
    site.account("anna")
    site.tell(flag_opened(flag(1)))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")
    expect(page.locator("#live")).to_have_text("The stream is live.")

    site.tell(stream_ended("s-1"))

    expect(page.locator("#live")).to_contain_text("The stream has ended")
    expect(page.locator("#decide")).to_be_visible()


def test_no_field_of_a_stream_is_anything_but_text(site: Site) -> None:
    site.account("anna")
    hostile = flag(1, entry=HOSTILE, session=HOSTILE, code=HOSTILE)
    site.tell(flag_opened(hostile))
    page = site.signed_in("anna")
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text))
    page.on("dialog", lambda dialog: problems.append(dialog.message))

    expect(page.locator("#rows")).to_contain_text(HOSTILE)
    page.keyboard.press("n")
    ready(page, f"Case: P1 {HOSTILE}")

    expect(page.locator("#facts")).to_contain_text(f"shared/{HOSTILE}")
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("() => document.body.dataset.hit") is None
    assert problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_shuts_anybody_out_as_far_as_a_program_can_tell(site: Site, scheme: str) -> None:
    site.account("anna", "senior")
    site.keep_evidence(1)
    site.tell(flag_opened(flag(1, severity="P0")), flag_opened(flag(2, session="s-2")))
    page = site.signed_in("anna")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]  # one of its words
    found = {"queue": Axe().run(page).response["violations"]}

    page.keyboard.press("n")
    ready(page, "Case: P0 tvec")
    expect(page.locator("#stage img")).to_be_visible()
    page.keyboard.press("2")
    expect(page.locator("#reasons")).to_be_visible()
    found["case"] = Axe().run(page).response["violations"]
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    found["help"] = Axe().run(page).response["violations"]
    page.goto("/exposure")
    found["exposure"] = Axe().run(page).response["violations"]
    page.locator("#sign-out").click()
    page.get_by_role("heading", name="Sign in").wait_for()
    found["sign in"] = Axe().run(page).response["violations"]

    assert {where: [one["id"] for one in problems] for where, problems in found.items()} == {
        where: [] for where in found
    }


def test_at_twice_the_size_nothing_has_to_be_moved_sideways(site: Site) -> None:
    site.account("anna", "senior")
    site.keep_evidence(1)
    site.tell(flag_opened(flag(1)))
    page = site.signed_in("anna")
    page.set_viewport_size({"width": 640, "height": 400})  # 1280 by 800 at 200 %
    overflow = "() => document.documentElement.scrollWidth - innerWidth"
    of_queue = page.evaluate(overflow)
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")
    page.keyboard.press("8")
    page.locator("#note").press("Enter")
    page.keyboard.press("2")

    assert (of_queue, page.evaluate(overflow)) == (0, 0)
    expect(page.locator("[data-reason='CONTEXT.NEWS']")).to_be_visible()
    for path in ("/exposure", "/team", "/incidents", "/banks", "/password", "/appeals"):
        page.goto(path)
        page.locator("h1").wait_for()
        assert page.evaluate(overflow) == 0, path


def test_a_hold_says_until_when_as_clocks_there_do_and_that_it_ends_soon(site: Site) -> None:
    site.account("sena", "senior")
    anna = site.account("anna").person
    site.tell(flag_opened(flag(1)))
    claimed = site.bench.claim(anna)
    case_id = claimed.case.case_id
    made = site.review.rulings.decide(anna, case_id, claimed.lease.token, SUSPEND)
    site.tell(taken_up(made))
    assert made.expires_at is not None
    site.bench.clock.advance(86_400 - 60)
    page = site.signed_in("sena", "Asia/Kolkata")  # half an hour beside UTC
    there = page.evaluate(
        "at => new Date(at).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'})",
        made.expires_at,
    )

    row = page.locator("#rows .held-until")
    expect(row).to_contain_text("held until")
    expect(row).to_contain_text(there)
    expect(page.locator("#rows")).to_contain_text("what holds ends soon")
    page.goto(f"/cases/{case_id}")

    expect(page.locator("#ending")).to_contain_text(there)
    expect(page.locator("#held")).to_contain_text(there)
    assert Axe().run(page).response["violations"] == []
