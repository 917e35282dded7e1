//! How a unit of work fails, and what the services are told of it.

use errand_application::ports::{StoreError, UniqueKey};
use sea_orm::{ConnAcquireErr, DbErr, RuntimeErr, SqlxError};

use crate::breaker::Barred;
use crate::unfit::Unfit;

/// Why a unit of work did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The database or the way to it.
    #[error(transparent)]
    Db(#[from] DbErr),
    /// Something stored that no writer of errand stores.
    #[error("table {table}, column {column}: holds what cannot be")]
    Corrupt {
        table: &'static str,
        column: &'static str,
    },
    /// Settings, database and the way to it do not fit together.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Steps of the schema are missing.
    #[error(transparent)]
    Older(#[from] Older),
    /// The database refused the settings a moment ago.
    #[error(transparent)]
    Barred(#[from] Barred),
    /// Whether the way to the database can be trusted is not known yet.
    #[error("whether the way to the database keeps its clients' statements apart was not found out yet")]
    Untried,
    /// Found taken without a failing statement.
    #[error("{0:?} is taken")]
    Taken(UniqueKey),
}

/// What may be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The database took nothing of it, and another try may succeed.
    Again,
    /// The connection broke, and with it the knowledge of whether it took effect.
    Lost,
    /// No answer, and no use in trying at once.
    Unavailable,
    /// The server refuses the settings: password, database, certificate, a disabled endpoint. No use in trying
    /// before somebody has changed something.
    Misconfigured,
    /// A value that must be unique is taken.
    Conflict(UniqueKey),
    /// It would fail every time.
    Broken,
}

/// The caller's patience ended first.
#[derive(Debug, thiserror::Error)]
#[error("no answer within the deadline")]
pub struct Deadline;

/// The database lacks steps of the schema, so that the program's statements would fail here and there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the database's schema is older than this program ({missing} of its steps are missing): run \"errand migrate up\""
)]
pub struct Older {
    /// So many.
    pub missing: usize,
}

/// What a database said, without what was sent to it: its own messages repeat values.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the database answered {code}: {message}")]
pub struct Refusal {
    code: String,
    message: String,
    table: Option<String>,
    constraint: Option<String>,
}

impl Refusal {
    /// With this code.
    #[cfg(test)]
    pub fn with(code: &str) -> Self {
        Self {
            code: code.into(),
            message: "no".into(),
            table: None,
            constraint: None,
        }
    }

    /// Whether user, password or database name are wrong, or the endpoint is closed to all: no waiting helps.
    pub fn is_of_entry(&self) -> bool {
        is_of_entry(&self.code, &self.message)
    }

    /// Whether a prepared statement is not the one that was prepared: a pooler mixes them up.
    pub fn is_of_mixed_statements(&self) -> bool {
        matches!(self.code.as_str(), "42P05" | "26000")
    }

    /// Whether the role that asked may not do that.
    pub fn is_of_rights(&self) -> bool {
        self.code == "42501"
    }

    /// Whether a table or a column is missing, as it is before a migration.
    pub fn is_of_schema(&self) -> bool {
        matches!(self.code.as_str(), "42P01" | "42703")
    }
}

impl Failure {
    /// Whether there was no connection to send anything over.
    pub fn is_unsent(&self) -> bool {
        match self {
            Self::Db(error) => Self::is_of_no_connection(error),
            Self::Untried => true,
            _ => false,
        }
    }

    /// The same of the error beneath.
    pub fn is_of_no_connection(error: &DbErr) -> bool {
        matches!(error, DbErr::Conn(_) | DbErr::ConnectionAcquire(_))
    }

    /// Whether another client's statement was met.
    pub fn is_of_mixed_statements(&self) -> bool {
        match self {
            Self::Db(error) => refusal_of(error).is_some_and(|refusal| refusal.is_of_mixed_statements()),
            _ => false,
        }
    }

    /// Whether the pool had no connection to lend in time.
    pub fn is_for_want_of_a_connection(&self) -> bool {
        matches!(self, Self::Db(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))
    }

    /// In words that may be logged.
    pub fn told(&self) -> String {
        match self {
            Self::Db(DbErr::Conn(RuntimeErr::SqlxError(error))) => words(error),
            other => elide_quotes(&other.to_string()),
        }
    }

