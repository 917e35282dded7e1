-- A source that was imported: which runs there were, and by which identity their receipts know this database.
CREATE TABLE imports (
    source   TEXT    NOT NULL PRIMARY KEY,
    id       BLOB    NOT NULL,
    run      INTEGER NOT NULL,
    finished INTEGER NOT NULL,
    -- Counts how often a run was begun or gone on with: who has not the last turn stops.
    turn     INTEGER NOT NULL
) STRICT;

-- Users who came in: the key that they have at the source, the run that brought them, and what they were then.
CREATE TABLE imported_users (
    user_id         INTEGER PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    source          TEXT    NOT NULL,
    source_key      TEXT    NOT NULL,
    run             INTEGER NOT NULL,
    content_hash    BLOB    NOT NULL,
    password_digest BLOB    NOT NULL,
    -- Who it is at the source: another person may have the same key there one day, or in another database.
    email_digest    BLOB    NOT NULL,
    created_at      TEXT    NOT NULL,
    -- The run that last gave it what the source had by then.
    followed_run    INTEGER,
    CONSTRAINT imported_users_once UNIQUE (source, source_key)
) STRICT;

-- Their tasks. What is removed from errand stays known here, or the next run would bring it back.
CREATE TABLE imported_tasks (
    user_id      INTEGER NOT NULL REFERENCES imported_users (user_id) ON DELETE CASCADE,
    source_key   TEXT    NOT NULL,
    task_id      INTEGER NOT NULL,
    run          INTEGER NOT NULL,
    content_hash BLOB    NOT NULL,
    version      INTEGER NOT NULL,
    followed_run INTEGER,
    PRIMARY KEY (user_id, source_key)
) STRICT, WITHOUT ROWID;
