"""Both exchanges, followed over real sockets, with everything that goes wrong on the way."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamguard.core.errors import ExchangeDenied, ExchangeUnavailable, ListShrinks
from streamguard.exchange.account import Account
from streamguard.exchange.by_hand import set_aside
from streamguard.exchange.edit import SHRINK_RECORDS
from streamguard.exchange.outgoing import live_records
from streamguard.exchange.page import Exchange, Policies
from streamguard.exchange.projection import follow
from streamguard.exchange.record import Record
from streamguard.exchange.records_file import RecordsFile
from streamguard.exchange.row import Terms
from streamguard.exchange.sync import state_of, sync
from streamguard.exchange.techagainstterrorism import Login, TechAgainstTerrorism
from streamguard.exchange.threatexchange import OVERLAP_S, STALE_AFTER_S, Member, ThreatExchange
from streamguard.exchange.web import Patience, Web
from tests.exchange.made_records import pdq
from tests.exchange.memory_bank import MemoryBank
from tests.exchange.services import (
    GROUP,
    PASSWORD,
    TOKEN,
    USERNAME,
    Answer,
    HashList,
    Json,
    Question,
    Service,
    ThreatUpdates,
    Trouble,
    changes,
    cut_short,
    descriptor,
    fails,
    half_json,
    hash_list,
    repeats,
    says,
    threat_updates,
)

NOW = datetime(2025, 6, 1, tzinfo=UTC)
T = 1_740_000_000
"""A time of updates, some months before NOW, seconds since 1970."""

SOUND = {"indicator": pdq(1), "type": "HASH_PDQ", "descriptors": {"data": [descriptor(1)]}}
"""What an update needs beside its id."""

POLICIES = Policies("TVEC-DEFAULT", {"islamist": "TVEC-IS", "far-right": "TVEC-FR", "spam": "SPAM"})


def forgets_us(service: Service, question: Question) -> Answer:
    """Answer as if another had asked."""
    return service.answer(replace(question, query={**question.query, "access_token": "888|X"}))


@dataclass
class Follower:
    """A bank that follows a service; `waits` are the pauses that the client made, seconds."""

    service: Service
    records: RecordsFile
    bank: MemoryBank = field(default_factory=MemoryBank)
    waits: list[float] = field(default_factory=list)
    policies: Policies = POLICIES

    @contextmanager
    def client(self) -> Iterator[Exchange]:
        def wait(seconds: float) -> bool:
            self.waits.append(seconds)
            return False

        patience = Patience(wait, lambda: 0.5, lambda: 0.0, lambda: NOW)
        web = Web("ex", self.service.url, patience)
        with closing(web):
            if isinstance(self.service, HashList):
                yield TechAgainstTerrorism(web, Login(USERNAME, PASSWORD), self.policies)
            else:
                yield ThreatExchange(web, Member(GROUP, TOKEN), self.policies)

    def sync(self, now: datetime = NOW, **more: Any) -> Account:
        terms = Terms(
            now, may_shrink=more.pop("may_shrink", False), settings=more.pop("settings", "")
        )
        with ExitStack() as stack:
            stack.callback(follow, self.records, self.bank)
            return sync(self.records, stack.enter_context(self.client()), terms, **more)

    @property
    def live(self) -> dict[str, Record]:
        return {one.record_id: one for one in live_records(self.records)}


@pytest.fixture
def tat(tmp_path: Path) -> Iterator[Follower]:
    records = RecordsFile.open(tmp_path / "tat")
    with hash_list() as service:
        yield Follower(service, records)
    records.close()


@pytest.fixture
def te(tmp_path: Path) -> Iterator[Follower]:
    records = RecordsFile.open(tmp_path / "te")
    with threat_updates() as service:
        yield Follower(service, records)
    records.close()


@pytest.fixture(params=["tat", "te"])
def either(request: pytest.FixtureRequest) -> Follower:
    """Give a follower of each service in turn, with five records there."""
    follower: Follower = request.getfixturevalue(request.param)
    for number in range(1, 6):
        put(follower, number, T + number * 100, pdq(number))
    return follower


def put(follower: Follower, record_id: int, time: int, text: str, **more: Any) -> None:
    assert isinstance(follower.service, HashList | ThreatUpdates)
    follower.service.put(record_id, time, text, **more)


def delete(follower: Follower, record_id: int, time: int) -> None:
    assert isinstance(follower.service, HashList | ThreatUpdates)
    follower.service.delete(record_id, time)


def hashes(*numbers: int) -> set[str]:
    return {pdq(number) for number in numbers}


def test_the_whole_list_comes_page_by_page(either: Follower) -> None:
    told: list[int] = []

    def on_page(account: Account) -> bool:
        told.append(account.n_waiting)
        return True

    either.sync(on_page=on_page)

    assert either.bank.hashes == hashes(1, 2, 3, 4, 5)
    assert told == [2, 4, 5]
    assert set(either.bank.entries) == {f"ex:{number}" for number in range(1, 6)}


def test_what_happened_since_comes_by_the_next_sync(either: Follower) -> None:
    either.sync()
    put(either, 6, T + 1000, pdq(6))
    put(either, 1, T + 1001, pdq(7))
    delete(either, 2, T + 1002)
    n_asked = len(either.service.asked)

    account = either.sync()

    assert either.bank.hashes == hashes(7, 3, 4, 5, 6)
    steps = account.steps
    assert (steps["added"], steps["changed"], steps["removed"]) == (1, 1, 1)
    assert len(either.service.asked) - n_asked <= 4


def test_nothing_new_changes_nothing(either: Follower) -> None:
    either.sync()
    n_edits = either.bank.n_edits

    account = either.sync()

    assert account.steps.total() == account.steps["unchanged"]
    assert either.bank.n_edits == n_edits


@pytest.mark.parametrize("name", ["tat", "te"])
def test_an_empty_list_is_no_error_and_is_followed_on(
    name: str, request: pytest.FixtureRequest
) -> None:
    follower: Follower = request.getfixturevalue(name)
    follower.sync()

    put(follower, 1, T, pdq(1))
    follower.sync()

    assert follower.bank.hashes == hashes(1)


def test_one_id_leaves_and_another_keeps_the_hash(either: Follower) -> None:
    """The key is the service's id: one withdrawal does not take its double along."""
    put(either, 8, T + 800, pdq(1))
    either.sync()

    delete(either, 1, T + 900)
    either.sync()

    assert either.bank.hashes == hashes(1, 2, 3, 4, 5)
    assert "ex:8" in either.bank.entries


