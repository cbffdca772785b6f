"""Where a stream comes from, without ever showing it.

Rule: a URL may hold a stream key or a password, so it is printed nowhere; `label` is what people
and logs see.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from streamguard.core.errors import ConfigError
from streamguard.core.srt_address import SRT_SCHEME, srt_address

Protocol = Literal["file", "rtmp", "rtmps", "rtsp", "rtsps", "http", "https", "hls", "srt"]

SCHEMES: Mapping[str, Protocol] = {
    "rtmp": "rtmp",
    "rtmps": "rtmps",
    "rtsp": "rtsp",
    "rtsps": "rtsps",
    "http": "http",
    "https": "https",
    SRT_SCHEME: "srt",
}
"""What a URL may begin with; a playlist over HTTP(S) is of the protocol `hls`."""

PLAYLIST_SUFFIX = ".m3u8"
"""What the path of an HLS playlist ends in. Source: RFC 8216, section 4."""

NOT_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that no label, id or log line may hold: control characters, line breaks, and
surrogates, which stand for bytes of a file name that are no UTF-8."""

REMEDY = "use a file path, rtmp(s)://, rtsp(s)://, srt://, or http(s):// with HLS, MPEG-TS or FLV"


@dataclass(frozen=True, slots=True)
class Location:
    """One place to read video from.

    url:   what the demuxer opens; a secret.
    label: what may be shown: a file's path, else protocol and host.
    rtmp_name: application and name of a stream on the RTMP server of the URL, for names that no
        URL can hold: any that a publisher chose; a secret, too.
    """

    protocol: Protocol
    url: str = field(repr=False)
    label: str
    rtmp_name: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def is_live(self) -> bool:
        """Say whether time passes there without us: live drops, files wait."""
        return self.protocol != "file"

    @property
    def default_stream_id(self) -> str | None:
        """Give a file's own name; a live stream's name may be its key, so it gives none."""
        return None if self.is_live else self.label.replace("\\", "/").rsplit("/", 1)[-1]


def parse_location(text: str) -> Location:
    """Read a path or URL as the command line or the configuration gives it.

    Raises:
        ConfigError: the scheme is not one that can be screened, the host is missing, an option of
            SRT cannot be taken, or it is not one line of text.
    """
    if any(unicodedata.category(character) in NOT_TEXT for character in text):
        raise ConfigError(
            "the source holds a control character, a line break or bytes that are no UTF-8: "
            "rename it"
        )
    scheme, separator, _ = text.partition("://")
    if not separator:
        if not text:
            raise ConfigError(f"the source is empty: {REMEDY}")
        return Location("file", f"file:{text}", text)
    protocol = SCHEMES.get(scheme.lower())
    if protocol is None:
        name = scheme if scheme.isalnum() and len(scheme) <= 12 else "this"  # noqa: PLR2004  # a scheme, not a key
        raise ConfigError(f"cannot screen {name}:// sources: {REMEDY}")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(f"the {protocol} source has a malformed host or port") from None
    if not host:
        raise ConfigError(f"the {protocol} source names no host")
    if protocol in {"http", "https"} and parts.path.lower().endswith(PLAYLIST_SUFFIX):
        protocol = "hls"
    if protocol == "srt":
        srt_address(text)  # here, so that a mistake is found before anything starts
    where = f"{host}:{port}" if port else host
    return Location(protocol, text, f"{protocol} source at {where}")
