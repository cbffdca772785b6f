"""The track of strengths on the page of a case: it grows by itself, and is text besides."""

import pytest
from playwright.sync_api import expect

from tests.made_reviews import flag, flag_opened, flag_updated, match_signal, score_signal
from tests.review.pages.site import PATIENCE_MS, Site, ready
from tests.review.pages.test_queue_page import HOSTILE

pytestmark = pytest.mark.integration
expect.set_options(timeout=PATIENCE_MS)


def test_the_track_grows_while_the_stream_goes_on(site: Site) -> None:
    site.account("anna")
    first = score_signal({2_000: 0.85})
    site.tell(flag_opened(flag(1, signals=[first])))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")
    curve = page.locator("#track .curve.score polyline")
    words = page.locator("#strengths")
    expect(curve).to_have_count(1)
    expect(words).to_contain_text("pack/weapon: 1 point from 0:02.0 to 0:02.0")
    begun = curve.get_attribute("points")

    longer = score_signal({2_000: 0.85, 4_000: 0.2, 7_000: 0.93})
    site.tell(flag_updated(flag(1, state="updated", revision=1, signals=[longer])))

    expect(words).to_contain_text(
        "3 points from 0:02.0 to 0:07.0, highest 0.93 at 0:07.0, last 0.93; counts from 0.80"
    )
    grown = curve.get_attribute("points")
    assert begun is not None
    assert grown is not None
    assert (len(begun.split()), len(grown.split())) == (2, 3)
    page.keyboard.press("j")  # the keys are where they were
    expect(page.locator("#decide")).to_be_visible()


def test_the_track_stands_beside_hits_and_is_inside_the_picture(site: Site) -> None:
    site.account("anna")
    signals = [match_signal({2_000: 12, 4_000: 8}), score_signal({2_000: 0.9, 3_000: 0.1})]
    site.tell(flag_opened(flag(1, signals=signals)))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")

    assert page.locator("#timeline .hit").count() == 3
    expect(page.locator("#track polyline")).to_have_count(2)
    expect(page.locator("#track .bound")).to_have_count(2)
    outside = page.locator("#timeline").evaluate(
        "svg => { const box = svg.getBBox(), view = svg.viewBox.baseVal;"
        " return box.y < view.y - 1 || box.y + box.height > view.y + view.height + 1; }"
    )
    assert outside is False


def test_the_card_says_what_the_model_says_against_it_or_that_none_does(site: Site) -> None:
    site.account("anna")
    site.tell(flag_opened(flag(1)))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")
    told = page.locator("#against")
    expect(told).to_have_text("no model says anything, such as that it is a game or a film")

    spoken = score_signal({2_000: 0.9}, against=[{"label": "gameplay", "score": 0.83}])
    site.tell(flag_opened(flag(2, signals=[spoken])))

    expect(told).to_have_text("pack/gameplay 0.83")


def test_no_name_in_the_track_is_anything_but_text(site: Site) -> None:
    site.account("anna")
    found = score_signal({2_000: 0.9}, model=HOSTILE, category="</title></svg>" + HOSTILE[:200])
    site.tell(flag_opened(flag(1, signals=[found])))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P1 tvec")

    expect(page.locator("#strengths")).to_contain_text(HOSTILE)
    assert page.locator("main img, main script").count() == 0
    assert page.evaluate("() => document.body.dataset.hit") is None
    expect(page.locator("#timeline #track polyline")).to_have_count(1)
