-- How a task repeats, where a due time keeps its time of day, and the time of day that the clock skipped. A task
-- that was completed has what it gave on in the place of what it has: handed_on instead of recurrence.
ALTER TABLE tasks
    ADD COLUMN recurrence       text,
    ADD COLUMN recurrence_from  text,
    ADD COLUMN recurrence_meant timestamp,
    ADD COLUMN time_zone        text,
    ADD COLUMN handed_on        text,
    ADD COLUMN successor_id     bigint;

-- What a version that knows nothing of series would leave behind is refused, or a series would end without a word.
-- No row has these columns yet: there is nothing to be looked at.
ALTER TABLE tasks
    ADD CONSTRAINT tasks_open_series CHECK (recurrence IS NULL OR (completed_at IS NULL AND due_at IS NOT NULL)) NOT VALID;

-- Requests that may come again, each with its answer. Written in the transaction of what was asked for.
CREATE TABLE idempotency_keys (
    user_id     bigint      NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    key         text        COLLATE "C" NOT NULL,
    fingerprint bytea       NOT NULL,
    answer      text        NOT NULL,
    size        integer     NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, key)
);
CREATE INDEX idempotency_keys_by_time ON idempotency_keys (user_id, created_at) INCLUDE (size);
