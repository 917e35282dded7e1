-- In the order in which errand locks: the counters, then the tasks.
-- Up to this place among the owner's changes deletions may have been forgotten.
ALTER TABLE task_counters ADD COLUMN purged_seq bigint NOT NULL DEFAULT 0;

-- What a deleted task held is gone for good; that it was deleted is still known.
ALTER TABLE tasks ADD COLUMN erased_at timestamptz;
CREATE INDEX tasks_by_deletion ON tasks (user_id, deleted_at DESC, id DESC) WHERE deleted_at IS NOT NULL;

-- Whoever follows the changes and has seen a deletion misses nothing when its row goes. A task that goes without
-- having been deleted, by a person at a prompt, is missed by all who do not begin anew.
CREATE OR REPLACE FUNCTION tasks_count_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE task_counters AS c
       SET change_counter = c.change_counter + 1,
           purged_seq = greatest(c.purged_seq,
                                 CASE WHEN r.living THEN c.change_counter + 1 ELSE r.change_seq END)
      FROM (SELECT user_id, max(change_seq) AS change_seq, bool_or(deleted_at IS NULL) AS living
              FROM removed GROUP BY user_id) AS r
     WHERE c.user_id = r.user_id;
    RETURN NULL;
END $$;
