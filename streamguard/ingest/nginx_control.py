"""Acts on nginx with its RTMP module, by `rtmp_control`.

Rule: an order goes to a connection by its number, which no other of the same process has; where the
name can be written into an address it is named as well, so that after a restart of nginx the number
alone hits nobody. nginx moves a publisher to another name, never to another application: held
streams have a name in their own application that nobody can guess.

Source: nginx-rtmp-module 1.2.2, ngx_rtmp_control_module.c: it does not decode the arguments.
"""

import re

from streamguard.core.location import Location
from streamguard.core.published import Published
from streamguard.ingest.asking import Asking, Service
from streamguard.ingest.control import OrderRefused

_PLAIN = re.compile(r"[A-Za-z0-9._~-]{1,255}")
"""What stands in an address as it is; source: RFC 3986, 2.3."""


class NginxControl:
    """The Control."""

    can_hold = True

    def __init__(self, service: Service, pull: str) -> None:
        """Make it.

        service: where `rtmp_control all` is.
        pull:    rtmp://host:port, where streams are watched.
        """
        self._asking = Asking(service, keeps_connection=False)
        self._pull = pull

    async def kick(self, one: Published) -> bool:
        """End a publish; say whether it was there."""
        return await self._order("/drop/publisher", _named(one))

    async def move(self, one: Published, name: str) -> bool:
        """Let a publisher go on by another name; say whether it was there."""
        named = _named(one)
        if "name" not in named or not _PLAIN.fullmatch(name):
            raise OrderRefused("its name cannot be written into an order to nginx")
        return await self._order("/redirect/publisher", {**named, "newname": name})

    def called(self, publisher: str) -> tuple[str, ...]:
        """Give what a connection may be called: who asks a moment later may round its start up.

        No other has its number, so that these are all the same one.
        """
        head, _, mark = publisher.rpartition("-")
        return tuple(f"{head}-{int(mark) + step}" for step in (-1, 0, 1))

    def moved_path(self, path: str, name: str) -> str:
        """Give the path at which a publish is once it was moved."""
        return f"{path.partition('/')[0]}/{name}"

    def place(self, path: str) -> Location:
        """Say where a viewer would watch a path."""
        application, _, name = path.partition("/")
        where = self._pull.partition("://")[2]
        label = f"rtmp source at {where}"
        return Location("rtmp", f"{self._pull}/{application}", label, (application, name))

    async def close(self) -> None:
        """Close its connections."""
        await self._asking.close()

    async def _order(self, path: str, params: dict[str, str]) -> bool:
        told = await self._asking.order("GET", path, params)
        if not told.is_success or not told.text.strip().isdecimal():
            raise OrderRefused(
                f"nginx answers an order with HTTP {told.status}: is `rtmp_control all;` there?"
            )
        return int(told.text) > 0


def _named(one: Published) -> dict[str, str]:
    """Name the connection of a publish: `pid-number-mark`, as discovery calls it."""
    _, number, _ = one.key.publisher.split("-", 2)
    application, _, name = one.key.path.partition("/")
    named = {"clientid": number}
    if _PLAIN.fullmatch(application) and _PLAIN.fullmatch(name):
        named |= {"app": application, "name": name}
    return named
