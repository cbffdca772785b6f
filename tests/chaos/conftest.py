from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadtest.arrived import Judgement
from tests.chaos.site import Committed, Screened, Site
from tests.chaos.verdict import flags_in, problems_of_evidence
from tests.kafka.conftest import apache, apache_process, old_apache, old_process, reader
from tests.processes import on_time, transport_stream
from tests.servers import serving
from tests.small_disk import SmallDisk, small_disk_at

__all__ = ["apache", "apache_process", "old_apache", "old_process", "reader"]

PIECE_S = 1.5

AllThere = Callable[..., Judgement]


@pytest.fixture
def all_there(record_property: Callable[[str, object], None]) -> AllThere:
    """Give what asserts that a site kept its promise, and reports what came twice.

    Distinct ids in the topics are the committed ones, streams are in order, distinct flags are
    those that were planted (and those of the channel, if there is one), and evidence verifies.
    """

    def assert_all(site: Site, committed: Committed | None = None) -> Judgement:
        judged = site.judged(committed)
        record_property(
            "delivered",
            f"{judged.committed} committed, {judged.arrived} arrived, {judged.lost} lost, "
            f"{judged.streams_out_of_order} of {judged.streams} streams out of order, "
            f"{judged.twice} came again",
        )
        assert judged.is_good, judged
        if committed is None:
            assert flags_in(site) == site.planted
        else:
            assert site.planted <= {one for ids in committed.values() for one in ids}
        if site.screened is not None:
            assert problems_of_evidence(site, site.screened) == []
        return judged

    return assert_all


@pytest.fixture
def channel(real_clips: dict[str, Path]) -> Iterator[str]:
    """Serve what `known_bank` knows, live, to whoever connects, from its beginning."""
    known = on_time(transport_stream(real_clips["bikes"], n_rounds=9), burst_s=6)
    with serving(known) as server:
        yield server.url()


@pytest.fixture
def screened(tmp_path: Path, channel: str, known_bank: Path) -> Screened:
    """Give a channel whose flags have evidence, which goes to a store."""
    return Screened(channel, known_bank, tmp_path / "evidence", tmp_path / "store")


@pytest.fixture
def flickering(tmp_path: Path, real_clips: dict[str, Path], known_bank: Path) -> Iterator[Screened]:
    """Give a channel that breaks off after a second and a half and begins anew: flag after flag."""
    piece = [chunk for chunk in transport_stream(real_clips["bikes"]) if chunk[0] < PIECE_S]
    with serving(on_time(piece, then_ends=True)) as server:
        yield Screened(server.url(), known_bank, tmp_path / "evidence", tmp_path / "store")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk_at(tmp_path / "disk", 64 << 20) as mounted:
        yield mounted
