//! Fresh databases for the tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use errand_application::ports::{Clock, NewAccount, NewSession, Request, Work};
use errand_conformance::{DailyCalendar, Harness, Stores};
use errand_domain::account::{Email, PasswordHash, Username};
use errand_domain::event::{EventKind, Origin, SecurityEvent};
use errand_domain::idempotency::IdempotencyKey;
use errand_domain::session::Digest;
use errand_domain::task::{NewTask, Operation, Priority, Tags, Title};
use errand_domain::{SessionId, Timestamp, UserId};
use errand_persistence::{AppRole, Database, DatabaseUrl, Settings};
use errand_testbed::{Postgres, TestDatabase};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// A clock that stands still but for the looks at it.
pub struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        static LOOKS: AtomicU64 = AtomicU64::new(0);
        at(LOOKS.fetch_add(1, Relaxed).try_into().unwrap())
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// So many seconds after the tests' beginning of time.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_800_000_000 + seconds) * 1_000_000).unwrap()
}

fn number() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(1);
    LAST.fetch_add(1, Relaxed)
}

pub fn stores(database: &Database) -> Stores {
    Stores {
        accounts: database.accounts(),
        events: database.events(),
        limits: database.limits(),
        sessions: database.sessions(),
        tasks: database.tasks(Arc::new(DailyCalendar)),
    }
}

pub async fn open(settings: &Settings) -> Database {
    Database::connect(settings, Arc::new(Stopped)).await.unwrap()
}

/// A file of its own.
pub struct Sqlite {
    pub database: Database,
    pub dir: tempfile::TempDir,
}

impl Sqlite {
    /// A connection for a look from outside.
    pub async fn outside(&self) -> SqliteConnection {
        let path = self.dir.path().join("errand.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        SqliteConnection::connect_with(&options).await.unwrap()
    }
}

impl Harness for Sqlite {
    async fn fresh() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = Settings::new(DatabaseUrl::sqlite(dir.path().join("errand.db")));
        settings.deadline = PATIENCE;
        let database = open(&settings).await;
        database.migrate().await.unwrap();
        Self { database, dir }
    }

    fn stores(&self) -> Stores {
        stores(&self.database)
    }
}

/// Tests share two cores with whatever else runs.
const PATIENCE: Duration = Duration::from_secs(30);

/// A database of its own, copied from one that was migrated once.
pub struct PostgreSql {
    pub database: Database,
    pub settings: Settings,
    outside: sqlx::postgres::PgConnectOptions,
    inside: sqlx::postgres::PgConnectOptions,
    admin: sqlx::postgres::PgConnectOptions,
}

/// What is copied.
struct Template {
    lobby: TestDatabase,
    migrated: TestDatabase,
    /// By which errand reaches it.
    url: String,
    row_level_security: bool,
}

async fn template() -> &'static Template {
    static TEMPLATE: OnceCell<Template> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let lobby = Postgres::shared().create_database().await;
            let migrated = Postgres::shared().create_database().await;
            let database = open(&settings(&migrated, &migrated.url)).await;
            assert_eq!(database.migrate().await.unwrap().len(), 5);
            database.close(PATIENCE).await;
            Template {
                lobby,
                url: migrated.url.clone(),
                migrated,
                row_level_security: false,
            }
        })
        .await
}

async fn guarded_template() -> &'static Template {
    static TEMPLATE: OnceCell<Template> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let lobby = Postgres::shared().create_database().await;
            let migrated = Postgres::shared().create_database().await;
            let url = guard(&migrated).await;
            Template {
                lobby,
                url,
                migrated,
                row_level_security: true,
            }
        })
        .await
}

/// Migrates a database for a role of its own, behind row-level security; the role's URL.
pub async fn guard(fresh: &TestDatabase) -> String {
    fresh.allow_making_roles().await;
    let role = AppRole::parse(&format!("app_{}", fresh.name().trim_start_matches("test_"))).unwrap();
    let database = open(&settings(fresh, &fresh.url)).await;
    let migrated = database.migrate_for(&role, true).await.unwrap();
    assert_eq!((migrated.steps.len(), migrated.made_role), (5, true));
    database.close(PATIENCE).await;
    fresh.url_as(role.name()).await
}

pub fn settings(database: &TestDatabase, url: &str) -> Settings {
    let mut settings = Settings::new(DatabaseUrl::parse(url).unwrap());
    settings.ca_file = Some(database.ca_file.clone());
    settings.deadline = PATIENCE;
    settings
}

impl PostgreSql {
    /// Reached by another port of localhost, if one is given.
    pub async fn at(port: Option<u16>) -> Self {
        Self::copied(template().await, port).await
    }

