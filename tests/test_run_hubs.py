"""`streamguard run` sets aside an entry that all of its streams match, and says so."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from streamguard.adapters.bank_live import open_bank
from tests.processes import Running, on_time, transport_stream
from tests.servers import serving

pytestmark = pytest.mark.integration

SETTINGS = """
[http]
port = 0
[log]
file = "log.db"
[bank]
paths = ["{bank}"]
[hygiene]
hub_max_share = 0.5
hub_min_streams = 2
hub_hold_s = 3600.0
"""


def told(folder: Path, event_type: str) -> dict[str, Any]:
    """Follow the log until it holds such an event; give its data."""
    with Running("events", "--log", folder / "log.db", "--follow") as follower:
        row = follower.wait_for(follower.out, type=f"org.streamguard.{event_type}.v1")
        data: dict[str, Any] = json.loads(json.dumps(row["data"]))
        return data


def test_an_entry_that_every_stream_matches_is_set_aside(
    tmp_path: Path, known_bank: Path, real_clips: dict[str, Path]
) -> None:
    bank = tmp_path / "known"
    shutil.copytree(known_bank, bank)
    show = on_time(transport_stream(real_clips["bikes"], n_rounds=9), burst_s=6)
    with serving(show) as first, serving(show) as second:
        config = tmp_path / "config.toml"
        streams = {"first": first.url(), "second": second.url()}
        config.write_text(
            SETTINGS.format(bank=bank)
            + "".join(
                f'[[streams]]\nid = "{name}"\nurl = "{url}"\n' for name, url in streams.items()
            )
        )
        with Running("run", "--config", config, cwd=tmp_path) as run:
            run.wait_for(run.log, event="run_started")
            data = told(tmp_path, "bank.quarantined")
            metrics = run.get("/metrics")[1]
            run.wait_for(run.log, event="hub_set_aside")

    entry = data["entry"]["entry"]
    assert (data["entry"]["bank"], data["n_matched"], data["n_streams"]) == ("known", 2, 2)
    assert "\nstreamguard_hubs_set_aside 1.0\n" in metrics
    assert [name for name, _ in open_bank(bank).quarantined()] == [entry]
