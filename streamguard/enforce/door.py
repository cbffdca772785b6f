"""Serves the admission hook in a thread of its own, so that nothing else we do makes it wait.

Rule: it is up before anything is acted on, and gone last.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import uvicorn

from streamguard.core.errors import ConfigError
from streamguard.enforce.admission import Admission


class Door:
    """The server; a context manager."""

    def __init__(self, host: str, port: int, admission: Admission) -> None:
        """Bind at once.

        Raises:
            ConfigError: the address cannot be had.
        """
        try:
            self._socket = socket.create_server((host, port))
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port} ({error.strerror}): choose another [enforce]"
                " admission_port"
            ) from None
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            admission,
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            date_header=False,
            lifespan="off",
            timeout_graceful_shutdown=1,  # seconds: who asks and says nothing keeps us no longer
        )
        self._server = _Server(config)
        self._thread = threading.Thread(target=self._serve, name="admission", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve([self._socket]))


class _Server(uvicorn.Server):
    """uvicorn's server without handlers for signals: those are the process's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield
