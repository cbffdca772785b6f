from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.made_reviews import flag, flag_opened
from tests.review.pages.site import Site, browsing, ready


@pytest.fixture(scope="module")
def chromium(requires_chromium: Path) -> Iterator[Browser]:
    """Start a browser without a window; it ends with the module, and its event loop with it."""
    with browsing(requires_chromium) as browser:
        yield browser


@pytest.fixture
def site(tmp_path: Path, chromium: Browser) -> Iterator[Site]:
    """Serve a console on loopback, with a browser to open it in."""
    with Site.serving(tmp_path, chromium) as made:
        yield made


@pytest.fixture
def page(site: Site) -> Page:
    """Open an urgent case with evidence, taken from the queue by its key."""
    site.account("anna")
    site.keep_evidence(1)
    site.tell(flag_opened(flag(1, severity="P0")))
    page = site.signed_in("anna")
    page.keyboard.press("n")
    ready(page, "Case: P0 tvec")
    return page