@pytest.mark.parametrize(
    "trouble", [cut_short, half_json, says(b""), says(b"[]"), says(b"[" * 9999)]
)
def test_a_page_that_is_cut_short_is_asked_for_again(trouble: Trouble, either: Follower) -> None:
    n_before = 1 if isinstance(either.service, HashList) else 0
    either.service.troubles = [None] * (n_before + 1) + [trouble] * 5

    either.sync()

    assert either.bank.hashes == hashes(1, 2, 3, 4, 5)
    assert either.waits == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_service_that_never_recovers_ends_the_sync_and_keeps_what_had_come(
    either: Follower,
) -> None:
    n_before = 1 if isinstance(either.service, HashList) else 0
    either.service.troubles = [None] * (n_before + 1) + [cut_short] * 6

    with pytest.raises(ExchangeUnavailable, match="breaks off, 6 times; what had come before"):
        either.sync()
    first = either.bank.hashes
    n_asked = len(either.service.asked)
    either.sync()

    assert first == set()
    assert either.bank.hashes == hashes(1, 2, 3, 4, 5)
    assert len(either.service.asked) - n_asked == n_before + 2


def test_a_whole_list_that_was_interrupted_still_withdraws_what_it_does_not_name(
    either: Follower,
) -> None:
    either.sync()
    assert isinstance(either.service, HashList | ThreatUpdates)
    either.service.troubles = [None, None] + [fails(500)] * 6
    with pytest.raises(ExchangeUnavailable):
        either.sync(refetch=True)
    between = either.bank.hashes
    if isinstance(either.service, HashList):
        either.service.results = either.service.results[:-1]
    else:
        either.service.updates = either.service.updates[:-1]

    either.sync()

    assert between == hashes(1, 2, 3, 4, 5)
    assert either.bank.hashes == hashes(1, 2, 3, 4)


