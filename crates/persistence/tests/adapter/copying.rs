//! A whole database into an empty one.

mod refusals;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use errand_conformance::Harness;
use errand_domain::TaskId;
use errand_persistence::copy::{Act, Copied, CopyError, Progress, Side, copy};
use errand_persistence::{DatabaseUrl, Settings};
use errand_testbed::Postgres;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::row_level_security::{TABLES, code, number, populated, run};
use crate::support::{Guarded, PostgreSql, Sqlite, Stopped, UNLIMITED, at, open, register, settings, task};

fn file(path: &Path) -> Settings {
    Settings::new(DatabaseUrl::sqlite(path))
}

impl Sqlite {
    fn settings(&self) -> Settings {
        file(&self.dir.path().join("errand.db"))
    }
}

impl PostgreSql {
    /// As the owner of the tables.
    fn owner(&self) -> Settings {
        let mut settings = self.settings.clone();
        settings.url = settings.direct_url.take().unwrap();
        settings.row_level_security = false;
        settings
    }
}

async fn copied(from: &Settings, to: &Settings) -> Result<Copied, CopyError> {
    watched(from, to, |_| {}).await
}

async fn watched(
    from: &Settings,
    to: &Settings,
    mut watch: impl FnMut(Progress) + Send,
) -> Result<Copied, CopyError> {
    copy(from, to, Arc::new(Stopped), &mut watch).await
}

/// Does something while a copy waits.
fn meanwhile<T>(work: impl Future<Output = T>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(work))
}

async fn order(conn: &mut SqliteConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(conn)
        .await
        .unwrap();
}

/// The longest description is longer than any message on the way.
const EXTREMES: &str = "
INSERT INTO users (id, username, username_key, email, email_key, password_hash, created_at, updated_at, disabled_at)
VALUES (9223372036854775807, 'Ünï', 'ünï', 'a@b', 'a@b', '', '0001-01-01T00:00:00+00:00',
        '9999-12-31T23:59:59.999999+00:00', '1969-12-31T23:59:59.999+00:00');
INSERT INTO task_counters (user_id, change_counter, last_task_id, purged_seq)
VALUES (9223372036854775807, 40, 50, 30);
INSERT INTO tasks (user_id, id, creation_key, title, title_folded, description, priority, due_at, due_is_date,
                   tags, tag_keys, created_at, updated_at, version, change_seq, recurrence, recurrence_from,
                   recurrence_meant, time_zone, handed_on, successor_id)
VALUES (9223372036854775807, 9223372036854775807, '', '🦀 ''\"\\' || char(9, 10, 1), '', hex(zeroblob(600000)), 2,
        '9999-12-31T23:59:59.999999+00:00', 1, '[]', '', '0001-01-01T00:00:00+00:00',
        '2026-11-30T00:00:00.000001+00:00', 9223372036854775807, 0, 'FREQ=DAILY', 'due',
        '2026-03-29 02:30:00.000001', 'Europe/Berlin', NULL, -9223372036854775808),
       (9223372036854775807, 1, 'k', '', '', '', 0, NULL, 0, '', '', '2026-11-30T00:00:00+00:00',
        '2026-11-30T00:00:00.1+00:00', 0, 0, NULL, NULL, '2026-03-29 02:30:00', NULL, '', 0);
UPDATE tasks SET change_seq = 7, updated_at = '2026-11-30T00:00:00.100+00:00' WHERE id = 1 AND version = 0;
UPDATE tasks SET deleted_at = '2026-11-30T00:00:00+00:00', erased_at = '2026-11-30T00:00:00+00:00' WHERE id = 1;
UPDATE task_counters SET change_counter = 9223372036854775806 WHERE user_id = 9223372036854775807;
UPDATE sessions SET previous_token = x'', refresh_full_at = '2026-11-30T00:00:00+00:00', user_agent = '';
INSERT INTO ended_sessions VALUES (x'00000000000000000000000000000000', -9223372036854775808),
                                  (x'ffffffffffffffffffffffffffffffff', 9223372036854775807);
