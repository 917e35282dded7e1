//! Why a database did not do what it was asked.

use std::io::ErrorKind;

use sea_orm::{DbErr, RuntimeErr};
use sqlx::Error as SqlxError;

use crate::error::elide_quotes;

/// Told apart by what is to be done about it. Holds nothing of the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trouble {
    /// The name of the host leads to no address.
    #[error("the host name leads to no address")]
    UnknownHost,
    /// Nobody listens at that port.
    #[error("nobody listens there (connection refused)")]
    NobodyListens,
    /// The way there does not exist or is broken.
    #[error("the way to the server is broken ({0})")]
    Unreachable(ErrorKind),
    /// Somebody answers the connection and ends it.
    #[error("the server ended the connection without an answer")]
    Ended,
    /// No answer.
    #[error("no answer in time")]
    Silent,
    /// It does not speak TLS.
    #[error("the server does not speak TLS")]
    NoTls,
    /// No known CA vouches for the certificate.
    #[error("the server's certificate comes from a CA that is not known here")]
    UnknownIssuer,
    /// The certificate is for other host names.
    #[error("the server's certificate is not valid for the host name")]
    WrongName,
    /// The certificate's time is over, or has not begun.
    #[error("the server's certificate is not valid at this time")]
    WrongTime,
    /// Something else is wrong with the certificate or with TLS.
    #[error("the server and errand do not agree on TLS ({0})")]
    Tls(String),
    /// User or password.
    #[error("user or password is wrong, or this user may not come from here")]
    WrongPassword,
    /// There is no such database.
    #[error("there is no such database on the server")]
    NoDatabase,
    /// The role may not connect to this database.
    #[error("the role may not connect to this database")]
    NotAllowedIn,
    /// No connection is left.
    #[error("the server has no connection left")]
    Full,
    /// The server, a pooler or a proxy refused, in its own words.
    #[error("the server answered {code}: {message}")]
    Refused {
        /// The SQLSTATE.
        code: String,
        /// Without what it quotes.
        message: String,
    },
    /// The answer is none that PostgreSQL gives.
    #[error("the answer cannot be understood")]
    Strange,
}

impl Trouble {
    /// Of one who wanted in.
    pub(crate) fn at_entry(error: &SqlxError) -> Self {
        match Self::of(error) {
            Self::Refused { code, .. } if code == "42501" => Self::NotAllowedIn,
            other => other,
        }
    }

    /// Of one who was in.
    pub(crate) fn of(error: &SqlxError) -> Self {
        match error {
            SqlxError::Io(error) => io(error),
            SqlxError::Tls(error) if error.to_string() == "server does not support TLS" => Self::NoTls,
            SqlxError::Tls(error) => Self::Tls(format!("{error}")),
            // What the driver makes of a connection that ends where it expects the answer about TLS.
            SqlxError::Protocol(text) if text.contains("from SSLRequest: 0x00") => Self::Ended,
            SqlxError::PoolTimedOut => Self::Silent,
            SqlxError::Database(error) => {
                let code = error.code().unwrap_or_default();
                refused(&code, error.message())
            }
            _ => Self::Strange,
        }
    }

    /// Whether the connection is lost with it.
    pub(crate) fn ends_it(&self) -> bool {
        !matches!(self, Self::Refused { .. } | Self::Strange)
    }
}

impl From<DbErr> for Trouble {
    fn from(error: DbErr) -> Self {
        match &error {
            DbErr::Exec(RuntimeErr::SqlxError(source))
            | DbErr::Query(RuntimeErr::SqlxError(source))
            | DbErr::Conn(RuntimeErr::SqlxError(source)) => Self::of(source),
            DbErr::ConnectionAcquire(_) => Self::Silent,
            _ => Self::Strange,
        }
    }
}

