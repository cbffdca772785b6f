"""An enforcer that is killed at a point of its work: POINT NTH CONFIG."""

import sys

from streamguard.adapters.failpoint import arm
from streamguard.cli import main

if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.exit(main(["enforce", "--config", sys.argv[3]]))
