"""Evidence is kept of flags that its worker opened, and of no others."""

import threading
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from streamguard.core.coverage_data import StreamStartedData
from streamguard.core.errors import EvidenceUnavailable
from streamguard.core.event_data import FlagData, StreamRef
from streamguard.core.events import flag_event, stream_started_event
from streamguard.core.kept import Piece, Subject
from streamguard.core.manifest import StreamContext
from streamguard.core.record import Row, row_of
from streamguard.core.sampling import Sampling
from streamguard.vault import heard
from streamguard.vault.heard import OfHeard
from streamguard.vault.recording import Recordings
from streamguard.vault.vault import Vault
from tests.core_fakes import SOURCE
from tests.made_reviews import flag, flag_id
from tests.vault.made_vaults import made_vault, part

PIECE = Piece(0, 0, 1_000, b"a piece", "")
FLAG = Subject(flag_id(1), "stream of s-1", "s-1")


def row(data: FlagData) -> Row:
    stage = "closed" if data.state == "closed" else "opened"
    return row_of(flag_event(SOURCE, stage, data, time_s=1_000.0, recorded_s=1_000.0))


AT = "2026-01-02T03:04:05.678Z"


def begun(epoch: int, at: str = AT, session: str = "s-1") -> Row:
    """Tell that a timeline of a stream begins."""
    said = StreamStartedData(
        stream=flag(1, session=session).stream.model_copy(update={"epoch": epoch}),
        codec="h264",
        width=0,
        height=0,
        sampling=Sampling.AUTO,
        start_pts_ms=0,
        start_time=at,
    )
    return row_of(stream_started_event(SOURCE, said, recorded_s=1_000.0))


OPENED = row(flag(1))
CLOSED = row(flag(1, revision=2, state="closed", close_reason="ended"))


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return made_vault(tmp_path / "evidence")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for what is not there."""
    monkeypatch.setattr(heard, "OPENED_S", 0.0)


def made(vault: Vault, *, is_heard_of: bool = True, is_log_well: bool = True) -> OfHeard:
    return OfHeard(Recordings(vault), lambda _: is_heard_of, lambda: is_log_well)


def require_refused(keeper: OfHeard, subject: Subject, problem: str) -> None:
    with pytest.raises(EvidenceUnavailable, match=problem):
        keeper.collect(subject, (part(),))
    with pytest.raises(EvidenceUnavailable, match=problem):
        keeper.grow(subject, PIECE)
    keeper.close()


def test_of_a_flag_that_was_let_go_nothing_is_kept(vault: Vault) -> None:
    keeper = made(vault, is_heard_of=False)
    keeper.hear([OPENED])

    require_refused(keeper, FLAG, "let go")

    assert vault.entries() == []
    assert vault.folder.evidence_ids() == []


def test_it_is_asked_once_whether_a_flag_is_heard_of(vault: Vault) -> None:
    asked: list[str] = []

    def is_heard_of(flag_id: str) -> bool:
        asked.append(flag_id)
        return True

    keeper = OfHeard(Recordings(vault), is_heard_of, lambda: True)
    keeper.hear([OPENED])
    keeper.collect(FLAG, (part("still"),))
    keeper.grow(FLAG, PIECE)
    keeper.close()

    assert asked == [FLAG.evidence_id]
    roles = [item.role for item in vault.manifest_of(vault.standing(FLAG.evidence_id)).items]
    assert roles == ["still", "clip"]


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(
    "subject",
    [
        replace(FLAG, evidence_id=flag_id(2)),
        replace(FLAG, stream_id="hall"),
        replace(FLAG, session_id="s-2"),
    ],
)
def test_a_worker_keeps_nothing_of_a_flag_that_it_did_not_open(
    vault: Vault, subject: Subject
) -> None:
    keeper = made(vault)
    keeper.hear([OPENED])

    require_refused(keeper, subject, "no such flag")

    assert vault.entries() == []


@pytest.mark.usefixtures("hurried")
def test_a_worker_adds_nothing_to_a_flag_of_another_worker(vault: Vault) -> None:
    owner, other = made(vault), made(vault)
    owner.hear([OPENED])
    owner.collect(FLAG, (part(),))

    require_refused(other, FLAG, "no such flag")

    assert vault.standing(FLAG.evidence_id).revision == 0


@pytest.mark.usefixtures("hurried")
def test_nothing_is_added_to_a_flag_that_is_closed(vault: Vault) -> None:
    keeper = made(vault)
    keeper.hear([OPENED])
    keeper.collect(FLAG, (part(),))

    keeper.hear([CLOSED])

    require_refused(keeper, FLAG, "no such flag")


def test_evidence_that_comes_before_its_flag_waits_for_it(vault: Vault) -> None:
    keeper = made(vault)
    flag_comes = threading.Timer(0.05, keeper.hear, ([OPENED],))

    flag_comes.start()
    kept = keeper.collect(FLAG, (part(),))
    flag_comes.join()

    assert len(kept.parts) == 1


def test_while_the_log_takes_nothing_evidence_is_kept_before_its_flag_is_known(
    vault: Vault,
) -> None:
    keeper = made(vault, is_log_well=False)

    keeper.collect(FLAG, (part(),))

    assert vault.standing(FLAG.evidence_id).revision == 0


def test_while_the_log_takes_nothing_a_known_flag_is_none_of_another_stream(vault: Vault) -> None:
    keeper = made(vault, is_log_well=False)
    keeper.hear([OPENED])

    require_refused(keeper, replace(FLAG, stream_id="hall"), "no such flag")


@pytest.mark.parametrize(
    ("rows", "began_at"),
    [
        ([begun(0)], AT),
        ([begun(0, session="s-2")], ""),
        ([begun(0), begun(1)], ""),
        ([begun(1), begun(0)], AT),
        ([], ""),
    ],
)
def test_the_manifest_tells_of_which_publish_and_timeline_it_is(
    vault: Vault, rows: list[Row], began_at: str
) -> None:
    stream = StreamRef(
        stream_id=FLAG.stream_id, session_id="s-1", epoch=0, protocol="rtmp", publish="edge-7"
    )
    keeper = made(vault)
    keeper.hear([*rows, row(flag(1).model_copy(update={"stream": stream}))])

    keeper.collect(FLAG, (part(),))
    keeper.collect(replace(FLAG, context=StreamContext("srt", 9)), (part("still"),))

    manifest = vault.manifest_of(vault.standing(FLAG.evidence_id))
    assert manifest.stream_context == StreamContext("rtmp", 0, "edge-7", began_at)
    assert len(manifest.items) == 2


@pytest.mark.parametrize(("n_others", "is_known"), [(1, True), (2, False)])
def test_of_so_many_sessions_it_is_known_when_they_began(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, n_others: int, *, is_known: bool
) -> None:
    monkeypatch.setattr(heard, "MAX_SESSIONS", 2)
    keeper = made(vault)
    keeper.hear([begun(0), *(begun(0, session=f"o-{n}") for n in range(n_others)), OPENED])

    keeper.collect(FLAG, (part(),))

    context = vault.manifest_of(vault.standing(FLAG.evidence_id)).stream_context
    assert context is not None
    assert (context.began_at == AT) is is_known


def test_a_worker_that_talks_nonsense_of_a_flag_is_told_so(vault: Vault) -> None:
    nonsense = replace(OPENED, body='{"data": {"flag_id": "../x"}}')

    with pytest.raises(msgspec.MsgspecError):
        made(vault).hear([nonsense])