fn io(error: &std::io::Error) -> Trouble {
    match error.kind() {
        ErrorKind::ConnectionRefused => Trouble::NobodyListens,
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Trouble::Ended,
        // TLS speaks through the socket.
        ErrorKind::InvalidData => tls(&error
            .get_ref()
            .map(|fault| format!("{fault:?}"))
            .unwrap_or_default()),
        kind => Trouble::Unreachable(kind),
    }
}

/// By the names that the TLS library gives to faults. Their details hold host names.
fn tls(fault: &str) -> Trouble {
    let name = |text: &str| -> String { text.chars().take_while(char::is_ascii_alphanumeric).collect() };
    let Some(certificate) = fault.strip_prefix("InvalidCertificate(") else {
        return Trouble::Tls(name(fault));
    };
    match name(certificate).as_str() {
        "UnknownIssuer" => Trouble::UnknownIssuer,
        "NotValidForName" | "NotValidForNameContext" => Trouble::WrongName,
        "Expired" | "ExpiredContext" | "NotValidYet" | "NotValidYetContext" => Trouble::WrongTime,
        other => Trouble::Tls(other.to_owned()),
    }
}

fn refused(code: &str, message: &str) -> Trouble {
    match code {
        "28P01" | "28000" => Trouble::WrongPassword,
        // Neon's proxy says it in its own way.
        "XX000" if message.contains("password authentication failed") => Trouble::WrongPassword,
        "3D000" => Trouble::NoDatabase,
        "53300" => Trouble::Full,
        _ => Trouble::Refused {
            code: code.to_owned(),
            message: elide_quotes(message),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_of_tls() {
        for (fault, trouble) in [
            ("InvalidCertificate(UnknownIssuer)", Trouble::UnknownIssuer),
            (
                "InvalidCertificate(NotValidForNameContext { expected: DnsName(\"secret.example\"), presented: [] })",
                Trouble::WrongName,
            ),
            (
                "InvalidCertificate(ExpiredContext { time: UnixTime(2), not_after: UnixTime(1) })",
                Trouble::WrongTime,
            ),
            (
                "InvalidCertificate(BadSignature)",
                Trouble::Tls("BadSignature".into()),
            ),
            (
                "AlertReceived(HandshakeFailure)",
                Trouble::Tls("AlertReceived".into()),
            ),
        ] {
            assert_eq!(tls(fault), trouble, "{fault}");
        }
    }

    #[test]
    fn what_a_server_says() {
        for (code, message, trouble) in [
            (
                "28P01",
                "password authentication failed for user \"x\"",
                Trouble::WrongPassword,
            ),
            (
                "XX000",
                "password authentication failed for user 'x'",
                Trouble::WrongPassword,
            ),
            ("3D000", "database \"x\" does not exist", Trouble::NoDatabase),
            ("53300", "sorry, too many clients already", Trouble::Full),
            (
                "XX000",
                "The endpoint has been disabled. Enable it using Neon API and retry.",
                Trouble::Refused {
                    code: "XX000".into(),
                    message: "The endpoint has been disabled. Enable it using Neon API and retry.".into(),
                },
            ),
            (
                "42501",
                "permission denied for table \"secret\"",
                Trouble::Refused {
                    code: "42501".into(),
                    message: "permission denied for table \"…\"".into(),
                },
            ),
        ] {
            assert_eq!(refused(code, message), trouble, "{code}");
        }
    }

    #[test]
    fn what_a_socket_says() {
        let of = |kind: ErrorKind| Trouble::of(&SqlxError::Io(kind.into()));
        assert_eq!(of(ErrorKind::ConnectionRefused), Trouble::NobodyListens);
        assert_eq!(of(ErrorKind::UnexpectedEof), Trouble::Ended);
        assert_eq!(
            of(ErrorKind::NetworkUnreachable),
            Trouble::Unreachable(ErrorKind::NetworkUnreachable)
        );
        let closed = SqlxError::Protocol("unexpected response from SSLRequest: 0x00".into());
        assert_eq!(Trouble::of(&closed), Trouble::Ended);
        assert!(Trouble::Ended.ends_it() && !Trouble::Strange.ends_it());
    }
}
