import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.core.record import Record
from streamguard.core.webhook import (
    MAX_SECRET_BYTES,
    MIN_SECRET_BYTES,
    REPLAY_WINDOW_S,
    headers_of,
    is_authentic,
    meaning_of,
    secret_of,
)

SECRET = secret_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
NOW_S = 1_614_265_330.0


def record(body: str = '{"test": 2432232314}') -> Record:
    return Record(
        1, "streamguard.flags.v1", "stream", "msg_p5jXN8AQM9LWM0D4loKWxJek", "type", 0, body
    )


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of its specification and of its libraries."""
    headers = headers_of(record(), SECRET, NOW_S)

    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(body=st.text(), at_s=st.floats(0, 1e10))
def test_what_was_signed_is_authentic_and_nothing_else(body: str, at_s: float) -> None:
    signed = record(body)
    headers = headers_of(signed, SECRET, at_s)

    assert is_authentic(headers, body.encode(), SECRET, at_s)
    assert not is_authentic(headers, body.encode() + b" ", SECRET, at_s)
    assert not is_authentic(headers, body.encode(), SECRET[::-1], at_s)
    assert not is_authentic(headers | {"webhook-id": "other"}, body.encode(), SECRET, at_s)
    assert not is_authentic({}, body.encode(), SECRET, at_s)


@pytest.mark.parametrize(
    ("late_s", "is_taken"),
    [(REPLAY_WINDOW_S, True), (REPLAY_WINDOW_S + 1, False), (-REPLAY_WINDOW_S - 1, False)],
)
def test_what_was_signed_long_ago_is_refused(late_s: float, *, is_taken: bool) -> None:
    headers = headers_of(record(), SECRET, NOW_S)

    assert is_authentic(headers, record().body.encode(), SECRET, NOW_S + late_s) == is_taken


@pytest.mark.parametrize("n_bytes", [MIN_SECRET_BYTES, MAX_SECRET_BYTES])
@pytest.mark.parametrize("prefix", ["", "whsec_"])
def test_a_secret_is_read_with_and_without_its_prefix(n_bytes: int, prefix: str) -> None:
    secret = bytes(range(n_bytes))

    assert secret_of(f"{prefix}{base64.b64encode(secret).decode()}\n") == secret


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64!",
        base64.b64encode(bytes(MIN_SECRET_BYTES - 1)).decode(),
        base64.b64encode(bytes(MAX_SECRET_BYTES + 1)).decode(),
    ],
)
def test_what_is_no_secret_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes in base64"):
        secret_of(text)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *((status, "done") for status in (200, 202, 204, 299)),
        *((status, "refused") for status in (400, 413, 415, 422)),
        *((status, "again") for status in (199, 301, 401, 403, 404, 408, 410, 429, 500, 503)),
    ],
)
def test_an_answer_means(status: int, meaning: str) -> None:
    assert meaning_of(status) == meaning
