"""Worker processes, and words on how far they are.

Rule: workers are spawned, each with one thread for numerics: what they do is many small things.
"""

import os
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

REPORT_EVERY_S = 15.0

T = TypeVar("T")


def workers(n_jobs: int) -> ProcessPoolExecutor:
    """Start worker processes; use it in a `with`."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    return ProcessPoolExecutor(n_jobs, mp_context=get_context("spawn"))


def followed(what: str, results: Iterable[T], n_all: int) -> Iterator[T]:
    """Pass results on, and tell now and then how far they are and how long it will take."""
    began_s = told_s = time.monotonic()
    for n_done, result in enumerate(results, 1):
        yield result
        now_s = time.monotonic()
        if now_s - told_s > REPORT_EVERY_S or n_done == n_all:
            told_s = now_s
            left_s = (now_s - began_s) / n_done * (n_all - n_done)
            print(f"{what} {n_done} of {n_all}, {left_s / 60:.1f} min left", file=sys.stderr)