    pub fn class(&self) -> Class {
        match self {
            Self::Corrupt { .. } => Class::Broken,
            Self::Taken(key) => Class::Conflict(*key),
            Self::Unfit(_) | Self::Older(_) | Self::Barred(_) => Class::Unavailable,
            // Nothing was sent, and a moment later somebody may have found out.
            Self::Untried => Class::Lost,
            Self::Db(error) => classify(error),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        let class = failure.class();
        let source = || match failure {
            Failure::Db(error) => redacted(error),
            Failure::Unfit(unfit) => unfit.into(),
            Failure::Older(older) => older.into(),
            Failure::Barred(barred) => barred.into(),
            other => other.into(),
        };
        match class {
            Class::Conflict(key) => Self::Conflict(key),
            Class::Again | Class::Lost | Class::Unavailable | Class::Misconfigured => {
                Self::Unavailable(source())
            }
            Class::Broken => Self::Broken(source()),
        }
    }
}

fn classify(error: &DbErr) -> Class {
    match error {
        // The pool was replaced under a waiting unit: the new one is there.
        DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed) => Class::Again,
        DbErr::Conn(RuntimeErr::SqlxError(error)) => match &**error {
            // TLS speaks through the socket.
            SqlxError::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Class::Misconfigured,
            SqlxError::Io(_) | SqlxError::Protocol(_) => Class::Lost,
            SqlxError::Database(error) => {
                let code = error.code().unwrap_or_default();
                if is_of_entry(&code, error.message()) {
                    Class::Misconfigured
                } else if is_waking(error.message()) || postgres(&code, None) == Class::Lost {
                    Class::Lost
                } else {
                    Class::Unavailable
                }
            }
            SqlxError::Tls(_) | SqlxError::Configuration(_) => Class::Misconfigured,
            _ => Class::Unavailable,
        },
        DbErr::Conn(_) | DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => Class::Unavailable,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            match &**error {
                SqlxError::Database(error) => {
                    if error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                        sqlite(error.code().as_deref().unwrap_or_default(), error.message())
                    } else {
                        let code = error.code();
                        postgres(code.as_deref().unwrap_or_default(), error.constraint())
                    }
                }
                SqlxError::Io(_) | SqlxError::Tls(_) | SqlxError::Protocol(_) | SqlxError::WorkerCrashed => {
                    Class::Lost
                }
                SqlxError::PoolTimedOut => Class::Unavailable,
                SqlxError::PoolClosed => Class::Again,
                _ => Class::Broken,
            }
        }
        _ => Class::Broken,
    }
}

/// What Neon's proxy says, always as XX000, while a database wakes or is asked for by too many at once.
fn is_waking(message: &str) -> bool {
    [
        "Couldn't connect to compute node",
        "Failed to acquire permit to connect",
        "Too many connections",
    ]
    .iter()
    .any(|text| message.contains(text))
        || message.ends_with("Control plane request failed")
}

/// What no waiting helps against: by the SQLSTATE, or by what Neon's proxy says, whose every error is XX000.
fn is_of_entry(code: &str, message: &str) -> bool {
    let of_the_proxy = [
        "password authentication failed",
        "endpoint is disabled",
        "endpoint has been disabled",
        "endpoint cannot be found",
        "endpoint could not be found",
        "Endpoint ID is not specified",
        "This IP address",
        "quota",
    ];
    match code {
        "28P01" | "28000" | "3D000" => true,
        // PgBouncer's own words.
        "08P01" => [
            "SASL authentication failed",
            "password authentication failed",
            "no such database",
            "no such user",
        ]
        .iter()
        .any(|text| message.contains(text)),
        "XX000" => of_the_proxy.iter().any(|text| message.contains(text)),
        _ => false,
    }
}

/// By SQLSTATE.
fn postgres(code: &str, constraint: Option<&str>) -> Class {
    match code {
        "23505" => match constraint {
            Some("users_email_unique") => Class::Conflict(UniqueKey::Email),
            Some("users_username_unique") => Class::Conflict(UniqueKey::Username),
            // Two imports of one source at once: the next try finds what the other one brought.
            Some("imported_users_once" | "users_pkey") => Class::Again,
            _ => Class::Broken,
        },
        "40001" | "40P01" => Class::Again,
        // The server went away, or was told to.
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => Class::Lost,
        // Cancelled, waited too long for a lock or altogether, read-only after a failover, a plan older than the
        // schema; any text of a proxy that does not get through (XX000); no such table or column, because the
        // schema is on its way (42P01, 42703).
        "57014" | "55P03" | "25P04" | "25006" | "0A000" | "58030" | "XX000" | "42P01" | "42703" => {
            Class::Unavailable
        }
        _ if code.starts_with("08") => Class::Lost,
        // Out of disk, memory, connections.
        _ if code.starts_with("53") => Class::Unavailable,
        _ => Class::Broken,
    }
}

