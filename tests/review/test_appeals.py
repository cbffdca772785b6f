import pytest

from streamguard.core.choosing import Choice
from streamguard.core.decision_data import AppealRight
from streamguard.core.errors import CaseTaken, DecisionRefused, NoSuchCase
from streamguard.core.events import Event, Topic
from streamguard.core.people import Person
from streamguard.review.appeals import Answer, Appeals, Heard
from streamguard.review.desk import LEASE_S
from tests.made_reviews import flag, flag_opened
from tests.review.bench import ANNA, AUDITOR, BEN, CUT, REJECT, SENIOR, SUSPEND, Bench
from tests.review.console import TOKEN, Console

OVERTURN = Answer(is_overturned=True, reason_code="CONTEXT.GAMEPLAY", explanation="it was a game")
UPHOLD = Answer(is_overturned=False, reason_code="TVEC.ATTACK_LIVE")
BANKED = Choice.model_validate({**CUT.model_dump(), "bank": "own"})


def decided(bench: Bench, choice: Choice = CUT, person: Person = ANNA) -> str:
    """Have somebody decide a case; give the decision's id."""
    bench.tell(flag_opened(flag(len(bench.cases()), session=f"s-{len(bench.cases())}")))
    claimed = bench.claim(person)
    made = bench.rulings.decide(person, claimed.case.case_id, claimed.lease.token, choice)
    return made.decision_id


def heard(appeals: Appeals, person: Person) -> Heard:
    got = appeals.claim(person)
    assert got is not None
    return got


@pytest.fixture
def appeals(bench: Bench) -> Appeals:
    return Appeals(bench.desk)


def test_an_appeal_is_heard_by_somebody_else_and_upheld(bench: Bench, appeals: Appeals) -> None:
    decision_id = decided(bench)
    appeals.receive("platform:api", decision_id, "it was a game", "T-7")

    nobody = appeals.claim(ANNA)
    got = heard(appeals, BEN)
    resolved = appeals.resolve(BEN, got.appeal.appeal_id, got.lease.token, UPHOLD)

    assert nobody is None
    assert (got.appeal.statement, got.appeal.reference) == ("it was a game", "T-7")
    assert (resolved.result, resolved.actor, resolved.new_decision_id) == ("upheld", "ben", None)
    assert len(bench.rulings.of_case(SENIOR, got.case.case_id)) == 1
    assert appeals.waiting(BEN) == []


def test_what_is_overturned_is_restored_in_the_same_breath(bench: Bench, appeals: Appeals) -> None:
    decision_id = decided(bench, BANKED)
    appeals.receive("platform:api", decision_id, None, None)
    got = heard(appeals, BEN)
    bench.clock.advance(30)

    resolved = appeals.resolve(BEN, got.appeal.appeal_id, got.lease.token, OVERTURN)

    first, restored = bench.rulings.of_case(SENIOR, got.case.case_id)
    assert (restored.action, restored.outcome, restored.supersedes) == (
        "restore",
        "rejected",
        first.decision_id,
    )
    assert restored.decision_id == resolved.new_decision_id
    assert restored.appeal_id == resolved.appeal_id
    assert restored.appeal == AppealRight(
        eligible=False, supersedes=first.decision_id, overturned=True
    )
    assert [(one.entry, one.agrees) for one in restored.votes] == [("clip", False)]
    assert restored.unbanking == first.banking
    assert resolved.wrongful_ms == 30_000
    types = [
        Event.model_validate_json(one.body).type.name for one in bench.log.read(1, Topic.DECISIONS)
    ]
    assert types == ["DECISION_MADE", "APPEAL_RECEIVED", "APPEAL_RESOLVED", "DECISION_MADE"]


def test_an_appeal_handed_in_twice_is_one(bench: Bench, appeals: Appeals) -> None:
    decision_id = decided(bench)

    first = appeals.receive("platform:api", decision_id, "please", None)
    again = appeals.receive("platform:api", decision_id, "please!", None)

    assert first == again
    assert len(appeals.waiting(BEN)) == 1


