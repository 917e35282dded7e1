//! What a statement can reach, with a name and without.

use std::collections::BTreeSet;

use errand_conformance::Harness;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{TABLES, code, moved_in, name, number, run, tried};
use crate::support::{Guarded, at, event, open};

/// Whatever a statement forgets, it finds what is its owner's.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_without_an_owner_touches_one_owners_rows() {
    let guarded = Guarded::fresh().await;
    let ann = moved_in(&guarded, "ann").await;
    let bob = moved_in(&guarded, "bob").await;
    let mut conn = guarded.0.inside().await;
    for (owner, other) in [(ann, bob), (bob, ann)] {
        run(&mut conn, "BEGIN").await.unwrap();
        name(&mut conn, &owner.to_string()).await;
        for (table, column) in TABLES {
            let mut look = guarded.0.admin().await;
            let own = number(
                &mut look,
                &format!("SELECT count(*) FROM {table} WHERE {column} = {owner}"),
            )
            .await;
            let all = number(&mut look, &format!("SELECT count(*) FROM {table}")).await;
            assert!(0 < own && own < all, "{table}");
            assert_eq!(
                number(&mut conn, &format!("SELECT count(*) FROM {table}")).await,
                own,
                "{table}"
            );
            let own = u64::try_from(own).unwrap();
            for sql in [
                format!("UPDATE {table} SET {column} = {column}"),
                format!("DELETE FROM {table}"),
                format!("SELECT 1 FROM {table} FOR UPDATE"),
            ] {
                assert_eq!(tried(&mut conn, &sql).await.unwrap(), own, "{sql}");
            }
            for sql in [
                format!("SELECT 1 FROM {table} WHERE {column} = {other}"),
                format!("UPDATE {table} SET {column} = {column} WHERE {column} = {other}"),
                format!("DELETE FROM {table} WHERE {column} = {other}"),
            ] {
                assert_eq!(tried(&mut conn, &sql).await.unwrap(), 0, "{sql}");
            }
            // Neither made for somebody else nor given away.
            let given = format!("UPDATE {table} SET {column} = {other}");
            assert_eq!(code(tried(&mut conn, &given).await), "42501", "{given}");
            let row = format!(
                "WITH own AS (TABLE {table} LIMIT 1) INSERT INTO {table} \
                 SELECT (jsonb_populate_record(NULL::{table}, to_jsonb(own) || jsonb_build_object('{column}', {other}))).* \
                 FROM own"
            );
            assert_eq!(code(tried(&mut conn, &row).await), "42501", "{row}");
        }
        run(&mut conn, "COMMIT").await.unwrap();
    }
}

/// The name of nobody, and no name at all.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_name_there_is_nothing() {
    let guarded = Guarded::fresh().await;
    let ann = moved_in(&guarded, "ann").await;
    let mut conn = guarded.0.inside().await;
    let nothing = async |conn: &mut PgConnection, tables: &[(&str, &str)]| {
        for (table, column) in tables {
            for sql in [
                format!("SELECT 1 FROM {table}"),
                format!("UPDATE {table} SET {column} = {column}"),
                format!("DELETE FROM {table}"),
            ] {
                assert_eq!(tried(conn, &sql).await.unwrap(), 0, "{sql}");
            }
        }
    };
    let newcomer = "INSERT INTO users (username, username_key, email, email_key, password_hash, created_at, \
                    updated_at) VALUES ('c', 'c', 'c', 'c', 'c', now(), now())";
    // A fresh session has no such setting.
    run(&mut conn, "BEGIN").await.unwrap();
    nothing(&mut conn, &TABLES).await;
    assert_eq!(code(tried(&mut conn, newcomer).await), "42501");
    run(&mut conn, "COMMIT").await.unwrap();
    // One that had it in an earlier transaction has it empty: nothing leaks to the next.
    run(&mut conn, "BEGIN").await.unwrap();
    name(&mut conn, &ann.to_string()).await;
    assert_eq!(number(&mut conn, "SELECT count(*) FROM users").await, 1);
    run(&mut conn, "COMMIT").await.unwrap();
    run(&mut conn, "BEGIN").await.unwrap();
    nothing(&mut conn, &TABLES).await;
    assert_eq!(code(tried(&mut conn, newcomer).await), "42501");
    run(&mut conn, "ROLLBACK").await.unwrap();
    // Everyone is for signing in and registering.
    run(&mut conn, "BEGIN").await.unwrap();
    name(&mut conn, "everyone").await;
    let seen = ["users", "imported_users", "imported_tasks"];
    let hidden: Vec<_> = TABLES
        .into_iter()
        .filter(|(table, _)| !seen.contains(table))
        .collect();
    nothing(&mut conn, &hidden).await;
    for table in seen {
        assert_eq!(
            number(&mut conn, &format!("SELECT count(*) FROM {table}")).await,
            1
        );
    }
    assert_eq!(
        tried(&mut conn, "UPDATE users SET disabled_at = now()")
            .await
            .unwrap(),
        0
    );
    for table in seen {
        assert_eq!(
            tried(&mut conn, &format!("DELETE FROM {table}")).await.unwrap(),
            0
        );
    }
    assert_eq!(tried(&mut conn, newcomer).await.unwrap(), 1);
    let counters = format!("INSERT INTO task_counters (user_id) VALUES ({ann})");
    assert_eq!(code(tried(&mut conn, &counters).await), "42501");
    run(&mut conn, "ROLLBACK").await.unwrap();
    // Not even the owner of the tables sees anything.
    let mut owner = guarded.0.outside().await;
    run(&mut owner, "BEGIN").await.unwrap();
    nothing(&mut owner, &TABLES).await;
}

