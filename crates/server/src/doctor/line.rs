//! The lines of the report.

use std::fmt;
use std::time::Duration;

use errand_persistence::MigrationStatus;
use errand_persistence::doctor::{Schema, Trouble};

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// It works, and could be better or be gone one day.
    Warn,
    /// It does not work.
    Fault,
    /// It could not be looked at.
    Skip,
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub verdict: Verdict,
    pub what: &'static str,
    text: String,
}

impl Line {
    pub fn ok(what: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, what, text)
    }

    pub fn warn(what: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, what, text)
    }

    pub fn fault(what: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Fault, what, text)
    }

    pub fn skip(what: &'static str, because: &str) -> Self {
        Self::new(Verdict::Skip, what, format!("because {because}"))
    }

    /// Of something that did not answer, or not as it should.
    pub fn trouble(what: &'static str, trouble: &Trouble, variable: &str) -> Self {
        Self::fault(what, format!("{trouble}; {}", advice(trouble, variable)))
    }

    fn new(verdict: Verdict, what: &'static str, text: impl Into<String>) -> Self {
        Self {
            verdict,
            what,
            text: text.into(),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fault => "fault",
            Verdict::Skip => "skip",
        };
        // Whatever a server said stays on its line.
        let text: Vec<&str> = self.text.split_whitespace().collect();
        write!(f, "{verdict:5} {}: {}", self.what, text.join(" "))
    }
}

/// What to do about it.
fn advice(trouble: &Trouble, variable: &str) -> String {
    match trouble {
        Trouble::UnknownHost => format!("correct the host in {variable}, or look to the name server"),
        Trouble::NobodyListens => {
            format!("start the server, or correct host and port in {variable}")
        }
        Trouble::Unreachable(_) => format!("look to network and firewall, and to the host in {variable}"),
        Trouble::Ended => "try again; if it stays so, the log of the server or pooler says why".into(),
        Trouble::Silent => {
            "try again, it may have been asleep; if it stays so, look to the firewall and to the server"
                .into()
        }
        Trouble::NoTls => {
            "turn TLS on at the server: without it errand uses only a database of this machine".into()
        }
        Trouble::UnknownIssuer => {
            "name a PEM file with the certificate of that CA in DATABASE_CA_FILE".into()
        }
        Trouble::WrongName => {
            format!("put a host name into {variable} that the certificate is made for")
        }
        Trouble::WrongTime => "renew the certificate, or set the clock of this machine".into(),
        Trouble::Tls(_) => "let the server offer TLS 1.2 or 1.3 and a sound certificate".into(),
        Trouble::WrongPassword => format!(
            "correct user and password in {variable} (special characters are written as %XX), or let pg_hba.conf \
             admit them"
        ),
        Trouble::NoDatabase => format!("create it, or correct its name in {variable}"),
        Trouble::NotAllowedIn => "GRANT CONNECT ON DATABASE to it".into(),
        Trouble::Full => "close other clients, or raise max_connections of the server".into(),
        Trouble::Strange => format!("is that a PostgreSQL server? If not, correct {variable}"),
        _ => "the log of the server or pooler, or the provider's console, says more".into(),
    }
}

/// How far the schema is. Who migrates at start needs no help, if the role may.
pub fn schema(schema: &Schema, migrates: bool, may_migrate: bool) -> Line {
    const WHAT: &str = "schema";
    let Schema::Known(steps) = schema else {
        return Line::fault(
            WHAT,
            "the role may not read how far it is; GRANT SELECT ON seaql_migrations to it",
        );
    };
    let count = |which: fn(&MigrationStatus) -> bool| steps.iter().filter(|step| which(step)).count();
    let (missing, unknown) = (count(|step| !step.applied), count(|step| !step.known));
    let age = match (missing, unknown) {
        (0, 0) => return Line::ok(WHAT, "as this program needs it"),
        (0, _) => {
            return Line::warn(
                WHAT,
                format!(
                    "newer than this program, by {}; that works, because steps only add, but run the later version \
                     soon",
                    steps_of(unknown)
                ),
            );
        }
        _ if missing == steps.len() => "there is none yet".to_owned(),
        _ => format!("older than this program, by {}", steps_of(missing)),
    };
    if !may_migrate {
        Line::fault(
            WHAT,
            format!(
                "{age}, and the role may not change it; put the URL of the owner of the tables into \
                 DATABASE_DIRECT_URL and run errand migrate up"
            ),
        )
    } else if migrates {
        Line::warn(
            WHAT,
            format!("{age}; the next start brings it up to date, as does errand migrate up"),
        )
    } else {
        Line::fault(WHAT, format!("{age}; run errand migrate up"))
    }
}

fn steps_of(n: usize) -> String {
    if n == 1 {
        "1 step".to_owned()
    } else {
        format!("{n} steps")
    }
}

/// Short enough to be read at a glance.
pub fn time(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_stands_under_the_others() {
        assert_eq!(Line::ok("a", "b").to_string(), "ok    a: b");
        assert_eq!(Line::fault("a", "b\nc  d").to_string(), "fault a: b c d");
        assert_eq!(Line::skip("a", "of b").to_string(), "skip  a: because of b");
    }

    #[test]
    fn schemas() {
        let step = |applied, known| MigrationStatus {
            name: "m1".into(),
            applied,
            known,
        };
        let line = |steps: &[MigrationStatus], migrates, may| {
            schema(&Schema::Known(steps.to_vec()), migrates, may).to_string()
        };
        let (whole, pending, future) = (step(true, true), step(false, true), step(true, false));
        assert_eq!(
            line(std::slice::from_ref(&whole), false, false),
            "ok    schema: as this program needs it"
        );
        assert!(
            line(std::slice::from_ref(&pending), true, true)
                .starts_with("warn  schema: there is none yet; the next start")
        );
        let older = [whole.clone(), pending.clone()];
        assert_eq!(
            line(&older, false, true),
            "fault schema: older than this program, by 1 step; run errand migrate up"
        );
        assert!(line(&older, true, false).contains("the owner of the tables into DATABASE_DIRECT_URL"));
        assert!(
            line(&[whole, future.clone(), future], true, true)
                .starts_with("warn  schema: newer than this program, by 2 steps")
        );
        assert!(
            schema(&Schema::Unreadable, true, true)
                .to_string()
                .starts_with("fault schema: ")
        );
    }

    #[test]
    fn every_trouble_says_what_to_do() {
        for trouble in [
            Trouble::UnknownHost,
            Trouble::NobodyListens,
            Trouble::Unreachable(std::io::ErrorKind::NetworkUnreachable),
            Trouble::Ended,
            Trouble::Silent,
            Trouble::NoTls,
            Trouble::UnknownIssuer,
            Trouble::WrongName,
            Trouble::WrongTime,
            Trouble::Tls("x".into()),
            Trouble::WrongPassword,
            Trouble::NoDatabase,
            Trouble::NotAllowedIn,
            Trouble::Full,
            Trouble::Strange,
            Trouble::Refused {
                code: "XX000".into(),
                message: "x".into(),
            },
        ] {
            let line = Line::trouble("connection", &trouble, "DATABASE_URL").to_string();
            assert!(
                line.starts_with("fault connection: ") && line.contains("; "),
                "{line}"
            );
        }
    }
}
