from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.review.pages.site import Site, browsing


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
