"""An RTMP server on loopback, Debian's nginx with its RTMP module, and ffmpeg as the publisher.

Rule: its configuration, port and files are its own; it needs no root and is gone at the end.
"""

import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from loadtest.proc_stat import descendants
from loadtest.programs import ProgramUnavailable, find, running

HOST = "127.0.0.1"
MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
"""Where Debian's libnginx-mod-rtmp puts it."""

DROPPING = (
    *("-map", "0:v", "-tag:v", "7", "-f", "fifo", "-fifo_format", "flv", "-queue_size", "60"),
    *("-drop_pkts_on_overflow", "1", "-attempt_recovery", "1", "-recovery_wait_time", "1"),
)
"""ffmpeg's way to let a queue of 60 frames stand between an encoder and the network."""

START_S = 30.0
POLL_S = 0.02

_PORTS = range(20_000, 32_768)
"""Below what Linux gives away itself. Source: its ip-sysctl.rst, ip_local_port_range."""

_CONFIGURATION = """
load_module {module};
daemon off;
worker_processes {n_processes};
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
rtmp {{
  server {{
    listen {host}:{port};
    chunk_size 4096;
    application live {{ live on; {extra} }}
    application other {{ live on; }}
  }}
}}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{
    listen {host}:{stat_port}{spread};
    location = /stat {{ rtmp_stat all; }}
    location /control {{ rtmp_control all; }}
    {site}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class RtmpServer:
    """A server that is up; its files lie in `folder`.

    worker: a process that serves; master: the one that looks after it.
    """

    port: int
    folder: Path
    stat_port: int = 0
    worker: int = 0
    master: int = 0

    @property
    def stat_url(self) -> str:
        """Give the address of the page that tells what is being published."""
        return f"http://{HOST}:{self.stat_port}/stat"

    @property
    def control_url(self) -> str:
        """Give the address at which it takes orders."""
        return f"http://{HOST}:{self.stat_port}/control"

    def url(self, name: str) -> str:
        """Give the URL to publish a stream to, and to pull it from."""
        return f"rtmp://{HOST}:{self.port}/live/{name}"

    def publish(
        self,
        video: Path,
        name: str,
        *,
        from_s: float = 0.0,
        ffmpeg: Path | None = None,
        drops: bool = False,
    ) -> AbstractContextManager[subprocess.Popen[bytes]]:
        """Publish a video at its own pace, again and again, without encoding it anew.

        drops: as live encoders do, drop frames when the server does not take them within 2 s.
        """
        paced = [str(ffmpeg or find("ffmpeg")), "-v", "error", "-nostdin", "-re"]
        source = ["-stream_loop", "-1", "-ss", f"{from_s}", "-i", str(video), "-an", "-c", "copy"]
        command = [*paced, *source, *(DROPPING if drops else ("-f", "flv")), self.url(name)]
        return running(command, self.folder / f"publisher-{name}.log")


def find_nginx() -> tuple[Path, Path]:
    """Give the nginx program and its RTMP module.

    Raises:
        ProgramUnavailable: one of them is not installed.
    """
    if not MODULE.exists():
        raise ProgramUnavailable(
            "no RTMP module for nginx here: install Debian's libnginx-mod-rtmp"
        )
    return find("nginx"), MODULE


@contextmanager
def rtmp_server(
    nginx: Path,
    module: Path,
    folder: Path,
    *,
    ports: tuple[int, int] | None = None,
    n_processes: int = 1,
    extra: str = "",
    site: str = "",
) -> Iterator[RtmpServer]:
    """Run a server until the end of the `with`.

    ports: for RTMP and for the page that tells what is published; free ones without it.
    n_processes: more than one is a mistake of configuration: each knows its own streams alone.
    extra: further directives of the application `live`.
    site: further locations of its HTTP server; `{stat_port}` in both is that server's port.

    Raises:
        ProgramUnavailable: it did not come up.
    """
    port, stat_port = ports or free_ports(2)
    configuration = folder / "nginx.conf"
    text = _CONFIGURATION.format(
        module=module,
        host=HOST,
        port=port,
        stat_port=stat_port,
        n_processes=n_processes,
        spread=" reuseport" if n_processes > 1 else "",  # else one of them may take all
        extra=extra.replace("{stat_port}", str(stat_port)),
        site=site.replace("{stat_port}", str(stat_port)),
    )
    configuration.write_text(text)
    command = [str(nginx), "-p", str(folder), "-e", "stderr", "-c", str(configuration)]
    log = folder / "nginx.log"
    with running(command, log) as process:
        _wait_for(port, process, log)
        yield RtmpServer(port, folder, stat_port, _worker_of(process.pid), process.pid)


def _worker_of(master: int) -> int:
    """Wait for the process that serves: the port is open before it is there."""
    deadline_s = time.monotonic() + START_S
    while not (children := descendants(master)) and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
    return children[0] if children else master


def free_port() -> int:
    """Give a port on loopback that nobody listens on at this moment."""
    return free_ports(1)[0]


def free_ports(count: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> list[int]:
    """Give ports on loopback that nobody listens on at this moment, all of them different.

    By chance, of those that the system gives nobody who asks for any: it might give one of its own
    to somebody else before whoever asked here listens on it. Not by `random`: tests seed it, and
    those that run beside each other would all be given the same.
    """
    found: set[int] = set()
    while len(found) < count:
        port = _PORTS[secrets.randbelow(len(_PORTS))]
        with socket.socket(type=kind) as taken, suppress(OSError):
            taken.bind((HOST, port))
            found.add(port)
    return list(found)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(POLL_S)
        else:
            return
    raise ProgramUnavailable(f"nginx did not come up: {log.read_text().strip()[-200:]}")
