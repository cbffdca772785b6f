from pathlib import Path
from typing import Any

import httpx
import pytest

from streamguard.core.audit import Deed
from streamguard.core.errors import AccountRefused
from streamguard.core.events import Topic
from streamguard.core.kept import Part, Subject
from streamguard.core.manifest import AccessPolicy
from streamguard.review.account_routes import MAX_FOUND
from streamguard.review.desk import LEASE_S
from streamguard.review.looks import DAY_S
from streamguard.review.rates import BURST
from streamguard.vault.folder import Folder
from streamguard.vault.keys import KeyFiles, Keys
from streamguard.vault.vault import Collector, Vault
from tests.made_reviews import AT, flag, flag_id, flag_opened
from tests.review.bench import Bench
from tests.review.console import PASSWORD, Console
from tests.vault.made_vaults import made_vault

CUT = {"outcome": "confirmed", "reason_code": "TVEC.ATTACK_LIVE", "action": "cut"}
SUSPEND = CUT | {"action": "cut_and_suspend"}
HOLD = CUT | {"action": "hold"}


@pytest.fixture
def console(bench: Bench) -> Console:
    bench.tell(flag_opened(flag(1)), flag_opened(flag(2, session="s-2", severity="P0")))
    made = Console(bench)
    for role in ("reviewer", "senior", "auditor", "operator", "administrator"):
        made.account(role)
    made.account("reviewer", "other")
    return made


def claimed(client: httpx.Client) -> tuple[str, int]:
    """Take the next case; give its path and the token of the lease."""
    case = client.post("/api/v1/claim", json={}).json()["case"]
    return f"/api/v1/cases/{case['case_id']}", case["token"]


def test_a_case_goes_from_the_queue_to_a_decision(console: Console) -> None:
    client = console.signed_in("reviewer")

    queue = client.get("/api/v1/queue").json()["cases"]
    path, token = claimed(client)
    facts = client.get(path).json()
    made = client.post(f"{path}/decision", json=CUT | {"token": token})
    after = client.get(path).json()

    assert [one["severity"] for one in queue] == ["P0", "P1"]
    assert path.endswith(queue[0]["case_id"])
    assert [one["text"] for one in facts["why"]][:2] == [
        "P0: an attack in progress",
        "the stream is live",
    ]
    assert [one["flag_id"] for one in facts["flags"]] == [flag_id(2)]
    assert facts["flags"][0]["evidence"]["state"] == "pending"
    assert facts["lease"]["holder"] == console.review.accounts.named("reviewer").account_id  # type: ignore[union-attr]  # it is there
    assert made.status_code == 200
    assert made.json()["action"] == "cut"
    assert (after["stage"], len(after["decisions"])) == ("decided", 1)
    assert len(console.bench.log.read(1, Topic.DECISIONS)) == 1


def test_a_case_is_renewed_put_back_skipped_and_handed_on(console: Console) -> None:
    client, other = console.signed_in("reviewer"), console.signed_in("other")
    colleague = other.get("/api/v1/me").json()["account_id"]
    path, token = claimed(client)

    answers = [client.post(f"{path}/renew", json={"token": token})]
    answers.append(client.post(f"{path}/release", json={"token": token}))
    path, token = claimed(client)
    answers.append(client.post(f"{path}/hand-off", json={"token": token, "to": colleague}))
    got, given = claimed(other)
    answers.append(other.post(f"{got}/skip", json={"token": given, "reason": "enough"}))

    assert [one.status_code for one in answers] == [200] * 4
    assert got == path
    assert claimed(other)[0] != path


def test_what_is_not_in_hand_cannot_be_changed(console: Console) -> None:
    client, other = console.signed_in("reviewer"), console.signed_in("other")
    path, token = claimed(client)

    for verb, said in (
        ("renew", {}),
        ("release", {}),
        ("skip", {"reason": "enough"}),
        ("decision", CUT),
        ("exposure", {"stills_viewed": 1}),
    ):
        foreign = other.post(f"{path}/{verb}", json={"token": token} | said)
        stale = client.post(f"{path}/{verb}", json={"token": token + 1} | said)
        assert (foreign.status_code, stale.status_code) == (409, 409), verb


def test_a_lease_that_has_ended_decides_nothing(console: Console) -> None:
    client = console.signed_in("reviewer")
    path, token = claimed(client)
    console.bench.clock.advance(LEASE_S)

    answer = client.post(f"{path}/decision", json=CUT | {"token": token})

    assert (answer.status_code, console.bench.log.read(1, Topic.DECISIONS)) == (409, [])


