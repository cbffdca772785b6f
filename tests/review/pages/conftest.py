from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.review.pages.site import Site


@pytest.fixture(scope="module")
def chromium(requires_chromium: Path) -> Iterator[Browser]:
    """Start a browser without a window; it ends with the module, and its event loop with it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=requires_chromium,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path: Path, chromium: Browser) -> Iterator[Site]:
    """Serve a console on loopback, with a browser to open it in."""
    with Site.serving(tmp_path, chromium) as made:
        yield made