INSERT INTO limits VALUES (x'', 0, 0, 0, 0), (x'00ff', -1, 1, 9223372036854775807, 1);
INSERT INTO idempotency_keys VALUES (9223372036854775807, 'Z', x'00', '{}', 2147483647, '2026-11-30T00:00:00+00:00'),
                                    (9223372036854775807, 'a', x'00', 'ä', -2147483648, '2026-11-30T00:00:00+00:00');
INSERT INTO imports VALUES ('', x'00000000000000000000000000000000', -9223372036854775808, 0, -9223372036854775808),
                           ('ünï.db', x'ffffffffffffffffffffffffffffffff', 9223372036854775807, 1, 9223372036854775807);
INSERT INTO imported_users VALUES (9223372036854775807, 'ünï.db', '', 9223372036854775807, x'', x'00ff', x'',
    '9999-12-31T23:59:59.999999+00:00', -9223372036854775808);
INSERT INTO imported_tasks VALUES (9223372036854775807, 'Z', 1, -1, x'', -9223372036854775808, NULL),
                                  (9223372036854775807, 'a', 9223372036854775807, 1, x'ff', 1, 9223372036854775807);
";

/// Every table has rows, of several people, and each column its extremes.
async fn extremes() -> Sqlite {
    let source = Sqlite::fresh().await;
    for name in ["ann", "bob"] {
        populated(&source.stores(), name).await;
    }
    order(&mut source.outside().await, EXTREMES).await;
    source
}

/// Everything in a file, byte for byte, by table; also what makes it, and the ids that were given.
async fn dump(conn: &mut SqliteConnection) -> BTreeMap<String, Vec<String>> {
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'seaql_migrations'",
    )
    .fetch_all(&mut *conn)
    .await
    .unwrap();
    let mut tables = BTreeMap::new();
    for name in names {
        let columns = format!("SELECT name FROM pragma_table_info('{name}') ORDER BY name");
        let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(columns))
            .fetch_all(&mut *conn)
            .await
            .unwrap();
        let quoted: Vec<String> = columns.iter().map(|column| format!("quote({column})")).collect();
        let rows = format!(
            "SELECT {} AS r FROM {name} ORDER BY r",
            quoted.join(" || ',' || ")
        );
        let rows = sqlx::query_scalar(AssertSqlSafe(rows))
            .fetch_all(&mut *conn)
            .await;
        tables.insert(name, rows.unwrap());
    }
    let schema = sqlx::query_scalar("SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY name");
    tables.insert("schema".into(), schema.fetch_all(&mut *conn).await.unwrap());
    tables
}

/// How many rows there are in all tables.
async fn rows(conn: &mut PgConnection) -> i64 {
    let mut sum = 0;
    for table in TABLES
        .iter()
        .map(|(name, _)| *name)
        .chain(["ended_sessions", "limits"])
    {
        sum += number(conn, &format!("SELECT count(*) FROM {table}")).await;
    }
    sum
}

#[tokio::test(flavor = "multi_thread")]
async fn there_and_back_again_nothing_is_another() {
    let source = extremes().await;
    let (middle, second) = (PostgreSql::fresh().await, PostgreSql::fresh().await);
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("back.db");
    let there = copied(&source.settings(), &middle.owner()).await.unwrap();
    let beside = copied(&middle.owner(), &second.owner()).await.unwrap();
    let home_again = copied(&second.owner(), &file(&path)).await.unwrap();
    assert!(there.tables.iter().all(|table| table.rows > 0), "{there:?}");
    assert_eq!(there, beside);
    assert_eq!(there.tables, home_again.tables);
    assert!(there.last_user_id == i64::MAX && !home_again.steps.is_empty());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut back = SqliteConnection::connect_with(&options).await.unwrap();
    let (before, after) = (dump(&mut source.outside().await).await, dump(&mut back).await);
    for (table, rows) in &before {
        assert!(rows == &after[table], "{table}");
    }
    assert_eq!(before.len(), after.len());
    back.close().await.unwrap();
    // And of the same kind, with nothing left beside a source that nobody uses.
    let bytes = std::fs::read(&path).unwrap();
    let beside = copied(&file(&path), &file(&home.path().join("twin.db")))
        .await
        .unwrap();
    assert_eq!(beside.tables, there.tables);
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 2);
    assert!(std::fs::read(&path).unwrap() == bytes);
}

