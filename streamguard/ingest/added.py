"""Keeps the streams that were added while we run, so that a restart has them again.

Rule: the file holds URLs, and so keys: only its owner can read it. It is replaced as a whole, never
written over: a crash leaves the old list or the new one.
"""

import json
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from streamguard.core.errors import ConfigError, LogUnavailable, StreamguardError
from streamguard.core.location import parse_location
from streamguard.core.sampling import Sampling
from streamguard.ingest.private_file import write_private
from streamguard.runtime.parts import Stream

FORMAT = 1
"""Edition of the file; one of another is refused, not guessed at."""


class AddedStreams:
    """The file; its owner calls it from one task."""

    def __init__(self, file: Path, banks: Collection[str] = ()) -> None:
        """banks: names of those that there are."""
        self._file = file
        self._banks = banks

    def check(self, stream: Stream) -> None:
        """Refuse a stream that would be held against nothing, and count as screened.

        Raises:
            ConfigError: it names a bank that is not there, or none at all.
        """
        if stream.banks == ():
            raise ConfigError(f"stream {stream.stream_id!r} names no bank: leave banks out for all")
        unknown = sorted(set(stream.banks or ()) - set(self._banks))
        if unknown:
            raise ConfigError(
                f"stream {stream.stream_id!r} names the bank {unknown[0]!r}: there is none in"
                " [bank] paths"
            )

    def load(self) -> dict[str, Stream]:
        """Read what was saved, by stream id; empty where nothing was.

        Raises:
            ConfigError: the file is damaged, of another edition or cannot be read, or a stream
                names a bank that is there no more.
        """
        try:
            text = self._file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"{self._file}: the added streams cannot be read") from None
        problem = ConfigError(
            f"{self._file}: the added streams are damaged: move the file away, add them again"
        )
        try:
            kept = json.loads(text)
            if kept["format"] != FORMAT:
                raise problem
            streams = {one["id"]: _stream(one) for one in kept["streams"]}
        except (ValueError, KeyError, TypeError, RecursionError, StreamguardError):
            streams = None
        if streams is None:
            raise problem  # out here the library's error, which may hold a URL, is gone
        for stream in streams.values():
            self._check_kept(stream)
        return streams

    def save(self, streams: Iterable[Stream]) -> None:
        """Replace what was saved; on disk when it returns.

        Raises:
            LogUnavailable: it could not be written; what was saved before stands.
        """
        rows = [_row(one) for one in streams]
        text = json.dumps({"format": FORMAT, "streams": rows}, ensure_ascii=False, indent=1)
        try:
            write_private(self._file, text.encode())
        except OSError as error:
            problem = f"{self._file}: cannot be written, errno {error.errno}: is the disk full?"
            raise LogUnavailable(problem) from None

    def _check_kept(self, stream: Stream) -> None:
        try:
            self.check(stream)
        except ConfigError as error:
            raise ConfigError(
                f"{self._file}: the added {error}; take it out of this file"
            ) from None


def _row(stream: Stream) -> dict[str, Any]:
    return {
        "id": stream.stream_id,
        "url": stream.location.url,
        "sampling": stream.sampling.value,
        "banks": None if stream.banks is None else list(stream.banks),
    }


def _stream(row: dict[str, Any]) -> Stream:
    banks = row["banks"]
    return Stream(
        row["id"],
        parse_location(row["url"]),
        Sampling(row["sampling"]),
        None if banks is None else tuple(banks),
    )
