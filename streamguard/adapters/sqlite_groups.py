"""The log's consumer groups: how far each has come, and which of them pruning waits for.

Rule: a group keeps its place until somebody forgets it; a dropped one committed at 0.
"""

POSITION = "SELECT next_offset FROM groups WHERE name = ?"
COMMIT = """
INSERT INTO groups (name, next_offset, committed_s) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE
SET next_offset = excluded.next_offset, committed_s = excluded.committed_s
"""
# A dropped group keeps its place: it is one that committed at 0.
DROP_SILENT = """
UPDATE groups SET committed_s = 0 WHERE committed_s > 0 AND committed_s < ? RETURNING name
"""
DROPPED = "SELECT name FROM groups WHERE committed_s = 0 ORDER BY name"
FORGET = "DELETE FROM groups WHERE name = ? RETURNING name"
LOWEST_POSITION = "SELECT min(next_offset) FROM groups WHERE committed_s > 0"
