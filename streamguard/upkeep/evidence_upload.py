"""Brings evidence to the store elsewhere while `run` lasts.

Rule: in a thread of its own, which a store that hangs keeps from nothing but this; a stop does not
wait for it, for what waits is on disk and goes with the next start. Whatever goes wrong, it
goes on.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from streamguard.core.backoff import delay_s
from streamguard.core.errors import StreamguardError
from streamguard.core.ports import Exporter
from streamguard.vault.spool import upload, waiting
from streamguard.vault.vault import Vault

LOOK_EVERY_S = 1.0
"""How often it is looked whether anything waits, seconds."""

log = structlog.get_logger()


@contextmanager
def uploading(vault: Vault | None, meter: Exporter) -> Iterator[None]:
    """Bring what waits to the store as long as this lasts; nothing where there is no store."""
    if vault is None or vault.folder.store is None:
        yield
        return
    meter.watch(
        "evidence_waiting_bytes",
        "Encrypted evidence that is on the local disk and not in its store yet.",
        lambda: waiting(vault).n_bytes,
    )
    stop = threading.Event()
    threading.Thread(target=_run, args=(vault, stop), name="upload", daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _run(vault: Vault, stop: threading.Event) -> None:
    n_failures = 0
    while not stop.wait(max(LOOK_EVERY_S, delay_s(n_failures, 0.5))):
        try:
            upload(vault)
        except StreamguardError as error:
            n_failures += 1
            if n_failures == 1:
                log.warning("evidence_store_away", problem=str(error))
        except Exception:  # a thread that ends is never seen again: the disk would fill up
            n_failures += 1
            log.exception("evidence_upload_failed")
        else:
            if n_failures:
                log.info("evidence_store_back")
            n_failures = 0
