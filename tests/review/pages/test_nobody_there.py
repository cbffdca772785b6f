"""At night: a rule holds, somebody is called, and who comes is told how long nobody looked.

Rule: real processes, a real server and a real browser.
"""

import base64
import re
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from loadtest.enforce_stage import EnforceStage, Form
from loadtest.rtmp import RtmpServer
from tests.integration.test_enforce import KEY
from tests.integration.test_enforce_rules import RULE, flagged
from tests.processes import Running, until
from tests.review.pages.site import PATIENCE_MS, browsing, opened, ready, sign_in
from tests.test_cli_review import account
from tests.webhook_receiver import Receiver, receiving

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]
pytest_plugins = ["tests.rtmp"]
expect.set_options(timeout=PATIENCE_MS)

SECRET = b"s" * 32
PATIENCE_S = 120.0
UNREVIEWED = re.compile(r"^streamguard_review_unreviewed_seconds_total (\S+)$", re.MULTILINE)


def made_stage(folder: Path, rtmp: RtmpServer, pager: Receiver) -> EnforceStage:
    """Configure a console that calls somebody, and an enforcer with a rule."""
    (folder / "hook").write_text(base64.b64encode(SECRET).decode())
    review = (
        "[review]\nport = 0\nmetrics_port = 0\n"
        f'page_url = "{pager.url}"\npage_secret_file = "hook"\n'
    )
    return EnforceStage(folder, rtmp, Form(more=f"{review}{RULE}"))


def seen_by_an_auditor(page: Page) -> None:
    """Watch the queue as somebody who may judge nothing, and so is nobody who is there for it."""
    row = page.locator("#rows tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("P0")
    expect(row).to_contain_text("the stream is live")
    expect(row).to_contain_text("nobody here is left for it")


def test_with_nobody_there_somebody_is_called_a_rule_holds_and_the_seconds_are_told(
    tmp_path: Path, rtmp: RtmpServer, requires_chromium: Path, real_clips: dict[str, Path]
) -> None:
    with receiving(SECRET) as pager, closing(made_stage(tmp_path, rtmp, pager)) as made:
        for name, role in (("audrey", "auditor"), ("anna", "reviewer")):
            account(made.config, "add", name, "--role", role, "--clearance", "*")
        with (
            rtmp.publish(real_clips["bikes"], KEY),
            Running("enforce", "--config", made.config, cwd=tmp_path) as enforcer,
            Running("review", "--config", made.config, cwd=tmp_path) as console,
        ):
            enforcer.wait_for(enforcer.log, event="enforce_started")
            at = console.wait_for(console.log, event="review_started")
            flagged(made, made.live(KEY), 8, severity="P0")
            until(lambda: bool(pager.taken), PATIENCE_S)
            until(lambda: "no_media" in str(made.told()), PATIENCE_S)
            until(lambda: unreviewed_s(at["metrics_port"]) >= 1, PATIENCE_S)

            with browsing(requires_chromium) as browser:
                said = judged(browser, f"http://127.0.0.1:{at['port']}")

    [call] = pager.taken
    assert pager.n_forged == 0
    assert {"name": "why", "value": "nobody_is_there"} in call["data"]["details"]
    assert said >= 1


def judged(browser: Browser, url: str) -> int:
    """Have an auditor watch while a reviewer comes, who judges without knowing of the rule.

    Give the seconds that the audit tells.
    """
    auditor = sign_in(opened(browser, url), "audrey")
    seen_by_an_auditor(auditor)
    page = sign_in(opened(browser, url), "anna")
    page.keyboard.press("n")
    ready(page, "Case: P0 tvec")
    expect(page.locator("#facts")).to_contain_text("is not told what others chose")
    for key in ("h", "a"):
        page.keyboard.press(key)
    expect(page.get_by_role("status")).to_contain_text("Decided: confirmed")
    expect(page.locator("#facts")).to_contain_text(
        re.compile("RULE.EXACT_MATCH, hold .*by rule:exact")
    )
    expect(page.locator("#actions")).to_contain_text("hold, live: verified by no_media")
    until(lambda: "paging.answered" in audit_of(auditor), PATIENCE_S)
    [said] = re.findall(r"unreviewed_s: (\d+)", auditor.locator("tbody").inner_text())
    return int(said)


def unreviewed_s(port: int) -> float:
    """Read how long urgent cases had nobody, seconds."""
    metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    [told] = UNREVIEWED.findall(metrics)
    return float(told)


def audit_of(page: Page) -> str:
    """Look up what came of calls."""
    page.goto("/audit?actor=rule:paging")
    page.get_by_role("heading", name="Audit", exact=True).wait_for()
    return page.locator("tbody").inner_text()
