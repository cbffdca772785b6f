"""A chain of custody that is damaged is begun anew, behind what is sound, and says so."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from streamguard.cli import main
from streamguard.core.errors import ConfigError, EvidenceUnavailable
from streamguard.vault.checking import Checked, check
from streamguard.vault.mending import Mending, mend, plan_mending
from streamguard.vault.vault import Vault
from tests.clock import FakeClock
from tests.processes import environment
from tests.vault.made_vaults import evidence_id, made_vault, part, problems, subject

ONE, TWO, THREE = (evidence_id(number) for number in (1, 2, 3))
Harm = Callable[[list[bytes]], list[bytes]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Make a store in which much was done with three evidence."""
    root = tmp_path / "evidence"
    vault = made_vault(root, FakeClock())
    vault.keep(subject(1), (part(),))
    vault.note(ONE, "view", {}, actor="anna", purpose="case 7")
    vault.keep(subject(2), (part("still", b"a still"),))
    vault.note(ONE, "hold", {"ref": "A-1", "authority": "court"}, actor="bob", purpose="")
    vault.keep(subject(1), (part(content=b"more"),))
    vault.note(ONE, "classify", {"class": "confirmed"}, actor="anna", purpose="case 7")
    vault.keep(subject(3), (part(content=b"third"),))
    vault.note(THREE, "classify", {"class": "rejected"}, actor="anna", purpose="case 8")
    return root


def flipped(lines: list[bytes], number: int) -> list[bytes]:
    return [*lines[:number], lines[number].replace(b"20", b"21", 1), *lines[number + 1 :]]


HARMS: dict[str, Harm] = {
    **{f"changed {n}": (lambda lines, n=n: flipped(lines, n)) for n in range(8)},
    **{f"torn {n}": (lambda lines, n=n: [*lines[:n], b"{}", *lines[n + 1 :]]) for n in range(8)},
    **{f"removed {n}": (lambda lines, n=n: lines[:n] + lines[n + 1 :]) for n in range(7)},
    "cut off": lambda lines: lines[:5],
    "nothing left": lambda _: [],
    "reordered": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "there twice": lambda lines: [*lines[:5], lines[3], *lines[5:]],
    "all but the first changed": lambda lines: [lines[0], *(each[::-1] for each in lines[1:])],
}


def harm(root: Path, what: str) -> bytes:
    """Damage a chain; give what is there then."""
    path = root / "custody.jsonl"
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"".join(line + b"\n" for line in HARMS[what](lines)))
    return path.read_bytes()


def mended(root: Path) -> tuple[Mending, Vault]:
    vault = made_vault(root, FakeClock())
    plan = plan_mending(vault)
    mend(vault, plan.id, "eve", "a bad disk")
    return plan, vault


@pytest.mark.parametrize("what", HARMS)
def test_after_any_damage_evidence_is_kept_again_and_all_of_it_is_sound(
    root: Path, what: str
) -> None:
    damaged = harm(root, what)
    with pytest.raises(EvidenceUnavailable, match="evidence mend"):
        made_vault(root).keep(subject(4), (part(),))

    _, vault = mended(root)

    ledger = vault.ledger()
    vault.keep(subject(4), (part(),))
    assert {*ledger.evidence} == {ONE, TWO, THREE}
    assert [len(vault.manifest_of(each).items) for each in ledger.evidence.values()] == [2, 1, 1]
    assert problems(root) == []
    assert (root / "custody-1.damaged").read_bytes() == damaged
    assert [entry.action for entry in vault.entries()].count("restart") == 1


@pytest.mark.parametrize("what", HARMS)
def test_what_is_sound_behind_the_damage_holds_again(root: Path, what: str) -> None:
    before = made_vault(root).ledger().evidence
    harm(root, what)

    plan, vault = mended(root)

    after = vault.ledger().evidence
    lost = {"changed 3", "torn 3", "removed 3", "nothing left", "all but the first changed"}
    assert bool(after[ONE].holds) == (what not in lost)
    if what in {"reordered", "there twice", "changed 1", "torn 1", "removed 1"}:
        assert [each.evidence_class for each in after.values()] == [
            each.evidence_class for each in before.values()
        ]
    if what == "there twice":
        assert plan.left_out == ("line 6: is there twice",)


def test_what_was_not_seen_is_not_done_and_nothing_is_changed(root: Path) -> None:
    harm(root, "changed 3")
    vault = made_vault(root)
    plan = plan_mending(vault)
    before = {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}

    with pytest.raises(ConfigError, match=plan.id):
        mend(vault, "another", "eve", "a bad disk")

    after = {path.name: path.read_bytes() for path in root.iterdir() if path.is_file()}
    assert after == before


