//! PostgreSQL URLs: what libpq, Neon's console and Python services write.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use super::{UrlError, percent_decode, unknown};

/// A PostgreSQL server and how to get in.
#[derive(Clone)]
pub struct Postgres {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: Option<SecretString>,
    pub database: String,
    pub ssl: SslMode,
    /// A CA named in the URL.
    pub root_cert: Option<PathBuf>,
    pub application_name: Option<String>,
    /// Neon's endpoint, for clients whose host name does not tell it.
    pub endpoint: Option<String>,
    /// Whether it asks for channel binding, which the driver does not do.
    pub channel_binding: bool,
}

/// How safe the way is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Certificate and host name are checked. The only way to another machine, whatever weaker the URL asks
    /// for: the driver checks nothing at `require`.
    VerifyFull,
    /// Only to this machine: TLS if the server has it, unchecked.
    Prefer,
    /// Only to this machine, because the URL says so.
    Disable,
}

impl Postgres {
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let url = url::Url::parse(text).map_err(|error| match error {
            url::ParseError::EmptyHost => UrlError::Missing("host"),
            url::ParseError::InvalidPort => UrlError::Unreadable("port"),
            _ => UrlError::Malformed,
        })?;
        let part = |text: &str, name| percent_decode(text).ok_or(UrlError::Unreadable(name));
        let host = url
            .host_str()
            .filter(|host| !host.is_empty())
            .ok_or(UrlError::Missing("host"))?;
        let host = part(host.trim_start_matches('[').trim_end_matches(']'), "host")?;
        if host.contains([',', '/', ' ']) {
            return Err(UrlError::Unreadable("host"));
        }
        let user = part(url.username(), "user name")?;
        if user.is_empty() {
            return Err(UrlError::Missing("user name"));
        }
        let database = part(url.path().trim_start_matches('/'), "database name")?;
        if database.is_empty() {
            return Err(UrlError::Missing("database name"));
        }
        let password = url.password().map(|p| part(p, "password")).transpose()?;
        let mut parsed = Self {
            ssl: if is_loopback(&host) {
                SslMode::Prefer
            } else {
                SslMode::VerifyFull
            },
            host,
            port: url.port().unwrap_or(5432),
            user,
            password: password.map(SecretString::from),
            database,
            root_cert: None,
            application_name: None,
            endpoint: None,
            channel_binding: false,
        };
        for (key, value) in url.query_pairs() {
            parsed.parameter(&key, &value)?;
        }
        Ok(parsed)
    }

    fn parameter(&mut self, key: &str, value: &str) -> Result<(), UrlError> {
        match key {
            "sslmode" => self.ssl = self.ssl_mode(value)?,
            "sslrootcert" if value == "system" || value.is_empty() => self.root_cert = None,
            "sslrootcert" => self.root_cert = Some(PathBuf::from(value)),
            "application_name" => self.application_name = Some(value.to_owned()),
            "options" => self.endpoint = Some(endpoint(value)?),
            "channel_binding" => self.channel_binding = value == "require",
            // For other drivers: errand has settings of its own.
            "connect_timeout" | "pgbouncer" | "pool_timeout" | "sslnegotiation" => {}
            other => return Err(unknown(other)),
        }
        Ok(())
    }

    fn ssl_mode(&self, value: &str) -> Result<SslMode, UrlError> {
        let refused = |reason| UrlError::Refused {
            parameter: "sslmode",
            reason,
        };
        match value {
            "require" | "verify-ca" | "verify-full" => Ok(SslMode::VerifyFull),
            "disable" | "allow" | "prefer" if !is_loopback(&self.host) => Err(refused(
                "only a database on this machine may go without; use verify-full",
            )),
            "disable" => Ok(SslMode::Disable),
            "allow" | "prefer" => Ok(SslMode::Prefer),
            _ => Err(refused("use verify-full")),
        }
    }

    pub fn direct(&self) -> Self {
        let (label, domain) = self
            .host
            .split_once('.')
            .map_or((self.host.as_str(), None), |(label, domain)| {
                (label, Some(domain))
            });
        let label = label.strip_suffix("-pooler").unwrap_or(label);
        let host = domain.map_or_else(|| label.to_owned(), |domain| format!("{label}.{domain}"));
        Self { host, ..self.clone() }
    }
}

/// Whether packets to this host cannot leave the machine.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The only option that a pooler lets through: Neon's endpoint, as `endpoint=…`.
fn endpoint(value: &str) -> Result<String, UrlError> {
    let endpoint = value.strip_prefix("endpoint=").filter(|id| {
        !id.is_empty()
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    });
    endpoint.map(str::to_owned).ok_or(UrlError::Refused {
        parameter: "options",
        reason: "only endpoint=<id> is passed on",
    })
}
