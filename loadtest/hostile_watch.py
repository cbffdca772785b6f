"""Watches a process that screens hostile cases, from outside, and replaces one that was lost.

Rule: whatever the process does, an answer or a problem is known within DEADLINE_S.
"""

import json
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from loadtest.hostile_child import WHOLE

DEADLINE_S = 5.0
"""The bar: nothing that a stranger sends may hold a thread for longer."""

START_S = 60.0
"""A process has to import its libraries and make its clips."""

SCREENING = (sys.executable, "-X", "faulthandler", "-m", "loadtest.hostile_child")

_TOLD_BYTES = 4000

Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ScreenedBy:
    """What became of one case.

    answer:  what the process said; None where it hung or died.
    problem: what must not be; empty where all is well.
    """

    answer: Answer | None
    problem: str
    seconds: float


class Watched:
    """One process at a time; a context manager, one thread."""

    def __init__(self, command: Sequence[str] = SCREENING, deadline_s: float = DEADLINE_S) -> None:
        self._command = command
        self._deadline_s = deadline_s
        self._held: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def ask(self, line: str) -> ScreenedBy:
        """Let the process screen a case."""
        began_s = time.monotonic()
        answer = self._said(line, self._deadline_s)
        seconds = time.monotonic() - began_s
        if answer is None:
            is_hanging = self._process.poll() is None
            told = self._end()
            self._start()
            what = f"hung for {self._deadline_s:g} s" if is_hanging else f"died: {told}"
            return ScreenedBy(None, what, seconds)
        held = {name: answer[name] for name in self._held}
        more = [f"{held[name] - most} {name}" for name, most in self._held.items()]
        grown = [text for text in more if not text.startswith(("0", "-"))]
        self._held = held  # each loss is told once
        return ScreenedBy(answer, "kept " + ", ".join(grown) if grown else "", seconds)

    def _start(self) -> None:
        """Start a process that has screened whole cases, and so has all it needs in memory.

        Raises:
            RuntimeError: it did not find frames in all of them: nothing would be shown by it.
        """
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        answer = self._said(WHOLE, START_S)
        if answer is None or not answer["frames"]:
            raise RuntimeError(f"whole cases are not screened: {answer} {self._end()}")
        self._held = {name: answer[name] for name in ("threads", "descriptors")}

    def _said(self, line: str, within_s: float) -> Answer | None:
        """Ask, and wait for the answer; None where there is none in time, or ever."""
        assert self._process.stdin  # noqa: S101  # pipes were asked for
        assert self._process.stdout  # noqa: S101
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return None
        if not select.select([self._process.stdout], [], [], within_s)[0]:
            return None
        said = self._process.stdout.readline()
        answer: Answer | None = json.loads(said) if said else None
        if answer is None:
            self._process.wait()
        return answer

    def _end(self) -> str:
        """End the process; give its exit code and the end of what it said."""
        self._process.kill()
        _, told = self._process.communicate()
        lines = told[-_TOLD_BYTES:].decode(errors="replace").splitlines()
        return f"{self._process.returncode} {lines[-1] if lines else ''}"
