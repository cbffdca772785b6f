"""Has evidence time-stamped while `run` lasts, where an authority is configured.

Rule: as in `evidence_upload`: a thread of its own, which keeps nothing else waiting, and goes on
whatever goes wrong; what has no stamp gets one after the next start.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from streamguard.core.backoff import delay_s
from streamguard.core.errors import StreamguardError
from streamguard.core.ports import Exporter
from streamguard.vault.stamping import Stamper
from streamguard.vault.vault import Vault

LOOK_EVERY_S = 2.0
"""How often it is looked whether anything has no stamp, seconds."""

log = structlog.get_logger()


@contextmanager
def stamping(vault: Vault | None, meter: Exporter) -> Iterator[None]:
    """Have stamped what has no stamp as long as this lasts; nothing where nobody is to be asked."""
    if vault is None or vault.authority is None:
        yield
        return
    stamper = Stamper(vault)
    meter.watch(
        "evidence_unstamped",
        "Evidence that has no time stamp yet, though an authority is configured.",
        lambda: stamper.n_waiting,
    )
    stop = threading.Event()
    threading.Thread(target=_run, args=(stamper, stop), name="stamp", daemon=True).start()
    try:
        yield
    finally:
        stop.set()


def _run(stamper: Stamper, stop: threading.Event) -> None:
    n_failures = 0
    while not stop.wait(max(LOOK_EVERY_S, delay_s(n_failures, 0.5))):
        try:
            stamper.step()
        except StreamguardError as error:
            n_failures += 1
            if n_failures == 1:
                log.warning("timestamp_authority_away", problem=str(error))
        except Exception:  # a thread that ends is never seen again
            n_failures += 1
            log.exception("evidence_stamp_failed")
        else:
            if n_failures:
                log.info("timestamp_authority_back")
            n_failures = 0
