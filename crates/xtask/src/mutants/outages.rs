//! What is done while the database does not answer.

use super::Mutant;

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    // A server that is busy with what was given up does not get more of it.
    Mutant {
        name: "give-up-once",
        file: "crates/persistence/src/db.rs",
        from: "        if Arc::ptr_eq(&self.pools(), hung) && !self.0.pulse.may_replace() {",
        to: "        if Arc::ptr_eq(&self.pools(), hung) && !self.0.pulse.may_replace() && false {",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_locked_table_is_not_asked",
        ],
        red: "a_locked_table_is_not_asked_over_ever_more_connections",
    },
    // The connections of a pool that is not full are not at fault.
    Mutant {
        name: "full-server",
        file: "crates/persistence/src/db.rs",
        from: "if failure.is_for_want_of_a_connection() && pools.is_full() {",
        to: "if failure.is_for_want_of_a_connection() {",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_full_server_costs",
        ],
        red: "a_full_server_costs_no_connection_that_works",
    },
];
