"""Watches one stream as a viewer does, in a process of its own, and says whenever media arrives.

Rule: it has no credential but those of a viewer, and parses what strangers send where nothing is to
be had: it is confined, and is killed when it has served.
"""

import json
import socket
import sys
import time
from urllib.parse import urlsplit

import av

from streamguard.adapters.pyav_options import METADATA_ERRORS, options
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.location import Location
from streamguard.enforce.reader import MEDIA, READY, REFUSED, UP
from streamguard.sandbox import confine

SAY_EVERY_S = 0.05
"""Media is told so often at most: what is proved is that none came for sixty times as long."""

AGAIN_S = 0.1
"""Between two tries to watch a stream that is not there."""

QUICK = {"probesize": "32", "analyzeduration": "0"}
"""FFmpeg gives out what came with the first bytes of it; 32 is the least that it takes."""

TIMEOUTS = SourceTimeouts(open_s=5.0, read_s=5.0)

PORTS = {"rtmp": 1935, "rtsp": 554}
"""Where servers listen whose address names no port; streams of [[servers]] are pulled by these."""


def main() -> None:
    """Watch the place that is told in the first line of stdin, until killed."""
    confine()
    _say(UP)
    line = sys.stdin.readline()
    if not line:
        return  # whoever started us has ended
    told = json.loads(line)
    name = told["rtmp_name"]
    place = Location(told["protocol"], told["url"], told["label"], tuple(name) if name else None)
    _reach(place)
    _say(READY)
    while True:
        begun_s = time.monotonic()
        try:
            _watch(place)
        except (av.FFmpegError, OSError, ValueError):
            if time.monotonic() - begun_s < TIMEOUTS.open_s:
                _say(REFUSED)  # else it had us wait, as servers do where nobody publishes
            time.sleep(AGAIN_S)  # there is nothing, or no more


def _reach(place: Location) -> None:
    """Wait until the server takes a connection: without one, silence says nothing."""
    where = urlsplit(place.url)
    address = (where.hostname or "", where.port or PORTS[where.scheme])
    while True:
        try:
            socket.create_connection(address, TIMEOUTS.open_s).close()
        except OSError:
            time.sleep(AGAIN_S)
        else:
            return


def _watch(place: Location) -> None:
    """Say that media comes, for as long as it does."""
    chosen = options(place, TIMEOUTS) | QUICK
    said_s = 0.0
    with av.open(
        place.url,
        options=chosen,
        timeout=(TIMEOUTS.open_s, TIMEOUTS.read_s),
        metadata_errors=METADATA_ERRORS,
    ) as container:
        for packet in container.demux():
            now_s = time.monotonic()
            if packet.size and now_s - said_s >= SAY_EVERY_S:
                said_s = now_s
                _say(MEDIA)


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
