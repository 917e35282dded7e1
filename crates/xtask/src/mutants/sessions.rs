//! What keeps sessions whole beside others.

use super::Mutant;

pub const MUTANTS: &[Mutant] = &[
    // A presented refresh token holds its account's row.
    Mutant {
        name: "rotation-lock",
        file: "crates/persistence/src/sessions.rs",
        from: r"    let held = lock(tx, owner).await?;",
        to: r"    let held = crate::entities::users::Entity::of(owner).one(tx).await?;",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "one_of_parallel_rotations_wins",
        ],
        red: "one_of_parallel_rotations_wins",
    },
    // A reused refresh token ends its session.
    Mutant {
        name: "reuse-ends",
        file: "crates/persistence/src/sessions.rs",
        from: r"            remove(tx, owner, id).await?;
            events::keep(tx, owner, &input.event).await?;
            Ok(Rotation::Reused)",
        to: r"            Ok(Rotation::Reused)",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_grandparent_ends_the_session_at_once",
        ],
        red: "a_grandparent_ends_the_session_at_once",
    },
    // A password that was changed since it was given starts no session.
    Mutant {
        name: "proven-start",
        file: "crates/persistence/src/sessions.rs",
        from: r"account.filter(|user| Timestamp::new(user.updated_at) == account_as_of)",
        to: r"account.filter(|_| account_as_of == account_as_of)",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_password_proven_before_a_change_starts",
        ],
        red: "a_password_proven_before_a_change_starts_no_session",
    },
];
