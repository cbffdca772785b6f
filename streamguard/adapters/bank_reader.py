"""Follows the files of one bank: maps its base, and reads its delta as it grows.

Rule: it takes no lock and writes nothing. What it gives has been in force as a whole at some
instant, and never comes before what it gave earlier.
"""

from dataclasses import dataclass
from pathlib import Path

from streamguard.adapters.bank_base import base_damage, read_base
from streamguard.adapters.bank_commit import read_commit
from streamguard.adapters.bank_delta import HEAD_BYTES, Rest, read_delta_header, read_frames
from streamguard.adapters.bank_dir import (
    CURRENT_FILE,
    Current,
    map_file,
    read_current,
    read_from,
    unreadable,
    unusable,
)
from streamguard.adapters.bank_layout import Damaged
from streamguard.core.bank import Base
from streamguard.core.bank_editor import BankEditor

CHECKED_AT_ONCE_BYTES = 64 << 20
"""Bases up to this size are checked byte by byte when they are mapped: it takes 10 ms (6 GB/s).
Larger ones are checked in the background, or by `bank verify`."""

_PATIENCE = 100
"""Generations that may pass by while one is being opened; a compaction takes longer than that."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What a look at a file shows without reading it."""

    inode: int
    n_bytes: int
    changed_ns: int


@dataclass(slots=True)
class Opened:
    """A bank as far as it was read.

    current: the files it was read from.
    editor:  its newest state.
    seed:    of the delta's checksums.
    n_bytes: how much of the delta was read; what comes after it is `rest`.
    """

    current: Current
    base: Base
    base_look: _Look | None
    editor: BankEditor
    seed: int
    n_bytes: int = HEAD_BYTES
    rest: Rest = "none"


class BankReader:
    """Gives the newest state of a bank, again and again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # joined once: for each look it took as long as the look itself
        self._current_path = self._delta_path = directory / CURRENT_FILE
        self._opened: Opened | None = None
        self._looks: tuple[_Look | None, _Look | None] = (None, None)

    def newest(self) -> tuple[Opened, bool]:
        """Read what has been committed since the last call; say whether there was anything.

        Raises:
            BankError: there is no bank, it is damaged, or it cannot be read; what was read before
                still stands.
        """
        for _ in range(_PATIENCE):
            try:
                return self._newest()
            except FileNotFoundError as error:  # a compaction took it away; CURRENT tells of more
                problem = unreadable(Path(error.filename), error)
        raise problem

    def _newest(self) -> tuple[Opened, bool]:
        current_look = _look_at(self._current_path)
        opened = self._opened
        if opened is None or current_look != self._looks[0]:
            opened = self._open(read_current(self._directory))
            self._delta_path = self._directory / opened.current.delta_file
        path = self._delta_path
        looks = current_look, _look_at(path)
        is_new = looks != self._looks
        if is_new:
            self._looks = None, None  # until it is read
            _read_on(path, opened)
        self._opened, self._looks = opened, looks
        return opened, is_new

    def _open(self, current: Current) -> Opened:
        """Begin with a base, which is mapped unless it is already."""
        path = self._directory / current.base_file
        old, look = self._opened, _look_at(path)
        base = old.base if old and old.base_look == look else _map_base(path)
        path = self._directory / current.delta_file
        try:
            revision, seed = read_delta_header(read_from(path, 0, HEAD_BYTES))
        except Damaged as damaged:
            raise unusable(path, damaged) from None
        if revision != base.revision:
            raise unusable(path, "it belongs to another base")
        name = self._directory.resolve().name
        return Opened(current, base, look, BankEditor(name, base), seed)


def _map_base(path: Path) -> Base:
    raw = map_file(path)
    try:
        base = read_base(raw)
        if len(raw) <= CHECKED_AT_ONCE_BYTES:
            for problem in filter(None, base_damage(raw)):
                raise unusable(path, problem)
    except Damaged as damaged:
        raise unusable(path, damaged) from None
    return base


def _read_on(path: Path, opened: Opened) -> None:
    """Apply what stands in the delta past what was read."""
    editor = opened.editor
    raw = memoryview(read_from(path, opened.n_bytes))
    try:
        frames = read_frames(raw, editor.revision, opened.seed)
        numbered = enumerate(frames.payloads, editor.revision + 1)
        commits = [read_commit(payload, revision) for revision, payload in numbered]
    except Damaged as damaged:
        raise unusable(path, damaged) from None
    for commit in commits:
        editor.apply(commit)
    opened.n_bytes += frames.n_bytes
    opened.rest = frames.rest


def _look_at(path: Path) -> _Look | None:
    """Look whether a file has changed, without reading it; None where it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return _Look(found.st_ino, found.st_size, found.st_mtime_ns)
