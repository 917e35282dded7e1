//! The defences of errand, each with what takes it out and the test that misses it.

pub mod changes;
mod clients;
mod copies;
mod imports;
mod outages;
mod sessions;

/// One defence.
pub struct Mutant {
    /// To call it by.
    pub name: &'static str,
    /// Where it stands.
    pub file: &'static str,
    /// The text that is the defence; stands once in the file.
    pub from: &'static str,
    /// What is left of it.
    pub to: &'static str,
    /// The arguments of `cargo test` that run the tests in question.
    pub test: &'static [&'static str],
    /// Part of the name of a test that must fail.
    pub red: &'static str,
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Mutant> {
    let groups = [
        MUTANTS,
        changes::MUTANTS,
        clients::MUTANTS,
        copies::MUTANTS,
        imports::MUTANTS,
        outages::MUTANTS,
        sessions::MUTANTS,
    ];
    groups.into_iter().flatten()
}

const MUTANTS: &[Mutant] = &[
    // Reads start at an owner.
    Mutant {
        name: "tenant-in-scope",
        file: "crates/persistence/src/scope.rs",
        from: r"Self::find().filter(Self::OWNER.eq(owner.0))",
        to: r"Self::find().filter(Self::OWNER.gt(owner.0.saturating_sub(owner.0)))",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "another_owner_cannot_find_a_task",
        ],
        red: "another_owner_cannot_find_a_task",
    },
    // The one statement of a change names the owner.
    Mutant {
        name: "tenant-in-change",
        file: "crates/persistence/src/tasks/change.rs",
        from: r"WHERE user_id = (SELECT user_id FROM task_counters WHERE user_id = $1 FOR NO KEY UPDATE) \
     AND id = $2",
        to: r"WHERE user_id = (SELECT min(user_id) FROM task_counters WHERE user_id <= $1) \
     AND id = $2",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "another_owner_cannot_change_a_task",
        ],
        red: "another_owner_cannot_change_a_task",
    },
    // So does the one of a deletion.
    Mutant {
        name: "tenant-in-delete",
        file: "crates/persistence/src/tasks/trash.rs",
        from: r#"= "UPDATE tasks SET deleted_at = $3 WHERE user_id = $1 AND id"#,
        to: r#"= "UPDATE tasks SET deleted_at = $3 WHERE user_id > $1 - $1 AND id"#,
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "another_owner_cannot_delete_a_task",
        ],
        red: "another_owner_cannot_delete_a_task",
    },
    // Database work runs in a task of its own.
    Mutant {
        name: "shield",
        file: "crates/persistence/src/db.rs",
        from: r"self.0.runtime.spawn(task.in_current_span()).await",
        to: r"Ok::<_, tokio::task::JoinError>(task.in_current_span().await)",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "callers_that_hang_up",
        ],
        red: "callers_that_hang_up_lose_nobody_a_write",
    },
    // Creations of one owner come one after the other.
    Mutant {
        name: "creation-lock",
        file: "crates/persistence/src/tasks/create.rs",
        from: r#"create!(" FOR NO KEY UPDATE OF c")"#,
        to: r#"create!("")"#,
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "parallel_creations_get_different_ids",
        ],
        red: "parallel_creations_get_different_ids",
    },
    // The same values move nothing.
    Mutant {
        name: "no-op",
        file: "crates/persistence/src/tasks/change.rs",
        from: r" THEN version + 1 ELSE version END",
        to: r" THEN version + 1 ELSE version + 1 END",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_change_to_the_same_values_moves_nothing",
        ],
        red: "a_change_to_the_same_values_moves_nothing",
    },
    // The path's user is the token's.
    Mutant {
        name: "path-check",
        file: "crates/http/src/middleware/admit.rs",
        from: r#"            actor.check_path(segment_of(req, "user_id"))?;
"#,
        to: r#"            let _ = segment_of(req, "user_id");
"#,
        test: &[
            "-p",
            "errand",
            "--test",
            "e2e",
            "--",
            "no_route_serves_another_users_path",
        ],
        red: "no_route_serves_another_users_path",
    },
    // Ended sessions are refused.
    Mutant {
        name: "guard-ended",
        file: "crates/application/src/sessions.rs",
        from: r"if !self.guard.is_alive(verified.session).await? {",
        to: r"if false && !self.guard.is_alive(verified.session).await? {",
        test: &[
            "-p",
            "errand",
            "--test",
            "e2e",
            "--",
            "logout_ends_the_session_at_once",
        ],
        red: "logout_ends_the_session_at_once",
    },
    // If the store cannot be asked, nobody is let in.
    Mutant {
        name: "guard-closed",
        file: "crates/application/src/guard.rs",
        from: r"        answer?;
        Ok(())",
        to: r"        drop(answer);
        Ok(())",
        test: &["-p", "errand-application", "--", "lets_nobody_in"],
        red: "lets_nobody_in_when_the_store_is_silent",
    },
    // An unknown account costs a hash.
    Mutant {
        name: "hash-for-nobody",
        file: "crates/application/src/accounts.rs",
        from: r"        let stored = found.as_ref().map(|c| c.password.clone());
",
        to: r"        let stored = found.as_ref().map(|c| c.password.clone());
        if found.is_none() {
            return Err(AppError::BadCredentials);
        }
",
        test: &["-p", "errand-application", "--", "hashes_for_nobody_too"],
        red: "hashes_for_nobody_too",
    },
    // A password changes only from the one that was proven.
    Mutant {
        name: "password-race",
        file: "crates/application/src/accounts.rs",
        from: r"        if !changed? {
            return Err(AppError::WrongPassword);
        }
