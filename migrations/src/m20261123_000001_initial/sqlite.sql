-- AUTOINCREMENT: an id is never given again, not even the highest after its user is gone.
CREATE TABLE users (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    username      TEXT    NOT NULL,
    username_key  TEXT    NOT NULL,
    email         TEXT    NOT NULL,
    email_key     TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    created_at    TEXT    NOT NULL,
    updated_at    TEXT    NOT NULL,
    disabled_at   TEXT,
    CONSTRAINT users_email_unique UNIQUE (email_key),
    CONSTRAINT users_username_unique UNIQUE (username_key)
) STRICT;

-- Every write of a task passes through its owner's row.
CREATE TABLE task_counters (
    user_id        INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    change_counter INTEGER NOT NULL DEFAULT 0,
    last_task_id   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE sessions (
    user_id        INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id             BLOB    NOT NULL,
    user_agent     TEXT,
    generation     INTEGER NOT NULL,
    family         BLOB    NOT NULL,
    token          BLOB    NOT NULL,
    previous_token BLOB,
    salt           BLOB    NOT NULL,
    rotated_at     TEXT    NOT NULL,
    created_at     TEXT    NOT NULL,
    last_used_at   TEXT    NOT NULL,
    expires_at     TEXT    NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT;

-- Outlives session and user, until no access token of theirs can be alive. Stamped by the database's clock.
CREATE TABLE ended_sessions (
    session_id      BLOB    NOT NULL PRIMARY KEY,
    ended_at_micros INTEGER NOT NULL
) STRICT;
CREATE INDEX ended_sessions_by_time ON ended_sessions (ended_at_micros);

CREATE TABLE tasks (
    user_id            INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id                 INTEGER NOT NULL CHECK (id > 0),
    creation_key       TEXT    NOT NULL,
    title              TEXT    NOT NULL,
    title_folded       TEXT    NOT NULL,
    description        TEXT,
    description_folded TEXT,
    priority           INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    due_at             TEXT,
    due_is_date        INTEGER NOT NULL,
    tags               TEXT    NOT NULL,
    tag_keys           TEXT    NOT NULL,
    completed_at       TEXT,
    created_at         TEXT    NOT NULL,
    updated_at         TEXT    NOT NULL,
    version            INTEGER NOT NULL,
    change_seq         INTEGER NOT NULL,
    deleted_at         TEXT,
    PRIMARY KEY (user_id, id),
    CONSTRAINT tasks_creation_unique UNIQUE (user_id, creation_key)
) STRICT;
CREATE INDEX tasks_by_creation ON tasks (user_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX tasks_by_change ON tasks (user_id, change_seq);

CREATE TABLE task_walks (
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    id         BLOB    NOT NULL,
    task_ids   BLOB    NOT NULL,
    created_at TEXT    NOT NULL,
    PRIMARY KEY (user_id, id)
) STRICT;

-- Whoever writes a task, errand or a person at a prompt, moves the owner's change counter. An owner without a
-- counter row leaves change_seq NULL, which the table refuses.
CREATE TRIGGER tasks_count_insert AFTER INSERT ON tasks
BEGIN
    UPDATE task_counters
       SET change_counter = change_counter + 1, last_task_id = max(last_task_id, NEW.id)
     WHERE user_id = NEW.user_id;
    UPDATE tasks
       SET change_seq = (SELECT change_counter FROM task_counters WHERE user_id = NEW.user_id)
     WHERE user_id = NEW.user_id AND id = NEW.id;
END;

-- Setting change_seq alone is not a change, so the trigger does not call itself.
CREATE TRIGGER tasks_count_update AFTER UPDATE OF version, deleted_at ON tasks
WHEN OLD.version IS NOT NEW.version OR OLD.deleted_at IS NOT NEW.deleted_at
BEGIN
    UPDATE task_counters
       SET change_counter = change_counter + 1, last_task_id = max(last_task_id, NEW.id)
     WHERE user_id = NEW.user_id;
    UPDATE tasks
       SET change_seq = (SELECT change_counter FROM task_counters WHERE user_id = NEW.user_id)
     WHERE user_id = NEW.user_id AND id = NEW.id;
END;

CREATE TRIGGER tasks_count_delete AFTER DELETE ON tasks
BEGIN
    UPDATE task_counters SET change_counter = change_counter + 1 WHERE user_id = OLD.user_id;
END;
