"""People at the console, as far as it hears of them: signed in, asking its API, told what is new.

Rule: a client is one browser's worth of requests; what the console refuses is an answer, and that a
console is not there is one too.
"""

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import httpx

from loadtest.console_stage import ADMINISTRATOR, PASSWORD, ConsoleStage

TIMEOUT_S = 30.0


class Refused(Exception):
    """The console has answered that it does not do it."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__(f"{answer.request.url.path}: {answer.status_code} {answer.text[:200]}")
        self.status = answer.status_code


class Away(Exception):
    """The console has not answered; whether it did what it was asked nobody knows."""


class Client:
    """Somebody signed in; one thread. Where one console is away, the next one is asked."""

    def __init__(self, urls: Sequence[str], name: str) -> None:
        """urls: of the consoles, all over one file, the one that is asked first in front."""
        self._urls = list(urls)
        self._client = httpx.Client(timeout=TIMEOUT_S)
        self._csrf = ""
        answer = self.post("/api/v1/sign-in", name=name, password=PASSWORD)
        self.account_id = str(answer["account_id"])
        self._csrf = str(answer["csrf"])

    @property
    def headers(self) -> dict[str, str]:
        """Give what a request needs to be this one's."""
        cookies = "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())
        return {"cookie": cookies}

    @property
    def url(self) -> str:
        """Give the address of the console that is asked now."""
        return self._urls[0]

    def post(self, path: str, **said: Any) -> dict[str, Any]:
        """Have something done.

        Raises:
            Refused, Away: it was not, or nobody knows; the next time another console is asked.
        """
        answer: dict[str, Any] = self._asked("POST", path, json=said).json()
        return answer

    def get(self, path: str, **asked: Any) -> httpx.Response:
        """Ask for something.

        Raises:
            Refused, Away: as for `post`.
        """
        return self._asked("GET", path, params=asked)

    def move(self) -> None:
        """Ask the next console from now on."""
        self._urls.append(self._urls.pop(0))

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _asked(self, method: str, path: str, **how: Any) -> httpx.Response:
        headers = {"x-csrf-token": self._csrf}
        try:
            answer = self._client.request(method, self.url + path, headers=headers, **how)
        except httpx.TransportError as error:
            self.move()
            raise Away(type(error).__name__) from None
        if answer.is_error:
            raise Refused(answer)
        return answer


class Listener:
    """Hears what the console sends to an open page."""

    def __init__(self, client: Client, wanted: re.Pattern[str]) -> None:
        """wanted: what is listened for; when each such text was first heard is noted."""
        self._client = client
        self._wanted = wanted
        self.heard_s: dict[str, float] = {}
        """By text, seconds since 1970 UTC."""

    def listen(self, is_over: threading.Event) -> None:
        """Listen until it is over, and the console has said something once more."""
        url = f"{self._client.url}/events"
        with httpx.Client(headers=self._client.headers, timeout=TIMEOUT_S) as http:
            while not is_over.is_set():
                with suppress(httpx.TransportError), http.stream("GET", url) as answer:
                    answer.raise_for_status()
                    for line in answer.iter_lines():
                        self._note(line)
                        if is_over.is_set():
                            return

    def _note(self, line: str) -> None:
        now_s = time.time()
        for text in set(self._wanted.findall(line)):
            self.heard_s.setdefault(text, now_s)


@contextmanager
def listening(clients: Sequence[Client], wanted: re.Pattern[str]) -> Iterator[list[Listener]]:
    """Have all of them listen until the end of the `with`."""
    listeners, is_over = [Listener(client, wanted) for client in clients], threading.Event()
    threads = [threading.Thread(target=one.listen, args=(is_over,)) for one in listeners]
    for thread in threads:
        thread.start()
    try:
        yield listeners
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def signed_in(stage: ConsoleStage, wanted: Sequence[tuple[str, str, str]]) -> list[Client]:
    """Make accounts, by the API, and sign everybody in; they ask consoles in turn.

    wanted: the name, the role and the clearance of each.
    """
    head = Client([stage.consoles[0].url], ADMINISTRATOR)
    people = []
    for number, (name, role, code) in enumerate(wanted):
        said = {"name": name, "role": role, "clearance": [code], "password": PASSWORD}
        head.post("/api/v1/accounts", **said)
        at = number % len(stage.consoles)
        urls = [one.url for one in (*stage.consoles[at:], *stage.consoles[:at])]
        people.append(Client(urls, name))
    head.close()
    return people
