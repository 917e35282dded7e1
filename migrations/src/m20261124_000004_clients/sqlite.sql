-- How a task repeats, where a due time keeps its time of day, and the time of day that the clock skipped. A task
-- that was completed has what it gave on in the place of what it has: handed_on instead of recurrence.
ALTER TABLE tasks ADD COLUMN recurrence TEXT CONSTRAINT tasks_open_series
    CHECK (recurrence IS NULL OR (completed_at IS NULL AND due_at IS NOT NULL));
ALTER TABLE tasks ADD COLUMN recurrence_from TEXT;
ALTER TABLE tasks ADD COLUMN recurrence_meant TEXT;
ALTER TABLE tasks ADD COLUMN time_zone TEXT;
ALTER TABLE tasks ADD COLUMN handed_on TEXT;
ALTER TABLE tasks ADD COLUMN successor_id INTEGER;

-- Requests that may come again, each with its answer. Written in the transaction of what was asked for.
CREATE TABLE idempotency_keys (
    user_id     INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    answer      TEXT    NOT NULL,
    size        INTEGER NOT NULL,
    created_at  TEXT    NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT;
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (user_id, created_at, size);
