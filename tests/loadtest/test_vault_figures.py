import json

import pytest

from loadtest import vault, vault_looks


def test_it_counts_what_it_looked_at_and_finds_every_bit(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("vault"))
    for name, n_bytes in (("CLIP_BYTES", 2000), ("STILL_BYTES", 10), ("LARGE_BYTES", 4000)):
        monkeypatch.setattr(vault, name, n_bytes)
    monkeypatch.setattr(vault, "STEP_BITS", 97)
    monkeypatch.setattr(vault_looks, "N_ENTRIES", 200)

    code = vault.main(["--flags", "2", "--json"])

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (code, figures["pass"]) == (0, True)
    assert (figures["flags"]["flags"], figures["flags"]["n_problems"]) == (2, 0)
    assert figures["looks"]["entries"] == 200 + 1 + vault_looks.N_LOOKS
    assert figures["bits"]["n_bits"] > 100
    assert (figures["bits"]["n_missed"], figures["bits"]["sound_after"]) == (0, True)


def test_an_escaped_bit_is_a_failure(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("vault"))
    for name, n_bytes in (("CLIP_BYTES", 2000), ("STILL_BYTES", 10), ("LARGE_BYTES", 4000)):
        monkeypatch.setattr(vault, name, n_bytes)
    monkeypatch.setattr(vault, "STEP_BITS", 997)
    monkeypatch.setattr(vault_looks, "N_ENTRIES", 200)
    monkeypatch.setattr(vault, "_finds_something", lambda _: False)

    code = vault.main(["--flags", "2"])

    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (code, figures["pass"]) == (1, False)
