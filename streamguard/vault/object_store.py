"""Stores sealed parts elsewhere: S3, Google Cloud Storage, Azure or another directory, by obstore.

Rule: what goes there is encrypted. Its errors name no address and no key: of a message of the
library only its kind is told.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from itertools import chain
from typing import Any, TypeVar

import obstore
from obstore.exceptions import BaseError
from obstore.store import from_url

from streamguard.core.errors import ConfigError, EvidenceUnavailable

TIMEOUT = timedelta(seconds=30)
"""Of one request: a part of 128 MB takes 10 s at 100 Mbit/s."""

RETRY_FOR = timedelta(seconds=10)
"""The library tries again for so long; after that the spool waits, which loses nothing."""

T = TypeVar("T")


class ObjectStore:
    """One place in a store; its methods block, and may be called in any thread."""

    def __init__(self, url: str, options: Mapping[str, str]) -> None:
        """Name it; nothing is asked of it yet.

        url: s3://BUCKET/PREFIX, gs://…, az://… or file:///DIRECTORY.
        options: the library's own, such as access_key_id; what is not given comes from the
            environment that the cloud sets.

        Raises:
            ConfigError: there is no such kind of store, or no such option.
        """
        self.url = url.rstrip("/")
        given: dict[str, Any] = {"mkdir": True}
        if not url.startswith("file:"):
            given = {
                "config": dict(options),
                "client_options": {"timeout": TIMEOUT, "allow_http": True},
                "retry_config": {"max_retries": 3, "retry_timeout": RETRY_FOR},
            }
        try:
            self._store = from_url(url, **given)
        except (BaseError, OSError, ValueError, TypeError) as error:
            raise ConfigError(
                f"[evidence] store: no store of this address and options ({type(error).__name__})"
            ) from None

    def put(self, evidence_id: str, name: str, content: bytes) -> None:
        """Store an object; it is there as a whole when this returns."""
        path = f"{evidence_id}/{name}"
        _asked(lambda: obstore.put(self._store, path, content))
        if _asked(lambda: obstore.head(self._store, path))["size"] != len(content):
            raise EvidenceUnavailable("the store of evidence kept something else")

    def get(self, evidence_id: str, name: str) -> bytes:
        """Read an object."""
        return _asked(lambda: bytes(obstore.get(self._store, f"{evidence_id}/{name}").bytes()))

    def delete(self, evidence_id: str, name: str) -> None:
        """Remove an object, if it is there."""
        with suppress(MissingObject):
            _asked(lambda: obstore.delete(self._store, f"{evidence_id}/{name}"))

    def names(self, evidence_id: str) -> list[str]:
        """List what is stored of an evidence."""
        listed = _asked(lambda: list(chain.from_iterable(obstore.list(self._store, evidence_id))))
        return sorted(each["path"].rpartition("/")[2] for each in listed)

    def evidence_ids(self) -> list[str]:
        """List of whom something is stored."""
        listed = _asked(lambda: obstore.list_with_delimiter(self._store))
        return sorted(prefix.strip("/") for prefix in listed["common_prefixes"])


class MissingObject(EvidenceUnavailable):
    """The store answers, and has no such object."""


def _asked(ask: Callable[[], T]) -> T:
    """Ask the store.

    Raises:
        MissingObject: it has none of this name.
        EvidenceUnavailable: it does not answer, or refuses.
    """
    try:
        return ask()
    except FileNotFoundError:
        raise MissingObject("is missing") from None
    except (BaseError, OSError) as error:
        raise EvidenceUnavailable(
            f"the store of evidence does not do what was asked ({type(error).__name__})"
        ) from None