/// Connections of the pool go from one owner to the next.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooled_connection_remembers_nobody() {
    let mut guarded = Guarded::fresh().await;
    guarded.0.settings.max_connections = 1;
    guarded.0.database = open(&guarded.0.settings).await;
    let stores = guarded.stores();
    let ann = moved_in(&guarded, "ann").await;
    let bob = moved_in(&guarded, "bob").await;
    for owner in [ann, bob, ann] {
        let export = stores.accounts.export(owner, at(1)).await.unwrap().unwrap();
        assert_eq!((export.user.id, export.tasks.len()), (owner, 3));
        assert!(stores.sessions.end_all(owner, &event(at(1))).await.is_ok());
        let mut look = guarded.0.admin().await;
        // What the one connection would see for itself.
        let idle = number(
            &mut look,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'",
        );
        assert_eq!(idle.await, 0);
    }
}

/// Deleting an account takes everything along: cascades go past the policies, triggers run inside them.
#[tokio::test(flavor = "multi_thread")]
async fn cascades_and_triggers_reach_what_they_must() {
    let guarded = Guarded::fresh().await;
    let stores = guarded.stores();
    let ann = moved_in(&guarded, "ann").await;
    let bob = moved_in(&guarded, "bob").await;
    let mut look = guarded.0.admin().await;
    let counter = |owner| format!("SELECT change_counter FROM task_counters WHERE user_id = {owner}");
    assert_eq!(number(&mut look, &counter(ann)).await, 3);
    let found = stores.accounts.find(ann).await.unwrap().unwrap();
    assert!(stores.accounts.delete(ann, &found.password).await.unwrap());
    for (table, column) in TABLES {
        let left = format!("SELECT count(*) FROM {table} WHERE {column} = {ann}");
        assert_eq!(number(&mut look, &left).await, 0, "{table}");
        let kept = format!("SELECT count(*) FROM {table} WHERE {column} = {bob}");
        assert!(number(&mut look, &kept).await > 0, "{table}");
    }
    // A statement that removes tasks itself fires the trigger with its list of rows.
    let mut conn = guarded.0.inside().await;
    run(&mut conn, "BEGIN").await.unwrap();
    name(&mut conn, &bob.to_string()).await;
    assert_eq!(run(&mut conn, "DELETE FROM tasks").await.unwrap(), 3);
    run(&mut conn, "COMMIT").await.unwrap();
    assert_eq!(number(&mut look, &counter(bob)).await, 4);
}

/// The role of errand uses the tables and does nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn the_role_defines_nothing() {
    let guarded = Guarded::fresh().await;
    let owner: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&mut guarded.0.outside().await)
        .await
        .unwrap();
    let mut conn = guarded.0.inside().await;
    for sql in [
        "CREATE TABLE mine (id int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE tasks NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE tasks ADD COLUMN mine int",
        "CREATE POLICY mine ON tasks USING (true)",
        "ALTER POLICY errand_owner ON tasks USING (true)",
        "DROP POLICY errand_owner ON tasks",
        "CREATE TRIGGER mine BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION tasks_count_change()",
        "CREATE INDEX mine ON tasks (title)",
        "DROP TABLE tasks",
        "TRUNCATE tasks",
        "TRUNCATE users CASCADE",
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m', 1)",
        "DELETE FROM seaql_migrations",
        "CREATE ROLE mine",
        "CREATE DATABASE mine",
        "CREATE SCHEMA mine",
        &format!("SET ROLE {owner}"),
        &format!("GRANT {owner} TO current_user"),
        "ALTER ROLE current_user BYPASSRLS",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ] {
        let refused = code(run(&mut conn, sql).await);
        assert_eq!(refused, "42501", "{sql}");
    }
    // It is told to do without the policies, and refuses instead.
    run(&mut conn, "SET row_security = off").await.unwrap();
    assert_eq!(code(run(&mut conn, "SELECT 1 FROM tasks").await), "42501");
    run(&mut conn, "RESET row_security").await.unwrap();
    assert!(
        run(&mut conn, "SELECT version FROM seaql_migrations")
            .await
            .is_ok()
    );
}

