"""Evidence in a store elsewhere, which goes away and comes back: a directory, S3, Google, Azure."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from loadtest.rtmp import free_port
from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.checks.evidence_check import checked_evidence
from streamguard.core.check import State
from streamguard.core.errors import ConfigError, EvidenceUnavailable
from streamguard.core.retention import DAY_S, Retention
from streamguard.sections.evidence_section import EvidenceSection
from streamguard.upkeep.evidence_upload import uploading
from streamguard.vault.checking import Checked, check
from streamguard.vault.object_store import ObjectStore
from streamguard.vault.purge import erase, plan_purge
from streamguard.vault.spool import Waiting, upload, waiting
from streamguard.vault.vault import Vault
from tests.clock import FakeClock
from tests.processes import until
from tests.vault.clouds import Cloud, azure, google_in, s3, s3_at
from tests.vault.made_vaults import CLIP, evidence_id, filled_vault, made_vault, part, subject

CLOUDS = ("s3", "google", "azure")


@pytest.fixture(scope="module")
def s3_cloud() -> Iterator[Cloud]:
    with s3_at(free_port()) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def google_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with google_in(tmp_path_factory.mktemp("google")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def azure_cloud() -> Iterator[Cloud]:
    with azure() as cloud:
        yield cloud


@pytest.fixture(params=CLOUDS)
def cloud(request: pytest.FixtureRequest) -> Cloud:
    found = request.getfixturevalue(f"{request.param}_cloud")
    assert isinstance(found, Cloud)
    return found


@pytest.fixture(
    params=["directory", *(pytest.param(each, marks=pytest.mark.integration) for each in CLOUDS)]
)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Give a store that is empty, or that no other test looks into."""
    if request.param == "directory":
        return ObjectStore((tmp_path / "elsewhere").as_uri(), {})
    found: Cloud = request.getfixturevalue(f"{request.param}_cloud")
    return found.store(f"evidence/{tmp_path.name}")


def filled(directory: Path, store: ObjectStore) -> Vault:
    vault = made_vault(directory, store=store)
    vault.keep(subject(1), (part(), part("still", b"a still")))
    vault.keep(subject(2), (part(content=b"other"),))
    return vault


def problems(vault: Vault) -> list[str]:
    checked = Checked()
    found = [each.where for each in check(vault, checked)]
    return found + checked.leftovers


def test_parts_wait_here_until_the_store_has_them(tmp_path: Path, store: ObjectStore) -> None:
    vault = filled(tmp_path / "evidence", store)
    assert waiting(vault).n_parts == 3
    assert problems(vault) == []

    n_uploaded = upload(vault)

    assert (n_uploaded, waiting(vault)) == (3, Waiting(0, 0))
    assert store.names(evidence_id(1)) == ["0000-clip.sealed", "0001-still.sealed"]
    assert store.evidence_ids() == [evidence_id(1), evidence_id(2)]
    assert vault.read(evidence_id(1), 0, "view", actor="anna", purpose="") == CLIP
    assert problems(vault) == []
    assert upload(vault) == 0


def test_the_event_names_the_place_where_a_part_is_in_the_end(
    tmp_path: Path, store: ObjectStore
) -> None:
    vault = made_vault(tmp_path / "evidence", store=store)

    (clip,) = vault.keep(subject(1), (part(),))

    assert clip.uri == f"{store.url}/{evidence_id(1)}/0000-clip.sealed"


def test_what_is_changed_or_missing_in_the_store_is_found(
    tmp_path: Path, store: ObjectStore
) -> None:
    vault = filled(tmp_path / "evidence", store)
    upload(vault)
    content = bytearray(store.get(evidence_id(1), "0000-clip.sealed"))
    content[100] ^= 1

    store.put(evidence_id(1), "0000-clip.sealed", bytes(content))
    store.delete(evidence_id(2), "0000-clip.sealed")

    assert problems(vault) == [
        f"objects/{evidence_id(1)}/0000-clip.sealed",
        f"objects/{evidence_id(2)}/0000-clip.sealed",
    ]


def test_what_is_erased_is_erased_in_the_store_as_well(tmp_path: Path, store: ObjectStore) -> None:
    clock = FakeClock()
    vault = made_vault(tmp_path / "evidence", clock, store)
    vault.keep(subject(1), (part(),))
    upload(vault)
    vault.keep(subject(1), (part(),))  # one part there, one here
    clock.advance(31 * DAY_S)
    plan = plan_purge(vault, Retention())

    [(_, proof)] = erase(vault, Retention(), plan, plan.id, "anna")

    assert proof.action == "erased"
    assert store.names(evidence_id(1)) == []
    assert problems(vault) == []


def test_a_part_that_was_on_its_way_while_it_was_erased_is_taken_back(
    tmp_path: Path, store: ObjectStore
) -> None:
    """The store gets it, the custody says that it is gone: it has to go from there."""
    clock = FakeClock()
    vault = made_vault(tmp_path / "evidence", clock, store)
    vault.keep(subject(1), (part(),))
    path = vault.folder.object(evidence_id(1), "0000-clip.sealed")
    content = path.read_bytes()
    clock.advance(31 * DAY_S)
    plan = plan_purge(vault, Retention())
    list(erase(vault, Retention(), plan, plan.id, "anna"))
    vault.folder.put(evidence_id(1), "0000-clip.sealed", content)

    upload(vault)

    assert store.names(evidence_id(1)) == []


