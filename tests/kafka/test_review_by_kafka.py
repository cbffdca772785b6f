"""A console on a machine of its own: flags come to it by Kafka, and decisions go back signed.

All real: Kafka, `run`, `review`, and a reviewer's HTTP client.
"""

import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from loadtest.kafka_broker import ApacheKafka
from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.core.events import Topic
from streamguard.core.record import row_of
from tests.broker import Got, Reader
from tests.made_keys import decided, made_key
from tests.made_reviews import flag, flag_opened
from tests.processes import DEADLINE_S, Running, command, environment, streamguard, until

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"  # noqa: S105  # of nobody

SCREENING = """
[deployment]
name = "screening"
[log]
file = "{folder}/screening.db"
[http]
port = 0
[kafka]
bootstrap_servers = "{bootstrap}"
partitions = 2
replication_factor = 1
take = ["streamguard.decisions.v1"]
take_group = "screening"
[decisions]
trusted_keys = ["{folder}/console.pem.pub"]
"""
CONSOLE = """
[deployment]
name = "console"
[log]
file = "{folder}/console.db"
[review]
is_alone = true
port = 0
metrics_port = 0
check_share = 0
[kafka]
bootstrap_servers = "{bootstrap}"
partitions = 2
replication_factor = 1
take = [
    "streamguard.flags.v1", "streamguard.coverage.v1",
    "streamguard.decisions.v1", "streamguard.actions.v1",
]
take_group = "console"
[decisions]
key_file = "{folder}/console.pem"
trusted_keys = ["{folder}/console.pem.pub"]
"""


def configured(folder: Path, name: str, text: str, bootstrap: str) -> Path:
    file = folder / f"{name}.toml"
    file.write_text(text.format(folder=folder, bootstrap=bootstrap))
    return file


def decisions_in(file: Path) -> list[dict[str, Any]]:
    with SqliteLog.open_reader(file) as log:
        return [json.loads(record.body)["data"] for record in log.read(1, Topic.DECISIONS)]


def signed_in(port: int) -> httpx.Client:
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=DEADLINE_S)
    said = client.post("/sign-in", json={"name": "anna", "password": PASSWORD})
    client.headers["x-csrf-token"] = said.json()["csrf"]
    return client


def test_a_flag_is_decided_on_elsewhere_and_the_decision_comes_back(
    tmp_path: Path, apache: ApacheKafka, reader: Reader
) -> None:
    made_key(tmp_path, "console")
    screening = configured(tmp_path, "screening", SCREENING, apache.bootstrap)
    console = configured(tmp_path, "console", CONSOLE, apache.bootstrap)
    add = ("account", "add", "anna", "--role", "senior", "--clearance", "*", "--config", console)
    subprocess.run(
        command(*add), input=f"{PASSWORD}\n", text=True, env=environment(), check=True, timeout=60
    )
    with Running("run", "--config", screening) as run, Running("review", "--config", console) as at:
        run.wait_for(run.log, event="run_started")
        port = at.wait_for(at.log, event="review_started")["port"]
        with SqliteLog(tmp_path / "screening.db", "write") as log:
            log.append([flag_opened(flag(1))])
        with closing(signed_in(port)) as client:
            cases: list[Any] = []
            until(lambda: cases.append(_claimed(client)) is None and cases[-1] is not None)
            case = cases[-1]
            choice = {"outcome": "rejected", "reason_code": "NOTHING.FOUND"}
            said = client.post(
                f"/cases/{case['case_id']}/decision", json=choice | {"token": case["token"]}
            )
        until(lambda: bool(decisions_in(tmp_path / "screening.db")))
        codes = [run.stop(), at.stop()]

    [decided] = decisions_in(tmp_path / "screening.db")
    assert said.status_code == 200
    assert decided["case_id"] == case["case_id"]
    assert codes == [0, 0]
    ids = [one.headers["ce_id"] for one in reader.read(Topic.FLAGS, 1)]
    assert len(ids) == len(set(ids))  # no copy was sent back; `run` may have closed the flag
    [published] = reader.read(Topic.DECISIONS, 1)
    assert is_signed_as_the_contract_says(published, tmp_path / "console.pem.pub")
    assert "decisions_refused" not in f"{run.log}{at.log}"  # the console takes its own again


def test_what_waited_in_the_log_is_believed_when_it_comes_late_and_what_nobody_signed_is_not(
    tmp_path: Path, apache: ApacheKafka, reader: Reader
) -> None:
    key = made_key(tmp_path, "console")
    screening = configured(tmp_path, "screening", SCREENING, apache.bootstrap)
    other = SCREENING.replace("screening", "other").replace("take =", "# take =")
    forged, right = decided(decision_id="d-1"), decided(decision_id="d-2", supersedes="d-1")
    with SqliteLog(tmp_path / "other.db", row=key.signer.row) as log:
        log.append([row_of(forged), right])

    publishing = ("run", "--config", configured(tmp_path, "other", other, apache.bootstrap))
    with Running(*publishing) as at, Running("run", "--config", screening) as run:
        run.wait_for(run.log, event="run_started")
        until(lambda: bool(decisions_in(tmp_path / "screening.db")))
        codes = [at.stop(), run.stop()]

    [taken] = decisions_in(tmp_path / "screening.db")
    refused = run.wait_for(run.log, event="decisions_refused")
    assert codes == [0, 0]
    assert taken["decision_id"] == "d-2"
    assert refused["reasons"] == {"unsigned": 1}
    assert [one.headers["sg-replayed"] for one in reader.read(Topic.DECISIONS, 2)] == ["1", "1"]


def is_signed_as_the_contract_says(got: Got, public: Path) -> bool:
    """Check a signature as somebody else would, who has read the contract alone."""
    key = load_pem_public_key(public.read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    attributes = {name[3:]: text for name, text in got.headers.items() if name.startswith("ce_")}
    attributes["datacontenttype"] = got.headers["content-type"]
    signature = bytes.fromhex(attributes.pop("signature"))
    line = json.dumps(attributes, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    signed = f"streamguard signed event 1\n{line}\n".encode() + got.value
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _claimed(client: httpx.Client) -> Any:
    return client.post("/claim", json={}).json()["case"]


@pytest.mark.parametrize(
    "lines",
    ["", '[kafka]\nbootstrap_servers = "127.0.0.1:1"\ntake = ["streamguard.flags.v1"]\n'],
    ids=["no Kafka", "nothing of actions"],
)
def test_a_console_alone_needs_kafka_and_all_that_it_tells(tmp_path: Path, lines: str) -> None:
    key, file = made_key(tmp_path, "console"), tmp_path / "console.toml"
    file.write_text(
        f'[log]\nfile = "{tmp_path}/log.db"\n[review]\nis_alone = true\nport = 0\n'
        f'{lines}[decisions]\nkey_file = "{key.private}"\n'
    )

    with Running("review", "--config", file) as console:
        code = console.join()

    assert code == 2
    assert "is_alone needs [kafka]" in str(console.log)
    assert "streamguard.actions.v1" in str(console.log)


def test_a_console_alone_needs_a_key_to_sign_by(tmp_path: Path) -> None:
    file = tmp_path / "console.toml"
    file.write_text(f'[log]\nfile = "{tmp_path}/log.db"\n[review]\nis_alone = true\nport = 0\n')

    done = streamguard("review", "--config", file)

    assert (done.code, "[decisions] key_file is missing" in done.problem) == (2, True)
