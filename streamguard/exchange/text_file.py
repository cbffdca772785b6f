"""Reads the text of a hash list line by line, and says in which line something is wrong.

Rule: a list is read as a stream of bounded lines, and is UTF-8 or refused.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from streamguard.core.errors import ListInvalid

MAX_LINE_BYTES = 1 << 20
"""Longest line; a record with 256 tags of 256 bytes is 70 kB."""

MAX_DOCUMENT_BYTES = 256 << 20
"""Largest file that has to be read at once; a 24-hour video hashed at 60 fps is 450 MB in vPDQ's
line format, which is read as lines, and one hash a second is 7 MB as JSON."""

_BOM = b"\xef\xbb\xbf"


class TextFile:
    """A hash list on disk; it knows where it is being read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 0

    def lines(self) -> Iterator[str]:
        """Yield each line without its end, LF or CRLF, and without a byte order mark.

        Raises:
            ListInvalid: it cannot be read, is not UTF-8, or a line is too long.
        """
        self.line = 0
        with self._opened() as file:
            while raw := file.readline(MAX_LINE_BYTES + 1):
                self.line += 1
                if len(raw) > MAX_LINE_BYTES:
                    raise self.problem(f"a line is longer than {MAX_LINE_BYTES} bytes")
                if self.line == 1:
                    raw = raw.removeprefix(_BOM)
                yield self._text(raw).removesuffix("\n").removesuffix("\r")

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each row of CSV; empty lines are left out.

        Raises:
            ListInvalid: as for lines, or it is not CSV.
        """
        csv.field_size_limit(MAX_LINE_BYTES)
        try:
            yield from filter(None, csv.reader((f"{line}\n" for line in self.lines()), strict=True))
        except csv.Error:
            raise self.problem("it is not CSV: a quotation mark stands where none may") from None

    def whole(self) -> str:
        """Read all of it.

        Raises:
            ListInvalid: it cannot be read, is not UTF-8, or is too large.
        """
        self.line = 0
        with self._opened() as file:
            raw = file.read(MAX_DOCUMENT_BYTES + 1)
        if len(raw) > MAX_DOCUMENT_BYTES:
            raise self.problem(f"it is larger than {MAX_DOCUMENT_BYTES >> 20} MiB")
        return self._text(raw.removeprefix(_BOM))

    def problem(self, what: str, field: str = "") -> ListInvalid:
        """Say what is wrong here, in one line, for the caller to raise."""
        where = f"{self.path}:{self.line}" if self.line else f"{self.path}"
        return ListInvalid(f"{where}: {field}: {what}" if field else f"{where}: {what}")

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            with self.path.open("rb") as file:
                yield file
        except OSError as error:
            raise ListInvalid(f"{self.path} cannot be read: {error.strerror}") from None

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self.problem("it is not UTF-8") from None