def test_a_decision_is_undone_and_a_cut_is_restored(console: Console) -> None:
    client, senior = console.signed_in("reviewer"), console.signed_in("senior")
    path, token = claimed(client)
    client.post(f"{path}/decision", json=HOLD | {"token": token})

    undone = client.post(f"{path}/undo", json={})
    path, token = claimed(client)
    client.post(f"{path}/decision", json=CUT | {"token": token})
    late = client.post(f"{path}/undo", json={})
    restored = senior.post(f"{path}/restore", json={"reason_code": "CONTEXT.NEWS"})

    assert undone.json()["outcome"] == "undone"
    assert late.status_code == 422
    assert restored.json()["action"] == "restore"


def test_whoever_judges_second_is_not_told_what_the_first_one_chose(console: Console) -> None:
    client, other = console.signed_in("reviewer"), console.signed_in("other")
    path, token = claimed(client)
    client.post(f"{path}/decision", json=SUSPEND | {"token": token})

    blind = other.get(path).json()
    first = client.get(path).json()
    auditor = console.signed_in("auditor").get(path).json()

    assert (blind["is_blind"], blind["decisions"]) == (True, [])
    assert "cut_and_suspend" not in str(blind)
    assert first["decisions"][0]["proposed"] == "cut_and_suspend"
    assert len(auditor["decisions"]) == 1


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (CUT, 400),
        (CUT | {"token": "7"}, 400),
        (CUT | {"token": True}, 400),
        ({"token": 1}, 400),
        (CUT | {"token": 1, "outcome": "undone"}, 400),
        (CUT | {"token": 1, "unknown": 1}, 400),
        (CUT | {"token": 1, "note": "two\nlines"}, 400),
        (CUT | {"token": 1, "scopes": []}, 400),
        (CUT | {"token": 1, "notice_delay_s": 0, "notice_delay_reason": "investigation"}, 400),
    ],
)
def test_a_choice_that_is_none_is_refused(
    console: Console, said: dict[str, Any], status: int
) -> None:
    client = console.signed_in("reviewer")
    path, _ = claimed(client)

    assert client.post(f"{path}/decision", json=said).status_code == status


def test_a_choice_says_whatever_a_decision_can_say(console: Console) -> None:
    client = console.signed_in("reviewer")
    path, token = claimed(client)
    also = {
        "context": ["newsworthy"],
        "ground": "illegal",
        "legal_ref": "a law",
        "scopes": ["live"],
        "hold_s": 60,
        "notice_delay_s": 3_600,
        "notice_delay_reason": "investigation",
    }

    half = client.post(f"{path}/decision", json=HOLD | {"token": token, "notice_delay_s": 60})
    made = client.post(f"{path}/decision", json=HOLD | also | {"token": token}).json()

    assert half.status_code == 422
    assert {name: made[name] for name in ("context", "ground", "legal_ref", "scopes")} == {
        name: also[name] for name in ("context", "ground", "legal_ref", "scopes")
    }
    assert made["notify_user"]["delay_reason"] == "investigation"
    assert made["reviewer"]["clearance"] == "*"


def test_a_referral_is_told_to_whoever_reads_the_case(console: Console) -> None:
    client, auditor = console.signed_in("reviewer"), console.signed_in("auditor")
    path, token = claimed(client)
    told = {"authority": "the police of X", "means": "phone", "told_at": AT, "reference": "A-17"}

    without = client.post(f"{path}/referral", json=told)
    made = client.post(f"{path}/referral", json=told | {"note": "they call back", "token": token})

    assert (without.status_code, made.status_code) == (409, 200)
    mine = client.get("/api/v1/me").json()["account_id"]
    shown = told | {"note": "they call back", "actor": mine}
    assert auditor.get(path).json()["referrals"] == [shown]


@pytest.mark.parametrize(
    "change",
    [
        {"authority": ""},
        {"authority": None},
        {"means": "By Phone"},
        {"told_at": "yesterday"},
        {"note": "two\nlines"},
        {"unknown": 1},
        {"token": "7"},
    ],
    ids=str,
)
def test_a_referral_that_is_none_is_refused(console: Console, change: dict[str, Any]) -> None:
    client = console.signed_in("reviewer")
    path, token = claimed(client)
    told = {"authority": "the police of X", "means": "phone", "told_at": AT, "token": token}

    assert client.post(f"{path}/referral", json=told | change).status_code == 400
    assert client.get(path).json()["referrals"] == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"[" * 60_000, "application/json", 400),
        (b" " * 70_000, "application/json", 413),
    ],
)
def test_a_body_that_is_no_small_json_object_is_refused(
    console: Console, body: bytes, kind: str, status: int
) -> None:
    client = console.signed_in("reviewer")

    answer = client.post("/api/v1/claim", content=body, headers={"content-type": kind})

    assert answer.status_code == status


