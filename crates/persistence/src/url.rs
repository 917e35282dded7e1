//! The text that says where the database is, read before any library can see it: they log what they do not
//! understand, with its value, and take less security than a hosted database needs.

mod postgres;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use postgres::{Postgres, SslMode};

/// Where the database is and how to get in. `Debug` shows which kind it is and nothing else.
#[derive(Clone)]
pub struct DatabaseUrl(Target);

#[derive(Clone)]
pub(crate) enum Target {
    Postgres(Box<Postgres>),
    Sqlite(PathBuf),
}

/// What is wrong with a database URL. Names the part, never its value: the URL holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// Neither `sqlite:` nor a spelling of `postgresql://`.
    #[error("must begin with sqlite://, postgres:// or postgresql://")]
    Scheme,
    /// It cannot be taken apart at all.
    #[error("is not a URL")]
    Malformed,
    /// Something that every URL of this kind has is not there.
    #[error("has no {0}")]
    Missing(&'static str),
    /// A part has characters that it cannot have, or a broken `%` escape.
    #[error("has a {0} that cannot be read; special characters are written as %XX")]
    Unreadable(&'static str),
    /// A query key that errand does not know; named only if it is another program's: what stands behind a
    /// question mark may be the rest of a password that holds one.
    #[error("has {}, which errand does not know; leave it out (in a password a ? is written as %3F)", named(*.0))]
    UnknownParameter(Option<&'static str>),
    /// A known query key with a value that cannot be obeyed.
    #[error("has a value of the parameter {parameter:?} that errand refuses: {reason}")]
    Refused {
        /// The key.
        parameter: &'static str,
        /// What would be right.
        reason: &'static str,
    },
    /// `:memory:`, which would be another database for each connection and gone after the last.
    #[error(
        "asks for a database in memory, which does not outlive a connection; give it a file: sqlite://errand.db"
    )]
    InMemory,
}

/// What libpq, the drivers of other languages and SQLite call their parameters.
const FOREIGN_PARAMETERS: [&str; 43] = [
    "cache",
    "client_encoding",
    "connection_limit",
    "dbname",
    "fallback_application_name",
    "gssencmode",
    "gsslib",
    "host",
    "hostaddr",
    "immutable",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "load_balance_hosts",
    "nolock",
    "passfile",
    "password",
    "pool_size",
    "port",
    "prepare_threshold",
    "psow",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "schema",
    "search_path",
    "service",
    "socket_timeout",
    "ssl",
    "ssl_max_protocol_version",
    "ssl_min_protocol_version",
    "sslcert",
    "sslcompression",
    "sslcrl",
    "sslkey",
    "sslpassword",
    "sslsni",
    "target_session_attrs",
    "user",
    "vfs",
];

fn unknown(key: &str) -> UrlError {
    UrlError::UnknownParameter(FOREIGN_PARAMETERS.into_iter().find(|name| *name == key))
}

fn named(parameter: Option<&'static str>) -> String {
    parameter.map_or_else(
        || "a parameter".to_owned(),
        |name| format!("the parameter {name:?}"),
    )
}

impl DatabaseUrl {
    /// Reads `sqlite://path` (`sqlite:///path` is absolute) or a PostgreSQL URL, as a provider's console or a
    /// Python service spells it.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let text = text.trim();
        let (scheme, _) = text.split_once(':').ok_or(UrlError::Scheme)?;
        let scheme = scheme.to_ascii_lowercase();
        // SQLAlchemy names its driver behind a plus.
        let target = match scheme.split('+').next() {
            Some("sqlite") => Target::Sqlite(sqlite::parse(text)?),
            Some("postgres" | "postgresql") => Target::Postgres(Box::new(Postgres::parse(text)?)),
            _ => return Err(UrlError::Scheme),
        };
        Ok(Self(target))
    }

    /// A SQLite file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Target::Sqlite(path.into()))
    }

    /// The same database past its connection pooler: `-pooler` is cut from the first label of the host.
    /// Migrations want it; for any other host this is the URL itself.
    #[must_use]
    pub fn direct(&self) -> Self {
        match &self.0 {
            Target::Postgres(postgres) => Self(Target::Postgres(Box::new(postgres.direct()))),
            Target::Sqlite(_) => self.clone(),
        }
    }

    /// The file, if it is SQLite.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match &self.0 {
            Target::Sqlite(path) => Some(path),
            Target::Postgres(_) => None,
        }
    }

    /// Host, port and database, if it is PostgreSQL.
    pub fn server(&self) -> Option<(&str, u16, &str)> {
        match &self.0 {
            Target::Postgres(url) => Some((&url.host, url.port, &url.database)),
            Target::Sqlite(_) => None,
        }
    }

    /// Whether it holds a password.
    pub fn has_password(&self) -> bool {
        matches!(&self.0, Target::Postgres(postgres) if postgres.password.is_some())
    }

    /// Where it is, for people: without user and password.
    pub fn place(&self) -> String {
        match &self.0 {
            Target::Sqlite(path) => path.display().to_string(),
            Target::Postgres(url) => format!("postgresql://{}:{}/{}", url.host, url.port, url.database),
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.0
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Target::Postgres(_) => "DatabaseUrl(PostgreSQL)",
            Target::Sqlite(_) => "DatabaseUrl(SQLite)",
        })
    }
}

/// Undoes `%XX`; `None` for a broken escape or if no UTF-8 comes out.
fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || char::from(bytes.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            decoded.push(u8::try_from(value).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|text| !text.contains('\0'))
}
