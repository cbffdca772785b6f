"""The log of a worker: a batch is committed when the supervisor says so."""

import threading

from loadtest.made_events import opened
from streamguard.core.record import row_of
from streamguard.runtime.pipe_log import PipeLog
from streamguard.runtime.wire import Batch, framed, read_to_supervisor
from tests.core.test_settling import ACCOUNT

PATIENCE_S = 60.0


def test_a_batch_is_appended_only_once_it_is_confirmed() -> None:
    sent: list[Batch] = []
    was_sent = threading.Event()

    def send(batch: Batch) -> None:
        sent.append(batch)
        was_sent.set()

    log = PipeLog(send)
    appending = threading.Thread(target=log.append, args=([opened(1)], [ACCOUNT]))
    appending.start()
    assert was_sent.wait(PATIENCE_S)
    log.committed(sent[0].number + 1)  # another batch
    is_waiting = appending.is_alive()
    log.committed(sent[0].number)
    appending.join(PATIENCE_S)

    assert (is_waiting, appending.is_alive()) == (True, False)
    assert sent[0].rows == (row_of(opened(1)),)


def test_a_batch_says_the_same_at_the_other_end() -> None:
    batch = Batch(7, (row_of(opened(1)),), (ACCOUNT,))

    assert read_to_supervisor(framed(batch)[4:]) == batch
