from pathlib import Path

import pytest

from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.kept import Piece
from streamguard.vault.heard import OfHeard
from streamguard.vault.recording import Recordings
from streamguard.vault.vault import Vault
from tests.vault.made_vaults import evidence_id, made_vault, part, subject

PIECE = Piece(0, 0, 1_000, b"a piece", "")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return made_vault(tmp_path / "evidence")


def test_of_a_flag_that_was_let_go_nothing_is_kept(vault: Vault) -> None:
    keeper = OfHeard(Recordings(vault), lambda _: False)

    with pytest.raises(EvidenceUnavailable, match="let go"):
        keeper.collect(subject(1), (part(),))
    with pytest.raises(EvidenceUnavailable, match="let go"):
        keeper.grow(subject(1), PIECE)
    keeper.close()

    assert vault.entries() == []
    assert vault.folder.evidence_ids() == []


def test_it_is_asked_once_whether_a_flag_is_heard_of(vault: Vault) -> None:
    asked: list[str] = []

    def is_heard_of(flag_id: str) -> bool:
        asked.append(flag_id)
        return True

    keeper = OfHeard(Recordings(vault), is_heard_of)
    keeper.collect(subject(1), (part("still"),))
    keeper.grow(subject(1), PIECE)
    keeper.close()

    assert asked == [evidence_id(1)]
    roles = [item.role for item in vault.manifest_of(vault.standing(evidence_id(1))).items]
    assert roles == ["still", "clip"]
