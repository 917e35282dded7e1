-- A source that was imported: which runs there were, and by which identity their receipts know this database.
CREATE TABLE imports (
    source   text    PRIMARY KEY,
    id       uuid    NOT NULL,
    run      bigint  NOT NULL,
    finished boolean NOT NULL,
    -- Counts how often a run was begun or gone on with: who has not the last turn stops.
    turn     bigint  NOT NULL
);

-- Users who came in: the key that they have at the source, the run that brought them, and what they were then.
-- First the users, then the tasks: in the order of those who remove an account.
CREATE TABLE imported_users (
    user_id         bigint PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    source          text   NOT NULL,
    source_key      text   NOT NULL,
    run             bigint NOT NULL,
    content_hash    bytea  NOT NULL,
    password_digest bytea  NOT NULL,
    -- Who it is at the source: another person may have the same key there one day, or in another database.
    email_digest    bytea  NOT NULL,
    created_at      timestamptz NOT NULL,
    -- The run that last gave it what the source had by then.
    followed_run    bigint,
    CONSTRAINT imported_users_once UNIQUE (source, source_key)
);

-- Their tasks. What is removed from errand stays known here, or the next run would bring it back.
CREATE TABLE imported_tasks (
    user_id      bigint NOT NULL REFERENCES imported_users (user_id) ON DELETE CASCADE,
    source_key   text   COLLATE "C" NOT NULL,
    task_id      bigint NOT NULL,
    run          bigint NOT NULL,
    content_hash bytea  NOT NULL,
    version      bigint NOT NULL,
    followed_run bigint,
    PRIMARY KEY (user_id, source_key)
);

-- Who writes many tasks of a locked owner at once counts them himself, once for all.
CREATE OR REPLACE TRIGGER tasks_count_insert BEFORE INSERT ON tasks
    FOR EACH ROW WHEN (current_setting('errand.counted', true) IS DISTINCT FROM 'on')
    EXECUTE FUNCTION tasks_count_change();
