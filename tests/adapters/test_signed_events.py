"""Signatures of decisions: made, carried by Kafka and the log, believed or not."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from loadtest.made_events import opened
from streamguard.adapters.dead_letters import DeadLetters
from streamguard.adapters.kafka_reader import record_of
from streamguard.adapters.signed_events import Signer, Trusted
from streamguard.adapters.sqlite_copies import SqliteCopies
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_outbox import SqliteOutbox
from streamguard.core.errors import ConfigError
from streamguard.core.events import Topic
from streamguard.core.reading import read_event
from streamguard.core.record import Message, Position, Record, message_of, row_of
from streamguard.core.review_events import appeal_event
from tests.core_fakes import SOURCE
from tests.made_keys import KeyFiles, come, decided, made_key, record, sent
from tests.made_reviews import appeal

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def console(tmp_path: Path) -> KeyFiles:
    return made_key(tmp_path, "console")


@pytest.fixture
def other(tmp_path: Path) -> KeyFiles:
    return made_key(tmp_path, "other")


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> KeyFiles:
    return made_key(tmp_path_factory.mktemp("keys"), "lasting")


def changed(made: Record, change: Change) -> str:
    """Give an event as somebody has changed it."""
    said = json.loads(made.body)
    change(said)
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def test_a_decision_that_was_signed_is_believed_once_it_has_come_by_kafka(
    console: KeyFiles,
) -> None:
    came = sent(console.signer.row(decided()))

    event = read_event(came.body)
    assert Trusted([console.public]).refusal(came.body) is None
    assert event is not None
    assert event.signedby == console.signer.name
    assert event.data == decided().data


def test_the_headers_have_the_signature_and_the_name_of_the_key(console: KeyFiles) -> None:
    message = message_of(record(console.signer.row(decided())), is_replayed=True)

    headers = dict(message.headers)
    assert headers["ce_signedby"].decode() == console.signer.name
    assert len(bytes.fromhex(headers["ce_signature"].decode())) == 64
    assert headers["sg-replayed"] == b"1"


def test_appeals_are_signed_as_well_and_flags_are_not(console: KeyFiles) -> None:
    appealed = console.signer.row(appeal_event(SOURCE, appeal(), recorded_s=100.0))

    assert Trusted([console.public]).refusal(sent(appealed).body) is None
    assert console.signer.row(opened(1)) == row_of(opened(1))
    assert console.signer.row(appealed) == appealed


@pytest.mark.parametrize("lacks", [("signature", "signedby"), ("signature",), ("signedby",)])
def test_what_nobody_signed_is_not_believed(console: KeyFiles, lacks: tuple[str, ...]) -> None:
    signed = sent(console.signer.row(decided()))

    body = changed(signed, lambda said: [said.pop(name) for name in lacks])

    assert Trusted([console.public]).refusal(body) == "unsigned"


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said["data"].update(action="restore"),
        lambda said: said["data"].update(actor="r-2"),
        lambda said: said["data"]["stream"].update(session_id="s-2"),
        lambda said: said["data"].update(decided_at="2036-01-02T03:04:05.000Z"),
        lambda said: said["data"].update(note=" "),
        lambda said: said.update(id="00000000-0000-5000-8000-000000000000"),
        lambda said: said.update(partitionkey="garden"),
        lambda said: said.update(source="/streamguard/other"),
        lambda said: said.update(type="org.streamguard.appeal.received.v1"),
        lambda said: said.update(reduced="refused"),
        lambda said: said.update(signature="0" * 128),
        lambda said: said.update(signature=said["signature"].upper()),
        lambda said: said.update(signature=said["signature"][:-2]),
        lambda said: said.update(signature="no hex"),
        lambda said: said.update(signature=["a", "list"]),
        lambda said: said.pop("data"),
    ],
)
def test_whatever_is_changed_is_not_believed(console: KeyFiles, change: Change) -> None:
    signed = sent(console.signer.row(decided()))

    assert Trusted([console.public]).refusal(changed(signed, change)) == "wrong"


@given(st.integers(min_value=0), st.integers(1, 255))
def test_no_byte_of_the_data_can_be_another(lasting: KeyFiles, at: int, flip: int) -> None:
    message = message_of(record(lasting.signer.row(decided())))
    value = bytearray(message.value)
    value[at % len(value)] ^= flip

    came = record_of(
        SimpleNamespace(
            offset=1, topic=Topic.DECISIONS, headers=message.headers, value=bytes(value)
        )
    )

    assert came is None or Trusted([lasting.public]).refusal(came.body) == "wrong"


def test_one_whom_nobody_trusts_is_not_believed(console: KeyFiles, other: KeyFiles) -> None:
    by_other = sent(other.signer.row(decided()))

    assert Trusted([console.public]).refusal(by_other.body) == "unknown_key"


def test_to_use_the_name_of_a_trusted_key_helps_nobody(console: KeyFiles, other: KeyFiles) -> None:
    by_other = sent(other.signer.row(decided()))

    body = changed(by_other, lambda said: said.update(signedby=console.signer.name))

    assert Trusted([console.public]).refusal(body) == "wrong"


def test_a_signature_is_of_one_event_alone(console: KeyFiles) -> None:
    first = sent(console.signer.row(decided()))
    second = sent(console.signer.row(decided(supersedes="d-1", decision_id="d-2")))
    signature = json.loads(first.body)["signature"]

    body = changed(second, lambda said: said.update(signature=signature))

    assert Trusted([console.public]).refusal(body) == "wrong"


def test_the_key_in_use_and_the_next_one_are_believed_until_the_first_is_taken_out(
    console: KeyFiles, other: KeyFiles
) -> None:
    by_first, by_next = (sent(key.signer.row(decided())) for key in (console, other))
    both = Trusted([console.public, other.public])
    afterwards = Trusted([other.public])

    assert [both.refusal(one.body) for one in (by_first, by_next)] == [None, None]
    assert [afterwards.refusal(one.body) for one in (by_first, by_next)] == ["unknown_key", None]


def test_one_file_may_hold_several_keys(console: KeyFiles, other: KeyFiles, tmp_path: Path) -> None:
    file = tmp_path / "all.pub"
    file.write_bytes(console.public.read_bytes() + other.public.read_bytes())

    assert Trusted([file]).names == {console.signer.name, other.signer.name}


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]),
        min_size=1,
        max_size=200,
    )
)
def test_whatever_people_write_is_believed_when_it_comes(lasting: KeyFiles, text: str) -> None:
    """Data are kept as they were written: to write them anew may write them otherwise."""
    came = sent(lasting.signer.row(decided(note=text)))

    assert Trusted([lasting.public]).refusal(came.body) is None


def test_data_that_come_with_breaks_in_them_are_kept_in_one_line(console: KeyFiles) -> None:
    message = message_of(record(console.signer.row(decided())))
    broken = json.dumps(json.loads(message.value), indent=1).encode()

    came = come(Message(message.key, message.headers, broken))

    assert "\n" not in came.body
    assert json.loads(came.body)["data"] == json.loads(message.value)


def test_a_signature_outlives_the_outbox_the_dead_letters_and_another_log(
    console: KeyFiles, tmp_path: Path
) -> None:
    first, second = tmp_path / "console.db", tmp_path / "screening.db"
    with SqliteLog(first, row=console.signer.row) as log:
        log.append([opened(1)])
        log.append_if_new([decided()])
    with closing(SqliteOutbox(first)) as outbox:
        [waits] = outbox.read(Topic.DECISIONS, 1, 9)
        outbox.bury(waits, "refused", 0.0)
        outbox.acknowledge(Topic.DECISIONS, Position(waits.offset + 1), [waits])
        with closing(DeadLetters(first)) as letters:
            letters.send_again([waits.id], 1.0)
        [again] = outbox.read(Topic.DECISIONS, waits.offset + 1, 9)
    came = come(message_of(again, is_replayed=True))
    with SqliteLog(second) as log, closing(SqliteCopies(second)) as copies:
        copies.take([came])
        [copy] = log.read(1, Topic.DECISIONS)

    passed_on = come(message_of(copy, is_replayed=True))

    trusted = Trusted([console.public])
    assert [trusted.refusal(one.body) for one in (waits, again, came, passed_on)] == [None] * 4


def foreign_key() -> bytes:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("content", [b"", b"not a key", foreign_key()])
def test_a_file_that_holds_no_such_key_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)

    with pytest.raises(ConfigError, match="no private key"):
        Signer(file)
    with pytest.raises(ConfigError, match="no public key"):
        Trusted([file])


def test_a_private_key_is_not_to_lie_where_others_check(console: KeyFiles) -> None:
    with pytest.raises(ConfigError, match="name the public one") as told:
        Trusted([console.private])

    assert "PRIVATE KEY" not in str(told.value)


def test_who_signs_needs_the_private_key(console: KeyFiles) -> None:
    with pytest.raises(ConfigError, match="no private key"):
        Signer(console.public)


def test_a_key_that_is_not_there_is_told_by_its_name(tmp_path: Path) -> None:
    for read in (Signer, lambda file: Trusted([file])):
        with pytest.raises(ConfigError, match=r"gone\.pem: this key cannot be read: No such file"):
            read(tmp_path / "gone.pem")


def test_a_header_that_calls_itself_data_is_passed_over(console: KeyFiles) -> None:
    message = message_of(record(console.signer.row(decided())))
    headers = (*message.headers, ("ce_data", b'{"action":"restore"}'))

    came = come(Message(message.key, headers, message.value))

    assert came.body.count('"data":') == 1
    assert Trusted([console.public]).refusal(came.body) is None
