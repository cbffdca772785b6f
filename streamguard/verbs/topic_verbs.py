"""What the `topics` verbs of the command line do.

Rule: as in `verbs`: validate, build, run.
"""

import argparse
import json
from dataclasses import asdict

from streamguard.sections.kafka_section import KafkaSection
from streamguard.settings import load_settings

DIFFERENT = 2
"""Exit code where a topic is not as configured: somebody has to change the one or the other."""


def create(arguments: argparse.Namespace) -> int:
    """Make the Kafka topics that are missing; those that are there stay as they are."""
    settings = load_settings(arguments.config)
    if arguments.check:
        return _check(settings.kafka, as_json=arguments.json)
    from streamguard.parts.kafka_parts import make_topics  # noqa: PLC0415  # needs the extra `kafka`

    was_missing = make_topics(settings.kafka, dry_run=arguments.dry_run)
    made = "missing" if arguments.dry_run else "made"
    states = {topic: made if missing else "there" for topic, missing in was_missing.items()}
    if arguments.json:
        print(json.dumps({"topics": states}))
    else:
        for topic, state in states.items():
            print(f"{topic}  {state}")
    return 0


def _check(section: KafkaSection, *, as_json: bool) -> int:
    """Name every difference between the topics that are there and those that would be made."""
    from streamguard.parts.kafka_parts import topic_differences  # noqa: PLC0415  # needs the extra `kafka`

    differences = topic_differences(section)
    if as_json:
        found = {topic: [asdict(one) for one in ones] for topic, ones in differences.items()}
        print(json.dumps({"differences": found}))
    else:
        for topic, ones in differences.items():
            for one in ones:
                print(f"{topic}  {one.what}: {one.found}, should be {one.wanted}")
            if not ones:
                print(f"{topic}  as configured")
    return DIFFERENT if any(differences.values()) else 0
