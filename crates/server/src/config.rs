//! The configuration: environment over file over defaults, all faults found at once.
//!
//! The only place that reads the environment. A message names the key as the user wrote it and what is allowed,
//! never the value: it may be a secret, and the user has it in front of them anyway. (What was read as a network or
//! an origin is none.)

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use errand_domain::session::MAX_PER_USER;
use errand_persistence::DatabaseUrl;
use errand_security::{Cost, check_secret};
use ipnet::IpNet;
use secrecy::SecretString;
use tracing::level_filters::LevelFilter;

mod faults;
mod keys;
mod layers;
mod near;
mod reader;
#[cfg(test)]
mod tests;
mod values;

pub use faults::Faults;
use keys::key;
pub use layers::is_readable_by_others;
use reader::Reader;

/// Everything that can be configured.
#[derive(Debug)]
pub struct Config {
    pub server: Server,
    pub database: Database,
    pub auth: Auth,
    pub limits: Limits,
    pub log: Log,
    /// To be told once there is a log.
    pub warnings: Vec<String>,
}

/// Where to listen and how.
#[derive(Debug)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub cors_origins: Vec<String>,
    /// The proxies in front that are believed.
    pub trusted_proxies: Vec<IpNet>,
    pub shutdown_timeout: Duration,
    /// How long new requests are answered after SIGTERM.
    pub drain_time: Duration,
    /// Threads that serve requests; by default one for each processor.
    pub workers: Option<usize>,
}

/// Which database and how.
#[derive(Debug, Clone)]
pub struct Database {
    pub url: DatabaseUrl,
    /// The directory of the default database, which is made if need be.
    pub own_dir: Option<PathBuf>,
    pub direct_url: Option<DatabaseUrl>,
    pub ca_file: Option<PathBuf>,
    pub max_connections: Option<u32>,
    pub deadline: Option<Duration>,
    pub migrate_on_start: bool,
    /// Whether PostgreSQL's policies hold every unit of work to its owner.
    pub row_level_security: bool,
}

/// Passwords and tokens.
#[derive(Debug)]
pub struct Auth {
    /// Without one it is kept beside the SQLite database.
    pub jwt_secret: Option<SecretString>,
    pub jwt_verify_secrets: Vec<SecretString>,
    pub bcrypt_cost: Cost,
    pub access_token_ttl: Duration,
    pub issuer: String,
    pub audience: String,
}

/// How much one user, and one network, may ask for.
#[derive(Debug)]
pub struct Limits {
    pub exempt_networks: Vec<IpNet>,
    pub requests_in_flight_per_user: usize,
    pub tasks_per_user: u32,
    pub sessions_per_user: usize,
}

/// What is logged and how.
#[derive(Debug)]
pub struct Log {
    pub level: LevelFilter,
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    Json,
    Text,
}

/// What a command is going to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Everything.
    Serve,
    /// The database alone: nobody needs the signing secret to migrate.
    Database,
}

impl Config {
    /// Reads this file, if any, and these variables.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        purpose: Purpose,
    ) -> Result<Self, Faults> {
        let mut reader = layers::merge(file, environment);
        let config = Self {
            server: Server::read(&mut reader),
            database: Database::read(&mut reader),
            auth: Auth::read(&mut reader),
            limits: Limits::read(&mut reader),
            log: Log::read(&mut reader),
            warnings: std::mem::take(&mut reader.warnings),
        };
        let postgres = config.database.url.sqlite_path().is_none();
        if purpose == Purpose::Serve && postgres && !reader.is_set(key::JWT_SECRET) {
            reader.fault(
                key::JWT_SECRET,
                "must be set when the database is PostgreSQL, the same for every process that shares it; \
                 make one with: openssl rand -base64 32",
            );
        }
        reader.finish(config)
    }
}

impl Server {
    fn read(reader: &mut Reader) -> Self {
        Self {
            host: reader
                .one(key::HOST, values::host)
                .unwrap_or_else(|| "127.0.0.1".to_owned()),
            port: reader.one(key::PORT, values::number(0..=65535)).unwrap_or(8000),
            cors_origins: reader
                .list(key::CORS_ORIGINS, values::origin)
                .unwrap_or_else(|| vec!["http://localhost:3000".to_owned()]),
            trusted_proxies: reader
                .list(key::TRUSTED_PROXIES, values::network)
                .unwrap_or_default(),
            shutdown_timeout: reader
                .one(
                    key::SHUTDOWN_TIMEOUT,
                    values::duration(Duration::from_secs(1), Duration::from_mins(5)),
                )
                .unwrap_or(Duration::from_secs(10)),
            drain_time: reader
                .one(
                    key::DRAIN_TIME,
                    values::duration(Duration::ZERO, Duration::from_mins(5)),
                )
                .unwrap_or(Duration::from_secs(1)),
            workers: reader.one(key::WORKERS, values::number(1..=1024)),
        }
    }
}

