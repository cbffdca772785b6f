"""What is not flagged leaves no trace: real processes, watched by the kernel as they write.

As root every write to any file on this machine is seen, and whose it is; as anybody else the
directories that a process is given, in which even a file that came and went changes the time.
"""

import ctypes
import os
import signal
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.processes import (
    Running,
    environment,
    metric,
    on_time,
    short_type,
    transport_stream,
    until,
)
from tests.servers import serving

pytestmark = pytest.mark.integration

PRIVATE = ("home", "tmp", "cwd", "evidence")

# /usr/include/linux/fanotify.h
FAN_CLOEXEC, FAN_NONBLOCK = 0x1, 0x2
FAN_MARK_ADD, FAN_MARK_MOUNT = 0x1, 0x10
FAN_MODIFY = 0x2
AT_FDCWD = -100
EVENT = struct.Struct("=IBBHQii")  # length, version, reserved, metadata length, mask, file, process


VAULT = {
    *("master.key", "signing.pem", "key.json", "clip.sealed", "still.sealed"),
    *("manifest", "custody.jsonl", "custody.head"),
}
"""What is written of one flag; nothing of it is plain but what the manifest says."""


def kind_of(name: str) -> str:
    """Leave out of the name of a file what differs each time."""
    name = name.removesuffix(" (deleted)")
    if name.endswith(".part"):
        name = name[1:].rsplit(".", 2)[0]
    if name.endswith((".sealed", ".growing")):
        return name.partition("-")[2] if name.endswith(".sealed") else "clip.growing"
    return "manifest" if name[:12].isdecimal() else name


class Watch:
    """Tells which files a process has written to, on every file system that it may write to."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def names(self, process_id: int) -> set[str]:
        """Give the names of the files that this process wrote to since the watch began."""
        written = set()
        with suppress(BlockingIOError):
            while True:
                for path, writer in self._read():
                    if writer == process_id:
                        written.add(path.name)
        return written

    def _read(self) -> Iterator[tuple[Path, int]]:
        events = os.read(self._descriptor, 1 << 20)
        while events:
            length, _, _, _, _, file, writer = EVENT.unpack_from(events)
            events = events[length:]
            path = Path(f"/proc/self/fd/{file}").readlink()
            os.close(file)
            yield path, writer


@contextmanager
def watching() -> Iterator[Watch | None]:
    """Watch all writes from here on; None where the kernel lets only root do that."""
    libc = ctypes.CDLL(None)
    descriptor = libc.fanotify_init(FAN_CLOEXEC | FAN_NONBLOCK, os.O_RDONLY)
    if descriptor < 0:
        yield None
        return
    mounts = {"/", "/dev/shm", "/tmp", "/var/tmp", tempfile.gettempdir()}  # noqa: S108  # watched only
    for mount in mounts:
        flags = FAN_MARK_ADD | FAN_MARK_MOUNT
        mask = ctypes.c_uint64(FAN_MODIFY)
        if libc.fanotify_mark(descriptor, flags, mask, AT_FDCWD, mount.encode()) < 0:
            os.close(descriptor)
            yield None
            return
    yield Watch(descriptor)
    os.close(descriptor)


class Sandbox:
    """Fresh directories for all that a process may think of writing to."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in PRIVATE:
            (root / name).mkdir()
            os.utime(root / name, (0, 0))
        self.cwd, self.evidence = root / "cwd", root / "evidence"
        self.environment = environment(
            HOME=str(root / "home"),
            TMPDIR=str(root / "tmp"),
            PYTHONDONTWRITEBYTECODE="1",  # else it keeps what it compiled beside its source
        )

    @property
    def touched(self) -> set[str]:
        """Name the directories in which anything was made, even if it is gone again."""
        return {name for name in PRIVATE if (self.root / name).stat().st_mtime_ns}

    @property
    def files(self) -> set[str]:
        """Name the files that lie there."""
        return {path.name for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    (tmp_path / "sandbox").mkdir()
    return Sandbox(tmp_path / "sandbox")


def screen(clip: Path, bank: Path, sandbox: Sandbox) -> tuple[list[str], set[str] | None]:
    """Screen a clip; give the types of its events, and what it wrote to where that can be seen."""
    arguments = ("screen", clip, "--bank", bank, "--evidence", sandbox.evidence)
    with watching() as watch:
        with Running(*arguments, cwd=sandbox.cwd, env=sandbox.environment) as running:
            code = running.join()
        written = watch.names(running.process.pid) if watch else None
    assert (code, running.log) == (0, [])
    return [short_type(event) for event in running.out], written


def test_a_stream_that_is_not_flagged_leaves_no_trace(
    known_bank: Path, real_clips: dict[str, Path], sandbox: Sandbox
) -> None:
    types, written = screen(real_clips["carphone_pristine"], known_bank, sandbox)

    assert types == ["stream.started", "stream.ended"]
    assert sandbox.touched == set()
    assert written in (set(), None)


def test_a_flagged_stream_leaves_a_clip_and_a_still_and_nothing_else(
    known_bank: Path, real_clips: dict[str, Path], sandbox: Sandbox
) -> None:
    types, written = screen(real_clips["bikes"], known_bank, sandbox)

    assert "flag.opened" in types
    assert sandbox.touched == {"evidence"}
    assert {kind_of(name) for name in sandbox.files} == VAULT
    assert written is None or {kind_of(name) for name in written} == VAULT | {"clip.growing"}


def test_a_live_stream_that_is_not_flagged_leaves_nothing_but_events(
    known_bank: Path, real_clips: dict[str, Path], sandbox: Sandbox, tmp_path: Path
) -> None:
    channel = on_time(transport_stream(real_clips["carphone_pristine"], n_rounds=9), burst_s=20)
    log_file, config = tmp_path / "log.db", tmp_path / "config.toml"
    with serving(channel) as server, watching() as watch:
        config.write_text(
            f'[http]\nport = 0\n[bank]\npaths = ["{known_bank}"]\n[log]\nfile = "{log_file}"\n'
            f'[evidence]\ndirectory = "{sandbox.evidence}"\n'
            f'[[streams]]\nid = "a"\nurl = "{server.url()}"\n'
        )
        with Running(
            "run", "--config", config, cwd=sandbox.cwd, env=sandbox.environment
        ) as service:
            service.wait_for(service.log, event="run_started")
            until(lambda: metric(service, "samples_total") > 20)
            code = service.stop(signal.SIGTERM)
        written = watch.names(service.process.pid) if watch else set()

    assert code == 0
    assert sandbox.touched == set()
    assert {name for name in written if not name.startswith("log")} == set()
