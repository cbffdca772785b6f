"""What is held against what after harm was done.

Rule: flags are held against those that were planted, evidence against the bytes, the manifests and
the custody, and what events say of it against the manifests.
"""

import json

from streamguard.core.events import EventType
from tests.chaos.site import CHANNEL, Screened, Site
from tests.processes import Row, streamguard


def flags_in(site: Site) -> set[str]:
    """Give the ids of the flags of the log, but for those of the channel."""
    opened = site.events({EventType.FLAG_OPENED})
    return {event["id"] for event in opened if event["partitionkey"] != CHANNEL}


def evidence_told(site: Site) -> list[Row]:
    """Give what events say of evidence that is there for people."""
    told = site.events({EventType.FLAG_UPDATED, EventType.FLAG_CLOSED}, CHANNEL)
    evidence = [event["data"]["evidence"] for event in told]
    return [each for each in evidence if each["state"] == "ready"]


def problems_of_evidence(site: Site, screened: Screened) -> list[str]:
    """Give what is wrong with what is kept, by `streamguard evidence verify`, and what is missing.

    Missing is what an event names and no manifest does.
    """
    checked = streamguard("evidence", "verify", "--json", "--config", site.config)
    assert checked.code in {0, 2}, checked.err
    wrong = [f"{each['where']}: {each['what']}" for each in checked.rows[0]["problems"]]
    manifests = map(json.loads, screened.texts("manifests/*.json"))
    kept = {item["sha256"] for manifest in manifests for item in manifest["items"]}
    told = {
        part["sha256"]
        for each in evidence_told(site)
        for part in (each.get("clip"), each.get("still"))
        if part
    }
    return [*wrong, *(f"{missing} is missing" for missing in told - kept)]
