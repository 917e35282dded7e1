//! What makes a copy of a database the whole of it.

use super::Mutant;

const TEST: &[&str] = &["-p", "errand-persistence", "--test", "adapter", "--", "copying::"];

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    // What arrived is compared with what was sent.
    Mutant {
        name: "copy-read-back",
        file: "crates/persistence/src/copy.rs",
        from: "if !same || arrived.hash() != hash {",
        to: "if !same {",
        test: TEST,
        red: "one_changed_value_is_found",
    },
    // Everything is read as it was when the copy began.
    Mutant {
        name: "copy-of-one-moment",
        file: "crates/persistence/src/copy/source.rs",
        from: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        to: "BEGIN READ ONLY",
        test: TEST,
        red: "writes_beside_a_copy_of_postgres_do_not_tear_it",
    },
    // Tasks that come in are no changes.
    Mutant {
        name: "copy-counts-nothing",
        file: "crates/persistence/src/copy/target.rs",
        from: "ALTER TABLE {TASKS} DISABLE TRIGGER USER",
        to: "ALTER TABLE {TASKS} ENABLE TRIGGER USER",
        test: TEST,
        red: "there_and_back_again_nothing_is_another",
    },
    // Where policies may hide rows that errand does not know of, nothing is copied.
    Mutant {
        name: "copy-sees-everything",
        file: "crates/persistence/src/copy/source.rs",
        from: "if !state.is_guarded() {",
        to: "if state.name.is_empty() {",
        test: TEST,
        red: "behind_row_level_security_everything_arrives_and_is_found",
    },
];
