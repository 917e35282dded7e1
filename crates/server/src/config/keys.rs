//! The names of the settings.

/// A setting: its place in the file (`section.key`), the variable `ERRAND__SECTION__KEY`, and for some another,
/// shorter variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub path: &'static str,
    pub alias: Option<&'static str>,
    /// Whether it holds several values: a comma list in a variable, an array in the file.
    pub is_list: bool,
    /// Whether who can read it can do harm.
    pub is_secret: bool,
}

impl Key {
    const fn plain(path: &'static str) -> Self {
        Self {
            path,
            alias: None,
            is_list: false,
            is_secret: false,
        }
    }

    const fn aliased(path: &'static str, alias: &'static str) -> Self {
        Self {
            alias: Some(alias),
            ..Self::plain(path)
        }
    }

    const fn list(self) -> Self {
        Self {
            is_list: true,
            ..self
        }
    }

    const fn secret(self) -> Self {
        Self {
            is_secret: true,
            ..self
        }
    }

    /// `ERRAND__DATABASE__URL` for `database.url`.
    pub fn variable(&self) -> String {
        format!("ERRAND__{}", self.path.replace('.', "__").to_ascii_uppercase())
    }

    /// The variable to name when none is set.
    pub fn preferred_variable(&self) -> String {
        self.alias.map_or_else(|| self.variable(), str::to_owned)
    }
}

macro_rules! keys {
    ($($name:ident = $key:expr;)*) => {
        /// Each setting by name.
        pub mod key {
            use super::Key;
            $(pub const $name: Key = $key;)*
        }

        /// Every setting.
        pub const ALL: &[Key] = &[$(key::$name),*];
    };
}

keys! {
    DATA_DIR = Key::plain("data_dir");
    HOST = Key::aliased("server.host", "HOST");
    PORT = Key::aliased("server.port", "PORT");
    CORS_ORIGINS = Key::aliased("server.cors_origins", "CORS_ORIGINS").list();
    TRUSTED_PROXIES = Key::plain("server.trusted_proxies").list();
    SHUTDOWN_TIMEOUT = Key::plain("server.shutdown_timeout");
    DRAIN_TIME = Key::plain("server.drain_time");
    WORKERS = Key::plain("server.workers");
    DATABASE_URL = Key::aliased("database.url", "DATABASE_URL").secret();
    DATABASE_DIRECT_URL = Key::aliased("database.direct_url", "DATABASE_DIRECT_URL").secret();
    DATABASE_CA_FILE = Key::aliased("database.ca_file", "DATABASE_CA_FILE");
    MAX_CONNECTIONS = Key::plain("database.max_connections");
    DEADLINE = Key::plain("database.deadline");
    MIGRATE_ON_START = Key::plain("database.migrate_on_start");
    ROW_LEVEL_SECURITY = Key::plain("database.row_level_security");
    JWT_SECRET = Key::aliased("auth.jwt_secret", "JWT_SECRET").secret();
    JWT_VERIFY_SECRETS = Key::plain("auth.jwt_verify_secrets").list().secret();
    BCRYPT_COST = Key::plain("auth.bcrypt_cost");
    ACCESS_TOKEN_TTL = Key::plain("auth.access_token_ttl");
    ISSUER = Key::plain("auth.issuer");
    AUDIENCE = Key::plain("auth.audience");
    EXEMPT_NETWORKS = Key::plain("limits.exempt_networks").list();
    REQUESTS_IN_FLIGHT = Key::plain("limits.requests_in_flight_per_user");
    TASKS_PER_USER = Key::plain("limits.tasks_per_user");
    SESSIONS_PER_USER = Key::plain("limits.sessions_per_user");
    LOG_LEVEL = Key::plain("log.level");
    LOG_FORMAT = Key::plain("log.format");
}
