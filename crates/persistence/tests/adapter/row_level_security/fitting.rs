//! The setting and the database, together and apart.

use errand_conformance::Harness;
use errand_domain::UserId;
use errand_persistence::{
    AppRole, CheckError, ConnectError, DatabaseUrl, MigrateError, RoleError, Settings, Unfit,
};
use errand_testbed::Postgres;

use super::{number, run};
use crate::support::{Guarded, PostgreSql, Sqlite, guard, open, settings, stores};

/// Later steps bring new tables, and work on everybody's rows.
#[tokio::test(flavor = "multi_thread")]
async fn migrating_keeps_the_policies_whole() {
    let database = Postgres::shared().create_database().await;
    let url = guard(&database).await;
    let mut look = database.connect().await;
    let owner = open(&settings(&database, &database.url)).await;
    let whole = "SELECT count(*) FROM pg_policy";
    let policies = number(&mut look, whole).await;
    // As if the table came with the next version.
    run(
        &mut look,
        "DROP POLICY errand_owner ON task_walks; ALTER TABLE task_walks DISABLE ROW LEVEL SECURITY; \
         ALTER TABLE task_walks NO FORCE ROW LEVEL SECURITY; \
         CREATE POLICY errand_before ON tasks USING (false)",
    )
    .await
    .unwrap();
    let mut guarded = settings(&database, &url);
    guarded.row_level_security = true;
    let error = open(&guarded).await.check().await.unwrap_err();
    assert!(
        matches!(&error, CheckError::Unfit(Unfit::Unguarded(tables)) if tables == "task_walks"),
        "{error:?}"
    );
    assert_eq!(owner.migrate().await.unwrap(), Vec::<String>::new());
    assert_eq!(number(&mut look, whole).await, policies);
    open(&guarded).await.check().await.unwrap();
    // What is whole is left alone, by a role too that may not touch it.
    guarded.direct_url = None;
    assert_eq!(
        open(&guarded).await.migrate().await.unwrap(),
        Vec::<String>::new()
    );
    // A database without row-level security stays without.
    let plain = Postgres::shared().create_database().await;
    open(&settings(&plain, &plain.url)).await.migrate().await.unwrap();
    assert_eq!(number(&mut plain.connect().await, whole).await, 0);
}

async fn unfit(settings: &Settings) -> Unfit {
    let database = open(settings).await;
    let waiting = database.clone();
    let told = async move {
        let finder = stores(&database).accounts.find(UserId(1)).await;
        let error = database.check().await.unwrap_err();
        assert!(finder.is_err(), "nothing is answered meanwhile");
        let CheckError::Unfit(unfit) = error else {
            panic!("{error:?}")
        };
        unfit
    };
    let (heard, unfit) = tokio::join!(waiting.unfit(), told);
    assert_eq!(heard, unfit);
    let told = unfit.to_string();
    assert!(
        told.contains("database.row_level_security") || matches!(unfit, Unfit::Powerless(_)),
        "{told}"
    );
    assert!(!told.contains('\n'));
    unfit
}

