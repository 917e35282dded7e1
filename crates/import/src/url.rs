//! Where a source is: a path, `sqlite://path`, or a PostgreSQL URL. No library sees a URL: they log what they do not
//! understand, with its value.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use tracing::log::LevelFilter;

use crate::error::SourceError;

/// What a source is given as.
#[derive(Debug)]
pub(crate) enum Place {
    File(PathBuf),
    Server(Url),
}

/// A PostgreSQL server and how to get in.
pub(crate) struct Url {
    host: String,
    port: u16,
    user: String,
    password: Option<SecretString>,
    database: String,
    mode: PgSslMode,
    root_cert: Option<PathBuf>,
    endpoint: Option<String>,
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Url(…)")
    }
}

impl Place {
    pub fn parse(text: &str) -> Result<Self, SourceError> {
        let text = text.trim();
        let scheme = text
            .split_once(':')
            .map(|(scheme, _)| scheme.to_ascii_lowercase());
        // SQLAlchemy names its driver behind a plus.
        let scheme = scheme.as_deref().and_then(|scheme| scheme.split('+').next());
        match scheme {
            Some("postgres" | "postgresql") => Url::parse(text).map(Self::Server),
            Some("sqlite") => sqlite(text).map(Self::File),
            _ if text.contains("://") => Err(SourceError::Url(
                "must begin with sqlite://, postgres:// or postgresql://",
            )),
            _ if text.is_empty() => Err(SourceError::Url("is empty")),
            _ => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

/// Where a database is. Two are equal if they are one database, as far as their names tell.
#[derive(Debug, PartialEq, Eq)]
pub struct Address(Site);

#[derive(Debug, PartialEq, Eq)]
enum Site {
    /// By its number on its disk: links lead to it too.
    Inode(u64, u64),
    File(PathBuf),
    Server(String, u16, String),
}

impl Address {
    /// Of a source, as [`Source::open`](crate::Source::open) takes it.
    pub fn of_source(place: &str) -> Result<Self, SourceError> {
        Ok(match Place::parse(place)? {
            Place::File(path) => Self::of_file(&path),
            Place::Server(url) => Self::of_server(&url.host, url.port, &url.database),
        })
    }

    /// Of a file, which need not be there.
    pub fn of_file(path: &Path) -> Self {
        let path = whichever_is_there(path);
        #[cfg(unix)]
        if let Ok(meta) = std::fs::metadata(path) {
            use std::os::unix::fs::MetadataExt;
            return Self(Site::Inode(meta.dev(), meta.ino()));
        }
        Self(Site::File(
            std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
        ))
    }

    /// Of a database of a PostgreSQL server. A pooler of Neon's leads to the same one.
    pub fn of_server(host: &str, port: u16, database: &str) -> Self {
        let host = if is_loopback(host) {
            "localhost".to_owned()
        } else {
            let host = host.to_ascii_lowercase();
            let (label, domain) = host.split_once('.').unwrap_or((&host, ""));
            format!("{}.{domain}", label.strip_suffix("-pooler").unwrap_or(label))
        };
        Self(Site::Server(host, port, database.to_owned()))
    }
}

/// `sqlite:///todo.db` is absolute to some and relative to Python's drivers: the one that is there.
fn whichever_is_there(path: &Path) -> &Path {
    let relative = path.strip_prefix("/").unwrap_or(path);
    if !path.exists() && relative.exists() {
        relative
    } else {
        path
    }
}

fn sqlite(text: &str) -> Result<PathBuf, SourceError> {
    let rest = text.split_once(':').map_or("", |(_, rest)| rest);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let rest = rest.split('?').next().unwrap_or_default();
    let path = decode(
        rest,
        "has a path that cannot be read; special characters are written as %XX",
    )?;
    if path.is_empty() || path.contains(":memory:") {
        return Err(SourceError::Url("names no file"));
    }
    Ok(whichever_is_there(Path::new(&path)).to_owned())
}

fn decode(text: &str, fault: &'static str) -> Result<String, SourceError> {
    let decoded = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| SourceError::Url(fault))?;
    if decoded.contains('\0') {
        return Err(SourceError::Url(fault));
    }
    Ok(decoded.into_owned())
}

impl Url {
    fn parse(text: &str) -> Result<Self, SourceError> {
        let url = ::url::Url::parse(text).map_err(|_| SourceError::Url("is not a URL"))?;
        let fault = "has a part that cannot be read; special characters are written as %XX";
        let host = url.host_str().ok_or(SourceError::Url("has no host"))?;
        let host = decode(host.trim_start_matches('[').trim_end_matches(']'), fault)?;
        let user = decode(url.username(), fault)?;
        let database = decode(url.path().trim_start_matches('/'), fault)?;
        for (part, missing) in [
            (&host, "has no host"),
            (&user, "has no user name"),
            (&database, "has no database name"),
        ] {
            if part.is_empty() {
                return Err(SourceError::Url(missing));
            }
        }
        let password = url.password().map(|text| decode(text, fault)).transpose()?;
        let mut parsed = Self {
            mode: if is_loopback(&host) {
                PgSslMode::Prefer
            } else {
                PgSslMode::VerifyFull
            },
            host,
            port: url.port().unwrap_or(5432),
            user,
            password: password.map(SecretString::from),
            database,
            root_cert: None,
            endpoint: None,
        };
        for (key, value) in url.query_pairs() {
            match &*key {
                "sslmode" => parsed.mode = parsed.ssl_mode(&value)?,
                "sslrootcert" if !matches!(&*value, "" | "system") => {
                    parsed.root_cert = Some((&*value).into());
                }
                "options" => parsed.endpoint = Some(endpoint(&value)?),
                "sslrootcert" | "application_name" | "channel_binding" | "connect_timeout" | "pgbouncer"
                | "pool_timeout" | "sslnegotiation" => {}
                _ => {
                    return Err(SourceError::Url(
                        "has a parameter that errand does not know; leave it out (in a password a ? is written as %3F)",
                    ));
                }
            }
        }
        Ok(parsed)
    }

    /// Anything weaker than a verified certificate is for this machine only: the driver checks nothing at `require`.
    fn ssl_mode(&self, value: &str) -> Result<PgSslMode, SourceError> {
        match value {
            "require" | "verify-ca" | "verify-full" => Ok(PgSslMode::VerifyFull),
            "disable" | "allow" | "prefer" if !is_loopback(&self.host) => Err(SourceError::Url(
                "has an sslmode that only a database on this machine may have; use verify-full",
            )),
            "disable" => Ok(PgSslMode::Disable),
            "allow" | "prefer" => Ok(PgSslMode::Prefer),
            _ => Err(SourceError::Url(
                "has an sslmode that errand does not know; use verify-full",
            )),
        }
    }

    pub fn host_and_port(&self) -> String {
        if self.host.contains(':') {
            return format!("[{}]:{}", self.host, self.port);
        }
        format!("{}:{}", self.host, self.port)
    }

    /// The URL without what is secret or only says how to get there.
    pub fn name(&self) -> String {
        format!("postgresql://{}/{}", self.host_and_port(), self.database)
    }

    pub fn options(&self) -> Result<PgConnectOptions, SourceError> {
        for variable in ["PGOPTIONS", "PGSSLCERT", "PGSSLKEY"] {
            if std::env::var_os(variable).is_some() {
                return Err(SourceError::Environment(variable));
            }
        }
        let ca = match &self.root_cert {
            Some(path) => std::fs::read(path).map_err(|error| SourceError::File {
                path: path.display().to_string(),
                error,
            })?,
            None => Vec::new(),
        };
        let mode = match self.mode {
            PgSslMode::Prefer if self.root_cert.is_some() => PgSslMode::VerifyFull,
            mode => mode,
        };
        // Neon's `endpoint=…` can only be given as part of a URL.
        let base = self.endpoint.as_ref().and_then(|id| {
            let url = format!("postgres://x:x@localhost/x?options=endpoint%3D{id}");
            url.parse().ok()
        });
        let password = self
            .password
            .as_ref()
            .map_or("", |password| password.expose_secret());
        Ok(base
            .unwrap_or_else(PgConnectOptions::new_without_pgpass)
            .host(&self.host)
            .port(self.port)
            .username(&self.user)
            .password(password)
            .database(&self.database)
            .ssl_mode(mode)
            .ssl_root_cert_from_pem(ca)
            .application_name("errand import")
            .extra_float_digits(None)
            .statement_cache_capacity(8)
            .log_statements(LevelFilter::Off)
            .log_slow_statements(LevelFilter::Off, Duration::ZERO))
    }
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn endpoint(value: &str) -> Result<String, SourceError> {
    let is_plain = |id: &&str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        !id.is_empty() && id.bytes().all(plain)
    };
    let id = value.strip_prefix("endpoint=").filter(is_plain);
    id.map(str::to_owned).ok_or(SourceError::Url(
        "has options other than endpoint=<id>; leave them out",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> Result<Url, SourceError> {
        match Place::parse(text)? {
            Place::Server(url) => Ok(url),
            Place::File(path) => panic!("{}", path.display()),
        }
    }

    #[test]
    fn other_machines_are_verified_whatever_the_url_says() {
        for (text, mode) in [
            ("postgres://a:b@db.example.org/x", "VerifyFull"),
            (
                "postgresql+asyncpg://a:b@db.example.org/x?sslmode=require",
                "VerifyFull",
            ),
            ("postgres://a@localhost/x", "Prefer"),
            ("postgres://a@127.0.0.1/x?sslmode=disable", "Disable"),
            ("postgres://a@[::1]/x?sslmode=verify-full", "VerifyFull"),
        ] {
            assert_eq!(format!("{:?}", server(text).unwrap().mode), mode, "{text}");
        }
        for text in ["disable", "prefer", "allow", "none"] {
            assert!(
                server(&format!("postgres://a@db.example.org/x?sslmode={text}")).is_err(),
                "{text}"
            );
        }
    }

    #[test]
    fn no_name_or_error_shows_the_password() {
        let url = server("postgres://ann:s%3Fcret@[::1]:6000/todo?channel_binding=require").unwrap();
        assert_eq!(url.name(), "postgresql://[::1]:6000/todo");
        assert_eq!(url.password.as_ref().unwrap().expose_secret(), "s?cret");
        assert!(!format!("{url:?}").contains("cret"));
        for text in [
            "postgres://ann:s?cret@localhost/todo",
            "postgres://ann:secret@localhost/todo?x=secret",
            "postgres://ann:secret@localhost:secret/todo",
            "postgres://ann:secret@/todo",
            "postgres://ann:secret@localhost",
            "postgres://:secret@localhost/todo",
            "postgres://ann:secret@localhost/todo?options=-c%20secret",
            "mysql://ann:secret@localhost/todo",
        ] {
            let error = server(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("cret"), "{text}: {error}");
        }
    }

    #[test]
    fn one_database_is_known_by_any_of_its_names() {
        let of = |text: &str| Address::of_source(text).unwrap();
        let one = of("postgres://ann:x@ep-a.eu.neon.tech/todo");
        assert_eq!(
            of("postgresql+asyncpg://bob@EP-A-pooler.eu.neon.tech:5432/todo?sslmode=require"),
            one
        );
        for other in [
            "ep-b.eu.neon.tech/todo",
            "ep-a.eu.neon.tech:6000/todo",
            "ep-a.eu.neon.tech/errand",
        ] {
            assert_ne!(of(&format!("postgres://ann:x@{other}")), one, "{other}");
        }
        assert_eq!(
            of("postgres://a@[::1]/x"),
            Address::of_server("127.0.0.1", 5432, "x")
        );
        let dir = tempfile::tempdir().unwrap();
        let [file, link, other] = ["a.db", "b.db", "c.db"].map(|name| dir.path().join(name));
        assert_eq!(
            Address::of_file(&file),
            of(&format!("sqlite://{}", file.display()))
        );
        assert_ne!(Address::of_file(&file), Address::of_file(&other));
        for path in [&file, &other] {
            std::fs::write(path, "").unwrap();
        }
        std::fs::hard_link(&file, &link).unwrap();
        assert_eq!(of(link.to_str().unwrap()), Address::of_file(&file));
        assert_ne!(Address::of_file(&file), Address::of_file(&other));
    }

    #[test]
    fn files_are_paths_or_urls() {
        for (text, path) in [
            ("todo.db", "todo.db"),
            ("sqlite:///nowhere/a%20b.db", "/nowhere/a b.db"),
            ("sqlite://rel.db?mode=ro", "rel.db"),
            ("sqlite+aiosqlite:///./Cargo.toml", "Cargo.toml"),
        ] {
            match Place::parse(text).unwrap() {
                Place::File(found) => assert_eq!(found, Path::new(path), "{text}"),
                Place::Server(_) => panic!("{text}"),
            }
        }
        assert!(Place::parse("sqlite://").is_err());
        assert!(Place::parse("sqlite://:memory:").is_err());
    }
}
