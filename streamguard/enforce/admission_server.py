"""Serves the admission hook in a thread of its own, so that nothing else we do makes it wait.

Rule: it is up before anything is acted on, and gone last.
"""

import asyncio
import threading
from types import TracebackType
from typing import Self

from streamguard.adapters.http_server import HttpServer, listen
from streamguard.enforce.admission import Admission


class AdmissionServer:
    """The server; a context manager."""

    def __init__(self, host: str, port: int, admission: Admission) -> None:
        """Bind at once.

        Raises:
            ConfigError: the address cannot be had.
        """
        self._socket = listen(host, port, "[enforce] admission_port")
        self.port: int = self._socket.getsockname()[1]
        # who asks and says nothing keeps us no longer than that
        self._server = HttpServer(admission, grace_s=1, sends_date=False)
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