@pytest.mark.parametrize(
    ("headers", "waited"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "300"}, 300.0),
        ({"Retry_After": "Sun, 01 Jun 2025 00:01:30 GMT"}, 90.0),
        ({"Retry_After": "Sat, 31 May 2025 00:00:00 GMT"}, 0.0),
        ({"Retry_After": "soon"}, 0.5),
        ({}, 0.5),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_asks_for_patience_gets_it(
    status: int, headers: dict[str, str], waited: float, either: Follower
) -> None:
    either.service.troubles = [fails(status, **headers)]

    either.sync()

    assert either.waits == [waited]
    assert either.bank.hashes == hashes(1, 2, 3, 4, 5)


def test_a_service_that_asks_for_too_much_patience_is_left_to_the_next_sync(
    either: Follower,
) -> None:
    either.service.troubles = [fails(429, Retry_After="301")]

    with pytest.raises(ExchangeUnavailable, match="HTTP 429, for 301 s: sync again after that"):
        either.sync()

    assert either.waits == []


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_refused(status: int, either: Follower) -> None:
    either.service.troubles = [fails(status, Location="https://example.org/")]

    with pytest.raises(ExchangeUnavailable, match=f"redirects .HTTP {status}., which is refused"):
        either.sync()


def test_a_checkpoint_that_goes_back_is_refused_and_the_bank_stays(tat: Follower) -> None:
    for number in range(1, 6):
        put(tat, number, T + number * 100, pdq(number))
    tat.sync()
    rewound = changes(lambda answer: answer.update(checkpoint=f"{T},1"))
    tat.service.troubles = [None, rewound]
    put(tat, 6, T + 1000, pdq(6))

    with pytest.raises(ExchangeUnavailable, match="goes back in time; nothing of this page"):
        tat.sync()
    refused = tat.bank.hashes
    tat.sync()

    assert refused == hashes(1, 2, 3, 4, 5)
    assert tat.bank.hashes == hashes(1, 2, 3, 4, 5, 6)


@pytest.mark.parametrize("s_back", [60, 61])
def test_updates_that_go_back_are_refused_and_the_bank_stays(s_back: int, te: Follower) -> None:
    is_refused = s_back > OVERLAP_S
    put(te, 1, T, pdq(1))
    te.sync()

    def old(answer: Json) -> None:
        answer["data"] = [{**answer["data"][0], "id": "9", "last_updated": T - s_back}]

    te.service.troubles = [changes(old)]
    if is_refused:
        with pytest.raises(ExchangeUnavailable, match="goes back in time; nothing of this page"):
            te.sync()
    else:
        te.sync()

    assert ("9" in te.live) is not is_refused


def test_a_list_made_anew_is_taken_on_request(tat: Follower) -> None:
    put(tat, 1, T + 1000, pdq(1))
    put(tat, 2, T + 1000, pdq(2))
    tat.sync()
    assert isinstance(tat.service, HashList)
    tat.service.results = []
    put(tat, 1, T, pdq(3))
    tat.service.troubles = [None, changes(lambda answer: answer.update(checkpoint=f"{T},1"))]
    with pytest.raises(ExchangeUnavailable, match="repeat with --refetch"):
        tat.sync()

    tat.sync(refetch=True)

    assert tat.bank.hashes == hashes(3)


def test_the_same_checkpoint_again_and_again_is_refused(tat: Follower) -> None:
    put(tat, 1, T, pdq(1))
    tat.sync()
    cursor = state_of(tat.records, "ex").cursor
    stuck = changes(lambda answer: answer.update(checkpoint=cursor, next="more"))
    tat.service.troubles = [None, stuck]

    with pytest.raises(ExchangeUnavailable, match="the same page again and again"):
        tat.sync()


def test_the_same_next_page_again_and_again_is_refused(te: Follower) -> None:
    address = f"{te.service.url}/{GROUP}/threat_updates/?after=1"
    stuck = says(f'{{"data": [], "paging": {{"next": "{address}"}}}}'.encode())
    te.service.troubles = [stuck] * 2

    with pytest.raises(ExchangeUnavailable, match="the same page again and again"):
        te.sync()


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/123456/threat_updates/?after=1",
        "http://127.0.0.1:1/123456/threat_updates/?after=1",
        "HERE/654321/threat_updates/?after=1",
        "HERE/me?after=1",
        "nonsense",
        7,
    ],
)
def test_no_page_is_asked_of_another_place(address: object, te: Follower) -> None:
    """The token would go along."""
    here = address.replace("HERE", te.service.url) if isinstance(address, str) else address
    put(te, 1, T, pdq(1))
    te.service.troubles = [changes(lambda answer: answer.update(paging={"next": here}))]

    with pytest.raises(ExchangeUnavailable, match="lies at another place, which is refused"):
        te.sync()

    assert len(te.service.asked) == 1