/// A table of users' data that nobody put on the list.
#[tokio::test(flavor = "multi_thread")]
async fn every_table_of_users_is_guarded() {
    let guarded = Guarded::fresh().await;
    let mut look = guarded.0.admin().await;
    let guarded_tables: Vec<String> = sqlx::query_scalar(
        "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace \
         AND c.relrowsecurity AND c.relforcerowsecurity \
         AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'errand_owner')",
    )
    .fetch_all(&mut look)
    .await
    .unwrap();
    let owned: Vec<String> = sqlx::query_scalar(
        "SELECT table_name::text FROM information_schema.columns \
         WHERE table_schema = 'public' AND column_name = 'user_id' UNION SELECT 'users'",
    )
    .fetch_all(&mut look)
    .await
    .unwrap();
    let set = |names: Vec<String>| names.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(
        set(guarded_tables),
        set(owned.clone()),
        "a line in policies.rs is missing"
    );
    assert_eq!(
        set(owned),
        set(TABLES.map(|(table, _)| table.to_owned()).to_vec()),
        "one here is missing"
    );
}

/// The policies cost no index.
#[tokio::test(flavor = "multi_thread")]
async fn statements_still_find_their_index() {
    let guarded = Guarded::fresh().await;
    let ann = moved_in(&guarded, "ann").await;
    let mut look = guarded.0.admin().await;
    // Enough for a plan to matter.
    run(
        &mut look,
        &format!(
            "INSERT INTO users (username, username_key, email, email_key, password_hash, created_at, updated_at) \
             SELECT 'u' || n, 'u' || n, 'e' || n, 'e' || n, 'h', now(), now() FROM generate_series(1, 2000) n; \
             INSERT INTO task_counters (user_id) SELECT id FROM users ON CONFLICT DO NOTHING; \
             INSERT INTO tasks (user_id, id, creation_key, title, title_folded, priority, due_is_date, tags, \
             tag_keys, created_at, updated_at, version, change_seq) \
             SELECT u.id, 100 + n, 'k' || n, 't', 't', 0, false, '[]', '', now(), now(), 1, 0 \
             FROM users u, generate_series(1, 10) n; \
             INSERT INTO tasks (user_id, id, creation_key, title, title_folded, priority, due_is_date, tags, \
             tag_keys, created_at, updated_at, version, change_seq) \
             SELECT {ann}, 1000 + n, 'l' || n, 't', 't', 0, false, '[]', '', now() - n * interval '1 s', now(), 1, 0 \
             FROM generate_series(1, 3000) n; ANALYZE"
        ),
    )
    .await
    .unwrap();
    let mut conn = guarded.0.inside().await;
    run(&mut conn, "BEGIN").await.unwrap();
    name(&mut conn, &ann.to_string()).await;
    for (sql, index) in [
        (
            format!("SELECT 1 FROM tasks WHERE user_id = {ann} AND id = 1 AND deleted_at IS NULL"),
            "tasks_pkey",
        ),
        (
            format!(
                "SELECT 1 FROM tasks WHERE user_id = {ann} AND deleted_at IS NULL AND strpos(title_folded, 't') > 0 \
                 AND (created_at, id) < (now() - interval '10 s', 5000) \
                 ORDER BY created_at DESC, id DESC LIMIT 20"
            ),
            "tasks_by_creation",
        ),
        // Without its owner it is the policy that leads to the index.
        ("SELECT 1 FROM tasks WHERE id = 1".to_owned(), "tasks_pkey"),
        (format!("SELECT 1 FROM users WHERE id = {ann}"), "users_pkey"),
        (
            "SELECT 1 FROM users WHERE email_key = 'e7'".to_owned(),
            "users_email_unique",
        ),
        (
            format!(
                "UPDATE tasks SET deleted_at = now() WHERE user_id = \
                 (SELECT user_id FROM task_counters WHERE user_id = {ann} FOR NO KEY UPDATE) AND id = 2"
            ),
            "tasks_pkey",
        ),
    ] {
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {sql}")))
            .fetch_all(&mut conn)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{plan}");
    }
}
