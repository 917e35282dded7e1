//! The defences of what clients build on: conditions, trash, series, requests that come again, batches.

use super::Mutant;

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    // A change for another version does nothing.
    Mutant {
        name: "if-match",
        file: "crates/persistence/src/tasks/change.rs",
        from: r"AND ($16 IS NULL OR version = ANY ($16))",
        to: r"AND ($16 IS NULL OR version > 0 OR version = ANY ($16))",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "postgres::conditions",
        ],
        red: "a_write_for_another_version_does_nothing",
    },
    // So does a deletion.
    Mutant {
        name: "if-match-delete",
        file: "crates/persistence/src/tasks/trash.rs",
        from: r"AND id = $2 AND deleted_at IS NULL AND ($4 IS NULL OR version = ANY ($4))",
        to: r"AND id = $2 AND deleted_at IS NULL AND ($4 IS NULL OR version > 0 OR version = ANY ($4))",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "postgres::conditions",
        ],
        red: "a_write_for_another_version_does_nothing",
    },
    // What is over is not taken back.
    Mutant {
        name: "trash-over",
        file: "crates/persistence/src/tasks/trash.rs",
        from: r"AND id = $2 AND deleted_at > $4 AND erased_at IS NULL RETURNING ",
        to: r"AND id = $2 AND deleted_at > $4 - interval '9 years' AND erased_at IS NULL RETURNING ",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "postgres::trash",
        ],
        red: "the_trash_keeps_a_task_for_thirty_days",
    },
    // What is removed raises the floor.
    Mutant {
        name: "floor",
        file: "migrations/src/m20261124_000003_trash/sqlite.sql",
        from: r"ELSE OLD.change_seq END)",
        to: r"ELSE 0 END)",
        test: &["-p", "errand-persistence", "--test", "adapter", "--", "tables"],
        red: "sqlite",
    },
    // The one statement leaves series alone.
    Mutant {
        name: "series-to-the-board",
        file: "crates/persistence/src/tasks/change.rs",
        from: r"AND NOT ($19 AND (recurrence IS NOT NULL OR handed_on IS NOT NULL))",
        to: r"AND ($19 OR NOT $19)",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "postgres::series",
        ],
        red: "completing_makes_one_successor",
    },
    // Operations of one owner come one after the other.
    Mutant {
        name: "board-lock",
        file: "crates/persistence/src/tasks.rs",
        from: r".lock(LockType::NoKeyUpdate)",
        to: r"",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "postgres::task_races",
        ],
        red: "one_of_parallel_requests_of_one_key_is_done",
    },
    // A request is known once it is done.
    Mutant {
        name: "answer-is-kept",
        file: "crates/persistence/src/tasks/work.rs",
        from: r"request::remember(tx, owner, new, &outcomes, work.at).await?;",
        to: r"let _ = new;",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "sqlite::work",
        ],
        red: "a_known_request_is_not_done_again",
    },
    // A request without a key is not repeated when its answer is lost.
    Mutant {
        name: "repeat-by-key-alone",
        file: "crates/persistence/src/tasks/work.rs",
        from: r"let repeatable = work.request.is_some();",
        to: r"let repeatable = true;",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "outages::work",
        ],
        red: "work_whose_commit_is_lost_is_repeated_if_it_has_a_key",
    },
    // The keys of others take no room.
    Mutant {
        name: "room-of-the-owner",
        file: "crates/persistence/src/tasks/request.rs",
        from: r"FROM idempotency_keys o WHERE o.user_id = $1 AND",
        to: r"FROM idempotency_keys o WHERE o.user_id > $1 - $1 AND",
        test: &["-p", "errand-persistence", "--test", "adapter", "--", "requests"],
        red: "keys_are_bounded_and_go_with_traffic_on_sqlite",
    },
    // A key is of one request.
    Mutant {
        name: "fingerprint",
        file: "crates/persistence/src/tasks/request.rs",
        from: r"if fingerprint != request.fingerprint.0 {",
        to: r"if fingerprint.is_empty() {",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "sqlite::work",
        ],
        red: "a_key_is_of_one_request",
    },
    // Keys belong to their owner.
    Mutant {
        name: "keys-of-the-owner",
        file: "crates/persistence/src/tasks/request.rs",
        from: r"ON k.user_id = c.user_id AND k.key = $2",
        to: r"ON k.user_id > c.user_id - c.user_id AND k.key = $2",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "sqlite::work",
        ],
        red: "another_owner_has_other_requests",
    },
    // One that is refused undoes all.
    Mutant {
        name: "all-or-nothing",
        file: "crates/persistence/src/tasks/work.rs",
        from: r"if !refusals.is_empty() {",
        to: r"if outcomes.is_empty() && !refusals.is_empty() {",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "sqlite::work",
        ],
        red: "one_that_is_refused_undoes_all",
    },
    // A successor that was touched has the series.
    Mutant {
        name: "untouched",
        file: "crates/domain/src/task/board.rs",
        from: r"successor.version == 1 =>",
        to: r"successor.version > 0 =>",
        test: &["-p", "errand-domain", "--lib"],
        red: "a_successor_that_was_touched_stays",
    },
];