@pytest.mark.parametrize("text", [pdq(1)[:32], pdq(1)[:63], "z" * 64, "", None, 7])
def test_a_malformed_hash_is_set_aside_and_holds_nothing_up(text: object, either: Follower) -> None:
    put(either, 7, T + 150, text)  # type: ignore[arg-type]

    account = either.sync()

    assert either.bank.hashes == hashes(1, 2, 3, 4, 5)
    assert [one.record_id for one in set_aside(either.records)] == ["7"]
    assert account.steps["quarantined"] == 1


def test_a_record_that_turns_malformed_leaves_the_bank(either: Follower) -> None:
    either.sync()
    put(either, 1, T + 900, pdq(1)[:32])

    either.sync()

    assert either.bank.hashes == hashes(2, 3, 4, 5)


def test_other_kinds_of_hashes_are_passed_over(tat: Follower, te: Follower) -> None:
    put(tat, 1, T, "0" * 32, algorithm="MD5")
    put(tat, 2, T, "0" * 64, algorithm="SHA256")
    tat_account = tat.sync()
    put(te, 1, T, "0" * 32, type="HASH_VIDEO_MD5")
    te_account = te.sync()

    assert tat_account.passed_over == {"md5": 1, "sha256": 1}
    assert te_account.passed_over == {"video-md5": 1}


def test_answers_without_an_id_are_counted_and_passed_over(either: Follower) -> None:
    def no_id(answer: Json) -> None:
        items = answer.get("results") or answer["data"]
        del items[0]["id"]
        items[1] = "nonsense"

    either.service.troubles = [None] * isinstance(either.service, HashList) + [changes(no_id)]

    account = either.sync()

    assert account.passed_over == {"without an id": 2}
    assert either.bank.hashes == hashes(3, 4, 5)


def test_a_record_is_what_the_hash_list_says(tat: Follower) -> None:
    put(tat, 10594, 1724856487.709035, pdq(1).upper(), ideology="islamist", file_type="mov")
    put(tat, 10595, 1724856488.0, pdq(2), ideology="other", created_on="never")

    tat.sync()

    one, other = tat.live["10594"], tat.live["10595"]
    assert (one.hash, one.policy, one.opinion) == (pdq(1), "TVEC-IS", "pos")
    assert (one.labels.ideology, one.labels.content_type) == ("islamist", "mov")
    assert one.updated_at == datetime(2024, 8, 28, 14, 48, 7, 709035, UTC)
    assert one.added_at == datetime(2025, 3, 3, 23, 5, 22, 587000, UTC)
    assert (other.policy, other.added_at) == ("TVEC-DEFAULT", None)
    assert state_of(tat.records, "ex").cursor == "1724856488.0,10595"


@pytest.mark.parametrize("time", [None, True, "soon", "nan", 1e300, [], -1])
def test_a_time_that_is_none_costs_no_hash(time: Any, tat: Follower, te: Follower) -> None:
    """But for one before 1970, which is set aside."""
    assert isinstance(tat.service, HashList)
    put(tat, 1, T, pdq(1))
    tat.service.troubles = [
        None,
        changes(lambda answer: answer["results"][0].update(updated_on=time)),
    ]
    tat.sync()
    te.service.troubles = [
        says(json.dumps({"data": [{"id": 1, "last_updated": time, **SOUND}]}).encode())
    ]
    te.sync()

    n_live = 0 if time == -1 else 1
    assert (len(tat.live), len(te.live)) == (n_live, n_live)


