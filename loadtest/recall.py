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
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from loadtest.contents import Content, folder_contents, made_contents, real_contents
from loadtest.copies import Copy, make_copy, planned_copy
from loadtest.made_contents import CONTENTS
from loadtest.recall_banks import HashList, entry_of, make_bank
from loadtest.recall_chart import draw_chart
from loadtest.recall_rows import OTHERS, Row, summary
from loadtest.recall_runs import Banked, Mode, Task, run_task
from loadtest.recall_table import misses, tables
from loadtest.transforms import TRANSFORMS, Transform
from loadtest.unrelated import Scene, recipes, screened_scene, unrelated_table
from loadtest.workers import followed, workers
from streamguard.core.sampling import Sampling

SHORT_CONTENTS = ("bikes", "bigbuckbunny", "carphone_pristine")
SHORT_TRANSFORMS = ("crf28-360p", "speed-1.25", "letterbox", "mirror", "within-5s")
"""What --short takes."""

CHARTED = ("frames/auto", "frames/keyframes", "seconds/dense", "imported/dense", "vpdq/whole")


def main(arguments: Sequence[str]) -> int:
    """Measure; exit 1 where a bar is missed."""
    options = _parser().parse_args(arguments)
    contents = _contents(options)
    transforms = [t for t in TRANSFORMS if _is_chosen(t, options)]
    if not contents or not transforms:
        print("recall: no content or no transform has that name", file=sys.stderr)
        return 2
    copies = [planned_copy(content, t, options.seed) for content in contents for t in transforms]
    with workers(options.jobs) as pool:
        missing = [copy for copy in copies if not copy.path.exists()]
        for _ in followed("encoded", pool.map(make_copy, missing), len(missing)):
            pass
        if options.encode_only:
            return 0
        rows, scenes = _measured(pool, options, contents, copies)
    pairs = [row for row in rows if row.list != OTHERS]
    for line in (*tables(pairs), "", *(misses(rows) if options.misses else ())):
        print(line, file=sys.stderr)
    for line in unrelated_table(scenes) if scenes else ():
        print(line, file=sys.stderr)
    if options.chart:
        draw_chart(pairs, CHARTED, options.chart)
    return _report(rows, scenes, options)


def _measured(
    pool: ProcessPoolExecutor,
    options: argparse.Namespace,
    contents: Sequence[Content],
    copies: Sequence[Copy],
) -> tuple[list[Row], list[Scene]]:
    """Hash the contents, then screen the copies and the unrelated scenes."""
    modes = _modes(options)
    lists = list(dict.fromkeys(mode.hash_list for mode in modes))
    for hash_list in lists:
        hashed = pool.map(partial(entry_of, hash_list=hash_list), contents)
        for _ in followed(f"hashed, {hash_list},", hashed, len(contents)):
            pass
    with tempfile.TemporaryDirectory() as folder:
        banks = {hash_list: make_bank(contents, hash_list, Path(folder)) for hash_list in lists}
        alone = {}
        if options.others or options.full:
            alone = {c.name: make_bank([c], HashList.FRAMES, Path(folder)) for c in contents}
        banked = Banked(contents, banks, alone)
        with_vpdq = options.vpdq or options.full
        tasks = [Task(c, banked, modes, options.misses, with_vpdq) for c in copies]
        screened = followed("screened", pool.map(run_task, tasks), len(tasks))
        rows = [row for rows in screened for row in rows]
        scenes = recipes() if options.unrelated or options.full else []
        against = partial(screened_scene, [banks[lists[0]]])
        seen = list(followed("unrelated", pool.map(against, scenes), len(scenes)))
    return rows, seen


def _modes(options: argparse.Namespace) -> list[Mode]:
    if options.full:
        return [Mode(hash_list, sampling) for hash_list in HashList for sampling in Sampling]
    lists = [HashList(name) for name in options.list or [HashList.FRAMES]]
    samplings = [Sampling(name) for name in options.mode or ["keyframes", "auto"]]
    return [Mode(hash_list, sampling) for hash_list in lists for sampling in samplings]


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


def _report(rows: Sequence[Row], scenes: Sequence[Scene], options: argparse.Namespace) -> int:
    n_flags = sum(len(scene.flags) for scene in scenes) if scenes else None
    summed: dict[str, Any] = summary(rows, n_flags)
    for bar in summed["bars"]:
        print(bar, file=sys.stderr)
    summed["load"] = [round(load, 2) for load in os.getloadavg()]
    if options.out:
        every = {"rows": [asdict(row) for row in rows], "scenes": [asdict(s) for s in scenes]}
        options.out.write_text(json.dumps(summed | every))
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
    add("--full", action="store_true", help="all lists and samplings, and all that follows")
    add("--vpdq", action="store_true", help="vPDQ's method beside it")
    add("--others", action="store_true", help="hold each copy against all other contents, too")
    add("--unrelated", action="store_true", help="screen an hour of unrelated footage, too")
    add("--misses", action="store_true", help="list what was missed, and how near it came")
    add("--encode-only", action="store_true", help="make the copies and stop")
    add("--jobs", type=int, default=2, help="worker processes")
    add("--seed", type=int, default=1, help="of where copies begin and how long they are")
    add("--out", type=Path, help="file for all rows, as JSON")
    add("--chart", type=Path, help="file for a chart, PNG")
    add("--json", action="store_true", help="the default: one object, last line")
    return parser