def test_where_nothing_is_wrong_there_is_nothing_to_mend(root: Path) -> None:
    with pytest.raises(ConfigError, match="nothing is wrong"):
        plan_mending(made_vault(root))


@pytest.mark.parametrize("content", [b"{}", b"nonsense"])
def test_a_note_of_its_length_that_is_damaged_is_mended_too(root: Path, content: bytes) -> None:
    (root / "custody.head").write_bytes(content)

    plan, vault = mended(root)

    vault.keep(subject(4), (part(),))
    assert (plan.n_sound, plan.again) == (8, ())
    assert problems(root) == []
    assert (root / "custody-1.damaged.head").read_bytes() == content


def test_another_process_that_had_it_open_goes_on_with_the_new_chain(root: Path) -> None:
    other = made_vault(root)
    other.note(ONE, "view", {}, actor="anna", purpose="case 7")
    harm(root, "changed 3")

    mended(root)
    other.note(ONE, "view", {}, actor="anna", purpose="case 7")

    assert problems(root) == []
    assert other.standing_now(ONE) == other.ledger().evidence[ONE]


def test_a_chain_is_mended_as_often_as_it_is_damaged(root: Path) -> None:
    for what in ("changed 3", "removed 1", "torn 2"):
        harm(root, what)
        mended(root)

    checked = Checked()
    assert list(check(made_vault(root), checked)) == []
    assert {path.name for path in root.glob("*.damaged")} == {
        f"custody-{number}.damaged" for number in (1, 2, 3)
    }


def test_a_manifest_that_is_gone_as_well_is_told_and_the_others_keep_their_numbers(
    root: Path,
) -> None:
    harm(root, "changed 2")
    next((root / "manifests").glob(f"*-{TWO}.json")).unlink()

    _, vault = mended(root)

    assert {*vault.ledger().evidence} == {ONE, THREE}
    assert vault.manifest_of(vault.standing(THREE)).number == 3
    vault.keep(subject(4), (part(),))
    assert vault.manifest_of(vault.standing(evidence_id(4))).number == 4


def test_a_check_tells_of_the_damaged_chain_and_whether_it_is_still_there(root: Path) -> None:
    harm(root, "torn 3")
    mended(root)
    checked = Checked()
    sound = list(check(made_vault(root), checked))

    (root / "custody-1.damaged").write_bytes(b"another")
    changed = problems(root)
    (root / "custody-1.damaged").unlink()
    missing = problems(root)

    [told] = checked.restarts
    assert "by eve" in told
    assert "line 4" in told
    assert "1 lines are in custody-1.damaged alone" in told
    assert sound == []
    assert [each.where for each in changed] == [each.where for each in missing]
    assert [each.where for each in changed] == ["custody-1.damaged"]


@pytest.mark.parametrize(
    ("point", "is_anew"), [("custody_put_aside", False), ("custody_begun_anew", True)]
)
def test_a_mending_that_is_killed_is_done_or_done_again(
    root: Path, point: str, *, is_anew: bool
) -> None:
    damaged = harm(root, "torn 3")
    plan = plan_mending(made_vault(root)).id
    verb = ["evidence", "mend", "--evidence", root, "--begin", plan, "--purpose", "a bad disk"]

    killed = subprocess.run(
        [sys.executable, "-m", "tests.chaos.dying_run", point, "1", *verb],
        cwd=root.parent,
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    if not is_anew:
        mended(root)

    assert killed.returncode == -signal.SIGKILL
    made_vault(root, FakeClock()).keep(subject(4), (part(),))
    assert problems(root) == []
    assert (root / "custody-1.damaged").read_bytes() == damaged


def test_the_verb_tells_first_and_does_what_was_told(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    harm(root, "torn 3")
    verb = ["evidence", "mend", "--evidence", str(root)]

    told = main(verb)
    plan = capsys.readouterr().out.splitlines()
    name = plan[-1].removeprefix("plan ").partition(":")[0]
    codes = [
        main([*verb, "--begin", name]),
        main([*verb, "--begin", name, "--purpose", "a bad disk", "--by", "eve"]),
        main(["evidence", "verify", "--evidence", str(root)]),
    ]
    out = capsys.readouterr().out

    assert (told, codes) == (0, [2, 0, 0])
    assert plan[0] == "custody.jsonl: line 4: does not say what it should"
    assert plan[1] == "3 entries are sound and stay; 4 after them are made again"
    assert "  in the damaged chain alone: line 4: does not say what it should" in plan
    assert "the damaged chain is custody-1.damaged" in out
    assert "note: custody.jsonl, entry 3: begun anew" in out
