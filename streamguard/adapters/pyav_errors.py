"""Says in our words what FFmpeg's errors mean.

Rule: one line, of what, where and what to do; never FFmpeg's own message, which holds the URL.
"""

import errno

import av

from streamguard.adapters.pyav_options import RTSP
from streamguard.core.errors import (
    ConfigError,
    SourceInvalid,
    SourceUnavailable,
    StreamguardError,
)
from streamguard.core.location import Location


def translated(location: Location, error: Exception, what: str) -> StreamguardError:
    """Make an error of ours; `what` happened, as it goes on after the source's label."""
    label = location.label
    if not location.is_live:
        if isinstance(error, PermissionError):  # FFmpeg's is one, too
            return ConfigError(f"{label} may not be read: check its permissions")
        return SourceInvalid(f"{label} is no video that can be screened, or is damaged")
    return SourceUnavailable(f"{label} {what}{_why(location.protocol, error)}")


def _why(protocol: str, error: Exception) -> str:
    """Say what FFmpeg's error means, to go on after what happened."""
    match error:
        case av.error.ExitError() | av.error.TimeoutError():
            why = ": it sent nothing in time"
        case av.error.EOFError():
            why = ": it ended before any video came"
        case av.error.InvalidDataError() if protocol in RTSP:
            why = ": it sent no video that can be read, or nothing in time"
        case av.error.InvalidDataError() if protocol in {"hls", "srt"}:
            why = ": it sends no video that can be read"
        case av.error.InvalidDataError():
            why = ": it sends neither MPEG-TS nor FLV video"
        case av.error.HTTPOtherClientError() if protocol in RTSP:
            why = ": it has no video, or will not play it"
        case av.error.HTTPNotFoundError():
            why = ": it has no such stream; is it publishing?"
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            why = ": it wants other credentials"
        case _:
            number = getattr(error, "errno", None) or 0
            name = errno.errorcode.get(number, "protocol error")
            why = f" ({name}): is it up and publishing?"
    return why