macro_rules! goes_on {
    ($name:ident, $to:expr, $settings:expr) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let source = Sqlite::fresh().await;
            let ann = populated(&source.stores(), "ann").await;
            populated(&source.stores(), "bob").await;
            let mut outside = source.outside().await;
            // The highest ids are gone, and were given all the same.
            order(
                &mut outside,
                "DELETE FROM users WHERE username = 'bob'; DELETE FROM tasks WHERE id = 3;",
            )
            .await;
            let target = $to;
            let done = copied(&source.settings(), &$settings(&target))
                .await
                .unwrap();
            assert_eq!(done.last_user_id, ann.0 + 1);
            let (before, after) = (source.stores(), target.stores());
            let create = async |stores: &errand_conformance::Stores| {
                let made = stores
                    .tasks
                    .create(ann, "next", &task("t"), UNLIMITED, at(9))
                    .await;
                made.unwrap().task().unwrap().id
            };
            assert_eq!(
                (create(&before).await, create(&after).await),
                (TaskId(4), TaskId(4))
            );
            let changes =
                async |stores: &errand_conformance::Stores| stores.tasks.changes(ann).await.unwrap();
            assert_eq!(changes(&before).await, changes(&after).await);
            let eve = register(&after, "eve").await;
            assert_eq!((eve.0, eve), (ann.0 + 2, register(&before, "eve").await));
        }
    };
}

goes_on!(
    ids_and_changes_go_on_in_postgres,
    PostgreSql::fresh().await,
    |target: &PostgreSql| target.owner()
);
goes_on!(
    ids_and_changes_go_on_in_sqlite,
    Sqlite::fresh().await,
    |target: &Sqlite| target.settings()
);

const FAILING: &str = "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ \
     BEGIN RAISE EXCEPTION 'enough'; END $$; \
     CREATE TRIGGER failing BEFORE INSERT ON idempotency_keys FOR EACH ROW EXECUTE FUNCTION fail()";

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_half_way_leaves_an_empty_target() {
    let source = extremes().await;
    let postgres = PostgreSql::guarded_at(None).await;
    let mut outside = postgres.outside().await;
    let mut admin = postgres.admin().await;
    run(&mut outside, FAILING).await.unwrap();
    let state = "SELECT concat_ws(' ', \
                 (SELECT string_agg(concat(relname, relrowsecurity, relforcerowsecurity), ',' ORDER BY relname) \
                  FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace), \
                 (SELECT string_agg(concat(tgname, tgenabled), ',' ORDER BY tgname) \
                  FROM pg_trigger WHERE NOT tgisinternal), \
                 (SELECT concat('last ', last_value, is_called) FROM users_id_seq))";
    let look = async |admin: &mut PgConnection| -> String {
        sqlx::query_scalar(state).fetch_one(admin).await.unwrap()
    };
    let before = look(&mut admin).await;
    let error = copied(&source.settings(), &postgres.owner()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the target, table idempotency_keys: the database answered P0001: enough"
    );
    assert_eq!((rows(&mut admin).await, look(&mut admin).await), (0, before));
    run(&mut outside, "DROP TRIGGER failing ON idempotency_keys")
        .await
        .unwrap();
    let before = look(&mut admin).await;
    copied(&source.settings(), &postgres.owner()).await.unwrap();
    assert!(rows(&mut admin).await > 10);
    let given = before.replace("last 1f", "last 9223372036854775807t");
    assert_eq!(look(&mut admin).await, given);

    let sqlite = Sqlite::fresh().await;
    let mut outside = sqlite.outside().await;
    order(
        &mut outside,
        "CREATE TRIGGER failing BEFORE INSERT ON idempotency_keys BEGIN SELECT RAISE(ABORT, 'enough'); END",
    )
    .await;
    let before = dump(&mut outside).await;
    let error = copied(&source.settings(), &sqlite.settings()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the target, table idempotency_keys: the database answered 1811: enough"
    );
    assert!(before == dump(&mut outside).await);
    order(&mut outside, "DROP TRIGGER failing").await;
    copied(&source.settings(), &sqlite.settings()).await.unwrap();
}

