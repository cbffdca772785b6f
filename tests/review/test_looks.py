"""What the console does before anybody looks at evidence."""

from pathlib import Path

from streamguard.review.looks import Looks
from tests.review.bench import Bench
from tests.vault.made_vaults import filled_vault, made_vault


def test_the_custody_is_read_before_the_first_look_waits_for_it(
    bench: Bench, tmp_path: Path
) -> None:
    filled = filled_vault(tmp_path / "evidence")
    vault = made_vault(tmp_path / "evidence")

    Looks(bench.desk, vault).get_ready()

    assert vault.custody.ledger == filled.ledger()


def test_a_custody_that_is_damaged_keeps_the_console_from_nothing_else(
    bench: Bench, tmp_path: Path
) -> None:
    filled_vault(tmp_path / "evidence")
    (tmp_path / "evidence" / "custody.jsonl").write_bytes(b"{}\n")
    vault = made_vault(tmp_path / "evidence")

    Looks(bench.desk, vault).get_ready()
    Looks(bench.desk, None).get_ready()

    assert vault.custody.ledger.n_entries == 0