/// Half a lock is found before anything is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_setting_and_a_database_that_do_not_fit_are_refused() {
    // The setting without policies.
    let mut plain = PostgreSql::fresh().await;
    plain.settings.row_level_security = true;
    assert!(matches!(unfit(&plain.settings).await, Unfit::Unguarded(tables) if tables.starts_with("users")));
    // Policies without the setting.
    let Guarded(mut guarded) = Guarded::fresh().await;
    guarded.database.check().await.unwrap();
    guarded.settings.row_level_security = false;
    assert_eq!(unfit(&guarded.settings).await, Unfit::Unasked);
    guarded.settings.row_level_security = true;
    // Policies that do not hold the owner.
    let mut look = guarded.admin().await;
    run(&mut look, "ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY")
        .await
        .unwrap();
    assert_eq!(
        unfit(&guarded.settings).await,
        Unfit::Unguarded("sessions".into())
    );
    run(&mut look, "ALTER TABLE sessions FORCE ROW LEVEL SECURITY")
        .await
        .unwrap();
    // Somebody else's that open it, and one that is for others.
    run(
        &mut look,
        "CREATE POLICY report ON tasks FOR SELECT TO pg_monitor USING (true)",
    )
    .await
    .unwrap();
    open(&guarded.settings).await.check().await.unwrap();
    run(&mut look, "CREATE POLICY open ON tasks FOR SELECT USING (true)")
        .await
        .unwrap();
    assert_eq!(
        unfit(&guarded.settings).await,
        Unfit::Opened("open on tasks".into())
    );
    run(&mut look, "DROP POLICY open ON tasks").await.unwrap();
    // One of errand's name that closes nothing; migrating mends it.
    run(
        &mut look,
        "ALTER POLICY errand_owner ON tasks USING (true) WITH CHECK (true)",
    )
    .await
    .unwrap();
    assert_eq!(unfit(&guarded.settings).await, Unfit::Unguarded("tasks".into()));
    guarded.database.migrate().await.unwrap();
    open(&guarded.settings).await.check().await.unwrap();
    // A role that may not do the work.
    let asking = sqlx::query_scalar("SELECT current_user::text");
    let role: String = asking.fetch_one(&mut guarded.inside().await).await.unwrap();
    run(&mut look, &format!("REVOKE UPDATE ON sessions FROM {role}"))
        .await
        .unwrap();
    assert_eq!(
        unfit(&guarded.settings).await,
        Unfit::Powerless("UPDATE on sessions".into())
    );
    run(
        &mut look,
        &format!("GRANT UPDATE ON sessions TO {role}; REVOKE SELECT ON seaql_migrations FROM {role}"),
    )
    .await
    .unwrap();
    assert_eq!(
        unfit(&guarded.settings).await,
        Unfit::Powerless("SELECT on seaql_migrations".into())
    );
    run(&mut look, &format!("GRANT SELECT ON seaql_migrations TO {role}"))
        .await
        .unwrap();
    // A role above it.
    let database = Postgres::shared().create_database().await;
    let mut mighty = settings(&database, &guard(&database).await);
    mighty.row_level_security = true;
    let role = format!("app_{}", database.name().trim_start_matches("test_"));
    for more in ["BYPASSRLS", "NOBYPASSRLS SUPERUSER"] {
        run(&mut look, &format!("ALTER ROLE {role} {more}"))
            .await
            .unwrap();
        assert_eq!(unfit(&mighty).await, Unfit::Bypassed);
    }
    // Whatever was found wrong, one that is right goes on.
    guarded.database.check().await.unwrap();
}

/// Tables look empty from then on; nobody is told so by an empty list.
#[tokio::test(flavor = "multi_thread")]
async fn policies_that_come_while_it_runs_are_found_when_somebody_looks() {
    let database = Postgres::shared().create_database().await;
    database.allow_making_roles().await;
    let role = AppRole::parse(&format!("app_{}", database.name().trim_start_matches("test_"))).unwrap();
    let owner = open(&settings(&database, &database.url)).await;
    owner.migrate_for(&role, false).await.unwrap();
    let running = open(&settings(&database, &database.url_as(role.name()).await)).await;
    running.health().ping().await.unwrap();
    owner.migrate_for(&role, true).await.unwrap();
    let found = async {
        let error = running.check().await.unwrap_err();
        assert!(matches!(error, CheckError::Unfit(Unfit::Unasked)), "{error:?}");
        running.check().await.unwrap_err();
    };
    let (unfit, ()) = tokio::join!(running.unfit(), found);
    assert_eq!(unfit, Unfit::Unasked);
}

/// No waiting helps, and the way out is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_migrate_is_told_whom_to_name() {
    let Guarded(mut guarded) = Guarded::fresh().await;
    guarded.settings.direct_url = None;
    run(&mut guarded.admin().await, "DELETE FROM seaql_migrations")
        .await
        .unwrap();
    let error = open(&guarded.settings).await.migrate().await.unwrap_err();
    assert!(matches!(error, MigrateError::Forbidden(_)), "{error:?}");
    assert!(error.to_string().contains("DATABASE_DIRECT_URL"));
}

/// There is a way to be told before it is in use.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_tables_is_told_to_be_migrated() {
    let database = Postgres::shared().create_database().await;
    let mut settings = settings(&database, &database.url);
    settings.row_level_security = true;
    let opened = open(&settings).await;
    let error = opened.check().await.unwrap_err();
    assert!(matches!(error, CheckError::Older(_)), "{error:?}");
    opened.migrate().await.unwrap();
    let error = opened.check().await.unwrap_err();
    assert!(
        matches!(error, CheckError::Unfit(Unfit::Unguarded(_))),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_has_none_of_it() {
    let sqlite = Sqlite::fresh().await;
    let role = AppRole::parse("app").unwrap();
    let error = sqlite.database.migrate_for(&role, true).await.unwrap_err();
    assert!(
        matches!(error, MigrateError::Role(RoleError::NotPostgres)),
        "{error:?}"
    );
    let mut settings = Settings::new(DatabaseUrl::sqlite(sqlite.dir.path().join("other.db")));
    settings.row_level_security = true;
    let clock = std::sync::Arc::new(crate::support::Stopped);
    let error = errand_persistence::Database::connect(&settings, clock)
        .await
        .unwrap_err();
    assert!(matches!(error, ConnectError::Setting(_)), "{error:?}");
}
