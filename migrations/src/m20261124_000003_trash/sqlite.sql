-- Up to this place among the owner's changes deletions may have been forgotten.
ALTER TABLE task_counters ADD COLUMN purged_seq INTEGER NOT NULL DEFAULT 0;

-- What a deleted task held is gone for good; that it was deleted is still known.
ALTER TABLE tasks ADD COLUMN erased_at TEXT;
CREATE INDEX tasks_by_deletion ON tasks (user_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;

-- Whoever follows the changes and has seen a deletion misses nothing when its row goes. A task that goes without
-- having been deleted, by a person at a prompt, is missed by all who do not begin anew.
DROP TRIGGER tasks_count_delete;
CREATE TRIGGER tasks_count_delete AFTER DELETE ON tasks
BEGIN
    UPDATE task_counters
       SET change_counter = change_counter + 1,
           purged_seq = max(purged_seq,
                            CASE WHEN OLD.deleted_at IS NULL THEN change_counter + 1 ELSE OLD.change_seq END)
     WHERE user_id = OLD.user_id;
END;
