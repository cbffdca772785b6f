"""Certificates for loopback, made on the spot by openssl: an authority, a server and a client.

Rule: they live for two days, in the directory of one test; their keys protect nothing.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
_LEAF = ("-addext", "basicConstraints=critical,CA:FALSE")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM.

    authority: the certificate that vouches for the two others.
    server:    key and certificate in one, valid for the address 127.0.0.1 and for no name.
    client, client_key: who presents them is called as was asked for.
    """

    authority: Path
    server: Path
    client: Path
    client_key: Path


def make_certificates(directory: Path, client_name: str) -> Certificates | None:
    """Make all of them; None where there is no openssl (3.0 or later)."""
    if shutil.which("openssl") is None:
        return None
    authority, authority_key = directory / "authority.pem", directory / "authority-key.pem"
    _request("/CN=test authority", authority_key, authority)
    signed = ("-CA", str(authority), "-CAkey", str(authority_key), *_LEAF)
    server, server_key = directory / "server.pem", directory / "server-key.pem"
    address = ("-addext", "subjectAltName=IP:127.0.0.1")
    _request("/CN=test server", server_key, server, *signed, *address)
    server.write_text(server_key.read_text() + server.read_text())
    client, client_key = directory / "client.pem", directory / "client-key.pem"
    _request(f"/CN={client_name}", client_key, client, *signed)
    return Certificates(authority, server, client, client_key)


def _request(subject: str, key: Path, certificate: Path, *how: str) -> None:
    made = ["openssl", "req", "-x509", "-subj", subject, *_KEY, *how]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *files], check=True, capture_output=True)
