"""Starts streamguard; the only place that ends the process."""

import gc
import os
import sys
from contextlib import suppress
from typing import NoReturn

# parallelism comes from streams; numpy reads it when it is first imported
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# pydantic looks for plugins in all that is installed, unless told that there are none
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
gc.disable()  # imports make little garbage, and looking for it takes a sixth of their time

from streamguard.cli import main  # noqa: E402  # after the lines above


def run() -> NoReturn:
    """Run the command line and exit with its code, at once.

    Taking the interpreter apart takes 8 ms, and can hang on a thread that is still within FFmpeg;
    all files were closed by whoever opened them.
    """
    code = main(sys.argv[1:], _keep_what_was_imported)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # what mattered was flushed before, and its failure told
            stream.flush()
    os._exit(code)


def _keep_what_was_imported() -> None:
    gc.freeze()  # it stays: looking for garbage in it is 2 % of screening a file
    gc.enable()


if __name__ == "__main__":
    run()