def test_a_record_is_what_threatexchange_says(te: Follower) -> None:
    put(
        te,
        5,
        T,
        pdq(1),
        descriptors={
            "data": [
                descriptor(50, "42", tags={"data": [{"text": "spam"}, {"text": "\n"}]}),
                descriptor(51, "43", status="SUSPICIOUS", tags=["other"]),
            ]
        },
    )

    te.sync()

    one = te.live["5"]
    assert (one.policy, one.tags, one.opinion) == ("SPAM", ("spam", "other"), "pos")
    assert [(o.standing, o.owner, o.descriptor_id) for o in one.opinions] == [
        ("pos", "42", "50"),
        ("seed", "43", "51"),
    ]
    assert one.updated_at == datetime.fromtimestamp(T, UTC)


POS, NEG, SEED = "MALICIOUS", "NON_MALICIOUS", "UNKNOWN"
HELPFUL, DISAGREE = "HELPFUL", "DISAGREE_WITH_TAGS"


def reaction(key: str, value: str) -> Json:
    return {"reactions": [{"key": key, "value": value}]}


@pytest.mark.parametrize(
    ("descriptors", "standing"),
    [
        ([descriptor(1, status=POS)], "pos"),
        ([descriptor(1, status=SEED)], "seed"),
        ([descriptor(1, status="SUSPICIOUS")], "seed"),
        ([descriptor(1, status=NEG)], "neg"),
        ([descriptor(1, status=POS), descriptor(2, "43", status=SEED)], "pos"),
        ([descriptor(1, status=POS), descriptor(2, "43", status=NEG)], "seed"),
        ([descriptor(1, status=SEED), descriptor(2, "43", status=NEG)], "seed"),
        ([descriptor(1, status=POS), descriptor(2, "777", status=NEG)], "neg"),
        ([descriptor(1, status=NEG), descriptor(2, "777", status=POS)], "pos"),
        ([descriptor(1, status=SEED, **reaction(HELPFUL, "43,44"))], "pos"),
        ([descriptor(1, status=POS, **reaction(DISAGREE, "43"))], "seed"),
        ([descriptor(1, status=POS, **reaction("NON_MALICIOUS", "43"))], "seed"),
        ([descriptor(1, status=POS, **reaction(DISAGREE, "777"))], "neg"),
        ([descriptor(1, status=POS, **reaction("SAW_THIS_TOO", "43"))], "pos"),
        ([{"id": "1", "status": POS}], "pos"),
        ([{"id": "1"}], "seed"),
        (["nonsense"], "seed"),
    ],
)
def test_opinions_are_joined(descriptors: list[Any], standing: str, te: Follower) -> None:
    put(te, 1, T, pdq(1), descriptors={"data": descriptors})

    te.sync()

    found = te.live.get("1")
    assert (found.opinion if found else "neg") == standing


@pytest.mark.parametrize("more", [{"descriptors": {"data": []}}, {"descriptors": None}])
def test_an_indicator_without_descriptors_is_withdrawn(more: Json, te: Follower) -> None:
    put(te, 1, T, pdq(1))
    te.sync()

    put(te, 1, T + 1, pdq(1), **more)
    te.sync()

    assert te.bank.hashes == set()


@pytest.mark.parametrize(
    ("later_s", "left"),
    [(STALE_AFTER_S, {1, 2}), (STALE_AFTER_S + 1, {2})],
    ids=["at 85 days", "after 85 days"],
)
def test_a_copy_grown_stale_is_fetched_anew_and_purged(
    later_s: float, left: set[int], te: Follower
) -> None:
    """The service has meanwhile forgotten that it withdrew a hash."""
    put(te, 1, T, pdq(1))
    put(te, 2, T + 1, pdq(2))
    te.sync()
    delete(te, 1, T + 500)
    assert isinstance(te.service, ThreatUpdates)
    te.service.forget(1)

    te.sync(NOW + timedelta(seconds=later_s))

    assert te.bank.hashes == hashes(*left)


def test_a_copy_of_the_hash_list_never_grows_stale(tat: Follower) -> None:
    put(tat, 1, T, pdq(1))
    tat.sync()
    n_asked = len(tat.service.asked)

    tat.sync(NOW + timedelta(days=4000))

    assert [one.query.get("after") for one in tat.service.asked[n_asked + 1 :]] == [f"{T},1"]


