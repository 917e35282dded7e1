//! What keeps moving in from losing, doubling or overwriting a row.

use super::Mutant;

pub const MUTANTS: &[Mutant] = &[
    // What is in already is known by its key.
    Mutant {
        name: "import-known",
        file: "crates/persistence/src/imports/tasks.rs",
        from: r".filter(|task| !ids.contains_key(task.key.as_str()))",
        to: r".filter(|task| !task.key.is_empty())",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "imports::sqlite::what_is_brought_twice_comes_in_once",
        ],
        red: "what_is_brought_twice_comes_in_once",
    },
    // What changed here is not overwritten.
    Mutant {
        name: "import-untouched",
        file: "crates/persistence/src/imports/follow.rs",
        from: r"known.into_iter().filter(|task| task.untouched)",
        to: r"known.into_iter().filter(|task| task.untouched | true)",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "imports::sqlite::what_changed_here_is_not_followed",
        ],
        red: "what_changed_here_is_not_followed",
    },
    // Who changed between the look and the removal stays.
    Mutant {
        name: "import-removal",
        file: "crates/persistence/src/imports/removal.rs",
        from: r"|| expected.is_some() && found.as_ref() != expected",
        to: r"|| expected.is_some() && found.is_none()",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "imports::sqlite::what_came_in_goes_again",
        ],
        red: "what_came_in_goes_again",
    },
    // Nobody who registers gets the id of somebody who comes in.
    Mutant {
        name: "import-reserve",
        file: "crates/import/src/run.rs",
        from: r"UserId(counts.greatest_user)",
        to: r"UserId(counts.greatest_user.min(0))",
        test: &[
            "-p",
            "errand",
            "--test",
            "e2e",
            "--",
            "moving_in::postgres::everybody_signs_in_with_the_password_of_before",
        ],
        red: "everybody_signs_in_with_the_password_of_before",
    },
    // A receipt that was changed is not believed.
    Mutant {
        name: "import-seal",
        file: "crates/import/src/receipt.rs",
        from: r"if hex(&hasher.end()) != sha256 {",
        to: r"if hex(&hasher.end()).is_empty() & sha256.is_empty() {",
        test: &[
            "-p",
            "errand",
            "--test",
            "e2e",
            "--",
            "moving_in::sqlite::a_changed_byte_is_named",
        ],
        red: "a_changed_byte_is_named",
    },
    // Nor is one of another database.
    Mutant {
        name: "import-home",
        file: "crates/import/src/check.rs",
        from: r"Some(last) if last.id.to_string() == header.import && header.run <= last.number =>",
        to: r"Some(last) if !header.import.is_empty() =>",
        test: &[
            "-p",
            "errand",
            "--test",
            "e2e",
            "--",
            "moving_in::sqlite::a_changed_byte_is_named",
        ],
        red: "a_changed_byte_is_named",
    },
    // An account whose hash is of scrypt takes the work of any other, too.
    Mutant {
        name: "scrypt-work",
        file: "crates/security/src/passwords/scheme.rs",
        from: r"        let matches = stored.is_of(password);
        spend(password, current);",
        to: r"        let matches = stored.is_of(password);",
        test: &[
            "-p",
            "errand-security",
            "every_verdict_takes_the_work_of_one_current_hash",
        ],
        red: "every_verdict_takes_the_work_of_one_current_hash",
    },
];