/// By the primary result code, which is the low byte of the extended one.
fn sqlite(code: &str, message: &str) -> Class {
    const ERROR: u32 = 1;
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const NOMEM: u32 = 7;
    const READONLY: u32 = 8;
    const IOERR: u32 = 10;
    const FULL: u32 = 13;
    const CANTOPEN: u32 = 14;
    const PROTOCOL: u32 = 15;
    const UNIQUE: u32 = 2067;
    let code: u32 = code.parse().unwrap_or_default();
    match code & 0xff {
        _ if code == UNIQUE && message.ends_with("users.email_key") => Class::Conflict(UniqueKey::Email),
        _ if code == UNIQUE && message.ends_with("users.username_key") => {
            Class::Conflict(UniqueKey::Username)
        }
        BUSY | LOCKED | NOMEM | READONLY | IOERR | FULL | CANTOPEN | PROTOCOL => Class::Unavailable,
        // The schema is on its way.
        ERROR
            if ["no such table", "no such column", "has no column"]
                .iter()
                .any(|text| message.contains(text)) =>
        {
            Class::Unavailable
        }
        _ => Class::Broken,
    }
}

/// A connection that was not made, without the names that the driver quotes.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Unconnected(String);

/// The same error, fit to be logged. A driver's database error carries the row in its detail and values in
/// its message, one of TLS the host; all else is about sockets, files and types.
pub fn redacted(error: DbErr) -> Box<dyn std::error::Error + Send + Sync> {
    match (refusal_of(&error), &error) {
        (Some(refusal), _) => refusal.into(),
        (None, DbErr::Conn(RuntimeErr::SqlxError(source))) => Unconnected(words(source)).into(),
        (None, _) => error.into(),
    }
}

/// An error of the driver in words that may be logged.
pub fn words(error: &SqlxError) -> String {
    match (refusal(error), error) {
        (Some(refusal), _) => refusal.to_string(),
        (None, SqlxError::Io(error)) => elide_quotes(&error.to_string()),
        (None, error) => elide_quotes(&error.to_string()),
    }
}

/// What the database said, if it was the database that spoke.
pub fn refusal_of(error: &DbErr) -> Option<Refusal> {
    let (DbErr::Exec(RuntimeErr::SqlxError(source))
    | DbErr::Query(RuntimeErr::SqlxError(source))
    | DbErr::Conn(RuntimeErr::SqlxError(source))) = error
    else {
        return None;
    };
    refusal(source)
}

/// The same of the driver's own error.
pub fn refusal(error: &SqlxError) -> Option<Refusal> {
    let SqlxError::Database(error) = error else {
        return None;
    };
    let code = error.code().unwrap_or_default().into_owned();
    // Class 42 is about the statement's text: its quotes hold names.
    let message = if code.starts_with("42") && code != "42501" {
        error.message().to_owned()
    } else if let Some((said, _)) = error.message().split_once("no such database:") {
        // PgBouncer does not quote.
        format!("{said}no such database")
    } else {
        elide_quotes(error.message())
    };
    Some(Refusal {
        code,
        message,
        table: error.table().map(str::to_owned),
        constraint: error.constraint().map(str::to_owned),
    })
}

/// What ends a quotation that begins so; servers quote in the way of their language.
fn closing(opening: char) -> Option<char> {
    match opening {
        '"' | '\'' | '`' => Some(opening),
        '»' => Some('«'),
        '«' => Some('»'),
        '„' => Some('“'),
        '“' => Some('”'),
        '‘' => Some('’'),
        _ => None,
    }
}

