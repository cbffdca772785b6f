"""A time-stamping authority of this test: openssl's, by HTTP, with a root of its own."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONFIG = """
[tsa]
default_tsa = ours
[ours]
serial = {folder}/serial
crypto_device = builtin
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ordering = yes
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""

LEAF = "extendedKeyUsage=critical,timeStamping\nbasicConstraints=critical,CA:FALSE\n"


class Tsa:
    """Keys and answers of one authority."""

    def __init__(self, folder: Path, name: str = "root") -> None:
        """Make a root, and a certificate for time stamps that leads to it."""
        folder.mkdir()
        self.folder = folder
        self.roots = folder / "root.pem"
        (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
        (folder / "leaf.cnf").write_text(LEAF)
        (folder / "serial").write_text("01\n")
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        self._do(
            "req",
            "-x509",
            *new,
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
            "-out",
            "root.pem",
            "-keyout",
            "root.key",
        )
        self._do(
            "req", *new, "-subj", f"/CN={name} stamps", "-out", "leaf.csr", "-keyout", "leaf.key"
        )
        self._do(
            *("x509", "-req", "-in", "leaf.csr", "-CA", "root.pem", "-CAkey", "root.key"),
            *("-CAcreateserial", "-days", "1", "-extfile", "leaf.cnf", "-out", "leaf.pem"),
        )
        self.queries: list[bytes] = []
        self._lock = threading.Lock()

    def answer(self, query: bytes) -> bytes:
        """Stamp what a query asks for."""
        with self._lock:  # openssl counts in a file
            self.queries.append(query)
            (self.folder / "query").write_bytes(query)
            self._do(
                *("ts", "-reply", "-config", "tsa.cnf", "-section", "ours", "-queryfile", "query"),
                *(
                    "-signer",
                    "leaf.pem",
                    "-inkey",
                    "leaf.key",
                    "-chain",
                    "root.pem",
                    "-out",
                    "reply",
                ),
            )
            return (self.folder / "reply").read_bytes()

    def _do(self, *command: str) -> None:
        subprocess.run(["openssl", *command], cwd=self.folder, check=True, capture_output=True)


@contextmanager
def serving(answer: Callable[[bytes], bytes], status: int = 200) -> Iterator[str]:
    """Answer queries by HTTP; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            content = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
