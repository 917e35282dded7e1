//! Roles that could do more than use the tables.

use errand_persistence::{AppRole, MigrateError, RoleError};
use errand_testbed::{Postgres, TestDatabase};

use super::{code, number, run};
use errand_conformance::Harness;

use crate::support::{Guarded, open, register, settings, stores};

async fn refused(database: &TestDatabase, role: &str, reason: &str) {
    let role = AppRole::parse(role).unwrap();
    let opened = open(&settings(database, &database.url)).await;
    let error = opened.migrate_for(&role, true).await.unwrap_err();
    let shown = error.to_string();
    assert!(
        matches!(error, MigrateError::Role(RoleError::Mighty { .. })),
        "{error:?}"
    );
    assert!(shown.contains(reason), "{shown}");
    // Nothing of it stays.
    let mut look = database.connect().await;
    let forced = "SELECT count(*) FROM pg_class WHERE relforcerowsecurity OR relname = 'users'";
    assert_eq!(number(&mut look, forced).await, 0);
}

/// A role that could see more than its policies show, itself or through another.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_could_do_more_is_refused() {
    let database = Postgres::shared().create_database().await;
    let mut look = database.connect().await;
    let owner = database.name();
    let tail = owner.trim_start_matches("test_");
    for (n, (kind, grant, reason)) in [
        ("SUPERUSER", "", "is a superuser"),
        ("BYPASSRLS", "", "bypasses row-level security"),
        ("CREATEROLE", "", "makes roles"),
        ("REPLICATION", "", "replication"),
        ("", owner, "test_"),
        ("", "pg_read_server_files", "is a member of pg_read_server_files"),
    ]
    .into_iter()
    .enumerate()
    {
        let role = format!("r{n}_{tail}");
        run(&mut look, &format!("CREATE ROLE {role} LOGIN {kind}"))
            .await
            .unwrap();
        if !grant.is_empty() {
            // Not inherited is no help: SET ROLE reaches it.
            run(
                &mut look,
                &format!("ALTER ROLE {role} NOINHERIT; GRANT {grant} TO {role}"),
            )
            .await
            .unwrap();
        }
        refused(&database, &role, reason).await;
    }
    let role = format!("creates_{tail}");
    let made = format!("CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role}");
    run(&mut look, &made).await.unwrap();
    refused(&database, &role, "may create in the schema").await;
    refused(&database, owner, "owns tables").await;
}

/// A role that can use the tables and no more, for whom one round trip is worth more than a second lock.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_prepared_without_policies() {
    let database = Postgres::shared().create_database().await;
    database.allow_making_roles().await;
    let role = AppRole::parse(&format!("app_{}", database.name().trim_start_matches("test_"))).unwrap();
    let owner = open(&settings(&database, &database.url)).await;
    let migrated = owner.migrate_for(&role, false).await.unwrap();
    assert!(migrated.made_role && migrated.left.is_empty());
    let url = database.url_as(role.name()).await;
    let opened = open(&settings(&database, &url)).await;
    opened.check().await.unwrap();
    register(&stores(&opened), "ann").await;
    let mut look = database.connect().await;
    assert_eq!(number(&mut look, "SELECT count(*) FROM pg_policies").await, 0);
    // Policies that are there stay.
    owner.migrate_for(&role, true).await.unwrap();
    owner.migrate_for(&role, false).await.unwrap();
    let held = "SELECT count(*) FROM pg_class WHERE relforcerowsecurity AND relname = 'tasks'";
    assert_eq!(number(&mut look, held).await, 1);
}

/// The server itself ends what nobody waits for any more.
#[tokio::test(flavor = "multi_thread")]
async fn the_role_is_bounded() {
    let Guarded(guarded) = Guarded::fresh().await;
    let mut role = guarded.inside().await;
    let slow = run(&mut role, "SELECT pg_sleep(20)").await;
    assert_eq!(code(slow), "57014");
    let bounds: (String, String) = sqlx::query_as(
        "SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')",
    )
    .fetch_one(&mut role)
    .await
    .unwrap();
    assert_eq!(bounds, ("3s".to_owned(), "10s".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_prepared_again_and_again() {
    let database = Postgres::shared().create_database().await;
    let role = AppRole::parse(&format!("app_{}", database.name().trim_start_matches("test_"))).unwrap();
    let opened = open(&settings(&database, &database.url)).await;
    // Who may not make roles is told so.
    let error = opened.migrate_for(&role, true).await.unwrap_err();
    assert!(
        matches!(error, MigrateError::Role(RoleError::Forbidden(_))),
        "{error:?}"
    );
    // Made by hand, and with rights that it should not have.
    let mut look = database.connect().await;
    run(&mut look, &format!("CREATE ROLE {} LOGIN", role.name()))
        .await
        .unwrap();
    assert_eq!(opened.migrate().await.unwrap().len(), 5);
    let more = format!(
        "GRANT TRUNCATE, TRIGGER ON tasks TO {0}; GRANT INSERT ON seaql_migrations TO {0}",
        role.name()
    );
    run(&mut look, &more).await.unwrap();
    for _ in 0..2 {
        let migrated = opened.migrate_for(&role, true).await.unwrap();
        assert_eq!((migrated.steps.len(), migrated.made_role), (0, false));
        // The role is not of who migrates.
        assert_eq!(migrated.left.len(), 3, "{:?}", migrated.left);
    }
    // Every order can be given as it stands; what is set is not touched.
    let orders = opened.migrate_for(&role, true).await.unwrap().left;
    let own = format!("ALTER ROLE {} SET statement_timeout = '9s'", role.name());
    run(&mut look, &format!("{}; {own}", orders.join("; ")))
        .await
        .unwrap();
    assert!(opened.migrate_for(&role, true).await.unwrap().left.is_empty());
    let set = format!(
        "SELECT count(*) FROM pg_roles WHERE rolname = '{}' AND 'statement_timeout=9s' = ANY (rolconfig)",
        role.name()
    );
    assert_eq!(number(&mut look, &set).await, 1);
    let rights = format!(
        "SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' \
         AND (has_table_privilege('{0}', c.oid, 'TRUNCATE, TRIGGER, REFERENCES') \
         OR c.relname = 'seaql_migrations' AND has_table_privilege('{0}', c.oid, 'INSERT, UPDATE, DELETE'))",
        role.name()
    );
    assert_eq!(number(&mut look, &rights).await, 0);
    // What everybody may do counts too.
    run(&mut look, "GRANT TRUNCATE ON tasks TO PUBLIC").await.unwrap();
    let error = opened.migrate_for(&role, true).await.unwrap_err();
    assert!(error.to_string().contains("may truncate"), "{error}");
}
