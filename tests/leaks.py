"""Looks for secrets in what was said and shown.

Rule: whoever asks a console by `Visitor` has all that it answers kept, and its cookies as secrets.
"""

import base64
from collections import defaultdict
from dataclasses import dataclass, field

import httpx


def forms(secret: str) -> set[str]:
    """Give how a secret may be written."""
    raw = secret.encode()
    written = (secret, repr(secret)[1:-1], raw.hex(), base64.b64encode(raw).decode().rstrip("="))
    return {one.lower() for one in written}


@dataclass
class World:
    """What was said and shown at each place, and what nobody may read there."""

    said: defaultdict[str, str] = field(default_factory=lambda: defaultdict(str))
    secrets: dict[str, str] = field(default_factory=dict)
    kept: str = ""
    """Where streams are, as the enforcer's own file has it."""

    def leaked(self, text: str) -> set[str]:
        """Name the secrets in a text, in whatever form and case."""
        low = text.lower()
        return {name for name, one in self.secrets.items() if any(f in low for f in forms(one))}


class Visitor:
    """The browser of one person, or the platform's software; all that it is answered is kept."""

    def __init__(self, url: str, world: World) -> None:
        self._world = world
        self._client = httpx.Client(base_url=url, timeout=30)

    def __call__(self, path: str, said: object = None, **headers: str) -> httpx.Response:
        """Ask for something, or say something."""
        method = "GET" if said is None else "POST"
        answer = self._client.request(method, path, json=said, headers=headers)
        place = "API" if path.startswith("/api/") else "pages"
        self._world.said[place] += f"{answer.headers.get('location', '')}\n{answer.text}\n"
        for name, value in answer.cookies.items():
            self._world.secrets[f"cookie {name} {len(self._world.secrets)}"] = value
        return answer

    def signs_in(self, name: str, password: str) -> None:
        """Say who it is, rightly or not."""
        answer = self("/api/v1/sign-in", {"name": name, "password": password})
        if answer.is_success:
            self._client.headers["x-csrf-token"] = answer.json()["csrf"]

    def close(self) -> None:
        self._client.close()
