//! What keeps a follower of the changes from missing one.

use super::Mutant;
use crate::defences::Change;

const TEST: &[&str] = &[
    "-p",
    "errand-persistence",
    "--test",
    "adapter",
    "--",
    "a_follower_beside_writers_misses_nothing",
];

pub const MUTANTS: &[Mutant] = &[
    // A change gets its number under the owner's lock, which is held until the commit. The trigger takes that lock,
    // and the statement has it already: see `MORE`.
    Mutant {
        name: "change-order",
        file: "migrations/src/m20261123_000001_initial/postgres.sql",
        from: "    UPDATE task_counters
       SET change_counter = change_counter + 1, last_task_id = greatest(last_task_id, NEW.id)
     WHERE user_id = NEW.user_id
 RETURNING change_counter INTO NEW.change_seq;",
        to:
            "    SELECT change_counter + 1 INTO NEW.change_seq FROM task_counters WHERE user_id = NEW.user_id;
    UPDATE task_counters SET change_counter = greatest(change_counter, NEW.change_seq),
           last_task_id = greatest(last_task_id, NEW.id) WHERE user_id = NEW.user_id;",
        test: TEST,
        red: "postgres::task_races::a_follower_beside_writers_misses_nothing",
    },
    // The counter that a page of changes goes up to is read together with it.
    Mutant {
        name: "changes-of-one-moment",
        file: "crates/persistence/src/tasks/changes.rs",
        from: "        next: place.at(told),",
        to: "        next: place.at(if has_more { told } else { super::page::changes(conn, owner).await? }),",
        test: TEST,
        red: "a_follower_beside_writers_misses_nothing",
    },
];

/// What has to go with a mutant, by its name: a second lock on the same door.
pub const MORE: &[(&str, Change)] = &[(
    "change-order",
    Change {
        file: "crates/persistence/src/tasks/change.rs",
        from: "WHERE user_id = (SELECT user_id FROM task_counters WHERE user_id = $1 FOR NO KEY UPDATE)",
        to: "WHERE user_id = $1",
    },
)];
