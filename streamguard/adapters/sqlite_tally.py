"""The log's account of delivery: how many records of a topic came, and what became of them.

Rule: what came and what was acknowledged are counted as they happen, by those who do it; what waits
and what is dead is counted from the tables. So the sum checks both.
"""

TallyRow = tuple[int, int, int, int]
"""Committed, acknowledged, waiting, dead."""

ADD_COMMITTED = """
INSERT INTO tally (topic, committed, acknowledged) VALUES (?1, ?2, 0)
ON CONFLICT (topic) DO UPDATE SET committed = committed + ?2
"""
ADD_ACKNOWLEDGED = """
INSERT INTO tally (topic, committed, acknowledged) VALUES (?1, 0, ?2)
ON CONFLICT (topic) DO UPDATE SET acknowledged = acknowledged + ?2
"""
TALLY = """
SELECT
    ifnull((SELECT committed FROM tally WHERE topic = ?1), 0),
    ifnull((SELECT acknowledged FROM tally WHERE topic = ?1), 0),
    (
        SELECT count(*) FROM events WHERE topic = ?1
        AND offset >= ifnull((SELECT next_offset FROM delivery WHERE topic = ?1), 1)
        AND NOT EXISTS (
            SELECT 1 FROM ahead
            WHERE topic = ?1 AND ahead.key = events.key AND next_offset > events.offset
        )
        AND offset NOT IN (SELECT offset FROM dead)
    ),
    (SELECT count(*) FROM dead WHERE topic = ?1)
"""
IS_UNSENT = """
SELECT count(*) FROM json_each(?2) WHERE json_extract(value, '$[0]') >= max(
    ifnull((SELECT next_offset FROM delivery WHERE topic = ?1), 1),
    ifnull((
        SELECT next_offset FROM ahead WHERE topic = ?1 AND key = json_extract(value, '$[1]')
    ), 1)
) AND json_extract(value, '$[0]') NOT IN (SELECT offset FROM dead)
"""
