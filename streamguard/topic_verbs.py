"""What the `topics` verbs of the command line do.

Rule: as in `verbs`: validate, build, run.
"""

import argparse
import json

from streamguard.settings import load_settings


def create(arguments: argparse.Namespace) -> int:
    """Make the Kafka topics that are missing; those that are there stay as they are."""
    settings = load_settings(arguments.config)
    from streamguard.kafka_parts import make_topics  # noqa: PLC0415  # needs the extra `kafka`

    was_missing = make_topics(settings.kafka, dry_run=arguments.dry_run)
    made = "missing" if arguments.dry_run else "made"
    states = {topic: made if missing else "there" for topic, missing in was_missing.items()}
    if arguments.json:
        print(json.dumps({"topics": states}))
    else:
        for topic, state in states.items():
            print(f"{topic}  {state}")
    return 0
