"""What was decided here, in the shapes in which others take it."""

import json
from pathlib import Path
from typing import Any

import pytest

from streamguard.adapters.bank_file import add_entries
from streamguard.cli import main
from tests.adapters.test_bank_file import entry
from tests.exchange.made_records import POLICY, frame, pdq, record


@pytest.fixture
def bank(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Make a bank: two of ThreatExchange's hashes, one of a list, a clip, and one built here."""
    bank, path = tmp_path / "bank", tmp_path / "list.jsonl"
    opinions = [{"standing": "pos", "owner": "1", "descriptor_id": n} for n in ("50", "51")]
    records = [
        record("5", 1, source="te", opinions=opinions),
        record("6", 1, source="te", opinions=opinions[:1]),
        record("9", 2, source="tat", tags=["a", "b,c"]),
        *(frame("clip", offset_ms, 3 + offset_ms // 400) for offset_ms in (0, 400, 999, 1000)),
    ]
    path.write_text("\n".join(one.to_json() for one in records))
    main(["bank", "import", str(bank), str(path), "--format", "jsonl"])
    add_entries(bank, [entry("built.mp4", 2)])
    capsys.readouterr()
    return bank


def told(
    bank: Path,
    capsys: pytest.CaptureFixture[str],
    decisions: list[dict[str, Any]],
    *more: str,
    code: int = 0,
) -> tuple[list[str], str]:
    """Print opinions; give the lines, and what is said beside them."""
    path = bank.parent / "decisions.jsonl"
    path.write_text("\n".join(json.dumps(decision) for decision in decisions))
    assert main(["bank", "export", str(bank), "--opinions", str(path), *more]) == code
    shown = capsys.readouterr()
    return shown.out.splitlines(), shown.err


@pytest.mark.parametrize(
    ("opinion", "reactions"),
    [
        ("confirmed", "HELPFUL,SAW_THIS_TOO"),
        ("disagreed", "DISAGREE_WITH_TAGS"),
        ("seen", "SAW_THIS_TOO"),
    ],
)
def test_threatexchange_gets_a_reaction_to_each_descriptor(
    opinion: str, reactions: str, bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, _ = told(bank, capsys, [{"entry": "te:5", "opinion": opinion}], "--format", "te")

    assert [json.loads(line) for line in lines] == [
        {"method": "POST", "path": f"/{number}", "body": {"reactions": reactions}}
        for number in (50, 51, 50)
    ]


def test_threatexchange_is_offered_confirmed_hashes_that_it_does_not_know(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decisions = [{"entry": "tat:9", "opinion": "confirmed"}]

    (line,), said = told(bank, capsys, decisions, "--format", "te", "--privacy-group", "77")

    assert json.loads(line) == {
        "method": "POST",
        "path": "/threat_descriptors",
        "body": {
            "indicator": pdq(2),
            "type": "HASH_PDQ",
            "status": "MALICIOUS",
            "description": f"confirmed by review: {POLICY}",
            "share_level": "AMBER",
            "privacy_type": "HAS_PRIVACY_GROUP",
            "privacy_members": "77",
            "tags": "a",
        },
    }
    assert said == ""


def test_of_a_video_one_hash_a_second_is_offered(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decisions = [{"entry": "list/clip", "opinion": "confirmed"}]

    lines, _ = told(bank, capsys, decisions, "--format", "te", "--privacy-group", "77")

    assert [json.loads(line)["body"]["indicator"] for line in lines] == [pdq(3), pdq(5)]


def test_what_there_is_nothing_to_say_about_is_counted(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decisions = [
        {"entry": "tat:9", "opinion": "seen"},
        {"entry": "list/clip", "opinion": "confirmed"},
        {"entry": "gone", "opinion": "confirmed"},
    ]

    lines, said = told(bank, capsys, decisions, "--format", "te")

    assert lines == []
    assert sorted(said.splitlines()) == [
        "passed over: 1 entries that are no longer in the bank",
        "passed over: 1 without a descriptor to react to",
        "passed over: 4 new to ThreatExchange, and no privacy group is given",
    ]


def test_others_get_a_list(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last decision about an entry counts."""
    decisions = [
        {"entry": "tat:9", "opinion": "seen"},
        {"entry": "tat:9", "opinion": "disagreed", "decided_at": "2025-06-01T10:00:00+02:00"},
    ]

    (line,), _ = told(bank, capsys, decisions, "--format", "jsonl")
    rows, _ = told(bank, capsys, decisions, "--format", "csv")

    assert json.loads(line) == {
        "source": "tat",
        "record_id": "9",
        "hash": pdq(2),
        "policy": POLICY,
        "opinion": "disagreed",
        "decided_at": "2025-06-01T08:00:00Z",
    }
    assert rows == [
        "source,record_id,hash,policy,opinion,decided_at",
        f"tat,9,{pdq(2)},{POLICY},disagreed,2025-06-01T08:00:00Z",
    ]


def test_what_was_built_here_is_in_the_list_too(
    bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    decisions = [{"entry": "built.mp4", "opinion": "confirmed"}]

    lines, _ = told(bank, capsys, decisions, "--format", "jsonl")

    assert [json.loads(line)["source"] for line in lines] == ["bank"] * 2


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        ({"entry": "te:5"}, ":1: opinion: Field required"),
        ({"entry": "te:5", "opinion": "maybe"}, ":1: opinion: "),
        ({"entry": "", "opinion": "seen"}, ":1: entry: "),
        ({"entry": "te:5", "opinion": "seen", "by": "me"}, ":1: by: there is no such field"),
        ({"entry": "te:5", "opinion": "seen", "decided_at": 7}, ":1: decided_at: a time is text"),
    ],
)
def test_what_is_no_decision_is_refused(
    decision: dict[str, Any], said: str, bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, problem = told(bank, capsys, [decision], "--format", "te", code=2)

    assert lines == []
    assert said in problem


def test_a_line_that_is_no_json_is_refused(bank: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = bank.parent / "decisions.jsonl"
    path.write_text("\n\nnonsense")

    code = main(["bank", "export", str(bank), "--opinions", str(path), "--format", "te"])

    assert code == 2
    assert "decisions.jsonl:3: it is not JSON" in capsys.readouterr().err


@pytest.mark.parametrize("more", [["--format", "vpdq"], ["--format", "te", "--entry", "te:5"]])
def test_opinions_have_shapes_of_their_own(
    more: list[str], bank: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, problem = told(bank, capsys, [], *more, code=2)

    assert "opinions are printed as jsonl, csv or te" in problem