@pytest.mark.parametrize("n_gone", [10, 11])
def test_a_service_that_takes_away_too_much_is_refused_and_the_bank_stays(
    n_gone: int, either: Follower
) -> None:
    """It does so page by page, two at a time; the run is judged as a whole."""
    for number in range(6, 41):
        put(either, number, T + number * 100, pdq(number))
    either.sync()
    for number in range(1, n_gone + 1):
        delete(either, number, T + 10_000 + number)

    if n_gone > SHRINK_RECORDS:
        for _ in range(2):
            with pytest.raises(ListShrinks, match="ex: 11 of its 40 records would vanish"):
                either.sync()
            assert either.bank.hashes == hashes(*range(1, 41))
    either.sync(may_shrink=n_gone > SHRINK_RECORDS)

    assert either.bank.hashes == hashes(*range(n_gone + 1, 41))


def test_what_leaves_and_comes_back_in_one_run_was_not_taken_away(either: Follower) -> None:
    for number in range(6, 41):
        put(either, number, T + number * 100, pdq(number))
    either.sync()
    for number in range(1, 21):
        delete(either, number, T + 10_000 + number)
    with pytest.raises(ListShrinks):
        either.sync()
    for number in range(1, 21):
        put(either, number, T + 20_000 + number, pdq(number))

    account = either.sync()

    assert either.bank.hashes == hashes(*range(1, 41))
    assert account.steps["removed"] == 0


def test_a_dry_run_says_what_a_refused_run_would_take_away(either: Follower) -> None:
    for number in range(6, 41):
        put(either, number, T + number * 100, pdq(number))
    either.sync()
    for number in range(1, 21):
        delete(either, number, T + 10_000 + number)
    with pytest.raises(ListShrinks):
        either.sync()

    account = either.sync(may_shrink=True)

    assert account.shrinks == {"ex": "20 of its 40 records would vanish"}
    assert account.steps["removed"] == 20


def test_of_two_states_in_one_run_the_later_one_counts(te: Follower) -> None:
    """Updates need not come in the order of their time."""
    put(te, 1, T, pdq(1))
    te.sync()
    late = {**SOUND, "id": "1", "last_updated": T + 40, "indicator": pdq(2)}
    early = {**SOUND, "id": "1", "last_updated": T + 20, "indicator": pdq(3)}
    te.service.troubles = [changes(lambda answer: answer.update(data=[late, early]))]

    te.sync()

    assert te.bank.hashes == hashes(2)


@pytest.mark.parametrize("is_changed", [True, False])
def test_other_settings_fetch_the_whole_list_anew(*, is_changed: bool, either: Follower) -> None:
    either.sync(settings="one")
    either.policies = Policies("OTHER", {})

    account = either.sync(settings="another" if is_changed else "one")

    policies = {entry.policy for entry in either.bank.entries.values()}
    assert (policies == {"OTHER"}) is is_changed
    assert (account.steps["changed"] == 5) is is_changed


def test_other_settings_begin_an_open_run_anew(either: Follower) -> None:
    """Records made by the old ones are waiting already."""
    either.sync(settings="one", on_page=lambda _: False)
    either.policies = Policies("OTHER", {})

    either.sync(settings="another")

    assert {entry.policy for entry in either.bank.entries.values()} == {"OTHER"}


def test_a_whole_list_that_comes_back_almost_empty_is_refused_and_asked_for_anew(
    either: Follower,
) -> None:
    """An outage looks like this; the next sync does not go on from the end of the empty list."""
    for number in range(6, 41):
        put(either, number, T + number * 100, pdq(number))
    either.sync()
    empty = changes(lambda answer: answer.update(results=[], data=[], next=None, paging={}))
    either.service.troubles = [None] * isinstance(either.service, HashList) + [empty]

    with pytest.raises(ListShrinks, match="ex: 40 of its 40 records would vanish"):
        either.sync(refetch=True)
    refused = either.bank.hashes
    either.sync()

    assert refused == either.bank.hashes == hashes(*range(1, 41))


def test_wrong_credentials_are_told_without_showing_them(tat: Follower, te: Follower) -> None:
    assert isinstance(tat.service, HashList)
    tat.service.troubles = [repeats(401)]
    with pytest.raises(ExchangeDenied) as denied:
        tat.sync()
    te.service.troubles = [forgets_us]
    with pytest.raises(ExchangeUnavailable) as refused:
        te.sync()

    assert "it refuses the credentials (HTTP 401): check them" in str(denied.value)
    assert str(refused.value) == (
        "exchange ex: it answers with HTTP 400: check the settings of this exchange; it says"
        ' "Invalid OAuth access token - Cannot parse access token" (code 190)'
    )
    for secret in (USERNAME, PASSWORD, TOKEN):
        assert secret not in f"{denied.value} {refused.value}"
    assert tat.waits == te.waits == []