def test_content_without_clearance_is_not_there(console: Console) -> None:
    console.account("reviewer", "narrow", "music")
    client = console.signed_in("narrow")
    [case, *_] = console.bench.cases()

    assert client.get("/api/v1/queue").json()["cases"] == []
    assert client.post("/api/v1/claim", json={}).json() == {"case": None}
    assert client.get(f"/api/v1/cases/{case.case_id}").status_code == 404


def test_what_somebody_was_exposed_to_is_for_that_person_alone(console: Console) -> None:
    client, other = console.signed_in("reviewer"), console.signed_in("other")
    path, token = claimed(client)
    seen = {"token": token, "stills_viewed": 2, "clip_ms": 6_000, "unblurred_ms": 500}

    client.post(f"{path}/exposure", json=seen)
    client.post(f"{path}/exposure", json=seen)

    assert client.get("/api/v1/me").json()["exposure_today"] == {
        "stills_viewed": 4,
        "clip_ms": 12_000,
        "unblurred_ms": 1_000,
        "audio_ms": 0,
    }
    assert other.get("/api/v1/me").json()["exposure_today"]["clip_ms"] == 0
    assert "12000" not in console.signed_in("auditor").get("/api/v1/audit").text


def test_what_somebody_saw_is_taken_after_the_decision_too_from_who_had_the_case_in_hand(
    console: Console,
) -> None:
    client, other = console.signed_in("reviewer"), console.signed_in("other")
    path, token = claimed(client)
    client.post(f"{path}/decision", json=CUT | {"token": token})
    next_path, next_token = claimed(client)
    seen = {"clip_ms": 6_000}

    late = client.post(f"{path}/exposure", json=seen | {"token": token})
    refused = [
        other.post(f"{path}/exposure", json=seen | {"token": token}),
        client.post(f"{path}/exposure", json=seen | {"token": next_token}),
        client.post(f"{path}/exposure", json=seen | {"token": token + 1}),
        client.post(f"{path}/exposure?appeal_id=none", json=seen | {"token": token}),
    ]

    assert (late.status_code, next_path != path) == (200, True)
    assert [one.status_code for one in refused] == [409] * 4
    assert client.get("/api/v1/me").json()["exposure_today"]["clip_ms"] == 6_000
    assert other.get("/api/v1/me").json()["exposure_today"]["clip_ms"] == 0


def test_who_was_handed_a_case_and_lost_it_says_late_what_they_saw(console: Console) -> None:
    client, other = console.signed_in("reviewer"), console.signed_in("other")
    path, token = claimed(client)
    to = other.get("/api/v1/me").json()["account_id"]
    client.post(f"{path}/hand-off", json={"token": token, "to": to})
    _, given = claimed(other)
    console.bench.clock.advance(LEASE_S)

    answers = [
        who.post(f"{path}/exposure", json={"stills_viewed": 1, "token": one}).status_code
        for who, one in ((other, given), (client, token), (client, given))
    ]

    assert answers == [200, 200, 409]


@pytest.mark.parametrize(("late_s", "status"), [(DAY_S, 200), (DAY_S + 1, 409)])
def test_what_somebody_saw_more_than_a_day_ago_is_not_taken_any_more(
    console: Console, late_s: float, status: int
) -> None:
    path, token = claimed(console.signed_in("reviewer"))
    console.bench.clock.advance(late_s)

    client = console.signed_in("reviewer")
    answer = client.post(f"{path}/exposure", json={"stills_viewed": 1, "token": token})

    assert answer.status_code == status


def kept(folder: Path, console: Console, *numbers: int) -> Vault:
    """Keep a still of flags."""
    root = folder / "evidence"
    keys = Keys(KeyFiles.beside(root))
    clock = console.bench.clock
    vault = Vault(Folder(root, None), keys, Collector("test", "1"), clock)
    for number in numbers:
        subject = Subject(flag_id(number), "stream", "s-1")
        content = f"still {number}".encode()
        vault.keep(subject, [Part("still", "image/jpeg", 0, 0, is_original=False, content=content)])
    return vault


