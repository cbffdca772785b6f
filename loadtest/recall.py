"""Finds disguised copies of known contents, beside vPDQ's method, and nothing in unrelated footage.

Contents x transforms x lists (every frame, one a second, imported) x sampling: how many pairs are
found, after how long, and what is flagged that should not be. See README.md for the bars.

Rule: what is measured is the product's own way of a frame; each copy begins at a random place of
its content, and its encoding is kept, so that a second run costs matching only.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from loadtest.contents import Content, folder_contents, made_contents, real_contents
from loadtest.copies import Copy, make_copy, planned_copy
from loadtest.made_contents import CONTENTS
from loadtest.recall_banks import HashList, entry_of, make_bank
from loadtest.recall_rows import Row, summary
from loadtest.recall_runs import Mode, Task, run_task
from loadtest.recall_table import misses, tables
from loadtest.transforms import TRANSFORMS, Transform
from streamguard.core.sampling import Sampling

SHORT_CONTENTS = ("bikes", "bigbuckbunny", "carphone_pristine")
SHORT_TRANSFORMS = ("crf28-360p", "speed-1.25", "letterbox", "mirror", "within-5s")
"""What --short takes."""

REPORT_EVERY_S = 15.0

T = TypeVar("T")
R = TypeVar("R")


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a bar is missed."""
    options = _parser().parse_args(arguments)
    contents = _contents(options)
    transforms = [t for t in TRANSFORMS if _is_chosen(t, options)]
    if not contents or not transforms:
        print("recall: no content or no transform has that name", file=sys.stderr)
        return 2
    copies = [planned_copy(content, t, options.seed) for content in contents for t in transforms]
    with _workers(options.jobs) as pool:
        missing = [copy for copy in copies if not copy.path.exists()]
        for _ in _followed("encoded", pool.map(make_copy, missing), len(missing)):
            pass
        if options.encode_only:
            return 0
        rows = _measured(pool, options, contents, copies)
    for line in [*tables(rows), "", *(misses(rows) if options.misses else ())]:
        print(line, file=sys.stderr)
    return _report(rows, options)


def _measured(
    pool: ProcessPoolExecutor,
    options: argparse.Namespace,
    all_of: Sequence[Content],
    copies: Sequence[Copy],
) -> list[Row]:
    lists = [HashList(name) for name in options.list or [HashList.FRAMES]]
    samplings = [Sampling(name) for name in options.mode or ["keyframes", "auto"]]
    modes = [Mode(hash_list, sampling) for hash_list in lists for sampling in samplings]
    for hash_list in lists:
        entries = pool.map(_hash, [(content, hash_list) for content in all_of])
        for _ in _followed(f"hashed, {hash_list},", entries, len(all_of)):
            pass
    with tempfile.TemporaryDirectory() as folder:
        banks = {hash_list: make_bank(all_of, hash_list, Path(folder)) for hash_list in lists}
        tasks = [Task(c, banks, modes, options.misses, options.vpdq) for c in copies]
        screened = _followed("screened", pool.map(run_task, tasks), len(tasks))
        return [row for rows in screened for row in rows]


def _hash(asked: tuple[Content, HashList]) -> None:
    entry_of(*asked)


def _contents(options: argparse.Namespace) -> list[Content]:
    """Give the chosen contents; all that are not chosen are neither made nor banked."""
    wanted = set(options.content or (SHORT_CONTENTS if options.short else ()))
    made = made_contents([name for name in CONTENTS if not wanted or name in wanted])
    found = real_contents(wanted) + made
    for folder in options.clips:
        found += folder_contents(folder)
    return [content for content in found if not wanted or content.name in wanted]


def _is_chosen(transform: Transform, options: argparse.Namespace) -> bool:
    """Say whether a transform was asked for, by its name, its group or the start of its name."""
    wanted = options.transform or (SHORT_TRANSFORMS if options.short else ())
    named = (transform.group, transform.name)
    return not wanted or any(w in named or transform.name.startswith(f"{w}-") for w in wanted)


def _workers(n_jobs: int) -> ProcessPoolExecutor:
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    return ProcessPoolExecutor(n_jobs, mp_context=get_context("spawn"))


def _followed(what: str, results: Iterable[T], n_all: int) -> Iterator[T]:
    """Pass results on, and tell now and then how far they are and how long it will take."""
    began_s = told_s = time.monotonic()
    for n_done, result in enumerate(results, 1):
        yield result
        now_s = time.monotonic()
        if now_s - told_s > REPORT_EVERY_S or n_done == n_all:
            told_s = now_s
            left_s = (now_s - began_s) / n_done * (n_all - n_done)
            print(f"{what} {n_done} of {n_all}, {left_s / 60:.1f} min left", file=sys.stderr)


def _report(rows: Sequence[Row], options: argparse.Namespace) -> int:
    summed: dict[str, Any] = summary(rows, None)
    for bar in summed["bars"]:
        print(bar, file=sys.stderr)
    summed["load"] = [round(load, 2) for load in os.getloadavg()]
    if options.out:
        options.out.write_text(json.dumps(summed | {"rows": [asdict(row) for row in rows]}))
    print(json.dumps(summed))
    return 1 if summed["pass"] is False else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest recall", description=__doc__)
    add: Callable[..., Any] = parser.add_argument
    add("--content", action="append", help="only this one; may be repeated")
    add("--clips", type=Path, action="append", default=[], help="a folder of more clips")
    add("--transform", action="append", help="a transform, a group, or how names begin")
    add("--list", choices=list(HashList), action="append", help="default: frames")
    add("--mode", choices=list(Sampling), action="append", help="default: keyframes and auto")
    add("--short", action="store_true", help="three contents, six transforms")
    add("--misses", action="store_true", help="list what was missed, and how near it came")
    add("--vpdq", action="store_true", help="vPDQ's method beside it")
    add("--encode-only", action="store_true", help="make the copies and stop")
    add("--jobs", type=int, default=2, help="worker processes")
    add("--seed", type=int, default=1, help="of where copies begin and how long they are")
    add("--out", type=Path, help="file for all rows, as JSON")
    add("--json", action="store_true", help="the default: one object, last line")
    return parser
