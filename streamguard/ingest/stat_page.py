"""Reads the page of nginx-rtmp that tells what is being published.

Rule: what a publisher chose (its name, above all) can break neither the page nor who reads it; a
page that is not understood as a whole is refused.

Source: nginx-rtmp-module 1.1.4, ngx_rtmp_stat_module.c, and pages of that version (Debian 12).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

MAX_PUBLISHES = 10_000
"""Ten times what one machine can screen."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 (2.2) forbids. The module writes names byte by byte."""


class StatPageInvalid(Exception):
    """The page is none of nginx-rtmp, or is cut short; the message goes on after its server."""


@dataclass(frozen=True, slots=True)
class Publish:
    """One stream that somebody publishes.

    client:    number of the publisher's connection; no two of one process of nginx share it.
    age_ms:    how long that connection has been there.
    n_players: who reads it.
    height:    of the picture, in pixels; None before the first one came.
    """

    application: str = field(repr=False)
    name: str = field(repr=False)
    client: str
    age_ms: int
    address: str = field(repr=False)
    n_players: int
    height: int | None


@dataclass(frozen=True, slots=True)
class StatPage:
    """What one process of nginx told.

    uptime_s: whole seconds since it started.
    """

    pid: int
    uptime_s: int
    publishes: tuple[Publish, ...]


def read_stat_page(text: str) -> StatPage:
    """Read a page.

    Raises:
        StatPageInvalid: it is none.
    """
    try:
        root = fromstring(_NOT_XML.sub("\ufffd", text), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, RecursionError):
        root = None
    if root is None or root.tag != "rtmp":
        raise StatPageInvalid("its answer is no page of `rtmp_stat`: check its url")
    publishes = tuple(_publishes(root))
    if len(publishes) > MAX_PUBLISHES:
        raise StatPageInvalid(f"it lists more than {MAX_PUBLISHES} publishes")
    return StatPage(_number(root, "pid"), _number(root, "uptime"), publishes)


def _publishes(root: Element) -> Iterator[Publish]:
    for application in root.iterfind("server/application"):
        for stream in application.iterfind("live/stream"):
            clients = stream.findall("client")
            if stream.find("publishing") is not None and not clients:
                raise StatPageInvalid("its page names no clients: `rtmp_stat all;` is needed")
            publisher = next((one for one in clients if one.find("publishing") is not None), None)
            if publisher is not None:
                yield Publish(
                    application.findtext("name") or "",
                    stream.findtext("name") or "",
                    publisher.findtext("id") or "",
                    _number(publisher, "time"),
                    publisher.findtext("address") or "",
                    len(clients) - 1,
                    _height(stream),
                )


def _height(stream: Element) -> int | None:
    text = stream.findtext("meta/video/height") or ""
    return int(text) or None if text.isdecimal() and len(text) < 6 else None  # noqa: PLR2004  # digits


def _number(parent: Element, tag: str) -> int:
    text = parent.findtext(tag) or ""
    if not (text.isascii() and text.isdecimal()):
        raise StatPageInvalid(f"its page names no {tag}: `rtmp_stat all;` is needed")
    return int(text)