def test_a_token_that_runs_out_is_asked_for_again(tat: Follower) -> None:
    for number in range(1, 6):
        put(tat, number, T + number, pdq(number))

    def out(service: Service, *_: object) -> Any:
        assert isinstance(service, HashList)
        service.token = "JWT-2"  # noqa: S105  # of a made-up service
        return fails(401)(service, *_)  # type: ignore[arg-type]

    tat.service.troubles = [None, None, out]

    tat.sync()

    assert tat.bank.hashes == hashes(1, 2, 3, 4, 5)
    assert [one.path for one in tat.service.asked].count("/token-auth/tcap/") == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: answer.pop("results"),
        lambda answer: answer.pop("next"),
        lambda answer: answer.pop("checkpoint"),
        lambda answer: answer.update(checkpoint=None),
        lambda answer: answer.update(checkpoint="soon"),
        lambda answer: answer.update(checkpoint="nan,1"),
        lambda answer: answer.update(checkpoint="1,-1"),
        lambda answer: answer.update(results={}),
    ],
)
def test_a_page_without_its_parts_is_refused(
    change: Callable[[Json], object], tat: Follower
) -> None:
    put(tat, 1, T, pdq(1))
    tat.service.troubles = [None, changes(change)]

    with pytest.raises(ExchangeUnavailable, match="exchange ex: "):
        tat.sync()

    assert tat.bank.hashes == set()


@pytest.mark.parametrize("body", [b'{"token": null}', b"{}", b'{"token": "a\\nb"}'])
def test_a_login_without_a_token_is_refused(body: bytes, tat: Follower) -> None:
    tat.service.troubles = [says(body)]

    with pytest.raises(ExchangeUnavailable, match="gives no token"):
        tat.sync()


def test_updates_without_data_are_refused(te: Follower) -> None:
    te.service.troubles = [says(b'{"data": 7}')]

    with pytest.raises(ExchangeUnavailable, match="a page has no data"):
        te.sync()


def test_no_credential_is_kept(either: Follower, tmp_path: Path) -> None:
    either.sync()

    (file,) = tmp_path.glob("*/records.db")
    kept = file.read_bytes()

    for secret in (PASSWORD, TOKEN, "TOPSECRET", "JWT-1"):
        assert secret.encode() not in kept


def test_a_sync_can_be_stopped_between_pages_and_goes_on_later(either: Follower) -> None:
    account = either.sync(on_page=lambda _: False)
    first = either.bank.hashes

    either.sync()

    assert (first, account.n_waiting) == (set(), 2)
    assert account.to_table()["waiting"] == "2 for the rest of their list: sync again"
    assert either.bank.hashes == hashes(1, 2, 3, 4, 5)


events = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "break", "sync"]), st.integers(1, 5), st.integers(1, 4)
    ),
    max_size=14,
)


@pytest.mark.parametrize("kind", ["tat", "te"])
@settings(max_examples=20)
@given(happened=events)
def test_whatever_breaks_off_the_end_is_that_of_one_clean_sync(
    kind: str, happened: list[tuple[str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A list lives on while syncs are broken off after some pages, and others come through."""
    run = hash_list if kind == "tat" else threat_updates
    with run() as service:
        records = RecordsFile.open(tmp_path_factory.mktemp("records"))
        follower, time, known = Follower(service, records), T, set[int]()
        for what, record_id, number in happened:
            time += 100
            if what == "put":
                put(follower, record_id, time, pdq(number))
                known.add(record_id)
            elif what == "delete" and record_id in known:
                delete(follower, record_id, time)
            elif what == "break":
                follower.service.troubles = [None] * number + [fails(500)] * 6
                with suppress(ExchangeUnavailable):
                    follower.sync()
                follower.service.troubles = []
            else:
                follower.sync()
        follower.sync()

        fresh = Follower(service, RecordsFile.open(tmp_path_factory.mktemp("records")))
        fresh.sync()
        assert follower.bank.content == fresh.bank.content
        records.close()
        fresh.records.close()