def test_nobody_who_had_a_part_hears_an_appeal(bench: Bench, appeals: Appeals) -> None:
    bench.tell(flag_opened(flag(1)))
    first = bench.claim(ANNA)
    bench.rulings.decide(ANNA, first.case.case_id, first.lease.token, SUSPEND)
    second = bench.claim(BEN)
    made = bench.rulings.decide(BEN, second.case.case_id, second.lease.token, SUSPEND)
    appeals.receive("platform:api", made.decision_id, None, None)

    assert [appeals.claim(one) for one in (ANNA, BEN, AUDITOR)] == [None] * 3
    assert heard(appeals, SENIOR).appeal.decision_id == made.decision_id


def test_content_without_clearance_is_not_heard(bench: Bench, appeals: Appeals) -> None:
    appeals.receive("platform:api", decided(bench), None, None)
    narrow = Person("n", "reviewer", frozenset({"music"}))

    assert appeals.claim(narrow) is None
    assert appeals.waiting(narrow) == []


def test_there_is_nothing_to_object_to_where_nothing_was_done(
    bench: Bench, appeals: Appeals
) -> None:
    with pytest.raises(DecisionRefused, match="did nothing"):
        appeals.receive("platform:api", decided(bench, REJECT), None, None)
    with pytest.raises(NoSuchCase):
        appeals.receive("platform:api", "d-0", None, None)


@pytest.mark.parametrize(("days", "is_late"), [(184, False), (184.001, True)])
def test_an_appeal_comes_within_half_a_year(
    bench: Bench, appeals: Appeals, days: float, is_late: object
) -> None:
    decision_id = decided(bench)
    bench.clock.advance(days * 86_400)

    try:
        appeals.receive("platform:api", decision_id, None, None)
        was_late = False
    except DecisionRefused:
        was_late = True

    assert was_late is is_late


def test_an_appeal_has_one_pair_of_hands_until_the_lease_ends(
    bench: Bench, appeals: Appeals
) -> None:
    appeals.receive("platform:api", decided(bench), None, None)
    first = heard(appeals, BEN)
    bench.clock.advance(LEASE_S - 1)
    bench.desk.renew(BEN, first.appeal.appeal_id, first.lease.token)
    nothing = appeals.claim(SENIOR)
    bench.clock.advance(LEASE_S)
    second = heard(appeals, SENIOR)

    assert heard(appeals, SENIOR).lease == second.lease
    assert nothing is None
    with pytest.raises(CaseTaken):
        appeals.resolve(BEN, first.appeal.appeal_id, first.lease.token, UPHOLD)
    appeals.resolve(SENIOR, second.appeal.appeal_id, second.lease.token, UPHOLD)
    with pytest.raises(CaseTaken):
        appeals.resolve(SENIOR, second.appeal.appeal_id, second.lease.token, UPHOLD)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(is_overturned=True, reason_code="TVEC.GLORIFY"),
        Answer(is_overturned=False, reason_code="CONTEXT.NEWS"),
        Answer(is_overturned=False, reason_code="NO.SUCH"),
    ],
)
def test_an_answer_has_a_reason_that_fits(bench: Bench, appeals: Appeals, answer: Answer) -> None:
    appeals.receive("platform:api", decided(bench), None, None)
    got = heard(appeals, BEN)

    with pytest.raises(DecisionRefused, match="no reason for"):
        appeals.resolve(BEN, got.appeal.appeal_id, got.lease.token, answer)


def test_what_was_restored_before_is_overturned_and_its_entries_are_judged(
    bench: Bench, appeals: Appeals
) -> None:
    appeals.receive("platform:api", decided(bench), None, None)
    [case] = bench.cases()
    bench.rulings.restore(SENIOR, case.case_id, "CONTEXT.NEWS")
    got = heard(appeals, BEN)

    resolved = appeals.resolve(BEN, got.appeal.appeal_id, got.lease.token, OVERTURN)

    made = bench.rulings.of_case(SENIOR, case.case_id)[-1]
    assert (resolved.result, resolved.new_decision_id) == ("overturned", made.decision_id)
    assert (made.outcome, made.action, resolved.wrongful_ms) == ("rejected", "none", None)
    assert [(one.entry, one.agrees) for one in made.votes] == [("clip", False)]