@pytest.mark.integration
def test_a_store_that_is_away_costs_nothing_but_time(tmp_path: Path) -> None:
    port = free_port()
    cloud = s3(port)
    vault = made_vault(tmp_path / "evidence", store=cloud.store("evidence/here"))
    meter = PrometheusMeter()

    with capture_logs() as lines, uploading(vault, meter):
        vault.keep(subject(1), (part(),))
        until(lambda: bool(lines))
        assert vault.read(evidence_id(1), 0, "view", actor="anna", purpose="") == CLIP
        vault.keep(subject(2), (part(),))
        assert waiting(vault).n_parts == 2
        with s3_at(port):
            until(lambda: waiting(vault).n_parts == 0)
            until(lambda: len(lines) == 2)
            assert problems(vault) == []

    assert [line["event"] for line in lines] == ["evidence_store_away", "evidence_store_back"]
    assert cloud.secret not in str(lines)
    assert str(port) not in str(lines)


def test_parts_are_brought_to_the_store_whatever_went_wrong_before(tmp_path: Path) -> None:
    vault = filled(tmp_path / "evidence", ObjectStore((tmp_path / "elsewhere").as_uri(), {}))
    meter, objects = PrometheusMeter(), tmp_path / "evidence" / "objects"
    aside = objects.rename(tmp_path / "aside")
    objects.symlink_to(objects)  # what the system says of that is no error of ours

    with capture_logs() as lines, uploading(vault, meter):
        until(lambda: bool(lines))
        objects.unlink()
        aside.rename(objects)
        until(lambda: waiting(vault).n_parts == 0)

    assert (lines[0]["event"], lines[0]["log_level"]) == ("evidence_upload_failed", "error")
    assert lines[0]["exc_info"] is True


@pytest.mark.integration
def test_what_the_store_refuses_is_told_in_one_line_without_address_or_key(
    cloud: Cloud,
) -> None:
    wrong = cloud.store("another")

    for ask in (
        lambda: wrong.put(evidence_id(1), "a", b"a"),
        lambda: wrong.get(evidence_id(1), "a"),
        lambda: wrong.names(evidence_id(1)),
    ):
        with pytest.raises(EvidenceUnavailable) as caught:
            ask()
        assert "\n" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "options"), [("s3://a", {"nonsense": "x"}), ("ftp://a/b", {}), ("nonsense", {})]
)
def test_an_address_or_an_option_that_makes_no_sense_is_refused(
    url: str, options: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match="no store"):
        ObjectStore(url, options)


def test_without_a_store_nothing_is_brought_anywhere(tmp_path: Path) -> None:
    vault = filled_vault(tmp_path / "evidence")
    meter = PrometheusMeter()

    with uploading(vault, meter):
        assert upload(vault) == 0

    assert waiting(vault) == Waiting(0, 0)
    assert meter.registry.get_sample_value("streamguard_evidence_waiting_bytes") is None


def test_what_is_erased_while_it_is_listed_is_passed_over(tmp_path: Path) -> None:
    """Uploading, erasing and copying go on at once, each in a thread or process of its own."""
    folder = made_vault(tmp_path / "evidence").folder
    for number in range(40):
        folder.put(evidence_id(number), "0000-clip.sealed", b"x")
    problems: list[Exception] = []
    is_over = threading.Event()

    def look() -> None:
        while not is_over.is_set():
            try:
                folder.spooled()
                folder.growing_files()
                folder.objects(evidence_id(39))
            except OSError as error:
                problems.append(error)

    looking = threading.Thread(target=look)
    looking.start()
    for number in range(40):
        folder.erase(evidence_id(number))
    is_over.set()
    looking.join()

    assert problems == []
    assert folder.here() == []


@pytest.mark.integration
@pytest.mark.parametrize(("bucket", "state"), [("evidence", State.OK), ("another", State.FAIL)])
def test_the_doctor_asks_a_store_by_the_settings_and_leaves_nothing_in_it(
    cloud: Cloud, tmp_path: Path, bucket: str, state: State
) -> None:
    options = tmp_path / "options.toml"
    written = (f"{name} = {json.dumps(value)}\n" for name, value in cloud.options.items())
    options.write_text("".join(written))
    section = EvidenceSection(
        directory=tmp_path / "evidence",
        store=f"{cloud.scheme}://{bucket}/doctored",
        store_options_file=options,
    )

    *_, store = checked_evidence(section, "studio")

    assert (store.name, store.state) == ("store", state)
    assert cloud.secret not in store.what
    assert cloud.store("evidence/doctored").evidence_ids() == []


@pytest.mark.integration
def test_a_part_that_is_sent_in_pieces_comes_back_whole(store: ObjectStore) -> None:
    content = bytes(range(256)) * 50_000  # two pieces of five megabytes and a rest

    store.put(evidence_id(1), "0000-clip.sealed", content)

    assert store.get(evidence_id(1), "0000-clip.sealed") == content


@pytest.mark.integration
def test_without_the_key_of_a_cloud_nothing_is_taken(
    google_cloud: Cloud, azure_cloud: Cloud, tmp_path: Path
) -> None:
    """S3 is left out: moto looks at no signature."""
    with google_in(tmp_path) as other:
        theirs = json.loads(other.options["service_account_key"])
    ours = json.loads(google_cloud.options["service_account_key"])
    forged = {**ours, "private_key": theirs["private_key"]}
    wrong_key = b64encode(bytes(64)).decode()

    for cloud, options in (
        (google_cloud, {"service_account_key": json.dumps(forged)}),
        (azure_cloud, {**azure_cloud.options, "account_key": wrong_key}),
    ):
        store = Cloud(cloud.scheme, options, "").store("evidence/forged")
        with pytest.raises(EvidenceUnavailable, match=r"\((Unauthenticated|PermissionDenied)Error"):
            store.put(evidence_id(1), "a", b"a")
