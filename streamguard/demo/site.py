"""A small platform in a directory: its configuration, its processes, and a reviewer's account.

Rule: everything listens on loopback, on ports of its own, and is gone when the demo is.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from streamguard.core.errors import SourceUnavailable
from streamguard.parts.review_parts import open_review
from streamguard.settings import load_settings

HOST = "127.0.0.1"
POLICY_CODE = "DEMO-KNOWN-SCENE"
CONSOLE_PORT = 9113
"""Where people expect the console; another port where this one is taken."""

NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_rtmp_module.so")
"""Where Debian's libnginx-mod-rtmp puts it."""

START_S = 30.0
"""How long a process may take until it answers: a start takes one or two, seconds."""

_STOP_S = 15.0
_ASK_EVERY_S = 0.05

_CONFIG = """
[deployment]
name = "demo"
[log]
file = "{folder}/events.db"
[bank]
paths = ["{folder}/bank"]
[policy]
file = "{folder}/policy.toml"
[evidence]
directory = "{folder}/evidence"
[http]
port = {http}
[admin]
port = {admin}
[review]
port = {review}
[worker]
count = 1
"""
_SERVER = """
[[servers]]
name = "demo"
kind = "nginx_rtmp"
api = "http://{host}:{stat}/stat"
pull = "rtmp://{host}:{rtmp}"
[enforce]
port = {enforce}
admission = "enforce"
admission_port = {admission}
[[controls]]
server = "demo"
api = "http://{host}:{stat}/control"
"""
_STREAM = """
[[streams]]
id = "demo-channel"
url = "{url}"
"""
_POLICY = """
version = "demo"
[banks.{code}]
severity = "P0"
"""
_NGINX = """
load_module {module};
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 64; }}
rtmp {{ server {{
  listen {host}:{rtmp};
  application live {{ live on; on_publish http://{host}:{admission}/admission/demo; }}
}} }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{
    listen {host}:{stat};
    location = /stat {{ rtmp_stat all; }}
    location /control {{ rtmp_control all; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Account:
    """Who may sign in at the console."""

    name: str
    password: str


class Site:
    """The platform in one directory."""

    def __init__(self, folder: Path, *, has_ingest: bool) -> None:
        """has_ingest: with an ingest server, where there is an nginx that can be one."""
        self._folder = folder.resolve()
        self._nginx = find_nginx() if has_ingest else None
        self._ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self._ports["review"] = CONSOLE_PORT if _is_free(CONSOLE_PORT) else self._ports["review"]

    @property
    def can_cut(self) -> bool:
        """Say whether there is an ingest server here that can end a stream."""
        return self._nginx is not None

    @property
    def publish_url(self) -> str:
        """Give where the channel is published, where there is an ingest server."""
        return f"rtmp://{HOST}:{self._ports['rtmp']}/live/channel"

    @property
    def console_url(self) -> str:
        """Give where the console is."""
        return f"http://{HOST}:{self._ports['review']}/"

    @property
    def log_file(self) -> Path:
        """Give the event log."""
        return self._folder / "events.db"

    @contextlib.contextmanager
    def running(self, pulled: str | None) -> Iterator[Account]:
        """Run it all until the end of the `with`.

        pulled: the URL of the stream to screen, where no ingest server tells of any.

        Raises:
            SourceUnavailable: one of the processes did not come up.
        """
        config = self._write_config(pulled)
        with contextlib.ExitStack() as processes:
            if self._nginx is not None:
                nginx: list[str | Path] = [
                    self._nginx,
                    "-p",
                    self._folder,
                    "-e",
                    "stderr",
                    "-c",
                    self._write_nginx(),
                ]
                processes.enter_context(self._process("nginx", nginx, "stat", "/stat"))
            processes.enter_context(self._verb("run", config, "http", "/readyz"))
            if self.can_cut:
                processes.enter_context(self._verb("enforce", config, "enforce", "/readyz"))
            account = _make_account(config)
            processes.enter_context(self._verb("review", config, "review", "/sign-in"))
            yield account

    def _verb(
        self, verb: str, config: Path, port: str, page: str
    ) -> contextlib.AbstractContextManager[None]:
        command: list[str | Path] = [sys.executable, "-m", "streamguard", verb, "--config", config]
        return self._process(verb, command, port, page)

    @contextlib.contextmanager
    def _process(
        self, name: str, command: Sequence[str | Path], port: str, page: str
    ) -> Iterator[None]:
        """Run a process whose page answers, and end it in the end; its log is a file here."""
        told = self._folder / f"{name}.log"
        with (
            told.open("wb") as output,
            subprocess.Popen(  # noqa: S603  # our own verbs and Debian's nginx, by argument list
                [*_tied_to_us(), *map(str, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is ours to pass on, in order
            ) as process,
        ):
            try:
                _wait_for(process, f"http://{HOST}:{self._ports[port]}{page}", told)
                yield
            finally:
                process.terminate()
                try:
                    process.wait(_STOP_S)
                except subprocess.TimeoutExpired:
                    process.kill()

    def _write_config(self, pulled: str | None) -> Path:
        self._write("policy.toml", _POLICY.format(code=POLICY_CODE))
        text = _CONFIG + (_SERVER if self.can_cut else _STREAM)
        known = {"folder": self._folder, "host": HOST, "url": pulled, **self._ports}
        return self._write("demo.toml", text.format(**known))

    def _write_nginx(self) -> Path:
        known = {"host": HOST, "module": NGINX_MODULE, **self._ports}
        return self._write("nginx.conf", _NGINX.format(**known))

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text)
        return path


_PORTS = ("http", "admin", "review", "rtmp", "stat", "enforce", "admission")


def find_nginx() -> str | None:
    """Give the path of an nginx with its RTMP module; None where there is none."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return program if program and NGINX_MODULE.exists() else None


def free_ports(count: int) -> list[int]:
    """Give ports on loopback that nobody listens on at this moment, all of them different."""
    with contextlib.ExitStack() as taken:
        servers = [taken.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [int(server.getsockname()[1]) for server in servers]


def _is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def _make_account(config: Path) -> Account:
    """Make the account of the demo, with a password of its own."""
    account = Account("demo", secrets.token_urlsafe(9))
    with open_review(load_settings(config)) as review:
        known = review.accounts.named(account.name)
        if known is None:
            review.accounts.add(account.name, "senior", frozenset({"*"}), account.password)
        else:
            review.accounts.change(known.account_id, password=account.password)
    return account


def _tied_to_us() -> list[str]:
    """Have a process end with this one, however it ends; where util-linux can do that."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _wait_for(process: subprocess.Popen[bytes], url: str, told: Path) -> None:
    """Wait until a page answers; a page that refuses is not up yet."""
    ends_s = time.monotonic() + START_S
    while time.monotonic() < ends_s and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=1).close()  # noqa: S310  # http, on loopback
        except OSError:
            time.sleep(_ASK_EVERY_S)
        else:
            return
    lines = told.read_text(errors="replace").strip().splitlines() or ["it says nothing"]
    raise SourceUnavailable(f"{told.stem} did not come up: {lines[-1][:200]}; see {told}")
