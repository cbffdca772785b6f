"""Shows to Prometheus how the discovery of streams does.

Rule: the label is a server's configured name, so the set is closed; a path or a stream is none.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from prometheus_client import CollectorRegistry, Gauge


@dataclass(frozen=True, slots=True)
class ServerFigures:
    """What is shown of one server; each is asked for at each scrape.

    is_up:       it tells what is being published.
    n_screened:  broadcasts to be screened.
    n_left_out:  publishes that are not screened, by configuration or because they are copies.
    """

    name: str
    is_up: Callable[[], bool]
    n_screened: Callable[[], int]
    n_left_out: Callable[[], int]


def show_discovery(registry: CollectorRegistry, servers: Sequence[ServerFigures]) -> None:
    """Export a gauge of each figure."""
    up = _gauge(registry, "up", "1 while the ingest server tells what is being published.")
    screened = _gauge(registry, "streams", "Broadcasts that were found and are to be screened.")
    left_out = _gauge(registry, "left_out", "Publishes that were found and are not screened.")
    for server in servers:
        up.labels(server.name).set_function(partial(_number, server.is_up))
        screened.labels(server.name).set_function(partial(_number, server.n_screened))
        left_out.labels(server.name).set_function(partial(_number, server.n_left_out))


def _gauge(registry: CollectorRegistry, name: str, text: str) -> Gauge:
    return Gauge(f"streamguard_discovery_{name}", text, ["server"], registry=registry)


def _number(value: Callable[[], int]) -> float:
    return float(value())
