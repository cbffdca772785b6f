"""What reviewers see where the publisher came back before the cut."""

from pathlib import Path

import httpx

from streamguard.core.action_events import action_event
from streamguard.core.kept import Part, Subject
from tests.core_fakes import SOURCE
from tests.made_actions import ACTION, failed
from tests.made_reviews import flag, flag_id, flag_opened, stream_started
from tests.review.bench import ANNA, CUT, Bench
from tests.review.console import Console
from tests.vault.made_vaults import made_vault

FIRST = {"session": "s-1", "stream_id": "lobby"}


def missed(bench: Bench) -> str:
    """Have a cut find the next publish on the air; give the case."""
    bench.tell(stream_started("s-1", 1.0), flag_opened(flag(1, **FIRST), 2.0))
    held = bench.claim(ANNA)
    bench.tell(stream_started("s-2", 3.0))
    made = bench.rulings.decide(ANNA, held.case.case_id, held.lease.token, CUT)
    action = {**ACTION, "decision_id": made.decision_id}
    bench.tell(action_event(SOURCE, failed(action=action), recorded_s=4.0))
    return held.case.case_id


def taken(client: httpx.Client) -> dict[str, object]:
    answer = client.post("/api/v1/claim", json={}).json()["case"]
    assert isinstance(answer, dict)
    return answer


def test_the_case_that_follows_says_why_it_waits_and_leads_to_the_one_before(
    bench: Bench,
) -> None:
    before = missed(bench)
    console = Console(bench)
    console.account("reviewer")
    client = console.signed_in("reviewer")

    case = taken(client)
    told = client.get(f"/api/v1/cases/{case['case_id']}").json()
    page = client.get(f"/cases/{case['case_id']}")

    assert (told["session_id"], told["follows"], told["severity"]) == ("s-2", before, "P1")
    assert "the publisher came back before the cut" in page.text
    assert f'href="/cases/{before}"' in page.text
    assert "nothing in this publish until now" in page.text


def test_the_evidence_of_the_case_before_is_looked_at_on_record(
    bench: Bench, tmp_path: Path
) -> None:
    missed(bench)
    vault = made_vault(tmp_path / "evidence")
    still = Part("still", "image/jpeg", 0, 0, is_original=False, content=b"a still")
    vault.keep(Subject(flag_id(1), "lobby", "s-1"), (still,))
    console = Console(bench, vault)
    console.account("reviewer")
    client = console.signed_in("reviewer")
    case = taken(client)
    path, asked = f"/api/v1/cases/{case['case_id']}/evidence", {"token": str(case["token"])}

    [item] = client.get(path, params=asked).json()["items"]
    shown = client.get(f"{path}/{item['flag_id']}/{item['number']}", params=asked)

    assert shown.content == b"a still"
    entry = vault.entries()[-1]
    assert (entry.action, entry.evidence_id) == ("view", flag_id(1))
    assert entry.purpose == f"case {case['case_id']}"


def test_what_is_decided_about_the_later_publish_is_done_to_that_one(bench: Bench) -> None:
    before = missed(bench)
    held = bench.claim(ANNA)

    made = bench.rulings.decide(ANNA, held.case.case_id, held.lease.token, CUT)

    assert held.case.follows == before
    assert (made.stream.session_id, made.action, made.flag_ids) == ("s-2", "cut", ())
