import asyncio
import socket

from streamguard.core.hands import LastWords
from streamguard.core.sampling import Sampling
from streamguard.core.schedule import Risk
from streamguard.runtime.link import Link
from streamguard.runtime.member import Member
from streamguard.runtime.parts import Stream
from streamguard.runtime.wire import Take, ToWorker, Tune, read_to_supervisor, read_to_worker, take
from tests.clock import FakeClock
from tests.runtime.stage import LIVE

POPULAR = Risk(n_viewers=900)
LOBBY = Stream("lobby", LIVE, Sampling.AUTO)


class NoProcess:
    """Stands for a process that a test has no need of."""

    pid = 1

    def wait(self, timeout_s: float) -> int | None:
        return None

    def kill(self) -> None:
        """Do nothing."""

    def last_words(self) -> LastWords:
        return LastWords()

    def close(self) -> None:
        """Do nothing."""


def heard(risks: list[Risk | Stream]) -> list[ToWorker]:
    """Tune a member by each risk, or give it the stream; return what its worker hears."""

    async def main() -> list[ToWorker]:
        ours, its = socket.socketpair()
        member = Member(1, NoProcess(), await Link.over(ours, read_to_supervisor), FakeClock())
        worker = await Link.over(its, read_to_worker)
        for risk in risks:
            if isinstance(risk, Stream):
                member.take(take(risk))
            else:
                member.tune("lobby", risk)
        member.close()
        said = [message async for message in worker.messages()]
        worker.close()
        return said

    return asyncio.run(main())


def test_a_worker_is_told_of_a_risk_once() -> None:
    assert heard([Risk(), POPULAR, POPULAR, Risk()]) == [
        Tune("lobby", POPULAR),
        Tune("lobby", Risk()),
    ]


def test_a_worker_that_takes_a_stream_again_is_told_again() -> None:
    first, taken, again = heard([POPULAR, LOBBY, POPULAR])

    assert first == again == Tune("lobby", POPULAR)
    assert isinstance(taken, Take)
