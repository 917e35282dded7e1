-- The bucket of a session's refreshes.
-- First, and so in the order in which errand locks.
ALTER TABLE sessions ADD COLUMN refresh_full_at timestamptz;

-- What happened to an account, for its user to read. Of each class (failures and the rest) the newest are kept.
CREATE TABLE security_events (
    user_id    bigint      NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id         uuid        NOT NULL,
    kind       text        NOT NULL,
    is_failure boolean     NOT NULL,
    at         timestamptz NOT NULL,
    address    text,
    user_agent text,
    session_id uuid,
    PRIMARY KEY (user_id, id)
);

-- Buckets of tries, by a digest that tells nothing of whose they are. A row whose time has passed says what no
-- row says: the bucket is full.
CREATE TABLE limits (
    key            bytea   PRIMARY KEY,
    full_at_micros bigint  NOT NULL,
    every_micros   bigint  NOT NULL,
    burst          bigint  NOT NULL,
    allowed        boolean NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX limits_by_time ON limits (full_at_micros);
