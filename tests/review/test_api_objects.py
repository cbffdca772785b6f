"""Every route that is about one case or appeal, with every reason why it is not one's own.

Rule: the body is what would do, but for whose case it is; nothing is changed, shown or told.
"""

from pathlib import Path
from typing import Any

import httpx
import pytest

from streamguard.core.events import Topic
from streamguard.core.kept import Part, Subject
from streamguard.review.desk import LEASE_S
from tests.made_reviews import flag, flag_id, flag_opened
from tests.review.bench import ANNA, CUT, Bench
from tests.review.console import Console
from tests.review.test_api_rights import WHO
from tests.vault.made_vaults import made_vault

CASE = "/api/v1/cases/{case_id}"
APPEAL = "/api/v1/appeals/{appeal_id}"
DECIDED = CUT.model_dump(mode="json", exclude_none=True)
TOLD = {"authority": "police", "means": "phone", "told_at": "1970-01-01T00:00:00.000Z"}
ANSWER = {"result": "upheld", "reason_code": "TVEC.ATTACK_LIVE"}
HELD: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", f"{CASE}/renew"): {},
    ("POST", f"{CASE}/skip"): {"reason": "enough"},
    ("POST", f"{CASE}/release"): {},
    ("POST", f"{CASE}/hand-off"): {},
    ("POST", f"{CASE}/decision"): DECIDED,
    ("POST", f"{CASE}/referral"): TOLD,
    ("POST", f"{CASE}/exposure"): {"stills_viewed": 1},
    ("GET", f"{CASE}/evidence"): {},
    ("GET", f"{CASE}/evidence/{{flag_id}}/{{number}}"): {},
    ("GET", f"{CASE}/clip/{{flag_id}}"): {},
    ("POST", f"{APPEAL}/renew"): {},
    ("POST", f"{APPEAL}/skip"): {"reason": "not_sure"},
    ("POST", f"{APPEAL}/resolution"): ANSWER,
}
"""Routes for whoever has the thing in hand, by its token, with what else they want to be told."""

READ = {("GET", CASE), ("GET", f"{CASE}/colleagues")}
SENIORS = {("POST", f"{CASE}/restore"): {"reason_code": "CONTEXT.NEWS"}}
LAST = {("POST", f"{CASE}/undo"): dict[str, Any]()}


class Scene:
    """A case of which another reviewer has the lease, and an appeal of a decided one."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        vault = made_vault(folder / "evidence", bench.clock)
        part = Part("still", "image/jpeg", 0, 0, is_original=False, content=b"the picture")
        vault.keep(Subject(flag_id(2), "stream", "s-2"), (part,))
        self.bench, self.vault = bench, vault
        self.console = Console(bench, vault)
        for name in ("ben", "cleo"):
            self.console.account("reviewer", name)
        self.console.account("reviewer", "mira", "music")
        self.console.account("senior", "sena", "music")
        bench.tell(flag_opened(flag(1)))
        first = bench.claim(ANNA)
        made = bench.rulings.decide(ANNA, first.case.case_id, first.lease.token, CUT)
        self.decided = first.case.case_id
        bench.tell(flag_opened(flag(2, session="s-2")))
        ben = self.console.signed_in("ben")
        self.case = ben.post("/api/v1/claim", json={}).json()["case"]
        self.console.review.appeals.receive("platform:api", made.decision_id, None, None)
        self.heard = ben.post("/api/v1/appeals/claim", json={}).json()
        self.cleo = self.console.signed_in("cleo").get("/api/v1/me").json()["account_id"]

    def asked(
        self, client: httpx.Client, route: tuple[str, str], said: dict[str, Any], change: int = 0
    ) -> httpx.Response:
        """Ask for what another has in hand, by a token that is theirs, or by one beside it."""
        method, path = route
        is_appeal = path.startswith(APPEAL)
        token = (self.heard if is_appeal else self.case)["token"] + change
        filled = path.format(
            case_id=self.case["case_id"],
            appeal_id=self.heard["appeal"]["appeal_id"],
            flag_id=flag_id(2),
            number=0,
        )
        if method == "GET":
            return client.get(filled, params={"token": token})
        body = said | {"token": token}
        if path.endswith("hand-off"):
            body |= {"to": self.cleo}
        return client.post(filled, json=body)

    def state(self) -> object:
        """Give all that somebody else may not change, and whom something was shown."""
        decisions = [one.id for one in self.bench.log.read(1, Topic.DECISIONS)]
        leases = self.bench.file.rows("SELECT * FROM leases ORDER BY thing_id")
        exposure = self.bench.file.rows("SELECT count(*) FROM exposure")
        return decisions, leases, exposure, len(self.vault.entries())


@pytest.fixture
def scene(bench: Bench, tmp_path: Path) -> Scene:
    return Scene(bench, tmp_path)


def test_the_tables_name_every_route_of_a_case_and_of_an_appeal() -> None:
    of_one = {one for one in WHO if "{case_id}" in one[1] or "{appeal_id}" in one[1]}

    assert {*HELD, *READ, *SENIORS, *LAST} == of_one


@pytest.mark.parametrize("route", HELD)
def test_what_another_has_in_hand_is_not_ones_own_whatever_token_one_brings(
    scene: Scene, route: tuple[str, str]
) -> None:
    before, cleo = scene.state(), scene.console.signed_in("cleo")

    answers = [scene.asked(cleo, route, HELD[route], change) for change in (0, 1, -1)]

    assert [one.status_code for one in answers] == [409] * 3
    assert scene.state() == before
    assert not any("the picture" in one.text or "s-2" in one.text for one in answers)


@pytest.mark.parametrize("route", HELD)
def test_what_was_in_hand_is_no_more_by_another_token_or_after_the_lease(
    scene: Scene, route: tuple[str, str]
) -> None:
    before, ben = scene.state(), scene.console.signed_in("ben")

    stale = scene.asked(ben, route, HELD[route], 1)
    scene.bench.clock.advance(LEASE_S)
    late = scene.asked(ben, route, HELD[route])

    if route == ("POST", f"{CASE}/exposure"):  # what was seen is not lost with the lease
        assert (stale.status_code, late.status_code) == (409, 200)
        return
    assert (stale.status_code, late.status_code) == (409, 409)
    assert scene.state() == before


@pytest.mark.parametrize("route", sorted({*HELD, *READ, *LAST}))
def test_what_one_is_not_cleared_for_is_not_there(scene: Scene, route: tuple[str, str]) -> None:
    before, mira = scene.state(), scene.console.signed_in("mira")

    answer = scene.asked(mira, route, HELD.get(route, {}))

    assert answer.status_code in {404, 409}
    assert not any(one in answer.text for one in ("tvec", "s-2", "the picture", "in hand by"))
    assert scene.state() == before


@pytest.mark.parametrize("route", [*SENIORS, *LAST])
def test_what_was_decided_is_not_taken_back_by_whose_it_is_not(
    scene: Scene, route: tuple[str, str]
) -> None:
    before = scene.state()
    who = scene.console.signed_in("sena" if route in SENIORS else "cleo")
    path = route[1].format(case_id=scene.decided)

    answer = who.post(path, json=SENIORS.get(route, {}))

    assert answer.status_code == (404 if route in SENIORS else 422)
    assert scene.state() == before


@pytest.mark.parametrize("route", [one for one in HELD if "clip" not in one[1]])
def test_whoever_has_it_in_hand_is_answered(scene: Scene, route: tuple[str, str]) -> None:
    """What is refused above is refused for whose it is, and for nothing else."""
    assert scene.asked(scene.console.signed_in("ben"), route, HELD[route]).status_code == 200
