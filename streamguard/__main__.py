"""Starts streamguard; the only place that ends the process."""

import gc
import os
import sys

# parallelism comes from streams; numpy reads it when it is first imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from streamguard.cli import main  # after the line above


def run() -> None:
    """Run the command line and exit with its code."""
    gc.freeze()  # what was imported stays: looking for garbage in it is 2 % of screening a file
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
