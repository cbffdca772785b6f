"""Runs one load test: `python -m loadtest NAME [options]`; README.md has what each measured.

Rule: progress goes to stderr, and the last line of stdout is one JSON object (bank_bench: with
--json). Exit codes: 0 done and all bars kept, 1 a bar missed, 2 usage, 3 something is not here.
"""

import importlib
import sys
from collections.abc import Sequence

from loadtest.footage import FootageUnavailable
from loadtest.programs import ProgramUnavailable

NAMES = {
    "recall": "re-encoded, padded copies of known clips are found, others are not",
    "cpu": "CPU of screening a 10-minute file, beside ffmpeg decoding its keyframes",
    "origin": "serves live streams of real footage from memory, for the ones below",
    "capacity": "how many live streams of a kind this machine screens, by bisection",
    "scaling": "two workers beside one, on files in the page cache",
    "soak": "an hour of streams that come and go: memory, threads, descriptors",
    "crashes": "a worker, nginx, the supervisor killed: how soon all is back, what gaps say",
    "harm": "what publishers and their server feel of streamguard: on, off, or stopped",
    "hostile": "thousands of damaged sources: an error or frames, no hang, no leak, no crash",
    "peers": "CPU and recall beside other ways: camera recorders, pdqhash, vPDQ",
    "discovery": "from a publish, which nobody announces, to the first flag of what is shown",
    "rtmp_latency": "live over RTMP: from reading a packet to its flag being in the log",
    "clip_start": "from a flag to its clip playing in Chromium, while the segment is open",
    "kafka_latency": "live over RTMP: from reading a packet to its flag being in Apache Kafka",
    "kafka_outage": "Apache Kafka killed under many flags: all arrive, in the order of streams",
    "outbox": "commit, acknowledgement, and the replay of 100,000 flags, with Apache Kafka",
    "console": "the reviewers' console: what is seen when, who decides what, what is banked",
    "enforce": "from a decision to a stream that is seen to be gone; who comes back stays out",
    "vault": "what evidence costs: CPU, memory, disk; each flipped bit of a small one is found",
    "classifier": "the model from a frame to its score, beside onnxruntime alone",
    "pdq_vs_meta": "hashes of every frame, beside the ones that Meta published",
    "bank_edit": "from an edit of a bank of N entries to its effect in another process",
    "look_back": "a new entry held against the last ten minutes of many live streams",
    "bank_bench": "query time, size and start of a bank of N entries, beside faiss",
}


def main(arguments: Sequence[str]) -> int:
    """Run the load test that is named first."""
    if not arguments or arguments[0] not in NAMES:
        print("usage: python -m loadtest NAME [options]; NAME --help tells them", file=sys.stderr)
        for name, text in NAMES.items():
            print(f"  {name:14} {text}", file=sys.stderr)
        return 2
    name, *rest = arguments
    try:
        code: int = importlib.import_module(f"loadtest.{name}").main(rest)
    except (FootageUnavailable, ProgramUnavailable) as missing:
        print(f"loadtest {name}: {missing}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
