"""No statement that the console runs again and again reads a table that grows from end to end.

Rule: what is run is what is looked at: the statements are those that a console ran for people.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from streamguard.core.kept import Part, Subject
from streamguard.review.pages.case_page import case_state
from streamguard.review.projection import note_audience
from tests.made_reviews import flag, flag_id, flag_opened, stream_ended
from tests.review.bench import CUT, Bench
from tests.review.console import TOKEN, Console
from tests.review.test_history import gap_told
from tests.vault.made_vaults import made_vault

INNER = ("CONSTANT", "said", "json_each", "(subquery-1)")
"""Within one statement, or one row: no tables."""

SMALL = (
    "accounts",
    "web_sessions",
    "leases",
    "place",
    "oidc_tries",
    "incidents",
    "paged",
    "known_browsers",
)
"""What they hold is bounded by people, or by what is in hand."""

OF_WHAT_WAITS = ("cases_waiting", "appeals_waiting")
"""Indices of what waits alone."""


class Watched:
    """The statements of one connection, and how each is carried out."""

    def __init__(self, bench: Bench) -> None:
        self._connection = bench.file.connection
        self._statements: set[str] = set()
        self._connection.exec_trace = self._seen

    def _seen(self, _: object, statement: str, __: object) -> bool:
        self._statements.add(statement)
        return True

    def scans(self) -> list[tuple[str, str]]:
        """Give what reads a growing table from end to end, with its statement."""
        self._connection.exec_trace = None
        found = []
        for statement in sorted(self._statements):
            if statement.split()[0].upper() not in {"SELECT", "INSERT", "UPDATE", "DELETE"}:
                continue
            for detail in plan_of(self._connection, statement):
                words = detail.split()
                is_scan = words[0] == "SCAN" and words[1] not in {*SMALL, *INNER}
                if is_scan and not any(one in words for one in OF_WHAT_WAITS):
                    found.append((statement.strip(), detail))
        return found

    def __len__(self) -> int:
        return len(self._statements)


def plan_of(connection: Any, statement: str) -> list[str]:
    """Say how a statement would be carried out, whatever values it is given."""
    numbered = [int(one) for one in re.findall(r"[?]([0-9])", statement)]
    n_values = max(numbered) if numbered else statement.count("?")
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", [None] * n_values)
    return [row[3] for row in rows]


@pytest.fixture
def console(bench: Bench, tmp_path: Path) -> Console:
    vault = made_vault(tmp_path / "evidence", bench.clock)
    part = Part("still", "image/jpeg", 0, 0, is_original=False, content=b"still")
    vault.keep(Subject(flag_id(1), "stream", "s-1"), (part,))
    made = Console(bench, vault)
    for role in ("reviewer", "senior", "auditor"):
        made.account(role)
    return made


def test_what_a_console_does_all_day_reads_no_growing_table_from_end_to_end(
    console: Console,
) -> None:
    bench = console.bench
    watched = Watched(bench)
    bench.tell(flag_opened(flag(1)), flag_opened(flag(2, session="s-2")), gap_told(1))
    note_audience(bench.file, {"s-1": 3, "s-2": 1}, 1.0)
    client, senior = console.signed_in("reviewer"), console.signed_in("senior")
    auditor = console.signed_in("auditor")
    for page in ("/", "/api/v1/queue", "/api/v1/presence", "/api/v1/me", "/exposure"):
        assert client.get(page).status_code == 200

    case = client.post("/api/v1/claim", json={}).json()["case"]
    path, said = f"/api/v1/cases/{case['case_id']}", {"token": case["token"]}
    assert client.get(path).status_code == 200
    assert client.get(f"/cases/{case['case_id']}").status_code == 200
    assert client.get(f"{path}/evidence", params=said).status_code == 200
    client.get(f"{path}/evidence/{flag_id(1)}/0", params=said)
    client.post(f"{path}/exposure", json=said | {"stills_viewed": 1})
    client.post(f"{path}/renew", json=said)
    choice = CUT.model_dump(mode="json", exclude_none=True)
    assert client.post(f"{path}/decision", json=said | choice).status_code == 200
    other = client.post("/api/v1/claim", json={}).json()["case"]
    skipped = {"token": other["token"], "reason": "language"}
    client.post(f"/api/v1/cases/{other['case_id']}/skip", json=skipped)
    platform = console.stranger()
    platform.headers["authorization"] = f"Bearer {TOKEN}"
    made = client.get(path).json()["decisions"][0]["decision_id"]
    assert platform.post("/api/v1/appeals", json={"decision_id": made}).status_code == 201
    for page in ("/appeals", "/api/v1/appeals"):
        assert senior.get(page).status_code == 200
    assert senior.post("/api/v1/appeals/claim", json={}).json()["appeal"] is not None
    assert auditor.get("/audit").status_code == 200
    bench.tell(stream_ended("s-1"))
    bench.desk.projection.catch_up()
    case_state(console.review, case["case_id"])

    assert len(watched) > 50
    assert watched.scans() == []


def test_a_statement_that_reads_a_table_from_end_to_end_is_found(bench: Bench) -> None:
    watched = Watched(bench)
    bench.file.rows("SELECT body FROM cases WHERE opened_s > ?", (1.0,))

    assert watched.scans() == [("SELECT body FROM cases WHERE opened_s > ?", "SCAN cases")]
