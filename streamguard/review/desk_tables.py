"""The tables of the file that reviewers work with, and how those of earlier versions become them.

Rule: what follows from the log can be thrown away; what only reviewers know is never dropped.
"""

SCHEMA_VERSION = 3
"""2 added when somebody passed a case on, and when they last did something with one; 3 when a
browser was last heard of, and when a stream began or ended."""

TO_2 = """
ALTER TABLE skips ADD COLUMN at_s REAL NOT NULL DEFAULT 0;
ALTER TABLE leases ADD COLUMN active_s REAL NOT NULL DEFAULT 0;
"""

TO_3 = """
ALTER TABLE web_sessions ADD COLUMN heard_s REAL NOT NULL DEFAULT 0;
ALTER TABLE live_sessions ADD COLUMN at_s REAL NOT NULL DEFAULT 0;
UPDATE live_sessions SET at_s = unixepoch();
"""

FROM_LOG = """
CREATE TABLE IF NOT EXISTS place (next_offset INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS cases (
    case_id TEXT PRIMARY KEY,
    session_id TEXT NOT NULL,
    policy TEXT NOT NULL,
    stage TEXT NOT NULL,
    urgency INTEGER NOT NULL,
    opened_s REAL NOT NULL,
    body BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS cases_by_session ON cases (session_id, policy, opened_s);
CREATE INDEX IF NOT EXISTS cases_waiting ON cases (urgency) WHERE stage <> 'decided';
CREATE TABLE IF NOT EXISTS case_flags (
    flag_id TEXT PRIMARY KEY, case_id TEXT NOT NULL, revision INTEGER NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS flags_by_case ON case_flags (case_id);
CREATE TABLE IF NOT EXISTS live_sessions (
    session_id TEXT PRIMARY KEY, is_live INTEGER NOT NULL, n_viewers INTEGER,
    at_s REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS publishes (
    stream_id TEXT PRIMARY KEY, session_id TEXT NOT NULL, started_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS decisions (
    decision_id TEXT PRIMARY KEY, case_id TEXT NOT NULL, decided_s REAL NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS decisions_by_case ON decisions (case_id, decided_s);
CREATE INDEX IF NOT EXISTS decisions_by_time ON decisions (decided_s);
CREATE INDEX IF NOT EXISTS decisions_off_air ON decisions (decided_s)
WHERE json_extract(body, '$.action') IN ('hold', 'cut', 'cut_and_suspend');
CREATE INDEX IF NOT EXISTS decisions_by_stream
ON decisions (json_extract(body, '$.stream.stream_id'));
CREATE INDEX IF NOT EXISTS decisions_by_end ON decisions (json_extract(body, '$.expires_at'));
CREATE TABLE IF NOT EXISTS actions (
    action_id TEXT PRIMARY KEY,
    decision_id TEXT NOT NULL,
    act TEXT NOT NULL,
    scope TEXT NOT NULL,
    state TEXT NOT NULL,
    how TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS actions_by_decision ON actions (decision_id);
CREATE TABLE IF NOT EXISTS referrals (
    referral_id TEXT PRIMARY KEY, case_id TEXT NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS referrals_by_case ON referrals (case_id);
CREATE TABLE IF NOT EXISTS skips (
    case_id TEXT NOT NULL, account_id TEXT NOT NULL, at_s REAL NOT NULL DEFAULT 0,
    PRIMARY KEY (case_id, account_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS skips_by_time ON skips (at_s);
CREATE TABLE IF NOT EXISTS gaps (
    number INTEGER PRIMARY KEY, session_id TEXT NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS gaps_by_session ON gaps (session_id, number);
CREATE TABLE IF NOT EXISTS appeals (
    appeal_id TEXT PRIMARY KEY,
    case_id TEXT NOT NULL,
    decision_id TEXT NOT NULL,
    policy TEXT NOT NULL,
    received_s REAL NOT NULL,
    body TEXT NOT NULL,
    resolved TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS appeals_waiting ON appeals (received_s) WHERE resolved IS NULL;
CREATE TABLE IF NOT EXISTS bankings (
    case_id TEXT PRIMARY KEY,
    decision_id TEXT NOT NULL,
    act TEXT NOT NULL,
    bank TEXT NOT NULL,
    n_hashes INTEGER,
    why TEXT,
    at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bankings_by_decision ON bankings (decision_id);
CREATE INDEX IF NOT EXISTS bankings_by_outcome ON bankings (why IS NULL, at DESC);
"""
"""What `projection` keeps."""

OF_THE_DESK = """
CREATE TABLE IF NOT EXISTS leases (
    thing_id TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    token INTEGER NOT NULL,
    claimed_s REAL NOT NULL,
    expires_s REAL NOT NULL,
    first_view_s REAL,
    active_s REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS leases_by_holder ON leases (holder);
CREATE TABLE IF NOT EXISTS accounts (
    account_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    clearance TEXT NOT NULL,
    password_hash TEXT,
    is_active INTEGER NOT NULL,
    made_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS web_sessions (
    token_sha256 BLOB PRIMARY KEY,
    account_id TEXT NOT NULL,
    csrf TEXT NOT NULL,
    made_s REAL NOT NULL,
    seen_s REAL NOT NULL,
    heard_s REAL NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS oidc_tries (
    state_sha256 BLOB PRIMARY KEY,
    browser_sha256 BLOB NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    made_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (who TEXT NOT NULL, at_s REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS failures_by_who ON failures (who, at_s);
CREATE INDEX IF NOT EXISTS failures_by_time ON failures (at_s);
CREATE TABLE IF NOT EXISTS known_browsers (
    token_sha256 BLOB PRIMARY KEY, account_id TEXT NOT NULL, made_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS oidc_subjects (
    account_id TEXT PRIMARY KEY, issuer TEXT NOT NULL, subject TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS exposure (
    account_id TEXT NOT NULL,
    case_id TEXT NOT NULL,
    at_s REAL NOT NULL,
    stills INTEGER NOT NULL,
    clip_ms INTEGER NOT NULL,
    unblurred_ms INTEGER NOT NULL,
    audio_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS audience (
    session_id TEXT NOT NULL,
    at_s REAL NOT NULL,
    n_viewers INTEGER NOT NULL,
    PRIMARY KEY (session_id, at_s)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS audience_by_time ON audience (at_s);
CREATE INDEX IF NOT EXISTS exposure_by_account ON exposure (account_id, at_s);
CREATE INDEX IF NOT EXISTS exposure_by_time ON exposure (at_s);
CREATE TABLE IF NOT EXISTS strain (
    account_id TEXT NOT NULL, at_s REAL NOT NULL, strain_s REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS strain_by_time ON strain (at_s, account_id);
CREATE TABLE IF NOT EXISTS paged (at_s REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS incidents (
    incident_id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    differs TEXT NOT NULL,
    declared_by TEXT NOT NULL,
    declared_s REAL NOT NULL,
    expires_s REAL NOT NULL
) STRICT, WITHOUT ROWID;
"""
