from pathlib import Path

from streamguard.adapters.sqlite_log import SqliteLog
from streamguard.adapters.sqlite_publishes import SqlitePublishes
from tests.made_reviews import flag, flag_id, flag_opened


def test_the_first_flag_that_the_log_still_has_tells_when_it_was_flagged(tmp_path: Path) -> None:
    with SqliteLog(tmp_path / "log.db") as log:
        log.append([flag_opened(flag(2), 1_002.5), flag_opened(flag(3), 1_003.0)])
    publishes = SqlitePublishes(tmp_path / "log.db")

    told = publishes.flagged_s([flag_id(1), flag_id(2), flag_id(3)])  # the first is pruned by now

    assert told == 1_002.5
    assert publishes.flagged_s([flag_id(1)]) is None
    assert publishes.flagged_s([]) is None
    publishes.close()
