"""How `run` uses the machine: the section [worker] of the configuration.

Rule: as in `settings`.
"""

from typing import Annotated

from pydantic import Field

from streamguard.sections.section import Section

Seconds = Annotated[float, Field(gt=0, le=600)]


class WorkerSection(Section):
    """How this machine is used."""

    count: Annotated[int, Field(ge=0, le=256)] = 0
    """Worker processes that screen; 0 takes one for each core. One more stands by."""
    decode_threads: Annotated[int, Field(ge=0, le=256)] = 0
    """Threads of each worker that decode and hash; 0 shares the cores among the workers."""
    stays_on_cores: bool = True
    """Each worker stays on its share of the cores: threads that take turns cost a fifth less than
    threads that get into each other's way. Without effect under a quota of the container."""
    dense_share: Annotated[float, Field(ge=0, le=0.75)] = 0.5
    """How busy decoding may become, as a share of its threads' time, with what spare time buys: all
    frames of the streams at risk instead of their keyframes; 0 buys nothing."""
    max_rss_mb: Annotated[int, Field(ge=128, le=1_048_576)] = 2048
    """Resident memory of a worker, MiB; one that takes more hands its streams on and ends."""
    stop_timeout_s: Seconds = 15.0
    """Seconds that a stop may take to close segments, finish evidence and flush the log."""
