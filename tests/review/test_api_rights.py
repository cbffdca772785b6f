"""Every route of the API with every role, as a table."""

from typing import get_args

import pytest

from streamguard.core.decision_data import Role
from streamguard.core.people import RIGHTS
from streamguard.review.account_routes import Cookie
from streamguard.review.web import doors
from tests.review.bench import Bench
from tests.review.console import Console

CASE = "/api/v1/cases/{case_id}"
WHO = {
    ("POST", "/api/v1/sign-in"): "everybody",
    ("POST", "/api/v1/sign-out"): "reviewer senior auditor operator administrator",
    ("POST", "/api/v1/password"): "reviewer senior auditor operator administrator",
    ("GET", "/api/v1/me"): "reviewer senior auditor operator administrator",
    ("GET", "/api/v1/reasons"): "reviewer senior auditor operator administrator",
    ("GET", "/api/v1/queue"): "reviewer senior auditor operator administrator",
    ("GET", "/api/v1/presence"): "reviewer senior auditor operator administrator",
    ("GET", "/api/v1/accounts"): "auditor administrator",
    ("POST", "/api/v1/accounts"): "administrator",
    ("POST", "/api/v1/accounts/{account_id}"): "administrator",
    ("GET", "/api/v1/audit"): "auditor",
    ("POST", "/api/v1/claim"): "reviewer senior",
    ("GET", CASE): "reviewer senior auditor",
    ("POST", f"{CASE}/renew"): "reviewer senior",
    ("POST", f"{CASE}/skip"): "reviewer senior",
    ("POST", f"{CASE}/release"): "reviewer senior",
    ("GET", f"{CASE}/colleagues"): "reviewer senior",
    ("POST", f"{CASE}/hand-off"): "reviewer senior",
    ("POST", f"{CASE}/decision"): "reviewer senior",
    ("POST", f"{CASE}/undo"): "reviewer senior",
    ("POST", f"{CASE}/restore"): "senior",
    ("POST", f"{CASE}/referral"): "reviewer senior",
    ("GET", f"{CASE}/evidence"): "reviewer senior",
    ("GET", f"{CASE}/evidence/{{flag_id}}/{{number}}"): "reviewer senior",
    ("GET", f"{CASE}/clip/{{flag_id}}"): "reviewer senior",
    ("POST", f"{CASE}/exposure"): "reviewer senior",
    ("GET", "/api/v1/exposure"): "senior administrator",
    ("GET", "/api/v1/incidents"): "reviewer senior auditor operator administrator",
    ("POST", "/api/v1/incidents"): "senior",
    ("POST", "/api/v1/incidents/{incident_id}/end"): "senior",
    ("POST", "/api/v1/banks/{bank}/set-aside"): "senior",
    ("POST", "/api/v1/banks/{bank}/let-in"): "senior",
    ("POST", "/api/v1/rebuild"): "operator",
    ("POST", "/api/v1/appeals"): "platform",
    ("GET", "/api/v1/appeals"): "reviewer senior auditor",
    ("POST", "/api/v1/appeals/claim"): "reviewer senior",
    ("POST", "/api/v1/appeals/{appeal_id}/renew"): "reviewer senior",
    ("POST", "/api/v1/appeals/{appeal_id}/skip"): "reviewer senior",
    ("POST", "/api/v1/appeals/{appeal_id}/resolution"): "reviewer senior",
}
"""Who may use what; written by hand, so that a change of rights is a change of this table."""

ROUTES = sorted(WHO)


def path_of(route: str) -> str:
    return route.format(
        case_id="no-case",
        account_id="no-account",
        appeal_id="no-appeal",
        incident_id="no-incident",
        bank="no-bank",
        flag_id="no-flag",
        number="0",
    )


def test_the_table_names_every_route() -> None:
    routes = {(door.method, door.path) for door in doors(Cookie(is_secure=True))}

    assert routes == set(WHO)


def test_every_role_has_rights_and_nobody_has_them_all() -> None:
    assert set(RIGHTS) == set(get_args(Role))
    everything = frozenset[str]().union(*RIGHTS.values())
    assert all(rights < everything for rights in RIGHTS.values())


@pytest.mark.parametrize("role", get_args(Role))
def test_a_role_may_use_what_the_table_says_and_nothing_else(bench: Bench, role: str) -> None:
    console = Console(bench)
    console.account(role)
    allowed, refused = set(), set()

    for method, route in ROUTES:
        client = console.signed_in(role)
        bench.clock.advance(60)  # so that nobody asks too often
        answer = client.request(method, path_of(route), json={} if method == "POST" else None)
        said = answer.json().get("problem", "")
        is_refused = answer.status_code == 401 or said == "this account may not do that"
        (refused if is_refused else allowed).add((method, route))

    wanted = {one for one, roles in WHO.items() if role in roles or roles == "everybody"}
    assert allowed == wanted
    assert refused == set(WHO) - wanted
    on_record = [deed for deed in bench.deeds() if deed[1] == "access.refused"]
    assert len(on_record) == len(refused - {("POST", "/api/v1/appeals")})


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_whoever_has_not_signed_in_gets_nowhere(bench: Bench, method: str, route: str) -> None:
    client = Console(bench).stranger()

    answer = client.request(method, path_of(route), json={} if method == "POST" else None)

    is_open = WHO[method, route] == "everybody"
    assert answer.status_code == (400 if is_open else 401)


@pytest.mark.parametrize(
    ("method", "route"),
    [one for one in ROUTES if one[0] == "POST" and WHO[one] not in {"everybody", "platform"}],
)
def test_nothing_is_changed_for_a_page_that_is_not_the_consoles(
    bench: Bench, method: str, route: str
) -> None:
    console = Console(bench)
    console.account("administrator")
    client = console.signed_in("administrator")
    own = client.headers.pop("x-csrf-token")

    without = client.request(method, path_of(route), json={})
    forged = client.request(method, path_of(route), json={}, headers={"x-csrf-token": own[:-1]})
    foreign = client.request(
        method,
        path_of(route),
        json={},
        headers={"x-csrf-token": own, "sec-fetch-site": "cross-site"},
    )

    assert [one.status_code for one in (without, forged, foreign)] == [403] * 3


@pytest.mark.parametrize(("method", "route"), ROUTES)
def test_every_answer_is_kept_from_caches_frames_and_sniffing(
    bench: Bench, method: str, route: str
) -> None:
    headers = Console(bench).stranger().request(method, path_of(route)).headers

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert (
        headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    )


def test_what_is_not_there_says_so_in_the_same_way(bench: Bench) -> None:
    client = Console(bench).stranger()

    nowhere, wrong = client.get("/api/v1/nowhere"), client.delete("/api/v1/queue")

    assert (nowhere.status_code, wrong.status_code) == (404, 405)
    assert nowhere.headers["cache-control"] == "no-store"
    assert client.get("/livez").status_code == 200
