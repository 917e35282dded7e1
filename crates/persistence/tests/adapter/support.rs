//! Fresh databases for the tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use errand_application::ports::{Clock, NewAccount, NewSession};
use errand_conformance::{Harness, Stores};
use errand_domain::account::{Email, PasswordHash, Username};
use errand_domain::session::Digest;
use errand_domain::task::{NewTask, Priority, Tags, Title};
use errand_domain::{SessionId, Timestamp, UserId};
use errand_persistence::{Database, DatabaseUrl, Settings};
use errand_testbed::{Postgres, TestDatabase};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// A clock for the record of health, which no test here reads.
pub struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        at(0)
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
        sessions: database.sessions(),
        tasks: database.tasks(),
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
}

struct Template {
    lobby: TestDatabase,
    migrated: TestDatabase,
}

async fn template() -> &'static Template {
    static TEMPLATE: OnceCell<Template> = OnceCell::const_new();
    TEMPLATE
        .get_or_init(|| async {
            let lobby = Postgres::shared().create_database().await;
            let migrated = Postgres::shared().create_database().await;
            let database = open(&settings(&migrated, &migrated.url)).await;
            assert_eq!(database.migrate().await.unwrap().len(), 1);
            database.close(PATIENCE).await;
            Template { lobby, migrated }
        })
        .await
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
        let Template { lobby, migrated } = template().await;
        let name = format!("copy_{}", number());
        let owner = migrated.name();
        let mut admin = lobby.connect().await;
        let copy = format!("CREATE DATABASE {name} TEMPLATE {owner} OWNER {owner}");
        sqlx::raw_sql(AssertSqlSafe(copy))
            .execute(&mut admin)
            .await
            .unwrap();
        admin.close().await.unwrap();
        let url = port.map_or_else(|| migrated.url.clone(), |port| migrated.url_at(port));
        let to_copy = |url: &str| url.replace(&format!("/{owner}?"), &format!("/{name}?"));
        let settings = settings(migrated, &to_copy(&url));
        let outside: sqlx::postgres::PgConnectOptions = to_copy(&migrated.url).parse().unwrap();
        Self {
            database: open(&settings).await,
            settings,
            outside: outside.ssl_root_cert(&migrated.ca_file),
        }
    }
}

impl PostgreSql {
    /// A connection for a look from outside.
    pub async fn outside(&self) -> PgConnection {
        PgConnection::connect_with(&self.outside).await.unwrap()
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

pub async fn register(stores: &Stores, name: &str) -> UserId {
    let account = account(&format!("{name}@example.com"), name);
    stores.accounts.register(&account, &session()).await.unwrap().id
}

pub fn task(title: &str) -> NewTask {
    NewTask {
        title: Title::parse(title).unwrap(),
        description: None,
        priority: Priority::Medium,
        due: None,
        tags: Tags::default(),
        completed: false,
    }
}