def test_a_look_at_evidence_is_on_record_in_its_custody_and_in_the_audit(
    console: Console, tmp_path: Path
) -> None:
    vault = kept(tmp_path, console, 1, 2)
    seeing = Console(console.bench, vault)
    client = seeing.signed_in("reviewer")
    path, token = claimed(client)

    [item] = client.get(f"{path}/evidence", params={"token": token}).json()["items"]
    look = f"{path}/evidence/{item['flag_id']}/{item['number']}"
    shown = client.get(look, params={"token": token})

    me = client.get("/api/v1/me").json()["account_id"]
    entry = vault.entries()[-1]
    assert (shown.content, shown.headers["content-type"]) == (b"still 2", "image/jpeg")
    assert (entry.action, entry.actor, entry.evidence_id) == ("view", me, flag_id(2))
    assert entry.purpose == f"case {path.rsplit('/', 1)[1]}"
    assert (me, "evidence.viewed", False) in console.bench.deeds()
    made = client.post(f"{path}/decision", json=CUT | {"token": token}).json()
    assert made["reviewer"]["first_view_at"] == made["decided_at"]


def test_evidence_of_another_case_or_without_a_lease_is_not_shown(
    console: Console, tmp_path: Path
) -> None:
    vault = kept(tmp_path, console, 1, 2)
    seeing = Console(console.bench, vault)
    client, other = seeing.signed_in("reviewer"), seeing.signed_in("other")
    path, token = claimed(client)
    asked = {"token": str(token)}
    n_entries = len(vault.entries())

    answers = [
        client.get(f"{path}/evidence/{flag_id(1)}/0", params=asked),
        client.get(f"{path}/evidence/{flag_id(2)}/9", params=asked),
        client.get(f"{path}/evidence/{flag_id(2)}/{'9' * 5_000}", params=asked),
        client.get(f"{path}/evidence/{flag_id(2)}/0", params={"token": str(token + 1)}),
        client.get(f"{path}/evidence/{flag_id(2)}/0"),
        other.get(f"{path}/evidence/{flag_id(2)}/0", params=asked),
        other.get(f"{path}/evidence", params=asked),
    ]

    assert [one.status_code for one in answers] == [404, 404, 404, 409, 400, 409, 409]
    assert len(vault.entries()) == n_entries
    looks = [one for one in console.bench.desk.trail.records() if one.action == "evidence.viewed"]
    assert [one.is_refused for one in looks] == [True] * 4  # the third and fifth were no look
    assert [one.about for one in looks] == [
        None,
        f"{flag_id(2)}/9",
        f"{flag_id(2)}/0",
        f"{flag_id(2)}/0",
    ]


def test_evidence_that_was_collected_for_other_roles_is_not_shown(
    console: Console, tmp_path: Path
) -> None:
    vault = made_vault(
        tmp_path / "evidence", console.bench.clock, policy=AccessPolicy(roles=("senior",))
    )
    part = Part("still", "image/jpeg", 0, 0, is_original=False, content=b"still")
    vault.keep(Subject(flag_id(2), "stream", "s-2"), (part,))
    seeing = Console(console.bench, vault)

    shown = []
    for name in ("reviewer", "senior"):
        client = seeing.signed_in(name)
        path, token = claimed(client)
        look = client.get(f"{path}/evidence/{flag_id(2)}/0", params={"token": token})
        clip = client.get(f"{path}/clip/{flag_id(2)}", params={"token": token})
        shown.append((look.status_code, clip.status_code))
        client.post(f"{path}/release", json={"token": token})

    assert shown[0] == (422, 422)
    assert shown[1][0] == 200
    looks = [one for one in console.bench.deeds() if one[1] == "evidence.viewed"]
    assert [is_refused for _, _, is_refused in looks] == [True, True, False, True]


def test_where_evidence_lies_is_told_to_nobody(console: Console) -> None:
    still = {"uri": "file:///secret/place/a.jpg", "sha256": "0" * 64, "size_bytes": 3}
    evidence = {"state": "ready", "still": still, "blurhash": "LEHV6nWB2yk8"}
    console.bench.tell(flag_opened(flag(9, session="s-9", severity="P0", evidence=evidence)))
    client = console.signed_in("senior")
    [case] = [one for one in console.bench.cases() if one.session_id == "s-9"]

    answer = client.get(f"/api/v1/cases/{case.case_id}")

    assert answer.json()["flags"][0]["evidence"] == {
        "state": "ready",
        "has_clip": False,
        "has_still": True,
        "blurhash": "LEHV6nWB2yk8",
    }
    assert "secret" not in answer.text


