"""`streamguard` that is killed at a failpoint: the real command line, in a process of its own.

Run as `python -m tests.chaos.dying_run POINT NTH run --config FILE`.

Rule: a point is armed before the command begins, as a test's child may; nothing else is changed.
"""

import sys

from streamguard import cli
from streamguard.adapters import failpoint

if __name__ == "__main__":
    point, nth, *arguments = sys.argv[1:]
    failpoint.arm(point, int(nth))
    sys.exit(cli.main(arguments))
