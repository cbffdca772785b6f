from pathlib import Path

import httpx
import pytest

from loadtest.admin_churn import MOST, AdminChurn
from tests.servers import Answer, Server, serving, status, whole


def churn_at(server: Server, folder: Path) -> AdminChurn:
    printed, log = folder / "run.log", folder / "events.db"
    printed.write_text(f'starting\n{{"event": "admin_started", "port": {server.port}}}\n')
    (folder / "events.db.token").write_text("a token of some length\n")
    return AdminChurn(printed, log, "http://127.0.0.1/0000.ts")


def asked(answer: Answer, folder: Path, n_turns: int) -> list[str]:
    with serving(answer) as server, churn_at(server, folder) as churn:
        for _ in range(n_turns):
            churn.turn()
        churn.clear()
        assert churn.n_added == churn.n_removed == n_turns
    return [line.removesuffix(" HTTP/1.1") for line in server.requests]


def test_what_was_added_first_is_removed_first_and_at_the_end_all_is(tmp_path: Path) -> None:
    lines = asked(whole(b"{}"), tmp_path, MOST + 2)

    removed = [line for line in lines if line.startswith("DELETE")]
    assert lines.index(removed[0]) == MOST + 1
    assert removed == [f"DELETE /v1/streams/added-{n}" for n in range(MOST + 2)]
    assert lines.count("POST /v1/streams") == MOST + 2


def test_an_answer_that_is_no_success_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        asked(status("409 Conflict"), tmp_path, 1)