def test_without_a_store_there_is_no_evidence(console: Console) -> None:
    client = console.signed_in("reviewer")
    path, token = claimed(client)

    assert client.get(f"{path}/evidence", params={"token": token}).json() == {"items": []}
    look = client.get(f"{path}/evidence/{flag_id(2)}/0", params={"token": token})
    assert look.status_code == 404


def test_an_auditor_finds_who_did_what(console: Console) -> None:
    client = console.signed_in("reviewer")
    path, _ = claimed(client)
    auditor = console.signed_in("auditor")
    case_id = path.rsplit("/", 1)[1]

    found = auditor.get("/api/v1/audit", params={"case_id": case_id}).json()["records"]
    newest = auditor.get("/api/v1/audit").json()
    searched = newest["records"][0]
    unread = [{"before": one} for one in ("x", "-1", "9" * 5_000, "")]

    assert [one["action"] for one in found] == ["case.claimed"]
    assert newest["records"][-1]["seq"] == 0
    assert newest["before"] is None
    assert (searched["action"], searched["details"]) == (
        "audit.searched",
        [{"name": "case_id", "value": case_id}],
    )
    assert [auditor.get("/api/v1/audit", params=one).status_code for one in unread] == [400] * 4


def test_a_search_of_the_audit_goes_on_where_the_last_answer_ended(console: Console) -> None:
    for number in range(MAX_FOUND + 1):
        console.bench.desk.trail.note(Deed("r-1", "case.viewed", details={"number": number}))
    auditor = console.signed_in("auditor")

    first = auditor.get("/api/v1/audit", params={"actor": "r-1"}).json()
    asked = {"actor": "r-1", "before": first["before"]}
    second = auditor.get("/api/v1/audit", params=asked).json()
    page = auditor.get("/audit", params={"actor": "r-1"}).text

    numbers = [one["details"][0]["value"] for one in (*first["records"], *second["records"])]
    assert numbers == [str(number) for number in reversed(range(MAX_FOUND + 1))]
    assert len(second["records"]) == 1
    assert f"before={first['before']}" in page


def test_an_administrator_makes_and_changes_accounts(console: Console) -> None:
    client = console.signed_in("administrator")
    new = {"name": "zoe", "password": PASSWORD, "role": "reviewer", "clearance": ["tvec"]}

    made = client.post("/api/v1/accounts", json=new)
    zoe = console.signed_in("zoe")
    path = f"/api/v1/accounts/{made.json()['account_id']}"
    changed = client.post(path, json={"role": "senior", "clearance": ["*"]})
    gone = zoe.get("/api/v1/me")
    disabled = client.post(path, json={"is_active": False})
    refused = zoe.post("/api/v1/sign-in", json={"name": "zoe", "password": PASSWORD})

    assert (made.status_code, made.json()["clearance"]) == (201, ["tvec"])
    assert (changed.json()["role"], changed.json()["clearance"]) == ("senior", ["*"])
    assert (gone.status_code, disabled.json()["is_active"], refused.status_code) == (
        401,
        False,
        401,
    )
    assert PASSWORD not in client.get("/api/v1/accounts").text
    assert "zoe" not in console.signed_in("auditor").get("/api/v1/audit").text


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"name": "reviewer"}, 422),
        ({"name": "a b"}, 422),
        ({"role": "king"}, 422),
        ({"password": "short"}, 422),
        ({"password": "password1234"}, 422),
        ({"clearance": "tvec"}, 400),
        ({"clearance": [1]}, 400),
        ({"password": 7}, 400),
    ],
)
def test_an_account_that_does_not_do_is_not_made(
    console: Console, changes: dict[str, Any], status: int
) -> None:
    client = console.signed_in("administrator")
    new = {"name": "zoe", "password": PASSWORD, "role": "reviewer", "clearance": []}

    assert client.post("/api/v1/accounts", json=new | changes).status_code == status


def test_an_account_that_is_not_there_cannot_be_changed(console: Console) -> None:
    client = console.signed_in("administrator")

    assert client.post("/api/v1/accounts/r-0", json={"role": "senior"}).status_code == 422
    assert client.post("/api/v1/accounts/r-0", json={"is_active": 1}).status_code == 400


