"""Asks an HTTP server that wants fewer requests for how long it wants to be left alone.

Rule: FFmpeg reads streams over HTTP, and shows no header of an answer; so a server is asked once
more, by what fetches HLS, and nothing of its answer is taken but that.
"""

import httpx

from streamguard.adapters.hls_fetch import FetchFailed, FetchRefused, HlsFetcher
from streamguard.adapters.hls_playlist import PlaylistInvalid, Section
from streamguard.adapters.source_timeouts import SourceTimeouts
from streamguard.core.location import Location
from streamguard.core.ports import Clock


def wanted_pause_s(location: Location, clock: Clock, timeouts: SourceTimeouts) -> float:
    """Give the seconds of its Retry-After, a minute at most; 0 where it names none."""
    try:
        url = httpx.URL(location.url)
    except httpx.InvalidURL:
        return 0.0
    fetcher = HlsFetcher(url, (), clock, timeouts)
    try:
        fetcher.get(Section(url.copy_with(userinfo=b""), ""), 0, timeouts.open_s)
    except FetchFailed as error:
        return error.retry_after_s
    except (FetchRefused, PlaylistInvalid):
        pass
    finally:
        fetcher.close()
    return 0.0
