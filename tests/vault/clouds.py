"""Stores elsewhere as they are on loopback: S3 (moto), Google's (moto behind its tokens), Azure's.

Rule: as in `processes`: nothing outlives its `with`. Each has a bucket `evidence`, empty at first,
and takes nothing without its key.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from loadtest.rtmp import free_port
from streamguard.vault.object_store import ObjectStore
from tests.processes import ROOT, until

AZURITE = ROOT / ".cache/azurite/node_modules/azurite/dist/src/blob/main.js"
ACCOUNT = "evidence@studio.iam.gserviceaccount.com"
AZURE_VERSION = "2021-08-06"


@dataclass(frozen=True)
class Cloud:
    """How one store is reached.

    secret: what its errors must not tell.
    """

    scheme: str
    options: Mapping[str, str]
    secret: str

    def store(self, place: str) -> ObjectStore:
        """Give a place in it: BUCKET/PREFIX."""
        return ObjectStore(f"{self.scheme}://{place}", self.options)


@contextmanager
def serving(
    command: Sequence[str | Path], is_up: Callable[[], bool], env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run a server until it is up, and to the end of this."""
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(env or {})},
        cwd=ROOT,
    ) as server:
        try:
            until(is_up)
            yield
        finally:
            server.kill()


def asked(request: urllib.request.Request) -> int:
    """Ask once; gives the status, 0 where nobody answers."""
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  # our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


@contextmanager
def s3_at(port: int) -> Iterator[Cloud]:
    """Run an S3 with an empty bucket."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/evidence", method="PUT")  # our own
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-p", str(port)]
    with serving(command, lambda: asked(request) == 200):
        yield s3(port)


def s3(port: int) -> Cloud:
    """Say how an S3 on a port is reached."""
    secret = "a-secret-of-the-store"  # noqa: S105  # of nothing
    options = {
        "access_key_id": "someone",
        "secret_access_key": secret,
        "region": "us-east-1",
        "endpoint": f"http://127.0.0.1:{port}",
    }
    return Cloud("s3", options, secret)


@contextmanager
def google_in(folder: Path) -> Iterator[Cloud]:
    """Run Google's, for one service account whose key is made here."""
    port, key = free_port(), rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "public.pem").write_bytes(public)
    account = {
        "type": "service_account",
        "client_email": ACCOUNT,
        "private_key_id": "1",
        "private_key": pem,
        "gcs_base_url": f"http://127.0.0.1:{port}",
    }
    script = Path(__file__).with_name("google_storage.py")
    command = [sys.executable, "-W", "ignore", script, str(port), folder / "public.pem", ACCOUNT]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/evidence")  # our own
    with serving(command, lambda: asked(request) == 401):
        yield Cloud("gs", {"service_account_key": json.dumps(account)}, pem.splitlines()[1])


@contextmanager
def azure() -> Iterator[Cloud]:
    """Run Azure's, for one account whose key is made here."""
    if not AZURITE.exists() or shutil.which("node") is None:
        pytest.skip("no Azurite here: install npm, run .ci/setup parts")
    port, name, key = free_port(), "studio", base64.b64encode(secrets.token_bytes(64)).decode()
    options = {
        "account_name": name,
        "account_key": key,
        "endpoint": f"http://127.0.0.1:{port}/{name}",
    }
    command = [
        *("node", AZURITE, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent"),
        *("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"),
    ]
    accounts = {"AZURITE_ACCOUNTS": f"{name}:{key}"}
    with serving(command, lambda: asked(_container(port, name, key)) == 201, accounts):
        yield Cloud("az", options, key)


def _container(port: int, name: str, key: str) -> urllib.request.Request:
    """Ask for a container, signed. Source: Microsoft's "Authorize with Shared Key"."""
    date = formatdate(usegmt=True)
    signed = (
        "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{AZURE_VERSION}\n"
        f"/{name}/{name}/evidence\nrestype:container"
    )
    digest = hmac.digest(base64.b64decode(key), signed.encode(), hashlib.sha256)
    headers = {
        "x-ms-date": date,
        "x-ms-version": AZURE_VERSION,
        "Authorization": f"SharedKey {name}:{base64.b64encode(digest).decode()}",
    }
    url = f"http://127.0.0.1:{port}/{name}/evidence?restype=container"
    return urllib.request.Request(url, headers=headers, method="PUT")