def test_a_session_ends_by_signing_out_and_its_cookie_is_for_the_browser_alone(
    console: Console,
) -> None:
    client = console.stranger()
    said = {"name": "reviewer", "password": PASSWORD}
    answer = client.post("/api/v1/sign-in", json=said)
    client.headers["x-csrf-token"] = answer.json()["csrf"]
    cookie = answer.headers["set-cookie"].lower()
    token = client.cookies["streamguard"]

    out = client.post("/api/v1/sign-out", json={})
    client.cookies.set("streamguard", token)

    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert out.status_code == 200
    assert client.get("/api/v1/me").status_code == 401


def test_signing_in_again_ends_the_session_before(console: Console) -> None:
    client = console.signed_in("reviewer")
    before = client.cookies["streamguard"]

    client.post("/api/v1/sign-in", json={"name": "reviewer", "password": PASSWORD})

    assert client.cookies["streamguard"] != before
    assert console.review.sessions.find(before) is None


def test_after_five_wrong_tries_the_right_password_waits_a_quarter_of_an_hour(
    console: Console,
) -> None:
    client = console.stranger()

    def status(password: str) -> int:
        said = {"name": "reviewer", "password": password}
        return client.post("/api/v1/sign-in", json=said).status_code

    wrong = [status("wrong") for _ in range(5)]
    throttled = status(PASSWORD)
    console.bench.clock.advance(900)

    assert (wrong, throttled, status(PASSWORD)) == ([401] * 5, 429, 200)
    assert console.bench.deeds().count(("-", "account.signed_in", True)) == 5


def test_an_unknown_name_is_answered_as_a_wrong_password(console: Console) -> None:
    client = console.stranger()

    unknown = client.post("/api/v1/sign-in", json={"name": "nobody", "password": PASSWORD})
    wrong = client.post("/api/v1/sign-in", json={"name": "reviewer", "password": "wrong"})

    assert (unknown.status_code, unknown.text) == (wrong.status_code, wrong.text)


def test_whoever_asks_too_often_waits(console: Console) -> None:
    client = console.signed_in("reviewer")

    answers = [client.get("/api/v1/me").status_code for _ in range(int(BURST) + 1)]
    console.bench.clock.advance(1)

    assert answers == [200] * int(BURST) + [429]
    assert client.get("/api/v1/me").status_code == 200


def test_tokens_that_nobody_was_given_do_not_let_anybody_ask_more_often(console: Console) -> None:
    client = console.stranger()
    name = next(iter(console.signed_in("reviewer").cookies))

    answers = []
    for number in range(int(BURST) + 1):
        client.cookies.set(name, f"made-up-{number}")
        answers.append(client.get("/api/v1/me").status_code)

    assert set(answers) == {401, 429}


def test_an_operator_has_the_cases_made_anew(console: Console) -> None:
    client = console.signed_in("operator")
    console.bench.cases()

    assert client.post("/api/v1/rebuild", json={}).json() == {"n_cases": 2}


def test_who_is_at_work_is_seen(console: Console) -> None:
    client = console.signed_in("reviewer")
    claimed(client)

    people = console.signed_in("operator").get("/api/v1/presence").json()["people"]

    assert [one["lease"] is not None for one in people].count(True) == 1
    assert len(people) == 2


def test_every_reason_says_what_it_is_for(console: Console) -> None:
    said = console.signed_in("reviewer").get("/api/v1/reasons").json()

    assert {"code", "text", "outcomes", "context"} == set(said["reasons"][0])
    assert "enough" in said["skip_reasons"]


def test_nobody_changes_what_they_themselves_may_do(console: Console) -> None:
    client = console.signed_in("administrator")
    me = client.get("/api/v1/me").json()["account_id"]

    answers = [
        client.post(f"/api/v1/accounts/{me}", json=said)
        for said in ({"role": "senior"}, {"is_active": False}, {"clearance": ["*"]})
    ]

    assert [one.status_code for one in answers] == [422] * 3


def test_the_last_administrator_stays_one(console: Console) -> None:
    accounts = console.review.accounts
    last = accounts.named("administrator")
    assert last is not None

    for change in ({"is_active": False}, {"role": "senior"}):
        with pytest.raises(AccountRefused, match="last administrator"):
            accounts.change(last.account_id, **change)  # type: ignore[arg-type]  # one of them
    accounts.change(last.account_id, password="something quite different")  # noqa: S106  # of nobody
    console.account("administrator", "another")

    assert not accounts.change(last.account_id, is_active=False).is_active
