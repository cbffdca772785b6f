"""Finds what is published to nginx with its RTMP module, by the page of `rtmp_stat all`.

Rule: one process of nginx has all streams, or nobody can tell what is published: with several, each
page shows the streams of the process that happens to answer. That is an error, and a loud one.
"""

import math
from collections import Counter, deque
from collections.abc import Mapping

from streamguard.core.location import Location
from streamguard.core.ports import Clock
from streamguard.core.published import Published, SessionKey
from streamguard.ingest.asking import Asking, Service
from streamguard.ingest.stat_page import Publish, StatPage, StatPageInvalid, read_stat_page

SLACK_S = 2.0
"""How far two reckonings of one start may lie apart: uptimes are whole seconds, answers take up to
the timeout of a question."""

SEVERAL = (
    "several nginx processes answer, and each knows its own streams alone: set"
    " `worker_processes 1;` in nginx.conf and restart nginx"
)

TWINS = "several publishes are shown by one name, for some of its bytes are no printable ASCII"
"""nginx-rtmp shows a space for each such byte. By that name the harmless one is had, and the others
would pass for screened."""


class Processes:
    """Which process of nginx answers; tells a restart from a second one beside the first."""

    def __init__(self) -> None:
        self._pid: int | None = None
        self._answered_at_s = 0.0
        self._former: deque[int] = deque(maxlen=8)
        self.are_several = False

    def note(self, pid: int, uptime_s: float, now_s: float) -> None:
        """Take note of who answered; now_s: Clock.monotonic()."""
        if pid != self._pid and self._pid is not None:
            slack_s = 0.0 if pid in self._former else SLACK_S
            self.are_several = now_s - uptime_s < self._answered_at_s - slack_s
        if not self.are_several and pid != self._pid:
            if self._pid is not None:
                self._former.append(self._pid)
            self._pid = pid
        if not self.are_several:
            self._answered_at_s = now_s


class Connections:
    """Tells publishers' connections apart, across restarts of nginx and of ours.

    Numbers of processes and connections begin anew with each start of a container; the instant at
    which a connection began does not come again. The clock that says so is the host's.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[int, float]] = {}

    def name_all(self, page: StatPage, now_s: float) -> list[str]:
        """Name the publisher of each publish; now_s: Clock.monotonic()."""
        known: dict[tuple[int, str], tuple[int, float]] = {}
        names = []
        for publish in page.publishes:
            key = (page.pid, publish.client)
            began_s = now_s - publish.age_ms / 1000
            mark, last_s = self._known.get(key, (0, -math.inf))
            if abs(began_s - last_s) > SLACK_S:
                mark = round(began_s / SLACK_S)
            known[key] = (mark, began_s)
            names.append(f"{page.pid}-{publish.client}-{mark}")
        self._known = known
        return names


class NginxRtmp:
    """The Provider."""

    def __init__(self, service: Service, pull: str, clock: Clock) -> None:
        """pull: rtmp://host:port, where streams are pulled from."""
        self.name = service.name
        self._pull = pull
        self._clock = clock
        self._processes = Processes()
        self._connections = Connections()
        self._asking = Asking(service, keeps_connection=False)

    async def snapshot(self) -> Mapping[SessionKey, Published]:
        """List what is being published at this moment.

        Raises:
            DiscoveryUnavailable: it could not be learnt; what was known before goes on.
        """
        text = await self._asking.text()
        try:
            page = read_stat_page(text)
        except StatPageInvalid as error:
            raise self._asking.problem(str(error)) from None
        now_s = self._clock.monotonic()
        self._processes.note(page.pid, page.uptime_s, now_s)
        if self._processes.are_several:
            raise self._asking.problem(SEVERAL)
        publishers = self._connections.name_all(page, now_s)
        n_called = Counter((one.application, one.name) for one in page.publishes)
        found = (
            self._published(one, publisher, is_alone=n_called[one.application, one.name] == 1)
            for one, publisher in zip(page.publishes, publishers, strict=True)
        )
        return {one.key: one for one in found}

    async def close(self) -> None:
        """Close its connections."""
        await self._asking.close()

    def _published(self, publish: Publish, publisher: str, *, is_alone: bool) -> Published:
        path = f"{publish.application}/{publish.name}"
        where = self._pull.partition("://")[2]
        return Published(
            SessionKey(self.name, path, publisher),
            Location(
                "rtmp",
                f"{self._pull}/{publish.application}",
                f"rtmp source at {where}",
                (publish.application, publish.name),
            ),
            publish.n_players,
            publish.height,
            publish.address,
            None if is_alone else TWINS,
            publish.age_ms / 1000,
        )
