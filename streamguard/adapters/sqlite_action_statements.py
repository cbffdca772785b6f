"""What is asked of the enforcer's file, and changed in it.

Rule: text alone; `sqlite_actions` says what it is for.
"""

TAKE = """
INSERT INTO actions
(action_id, decision_id, case_id, stream_id, scope, act, is_automatic, taken_s, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (action_id) DO NOTHING RETURNING number
"""
OPEN = "SELECT body, stage, path, n_attempts FROM actions WHERE outcome IS NULL ORDER BY number"
OTHERS = """
SELECT body, number > (SELECT number FROM actions WHERE action_id = ?3)
FROM actions WHERE stream_id = ?1 AND scope = ?2 AND action_id != ?3
"""
NOTE = "UPDATE actions SET stage = ?, path = ?, n_attempts = ? WHERE action_id = ?"
FINISH = "UPDATE actions SET outcome = ? WHERE action_id = ?"
DENY = "INSERT OR REPLACE INTO denials VALUES (?, ?, ?, ?, ?, ?)"
ALLOW = "DELETE FROM denials WHERE stream_id = ? AND kind = ? AND case_id = ?"
HOLD = "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
END_HOLD = "UPDATE holds SET is_ending = 1 WHERE stream_id = ? AND case_id = ?"
LET_GO = "DELETE FROM holds WHERE stream_id = ? AND (case_id = ? OR is_ending)"
DENIED_BY_CASE = "DELETE FROM denials WHERE stream_id = ? AND case_id = ?"
N_AUTOMATIC = """
SELECT count(*), count(*) FILTER (WHERE outcome IS NULL OR outcome IN ('done', 'answer'))
FROM actions WHERE is_automatic AND taken_s > ? AND act = 'hold' AND number < (
    SELECT number FROM actions WHERE action_id = ?
)
"""
N_OVERTURNED = """
SELECT count(DISTINCT decision_id) FROM actions AS one
WHERE act = 'restore' AND taken_s > ? AND NOT is_automatic AND (
    SELECT is_automatic AND coalesce(outcome, 'done') IN ('done', 'answer') FROM actions
    WHERE case_id = one.case_id AND number < one.number AND act != 'restore'
    ORDER BY number DESC LIMIT 1
)
"""
BY_PLATFORM = """
SELECT 1 FROM actions AS one WHERE case_id = ?1 AND scope = ?2 AND act != 'restore'
AND outcome = 'answer' AND number < (SELECT number FROM actions WHERE action_id = ?3)
AND NOT EXISTS (
    SELECT 1 FROM actions WHERE case_id = ?1 AND scope = ?2 AND act = 'restore'
    AND outcome = 'answer' AND number > one.number
) LIMIT 1
"""
OVER = "SELECT decision_id, body FROM ending WHERE until_s <= ? ORDER BY until_s"
BY_RULES = """
SELECT decision_id, body FROM ending
WHERE until_s > ? AND body LIKE '%"actor":"rule:%' ORDER BY until_s
"""
FORGET = """
DELETE FROM actions WHERE outcome IS NOT NULL AND taken_s < ?
AND case_id NOT IN (SELECT case_id FROM denials UNION SELECT case_id FROM holds)
"""
DENIALS = "SELECT * FROM denials ORDER BY stream_id, kind, case_id"
VERSION = "PRAGMA data_version"
