-- The bucket of a session's refreshes.
ALTER TABLE sessions ADD COLUMN refresh_full_at TEXT;

-- What happened to an account, for its user to read. Of each class (failures and the rest) the newest are kept.
CREATE TABLE security_events (
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id         BLOB    NOT NULL,
    kind       TEXT    NOT NULL,
    is_failure INTEGER NOT NULL,
    at         TEXT    NOT NULL,
    address    TEXT,
    user_agent TEXT,
    session_id BLOB,
    PRIMARY KEY (user_id, id)
) STRICT;

-- Buckets of tries, by a digest that tells nothing of whose they are. A row whose time has passed says what no
-- row says: the bucket is full.
CREATE TABLE limits (
    key            BLOB    NOT NULL PRIMARY KEY,
    full_at_micros INTEGER NOT NULL,
    every_micros   INTEGER NOT NULL,
    burst          INTEGER NOT NULL,
    allowed        INTEGER NOT NULL
) STRICT;
CREATE INDEX limits_by_time ON limits (full_at_micros);