",
        to: r"        let _ = changed?;
",
        test: &["-p", "errand-application", "--", "losing_against_another_change"],
        red: "losing_against_another_change_is_a_wrong_password",
    },
    // A connection that believes in a transaction that SQLite has ended is not lent again.
    Mutant {
        name: "clean-connection",
        file: "crates/persistence/src/connect.rs",
        from: r"    Ok(!conn.is_in_transaction())",
        to: r"    Ok(true)",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_full_disk",
        ],
        red: "a_full_disk_loses_nothing_that_was_acknowledged",
    },
    // A session that ended while its client still sent the body writes nothing.
    Mutant {
        name: "still-admitted",
        file: "crates/http/src/body.rs",
        from: r"    still_admitted(req).await?;",
        to: r"    let _ = still_admitted;",
        test: &[
            "-p",
            "errand",
            "--test",
            "e2e",
            "--",
            "a_body_that_comes_after_the_end",
        ],
        red: "a_body_that_comes_after_the_end_of_the_session_writes_nothing",
    },
    // Behind row-level security a statement that names no owner finds one owner's rows.
    Mutant {
        name: "policies",
        file: "crates/persistence/src/policies.rs",
        from: r#"format!("FOR ALL USING ({own}) WITH CHECK ({own})")"#,
        to: r#"format!("FOR ALL USING (true OR {own}) WITH CHECK ({own})")"#,
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_statement_without_an_owner",
        ],
        red: "a_statement_without_an_owner_touches_one_owners_rows",
    },
    // A setting without its policies, or policies without the setting, answer nothing.
    Mutant {
        name: "fitting",
        file: "crates/persistence/src/footing.rs",
        from: r"        if self.fits.load(",
        to: r"        if self.fence.is_on() || self.fits.load(",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_setting_and_a_database_that_do_not_fit",
        ],
        red: "a_setting_and_a_database_that_do_not_fit_are_refused",
    },
    // A role that could step past the policies is not made errand's.
    Mutant {
        name: "mighty-role",
        file: "crates/persistence/src/app_role.rs",
        from: r"    if reasons.is_empty() {",
        to: r"    if reasons.len() < 100 {",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_role_that_could_do_more_is_refused",
        ],
        red: "a_role_that_could_do_more_is_refused",
    },
    // SQLite's file is opened by SQLite alone: whatever else closes it drops the locks.
    Mutant {
        name: "file-opened-once",
        file: "crates/persistence/src/connect.rs",
        from: "    open.write(true).create_new(true);",
        to: "    open.write(true).create(true);",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "an_existing_file_is_locked",
        ],
        red: "an_existing_file_is_locked_as_long_as_it_is_open",
    },
    // Who is refused and asks again at once waits.
    Mutant {
        name: "pace",
        file: "crates/http/src/middleware/admit.rs",
        from: "        pace::refusal().await;",
        to: "        drop(pace::refusal());",
        test: &["-p", "errand-http", "--lib", "--", "refusals_wait_for_each_other"],
        red: "refusals_wait_for_each_other",
    },
    // One proof more than can be hashed asks the store nothing.
    Mutant {
        name: "places-of-proofs",
        file: "crates/application/src/limits.rs",
        from: "proofs: Arc::new(Semaphore::new(proofs)),",
        to: "proofs: Arc::new(Semaphore::new(proofs + 1_000)),",
        test: &["-p", "errand-application", "--lib", "--", "one_proof_more"],
        red: "one_proof_more_than_there_are_places_for_costs_the_store_nothing",
    },
    // A policy that does not go by the setting is none.
    Mutant {
        name: "hollow-policies",
        file: "crates/persistence/src/policies.rs",
        from: "!names.contains(&policy.name) || self.is_hollow(policy.name)",
        to: "!names.contains(&policy.name)",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "do_not_fit_are_refused",
        ],
        red: "a_setting_and_a_database_that_do_not_fit_are_refused",
    },
    // A pooler is tried out before it is served through.
    Mutant {
        name: "preflight",
        file: "crates/persistence/src/footing.rs",
        from: r"        if self.trusted.load(",
        to: r"        if true || self.trusted.load(",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_pooler_is_tried_out",
        ],
        red: "a_pooler_is_tried_out_before_it_mixes_anything_up",
    },
    // A database that refuses the settings is asked now and then.
    Mutant {
        name: "breaker",
        file: "crates/persistence/src/breaker.rs",
        from: r"        if next == 0 {",
        to: r"        if next < u64::MAX {",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "is_not_hammered",
        ],
        red: "a_server_that_refuses_the_password_is_not_hammered",
    },
    // Nobody waits behind so many that there is no use.
    Mutant {
        name: "crowd",
        file: "crates/persistence/src/db.rs",
        from: r"Err(_) if self.0.pulse.is_steady_for(patience) => return None,",
        to: r"Err(_) if self.0.pulse.is_steady_for(patience) && false => return None,",
        test: &[
            "-p",
            "errand-persistence",
            "--test",
            "adapter",
            "--",
            "a_crowd_is_told",
        ],
        red: "a_crowd_is_told_that_it_is_one",
    },
    // A schema that lacks steps is not served.
    Mutant {
        name: "older-schema",
        file: "crates/persistence/src/fit.rs",
        from: r"    if missing > 0 {",
        to: r"    if missing > 1_000 {",
        test: &[
            "-p",
            "errand",
            "--test",
            "e2e",
            "--",
            "an_older_schema_is_waited_for",
        ],
        red: "an_older_schema_is_waited_for",
    },
    // Before a stop every sign says to go elsewhere.
    Mutant {
        name: "drain",
        file: "crates/http/src/drain.rs",
        from: r"self.0.store(true, SeqCst);",
        to: r"self.0.store(false, SeqCst);",
        test: &["-p", "errand-http", "--lib", "--", "before_it_stops"],
        red: "before_it_stops_it_still_answers",
    },
    // Migrators come one after the other.
    Mutant {
        name: "migration-lock",
        file: "crates/persistence/src/migrate.rs",
        from: r#"format!("SELECT pg_advisory_xact_lock({LOCK})"),"#,
        to: r#"format!("SELECT {LOCK}"),"#,
        test: &[
            "-p",
            "errand",
            "--test",
            "e2e",
            "--",
            "six_commands_migrate_at_once",
        ],
        red: "six_commands_migrate_at_once",
    },
];