macro_rules! one_moment {
    ($name:ident, $from:expr, $settings:expr) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let source = $from;
            let stores = source.stores();
            let ann = populated(&stores, "ann").await;
            let write = async |key: &str| {
                let made = stores.tasks.create(ann, key, &task("t"), UNLIMITED, at(9)).await;
                made.unwrap().task().unwrap();
                register(&stores, key).await;
            };
            let target = PostgreSql::fresh().await;
            let mut writes = 0;
            let done = watched(&$settings(&source), &target.owner(), |progress| {
                if progress.act == Act::Copying && progress.done {
                    writes += 1;
                    meanwhile(write(&format!("during-{writes}")));
                }
            })
            .await
            .unwrap();
            assert_eq!(writes, done.tables.len());
            let mut there = target.outside().await;
            let torn = "SELECT count(*) FROM task_counters c WHERE change_counter \
                        <> (SELECT coalesce(max(change_seq), 0) FROM tasks t WHERE t.user_id = c.user_id)";
            assert_eq!(number(&mut there, torn).await, 0);
            assert_eq!(number(&mut there, "SELECT count(*) FROM users").await, 1);
            assert_eq!(number(&mut there, "SELECT count(*) FROM tasks").await, 3);
        }
    };
}

one_moment!(
    writes_beside_a_copy_of_sqlite_do_not_tear_it,
    Sqlite::fresh().await,
    |source: &Sqlite| source.settings()
);
one_moment!(
    writes_beside_a_copy_of_postgres_do_not_tear_it,
    PostgreSql::fresh().await,
    |source: &PostgreSql| source.owner()
);