/// What stands in quotes may be a value.
pub fn elide_quotes(message: &str) -> String {
    let mut shown = String::with_capacity(message.len());
    let mut open = None;
    let mut before = ' ';
    for c in message.chars() {
        // Between two letters it is an apostrophe.
        let quoting = c != '\'' || open.is_some() || !before.is_alphanumeric();
        before = c;
        match open {
            Some(quote) if c == quote => {
                open = None;
                shown.push(c);
            }
            Some(_) => {}
            None => {
                shown.push(c);
                if let Some(closing) = closing(c).filter(|_| quoting) {
                    open = Some(closing);
                    shown.push('…');
                }
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates() {
        use Class::{Again, Broken, Conflict, Lost, Unavailable};
        for (code, constraint, class) in [
            ("23505", Some("users_email_unique"), Conflict(UniqueKey::Email)),
            (
                "23505",
                Some("users_username_unique"),
                Conflict(UniqueKey::Username),
            ),
            ("23505", Some("tasks_pkey"), Broken),
            ("23503", Some("sessions_user_id_fkey"), Broken),
            ("40001", None, Again),
            ("40P01", None, Again),
            ("57P01", None, Lost),
            ("08006", None, Lost),
            ("53300", None, Unavailable),
            ("53100", None, Unavailable),
            ("57014", None, Unavailable),
            ("25006", None, Unavailable),
            ("42P01", None, Unavailable),
            ("42703", None, Unavailable),
            ("42601", None, Broken),
            ("25P03", None, Lost),
            ("57P05", None, Lost),
            ("25P04", None, Unavailable),
            ("XX000", None, Unavailable),
            ("42P05", None, Broken),
            ("26000", None, Broken),
            ("", None, Broken),
        ] {
            assert_eq!(postgres(code, constraint), class, "{code}");
        }
    }

    #[test]
    fn result_codes() {
        use Class::{Broken, Conflict, Unavailable};
        for (code, message, class) in [
            (
                "2067",
                "UNIQUE constraint failed: users.email_key",
                Conflict(UniqueKey::Email),
            ),
            (
                "2067",
                "UNIQUE constraint failed: users.username_key",
                Conflict(UniqueKey::Username),
            ),
            (
                "2067",
                "UNIQUE constraint failed: tasks.user_id, tasks.creation_key",
                Broken,
            ),
            ("5", "database is locked", Unavailable),
            ("517", "database is locked", Unavailable),
            ("13", "database or disk is full", Unavailable),
            ("1032", "attempt to write a readonly database", Unavailable),
            ("787", "FOREIGN KEY constraint failed", Broken),
            ("7", "out of memory", Unavailable),
            ("15", "locking protocol", Unavailable),
            ("1", "no such table: tasks", Unavailable),
            ("1", "no such column: version", Unavailable),
            ("1", "table tasks has no column named version", Unavailable),
            ("1", "near \"SELEC\": syntax error", Broken),
        ] {
            assert_eq!(sqlite(code, message), class, "{code}");
        }
    }

    #[test]
    fn the_pool_and_the_socket() {
        let query = |error: SqlxError| classify(&DbErr::Query(RuntimeErr::SqlxError(error.into())));
        let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert_eq!(query(SqlxError::Io(reset)), Class::Lost);
        assert_eq!(query(SqlxError::PoolTimedOut), Class::Unavailable);
        assert_eq!(
            classify(&DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)),
            Class::Unavailable
        );
        assert_eq!(
            classify(&DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed)),
            Class::Again
        );
        assert_eq!(query(SqlxError::ColumnNotFound("title".into())), Class::Broken);

        let conn = |error: SqlxError| Failure::from(DbErr::Conn(RuntimeErr::SqlxError(error.into())));
        let held = conn(SqlxError::Protocol(
            "unexpected response from SSLRequest: 0x00".into(),
        ));
        assert_eq!((held.class(), held.is_unsent()), (Class::Lost, true));
        // As rustls says it.
        let untrusted = std::io::Error::new(std::io::ErrorKind::InvalidData, "unknown issuer");
        assert_eq!(conn(SqlxError::Io(untrusted)).class(), Class::Misconfigured);
        assert_eq!(
            (Failure::Untried.class(), Failure::Untried.is_unsent()),
            (Class::Lost, true)
        );
        assert!(is_waking("Couldn't connect to compute node"));
        assert!(!is_waking("password authentication failed for user 'x'"));
        for (code, message, of_entry) in [
            ("28P01", "", true),
            ("3D000", "", true),
            ("XX000", "password authentication failed for user '…'", true),
            ("XX000", "The requested endpoint is disabled", true),
            (
                "XX000",
                "Your account or project has exceeded the compute time quota.",
                true,
            ),
            ("XX000", "Couldn't connect to compute node", false),
            ("53300", "too many connections, check your quota", false),
            ("08P01", "SASL authentication failed", true),
            ("08P01", "no such database: …", true),
            ("08P01", "server login has been failing", false),
        ] {
            assert_eq!(is_of_entry(code, message), of_entry, "{code} {message}");
        }
        assert!(!is_waking(
            "The endpoint has been disabled. Enable it using Neon API and retry."
        ));
    }

    #[test]
    fn the_host_is_elided() {
        let text = "certificate not valid for name \"db.example\"";
        let tls = SqlxError::Io(std::io::Error::new(std::io::ErrorKind::InvalidData, text));
        let shown = redacted(DbErr::Conn(RuntimeErr::SqlxError(tls.into())));
        let shown = format!("{shown} {shown:?}");
        assert!(
            shown.contains("not valid for name") && !shown.contains("db.example"),
            "{shown}"
        );
    }

    #[test]
    fn values_are_elided() {
        assert_eq!(
            elide_quotes(r#"invalid input syntax for type bigint: "s3cret" at 'x' "open"#),
            r#"invalid input syntax for type bigint: "…" at '…' "…"#
        );
        assert_eq!(
            elide_quotes("Benutzer »bob«, couldn't 'x' « y »"),
            "Benutzer »…«, couldn't '…' «…»"
        );
        let corrupt = StoreError::from(Failure::Corrupt {
            table: "tasks",
            column: "title",
        });
        let StoreError::Broken(source) = corrupt else {
            panic!("{corrupt:?}")
        };
        assert_eq!(
            source.to_string(),
            "table tasks, column title: holds what cannot be"
        );
    }
}