    /// The same behind row-level security, as a role that owns nothing.
    pub async fn guarded_at(port: Option<u16>) -> Self {
        Self::copied(guarded_template().await, port).await
    }

    async fn copied(template: &Template, port: Option<u16>) -> Self {
        let Template { lobby, migrated, .. } = template;
        let name = format!("copy_{}", number());
        let owner = migrated.name();
        let mut admin = lobby.connect().await;
        let copy = format!("CREATE DATABASE {name} TEMPLATE {owner} OWNER {owner}");
        sqlx::raw_sql(AssertSqlSafe(copy))
            .execute(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
        let to_copy = |url: &str| url.replace(&format!("/{owner}?"), &format!("/{name}?"));
        let direct = to_copy(&migrated.url);
        let mut url = to_copy(&template.url);
        if let Some(port) = port {
            let home = format!("@localhost:{}/", Postgres::shared().addr().port());
            url = url.replace(&home, &format!("@localhost:{port}/"));
        }
        let mut settings = settings(migrated, &url);
        settings.row_level_security = template.row_level_security;
        settings.direct_url = Some(DatabaseUrl::parse(&direct).unwrap());
        let options = |url: &str| -> sqlx::postgres::PgConnectOptions {
            let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
            options.ssl_root_cert(&migrated.ca_file)
        };
        Self {
            database: open(&settings).await,
            settings,
            outside: options(&direct),
            inside: options(&url),
            admin: migrated.admin().database(&name),
        }
    }
}

impl PostgreSql {
    /// A connection for a look from outside, as the owner of the tables.
    pub async fn outside(&self) -> PgConnection {
        PgConnection::connect_with(&self.outside).await.unwrap()
    }

    /// A connection as errand has them.
    pub async fn inside(&self) -> PgConnection {
        PgConnection::connect_with(&self.inside).await.unwrap()
    }

    /// A connection as a superuser, whom no policy holds.
    pub async fn admin(&self) -> PgConnection {
        PgConnection::connect_with(&self.admin).await.unwrap()
    }
}

impl Harness for PostgreSql {
    async fn fresh() -> Self {
        Self::at(None).await
    }

    fn stores(&self) -> Stores {
        stores(&self.database)
    }
}

/// PostgreSQL behind row-level security.
pub struct Guarded(pub PostgreSql);

impl Harness for Guarded {
    async fn fresh() -> Self {
        Self(PostgreSql::guarded_at(None).await)
    }

    fn stores(&self) -> Stores {
        self.0.stores()
    }
}

/// Waits until somebody waits for a lock in this database.
pub async fn until_blocked(look: &mut PgConnection) {
    for _ in 0..600 {
        let waiting: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&mut *look)
        .await
        .unwrap();
        if waiting > 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody waits for a lock");
}

pub fn digest(n: u64) -> Digest {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&n.to_be_bytes());
    Digest(bytes)
}

pub fn session() -> NewSession {
    let n = number();
    NewSession {
        id: SessionId(Uuid::from_u64_pair(0x0198_f3a0_0000_7000, n)),
        user_agent: Some("test".into()),
        family: digest(n),
        token: digest(n << 32),
        created_at: at(0),
    }
}

pub fn account(email: &str, username: &str) -> NewAccount {
    NewAccount {
        email: Email::parse(email).unwrap(),
        username: Username::parse(username).unwrap(),
        password: PasswordHash::new("$hash$".into()),
        created_at: at(0),
    }
}

/// More tasks than any test makes.
pub const UNLIMITED: u32 = 1_000_000;

/// Something that happens then; of what kind does not matter.
pub fn event(at: Timestamp) -> SecurityEvent {
    SecurityEvent {
        id: Uuid::from_u64_pair(0x0198_f3a0_0000_7000, number()),
        kind: EventKind::SignedIn,
        at,
        origin: Origin::default(),
        session: None,
    }
}

pub async fn register(stores: &Stores, name: &str) -> UserId {
    let account = account(&format!("{name}@example.com"), name);
    stores
        .accounts
        .register(&account, Some(session()), &event(at(0)))
        .await
        .unwrap()
        .id
}

/// Operations with a key of their own.
pub fn keyed(key: &str, operations: Vec<Operation>, at: Timestamp) -> Work {
    Work {
        operations,
        request: Some(Request {
            key: IdempotencyKey::parse(key).unwrap(),
            fingerprint: Digest([7; 32]),
        }),
        most: UNLIMITED,
        at,
    }
}

pub fn task(title: &str) -> NewTask {
    NewTask {
        title: Title::parse(title).unwrap(),
        description: None,
        priority: Priority::Medium,
        due: None,
        time_zone: None,
        tags: Tags::default(),
        recurrence: None,
        completed: false,
    }
}
