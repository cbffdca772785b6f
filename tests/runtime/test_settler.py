import asyncio
import threading
from collections.abc import Sequence

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.core.account import Account
from streamguard.core.events import Event
from streamguard.core.record import Row
from streamguard.runtime.settler import Settler
from streamguard.runtime.writer import LogWriter
from tests.clock import FakeClock
from tests.runtime.made_crew import MemoryLog, account_of, streams


class SlowLog(MemoryLog):
    """A log whose disk is busy until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.goes_on = threading.Event()

    def append(self, events: Sequence[Event | Row], accounts: Sequence[Account] = ()) -> None:
        assert self.goes_on.wait(30.0)
        super().append(events, accounts)


def test_what_a_process_handed_over_before_it_died_is_settled_too() -> None:
    async def test() -> dict[str, Account]:
        log, clock, meter = SlowLog(), FakeClock(), PrometheusMeter()
        writer = LogWriter(log, clock, meter)
        settler = Settler(log, writer, "/streamguard/test", clock, meter)
        (stream,) = streams("a").values()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(writer.run())
            tasks.create_task(writer.commit([], (account_of(stream, clock),)))
            await asyncio.sleep(0)  # it is on its way now
            settling = tasks.create_task(settler.settle())
            asyncio.get_running_loop().call_later(0.05, log.goes_on.set)
            settled = await settling
            await writer.stop()
        return settled

    assert set(asyncio.run(test())) == {"a"}