impl Database {
    fn read(reader: &mut Reader) -> Self {
        let data_dir = reader
            .one(key::DATA_DIR, values::path)
            .unwrap_or_else(|| PathBuf::from("data"));
        let url = reader.one(key::DATABASE_URL, values::database);
        let own_dir = (!reader.is_set(key::DATABASE_URL)).then(|| data_dir.clone());
        let is_wrong = url.is_none() && own_dir.is_none();
        let url = url.unwrap_or_else(|| DatabaseUrl::sqlite(data_dir.join("errand.db")));
        let row_level_security = reader
            .one(key::ROW_LEVEL_SECURITY, values::boolean)
            .unwrap_or(false);
        if row_level_security && !is_wrong && url.sqlite_path().is_some() {
            reader.fault(
                key::ROW_LEVEL_SECURITY,
                "must be false when the database is SQLite, which has no row-level security",
            );
        }
        Self {
            url,
            own_dir,
            direct_url: reader.one(key::DATABASE_DIRECT_URL, values::postgres),
            ca_file: reader.one(key::DATABASE_CA_FILE, values::path),
            max_connections: reader.one(key::MAX_CONNECTIONS, values::number(1..=1000)),
            deadline: reader.one(
                key::DEADLINE,
                values::duration(Duration::from_secs(1), Duration::from_mins(1)),
            ),
            migrate_on_start: reader.one(key::MIGRATE_ON_START, values::boolean).unwrap_or(true),
            row_level_security,
        }
    }
}

impl Auth {
    fn read(reader: &mut Reader) -> Self {
        let secret = |text: &str| {
            let judged = check_secret(text.as_bytes());
            judged.map_err(|weak| weak.to_string())?;
            Ok(SecretString::from(text))
        };
        let cost = |text: &str| {
            let number: u32 = values::number(Cost::MIN..=Cost::MAX)(text)?;
            Ok(Cost::new(number).unwrap_or(Cost::DEFAULT))
        };
        Self {
            jwt_secret: reader.one(key::JWT_SECRET, secret),
            jwt_verify_secrets: reader.list(key::JWT_VERIFY_SECRETS, secret).unwrap_or_default(),
            bcrypt_cost: reader.one(key::BCRYPT_COST, cost).unwrap_or(Cost::DEFAULT),
            access_token_ttl: reader
                .one(
                    key::ACCESS_TOKEN_TTL,
                    values::duration(Duration::from_secs(1), Duration::from_hours(1)),
                )
                .unwrap_or(Duration::from_mins(15)),
            issuer: reader
                .one(key::ISSUER, values::name)
                .unwrap_or_else(|| "errand".to_owned()),
            audience: reader
                .one(key::AUDIENCE, values::name)
                .unwrap_or_else(|| "errand".to_owned()),
        }
    }
}

impl Limits {
    fn read(reader: &mut Reader) -> Self {
        Self {
            exempt_networks: reader
                .list(key::EXEMPT_NETWORKS, values::network)
                .unwrap_or_default(),
            requests_in_flight_per_user: reader
                .one(key::REQUESTS_IN_FLIGHT, values::number(1..=10_000))
                .unwrap_or(100),
            tasks_per_user: reader
                .one(key::TASKS_PER_USER, values::number(1..=1_000_000))
                .unwrap_or(10_000),
            sessions_per_user: reader
                .one(key::SESSIONS_PER_USER, values::number(1..=1_000))
                .unwrap_or(MAX_PER_USER),
        }
    }
}

impl Log {
    fn read(reader: &mut Reader) -> Self {
        let levels = [
            ("error", LevelFilter::ERROR),
            ("warn", LevelFilter::WARN),
            ("info", LevelFilter::INFO),
            ("debug", LevelFilter::DEBUG),
            ("trace", LevelFilter::TRACE),
        ];
        let formats = [
            ("auto", LogFormat::Auto),
            ("json", LogFormat::Json),
            ("text", LogFormat::Text),
        ];
        Self {
            level: reader
                .one(key::LOG_LEVEL, values::one_of(&levels))
                .unwrap_or(LevelFilter::INFO),
            format: reader
                .one(key::LOG_FORMAT, values::one_of(&formats))
                .unwrap_or(LogFormat::Auto),
        }
    }
}
