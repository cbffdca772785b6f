"""Starts streamguard; the only place that ends the process."""

import gc
import os
import sys

# parallelism comes from streams; numpy reads it when it is first imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# pydantic looks for plugins in all that is installed, unless told that there are none
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
gc.disable()  # imports make little garbage, and looking for it takes a sixth of their time

from streamguard.cli import main  # noqa: E402  # after the lines above


def run() -> None:
    """Run the command line and exit with its code."""
    sys.exit(main(sys.argv[1:], _keep_what_was_imported))


def _keep_what_was_imported() -> None:
    gc.freeze()  # it stays: looking for garbage in it is 2 % of screening a file
    gc.enable()


if __name__ == "__main__":
    run()
