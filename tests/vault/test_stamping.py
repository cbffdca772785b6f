"""Evidence that another dates: tokens of a real authority, made by openssl."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import msgspec
import pytest
from structlog.testing import capture_logs

from streamguard.adapters.prometheus_meter import PrometheusMeter
from streamguard.adapters.timestamp_authority import TimestampAuthority
from streamguard.checks.evidence_check import checked_evidence
from streamguard.cli import main
from streamguard.core.check import State
from streamguard.core.errors import ConfigError, EvidenceUnavailable
from streamguard.core.manifest import Manifest, read_struct
from streamguard.parts.evidence_parts import open_vault
from streamguard.sections.evidence_section import EvidenceSection
from streamguard.upkeep.evidence_stamp import stamping
from streamguard.vault.checking import Checked, check
from streamguard.vault.export import Order, export
from streamguard.vault.folder import read_file
from streamguard.vault.stamping import SETTLED_S, Stamper
from streamguard.vault.vault import Vault
from tests.clock import FakeClock
from tests.processes import until
from tests.timestamp_server import Tsa, serving
from tests.vault.made_vaults import evidence_id, made_vault, part, subject

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return Tsa(tmp_path_factory.mktemp("tsa") / "ours")


@pytest.fixture(scope="module")
def url(tsa: Tsa) -> Iterator[str]:
    with serving(tsa.answer) as address:
        yield address


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def vault(tmp_path: Path, tsa: Tsa, url: str, clock: FakeClock) -> Vault:
    authority = TimestampAuthority(url, tsa.roots)
    made = made_vault(tmp_path / "evidence", clock, authority=authority)
    made.keep(subject(1), (part(), part("still", b"a still")))
    made.keep(subject(2), (part(content=b"other"),))
    clock.advance(SETTLED_S)
    return made


def manifest_of(vault: Vault, number: int = 1) -> Manifest:
    return vault.manifest_of(vault.standing(evidence_id(number)))


def problems(vault: Vault) -> list[str]:
    return [problem.what for problem in check(vault, Checked())]


def test_the_newest_manifest_of_each_evidence_is_stamped_once(vault: Vault) -> None:
    before = manifest_of(vault)
    stamper = Stamper(vault)

    assert (stamper.step(), stamper.step(), stamper.n_waiting) == (2, 0, 0)
    assert Stamper(vault).step() == 0

    after = manifest_of(vault)
    assert vault.authority is not None
    assert vault.authority.problem_with(after.timestamp_token, before.stamped) is None
    assert (after.revision, after.items) == (before.revision + 1, before.items)
    assert problems(vault) == []


def test_what_was_added_is_stamped_anew_and_the_earlier_stamp_stays(vault: Vault) -> None:
    stamper = Stamper(vault)
    stamper.step()
    early = manifest_of(vault)

    vault.keep(subject(1), (part("still", b"a later still"),))
    fresh = manifest_of(vault).timestamp_token
    assert (stamper.step(), stamper.n_waiting) == (0, 0)
    assert isinstance(vault.clock, FakeClock)
    vault.clock.advance(SETTLED_S)

    assert (fresh, stamper.step(), stamper.n_waiting) == ("", 1, 0)
    stored = read_struct(read_file(vault.folder.manifest(early.number, evidence_id(1))), Manifest)
    assert stored.timestamp_token == early.timestamp_token
    assert manifest_of(vault).timestamp_token not in ("", early.timestamp_token)
    assert problems(vault) == []


def test_a_stamp_comes_too_late_for_a_manifest_that_is_no_more_the_newest(vault: Vault) -> None:
    before = manifest_of(vault)
    vault.keep(subject(1), (part("still", b"a later still"),))

    assert not vault.stamp(before, "AAAA")

    assert manifest_of(vault).timestamp_token == ""


def test_a_stamp_of_something_else_is_found(vault: Vault) -> None:
    Stamper(vault).step()
    theirs = manifest_of(vault, 2).timestamp_token

    vault.keep(subject(1), ())
    vault.stamp(manifest_of(vault), theirs)

    assert problems(vault) == ["its time stamp is of something else"]


def test_what_is_damaged_keeps_no_other_waiting(vault: Vault) -> None:
    manifest = manifest_of(vault)
    vault.folder.manifest(manifest.number, evidence_id(1)).write_bytes(b"{}")

    assert Stamper(vault).step() == 1
    assert manifest_of(vault, 2).timestamp_token


def test_where_nobody_is_to_be_asked_nothing_is_done(tmp_path: Path) -> None:
    vault = made_vault(tmp_path / "evidence")
    meter = PrometheusMeter()

    with stamping(vault, meter):
        assert Stamper(vault).step() == 0

    assert meter.registry.get_sample_value("streamguard_evidence_unstamped") is None
    assert not vault.folder.root.exists()


def test_an_authority_that_was_away_is_asked_when_it_is_back(vault: Vault, tsa: Tsa) -> None:
    refuses = [True]

    def answer(query: bytes) -> bytes:
        return b"" if refuses[0] else tsa.answer(query)

    meter = PrometheusMeter()
    with serving(answer) as address:
        away = made_vault(
            vault.folder.root,
            FakeClock(SETTLED_S),
            authority=TimestampAuthority(address, tsa.roots),
        )
        with capture_logs() as lines, stamping(away, meter):
            until(lambda: bool(lines))
            waits = meter.registry.get_sample_value("streamguard_evidence_unstamped")
            refuses.clear()
            refuses.append(False)
            until(lambda: len(lines) == 2)

    assert waits == 2
    assert meter.registry.get_sample_value("streamguard_evidence_unstamped") == 0
    assert [line["event"] for line in lines] == [
        "timestamp_authority_away",
        "timestamp_authority_back",
    ]
    assert address not in str(lines)
    assert manifest_of(vault).timestamp_token


def test_an_export_brings_what_openssl_checks_and_its_verifier_holds_it_together(
    vault: Vault, tsa: Tsa, tmp_path: Path
) -> None:
    Stamper(vault).step()
    export(vault, evidence_id(1), tmp_path / "case.zip", Order("anna", "A-17"))
    with ZipFile(tmp_path / "case.zip") as archive:
        archive.extractall(tmp_path / "case")
    [stamped], [token] = (
        (tmp_path / "case" / "signed").glob(f"*.{each}") for each in ("stamped", "tst")
    )
    command = [sys.executable, "-I", "-S", tmp_path / "case" / "verify.py"]

    by_openssl = subprocess.run(
        [
            *("openssl", "ts", "-verify", "-data", stamped, "-in", token, "-token_in"),
            *("-CAfile", tsa.roots),
        ],
        capture_output=True,
        check=False,
    )
    whole = subprocess.run(command, capture_output=True, check=False)
    codes = []
    for path in (stamped, token):
        before = path.read_bytes()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        codes.append(subprocess.run(command, capture_output=True, check=False).returncode)
        path.write_bytes(before)

    assert (by_openssl.returncode, by_openssl.stderr) == (0, by_openssl.stderr)
    assert (whole.returncode, whole.stdout[:2], codes) == (0, b"ok", [1, 1])


def test_a_stamp_says_nothing_of_its_place_among_the_manifests(vault: Vault) -> None:
    made = manifest_of(vault)

    moved = msgspec.structs.replace(
        made, number=9, revision=9, created_at="2027-01-01T00:00:00.000Z", key_id="f" * 16
    )

    assert moved.stamped == made.stamped
    assert msgspec.structs.replace(made, stream_id="x").stamped != made.stamped


@pytest.mark.parametrize("is_trusted", [True, False])
def test_doctor_asks_for_a_stamp(tmp_path: Path, tsa: Tsa, url: str, *, is_trusted: bool) -> None:
    roots = tsa.roots if is_trusted else Tsa(tmp_path / "theirs").roots
    section = EvidenceSection(
        directory=tmp_path / "evidence", timestamp_url=url, timestamp_roots_file=roots
    )

    *_, said = checked_evidence(section, "studio")

    assert (said.name, said.state) == ("time stamps", State.OK if is_trusted else State.FAIL)


def test_the_verb_stamps_what_was_kept_without_a_run(
    tmp_path: Path, tsa: Tsa, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made_vault(tmp_path / "evidence").keep(subject(1), (part(),))
    (tmp_path / "my.toml").write_text(
        f'[evidence]\ndirectory = "{tmp_path}/evidence"\n'
        f'timestamp_url = "{url}"\ntimestamp_roots_file = "{tsa.roots}"\n'
    )
    where = ["--config", str(tmp_path / "my.toml")]

    codes = [main(["evidence", each, *where]) for each in ("stamp", "stamp", "verify")]

    assert codes == [0, 0, 0]
    assert capsys.readouterr().out.startswith("1 time stamps were given\n0 time stamps")


def test_without_an_authority_the_verb_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["evidence", "stamp", "--evidence", str(tmp_path / "evidence")])

    assert code == 2
    assert "timestamp_url" in capsys.readouterr().err


@pytest.mark.parametrize(
    "settings",
    [
        {"timestamp_url": "https://tsa.example.org/tsr"},
        {"timestamp_roots_file": Path("roots.pem")},
    ],
)
def test_an_authority_is_named_with_its_roots(tmp_path: Path, settings: dict[str, object]) -> None:
    section = EvidenceSection.model_validate({"directory": tmp_path / "evidence", **settings})

    with pytest.raises(ConfigError, match="go together"):
        open_vault(section, "studio")


@pytest.mark.parametrize(
    "url", ["https://a:b@tsa.example.org", "https://tsa.example.org/?k=1", "ftp://tsa.example.org"]
)
def test_an_authority_is_named_without_credentials(url: str) -> None:
    with pytest.raises(ValueError, match="timestamp_url"):
        EvidenceSection.model_validate({"timestamp_url": url})


def test_what_cannot_be_stamped_is_no_loss(vault: Vault, tsa: Tsa) -> None:
    with serving(lambda _: b"") as address:
        authority = TimestampAuthority(address, tsa.roots)
        away = made_vault(vault.folder.root, FakeClock(SETTLED_S), authority=authority)
        stamper = Stamper(away)
        with pytest.raises(EvidenceUnavailable):
            stamper.step()

    assert stamper.n_waiting == 2
    assert problems(away) == []