#[tokio::test(flavor = "multi_thread")]
async fn behind_row_level_security_everything_arrives_and_is_found() {
    let source = extremes().await;
    let guarded = Guarded(PostgreSql::guarded_at(None).await);
    // The application's role owns nothing.
    let error = copied(&source.settings(), &guarded.0.settings).await.unwrap_err();
    assert!(matches!(error, CopyError::Forbidden(Side::Target)), "{error:?}");
    let policies = "SELECT coalesce(string_agg(p::text, ',' ORDER BY p), '') FROM pg_policies p";
    let mut admin = guarded.0.admin().await;
    let before: String = sqlx::query_scalar(policies).fetch_one(&mut admin).await.unwrap();
    let there = copied(&source.settings(), &guarded.0.owner()).await.unwrap();
    let after: String = sqlx::query_scalar(policies).fetch_one(&mut admin).await.unwrap();
    assert!(before == after && before.contains("errand_owner"));
    let forced = "SELECT count(*) FROM pg_class WHERE relrowsecurity AND relforcerowsecurity";
    assert_eq!(
        number(&mut admin, forced).await,
        i64::try_from(TABLES.len()).unwrap()
    );
    // The policies hold the owner of the tables too, who sees one user at a time.
    let back = Sqlite::fresh().await;
    let again = copied(&guarded.0.owner(), &back.settings()).await.unwrap();
    assert_eq!((again.tables, again.last_user_id), (there.tables, i64::MAX));
    // The application's role does not even see which ids were given.
    let error = copied(&guarded.0.settings, &back.settings()).await.unwrap_err();
    assert!(matches!(error, CopyError::Forbidden(Side::Source)), "{error:?}");
    // Policies of somebody else's may hide anything.
    run(&mut admin, "DROP POLICY errand_owner ON sessions")
        .await
        .unwrap();
    let back = Sqlite::fresh().await;
    let error = copied(&guarded.0.owner(), &back.settings()).await.unwrap_err();
    assert!(
        matches!(&error, CopyError::Hidden(table) if table == "sessions"),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_changed_value_is_found() {
    let source = extremes().await;
    let postgres = PostgreSql::fresh().await;
    let mut outside = postgres.outside().await;
    run(
        &mut outside,
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ \
         BEGIN NEW.updated_at = NEW.updated_at + interval '1 microsecond'; RETURN NEW; END $$; \
         CREATE TRIGGER spoiling BEFORE INSERT ON users FOR EACH ROW WHEN (NEW.username = 'bob') \
         EXECUTE FUNCTION spoil()",
    )
    .await
    .unwrap();
    let error = copied(&source.settings(), &postgres.owner()).await.unwrap_err();
    assert!(matches!(error, CopyError::Differs("users")), "{error:?}");
    assert_eq!(rows(&mut outside).await, 0);

    let sqlite = Sqlite::fresh().await;
    let mut outside = sqlite.outside().await;
    for (table, sql) in [
        (
            "sessions",
            "UPDATE sessions SET salt = x'01' WHERE rowid = NEW.rowid",
        ),
        (
            "security_events",
            "DELETE FROM security_events WHERE rowid = NEW.rowid",
        ),
    ] {
        order(
            &mut outside,
            &format!("CREATE TRIGGER spoiling AFTER INSERT ON {table} BEGIN {sql}; END"),
        )
        .await;
        let error = copied(&source.settings(), &sqlite.settings()).await.unwrap_err();
        assert!(
            matches!(error, CopyError::Differs(found) if found == table),
            "{error:?}"
        );
        order(&mut outside, "DROP TRIGGER spoiling").await;
    }
    assert!(dump(&mut outside).await["users"].is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_roles_do_not_end_a_copy() {
    let (from, to) = (
        PostgreSql::fresh().await,
        Postgres::shared().create_database().await,
    );
    populated(&from.stores(), "ann").await;
    let mut outside = from.outside().await;
    let role: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&mut outside)
        .await
        .unwrap();
    let mut admin = to.connect().await;
    let migrated = open(&settings(&to, &to.url)).await;
    migrated.migrate().await.unwrap();
    let limit = "SET idle_in_transaction_session_timeout = '50ms'";
    for alter in [
        format!("ALTER ROLE {role} IN DATABASE {{}} {limit}"),
        format!("ALTER ROLE {} IN DATABASE {} {limit}", to.name(), to.name()),
    ] {
        let name: String = sqlx::query_scalar("SELECT current_database()::text")
            .fetch_one(&mut outside)
            .await
            .unwrap();
        run(&mut admin, &alter.replace("{}", &name)).await.unwrap();
    }
    let nap = || meanwhile(tokio::time::sleep(Duration::from_millis(200)));
    watched(&from.owner(), &settings(&to, &to.url), |progress| {
        if progress.table == "sessions" {
            nap();
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_into_a_target_meanwhile() {
    let source = extremes().await;
    let (postgres, sqlite) = (PostgreSql::fresh().await, Sqlite::fresh().await);
    let write = |key, allowed| format!("INSERT INTO limits VALUES ({key}, 0, 0, 0, {allowed})");
    let mut in_postgres = postgres.outside().await;
    let mut in_sqlite = sqlite.outside().await;
    run(&mut in_postgres, "SET lock_timeout = 1").await.unwrap();
    order(&mut in_sqlite, "PRAGMA busy_timeout = 0").await;
    let mut refused = 0;
    watched(&source.settings(), &postgres.owner(), |_| {
        let written = meanwhile(run(&mut in_postgres, &write("'07'", "false")));
        assert_eq!(code(written), "55P03");
        refused += 1;
    })
    .await
    .unwrap();
    watched(&source.settings(), &sqlite.settings(), |_| {
        let write = sqlx::raw_sql(AssertSqlSafe(write("x'07'", "0")));
        let written = write.execute(&mut in_sqlite);
        let error = meanwhile(written).unwrap_err();
        assert!(error.to_string().contains("locked"), "{error}");
        refused += 1;
    })
    .await
    .unwrap();
    assert!(refused > 30);
}