def test_appeals_outlive_their_tables(bench: Bench, appeals: Appeals) -> None:
    appeals.receive("platform:api", decided(bench), None, None)
    appeals.receive("platform:api", decided(bench), None, None)
    got = heard(appeals, BEN)
    appeals.resolve(BEN, got.appeal.appeal_id, got.lease.token, UPHOLD)
    before = appeals.waiting(BEN)

    bench.desk.projection.rebuild()

    assert appeals.waiting(BEN) == before
    assert len(before) == 1


def test_an_appeal_whose_case_is_gone_keeps_no_other_waiting(
    bench: Bench, appeals: Appeals
) -> None:
    lost = appeals.receive("platform:api", decided(bench), None, None)
    other = appeals.receive("platform:api", decided(bench), None, None)
    with bench.file.transaction() as connection:
        connection.execute("DELETE FROM cases WHERE case_id = ?", (lost.case_id,))

    assert heard(appeals, BEN).appeal == other


def test_an_appeal_goes_from_the_platform_to_its_answer(bench: Bench) -> None:
    console = Console(bench)
    console.account("reviewer", "ben")
    decision_id = decided(bench)
    platform = console.stranger()
    platform.headers["authorization"] = f"Bearer {TOKEN}"
    said = {"decision_id": decision_id, "statement": "it was a game", "reference": "T-7"}

    handed_in = platform.post("/api/v1/appeals", json=said)
    client = console.signed_in("ben")
    waiting = client.get("/api/v1/appeals").json()["appeals"]
    got = client.post("/api/v1/appeals/claim", json={}).json()
    path = f"/api/v1/appeals/{got['appeal']['appeal_id']}"
    renewed = client.post(f"{path}/renew", json={"token": got["token"]})
    case = f"/api/v1/cases/{got['case']['case_id']}"
    asked = {"token": got["token"], "appeal_id": got["appeal"]["appeal_id"]}
    evidence = client.get(f"{case}/evidence", params=asked)
    foreign = client.get(f"{case}/evidence", params=asked | {"appeal_id": "x"})
    answer = {"token": got["token"], "result": "overturned", "reason_code": "CONTEXT.GAMEPLAY"}
    wrong = client.post(f"{path}/resolution", json=answer | {"result": "maybe"})
    resolved = client.post(f"{path}/resolution", json=answer | {"explanation_public": "a game"})

    assert handed_in.status_code == 201
    assert [one["appeal_id"] for one in waiting] == [handed_in.json()["appeal_id"]]
    assert [one["action"] for one in got["decisions"]] == ["cut"]
    assert (renewed.status_code, evidence.status_code) == (200, 200)
    assert (foreign.status_code, wrong.status_code) == (409, 400)
    assert resolved.json()["result"] == "overturned"
    assert client.post("/api/v1/appeals/claim", json={}).json() == {"appeal": None}


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"decision_id": "a b"},
        {"decision_id": "d-1", "statement": "x" * 2_001},
        {"decision_id": "d-1", "reference": "two\nlines"},
    ],
)
def test_an_appeal_that_is_none_is_refused(bench: Bench, said: dict[str, str]) -> None:
    platform = Console(bench).stranger()
    platform.headers["authorization"] = f"Bearer {TOKEN}"

    assert platform.post("/api/v1/appeals", json=said).status_code == 400


def test_an_appeal_that_somebody_passed_on_is_heard_by_another(
    bench: Bench, appeals: Appeals
) -> None:
    appeals.receive("platform:api", decided(bench), None, None)
    appeals.receive("platform:api", decided(bench), None, None)
    first = heard(appeals, BEN)
    appeals.skip(BEN, first.appeal.appeal_id, first.lease.token, "not_sure")
    bench.desk.projection.rebuild()

    assert heard(appeals, BEN).appeal != first.appeal
    assert heard(appeals, SENIOR).appeal == first.appeal
    assert ("ben", "appeal.skipped", False) in bench.deeds()
    with pytest.raises(DecisionRefused, match="say why"):
        appeals.skip(SENIOR, first.appeal.appeal_id, 0, "bored")
