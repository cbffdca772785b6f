"""What another version of streamguard wrote, or what goes wrong in ours, stops no console."""

import asyncio
import json

import httpx
from structlog.testing import capture_logs

from streamguard.core.audit import Deed, Head, chained
from streamguard.core.record import Row, row_of
from streamguard.core.review_events import audit_event
from streamguard.review.guard import HEADERS
from tests.core_fakes import SOURCE
from tests.made_reviews import AT, flag, flag_opened
from tests.review.bench import ANNA, CUT, Bench
from tests.review.console import Console


def changed(row: Row, **data: object) -> Row:
    """Give an event of a later version, whose data say more."""
    said = json.loads(row.body)
    said["data"] |= data
    return Row(row.id, row.topic, row.key, row.type, row.recorded_s, json.dumps(said))


def test_a_flag_of_a_later_version_makes_a_case(bench: Bench) -> None:
    bench.log.append([changed(row_of(flag_opened(flag(1))), later="yes")])

    assert [one.n_flags for one in bench.cases()] == [1]


def test_an_event_that_nobody_can_read_is_told_and_passed_over(bench: Bench) -> None:
    broken = changed(row_of(flag_opened(flag(1))), flag_id="none")
    bench.log.append([broken, row_of(flag_opened(flag(2, session="s-2")))])

    with capture_logs() as logs:
        cases = bench.cases()

    assert [one.session_id for one in cases] == ["s-2"]
    assert [one["event"] for one in logs] == ["event_not_understood"]
    assert bench.desk.projection.catch_up() == 0


def test_the_audit_goes_on_behind_a_record_of_a_later_version(bench: Bench) -> None:
    record = chained(Deed("r-1", "case.claimed"), Head(), AT)
    bench.log.append([changed(row_of(audit_event(SOURCE, record)), later=1)])

    assert bench.desk.trail.note(Deed("r-1", "case.released")) == 1


def test_our_own_fault_is_not_called_the_callers_and_keeps_the_headers(bench: Bench) -> None:
    console = Console(bench)
    console.account("auditor")
    cookies = console.signed_in("auditor").cookies
    bench.tell(flag_opened(flag(1)))
    claimed = bench.claim(ANNA)
    bench.rulings.decide(ANNA, claimed.case.case_id, claimed.lease.token, CUT)
    with bench.file.transaction() as connection:
        connection.execute("UPDATE decisions SET body = '{}'")

    answer = asked(console, f"/api/v1/cases/{claimed.case.case_id}", dict(cookies))

    assert answer.status_code == 500
    assert answer.json() == {"problem": "that is our fault, and in our log"}
    assert HEADERS.items() <= dict(answer.headers).items()


def asked(console: Console, path: str, cookies: dict[str, str]) -> httpx.Response:
    """Ask as over the network, where an error of the application is an answer."""

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(console.app, raise_app_exceptions=False)
        browser = httpx.AsyncClient(
            transport=transport, base_url="http://console.test", cookies=cookies
        )
        async with browser:
            return await browser.get(path)

    return asyncio.run(get())
