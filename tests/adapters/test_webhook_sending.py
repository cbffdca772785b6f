import asyncio
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamguard.adapters.system_clock import SystemClock
from streamguard.adapters.webhook import MAX_WAIT_S, Webhook, wait_s_of
from streamguard.core.record import Record
from streamguard.core.webhook import Answer
from tests.webhook_receiver import receiving

NOW_S = 1_445_412_480.0
"""Wed, 21 Oct 2015 07:28:00 GMT, the example of RFC 9110."""

SECRET = bytes(range(32))


@pytest.mark.parametrize(
    ("retry_after", "wait_s"),
    [
        ("120", 120.0),
        ("301", MAX_WAIT_S),
        ("Wed, 21 Oct 2015 07:29:00 GMT", 60.0),
        ("Wednesday, 21-Oct-15 07:29:00 GMT", 60.0),
        ("Wed Oct 21 07:29:00 2015", 60.0),
        ("Wed, 21 Oct 2015 07:33:01 GMT", MAX_WAIT_S),
        ("Wed, 21 Oct 2015 07:27:59 GMT", 0.0),
        ("Wed, 21 Oct 2015", 0.0),
        ("-5", 0.0),
        ("", 0.0),
    ],
)
def test_a_receiver_asks_for_patience_in_seconds_or_until_a_date(
    retry_after: str, wait_s: float
) -> None:
    assert wait_s_of(retry_after, NOW_S) == wait_s


@given(st.text(max_size=60))
def test_whatever_it_says_we_wait_for_a_bounded_time(retry_after: str) -> None:
    assert 0 <= wait_s_of(retry_after, NOW_S) <= MAX_WAIT_S


def test_a_date_in_an_answer_is_waited_for() -> None:
    async def tried(url: str) -> Answer:
        webhook = Webhook(url, SECRET, 30.0, SystemClock())
        try:
            return await webhook.send(Record(1, "topic", "lobby", "id", "type", 0.0, "{}"))
        finally:
            await webhook.close()

    with receiving(SECRET) as receiver:
        receiver.status = 503
        receiver.retry_after = formatdate(SystemClock().wall() + 86_400, usegmt=True)
        answer = asyncio.run(tried(receiver.url))

    assert answer == Answer("again", "the webhook answers with HTTP 503", MAX_WAIT_S)
