//! What was found out about a PostgreSQL database, in words.

use std::time::Duration;

use errand_persistence::doctor::{
    Connections, Direct, DirectWay, Entry, Inside, Limits, Look, PostgresReport, Role, Schema, Tables,
};
use errand_persistence::{Mixed, Settings};

use super::line::{Line, Verdict, schema, time};

const URL: &str = "DATABASE_URL";
const DIRECT_URL: &str = "DATABASE_DIRECT_URL";

/// A first connection that takes longer was probably one to a database that slept.
const SLOW: Duration = Duration::from_secs(1);
/// Every request pays it at least once.
const FAR: Duration = Duration::from_millis(20);
/// The versions that errand is tried with.
const VERSIONS: std::ops::RangeInclusive<i32> = 14..=18;
/// In microseconds: tokens live for minutes.
const CLOCK_OFF: u64 = 2_000_000;
const CLOCK_WRONG: u64 = 60_000_000;
/// How long a transaction of errand's role may do nothing.
const IDLE_IN_TRANSACTION: &str = "10s";
const LOCK: &str = "3s";

/// One line for each thing, in the order in which one hangs on another.
pub fn lines(report: PostgresReport, settings: &Settings, migrates: bool) -> Vec<Line> {
    let PostgresReport {
        entry,
        direct,
        inside,
    } = report;
    let Inside {
        prepared,
        round_trip,
        session,
        schema: steps,
        tables,
        role,
        clock,
    } = inside;
    let lost = if entry.is_err() {
        "there is no connection"
    } else {
        "the connection was lost before"
    };
    let unsafe_way = if matches!(prepared, Some(Ok(Ok(())))) || entry.is_err() {
        lost
    } else {
        "prepared statements cannot be trusted"
    };
    let may_migrate = match &direct.found {
        Some(found) => found.as_ref().is_ok_and(|found| found.may_migrate),
        None => matches!(&session, Some(Ok(session)) if session.may_migrate),
    };
    let has_tables =
        matches!(&steps, Some(Ok(Schema::Known(steps))) if steps.iter().any(|step| step.applied));
    let name = match &role {
        Some(Ok(role)) => role.name.clone(),
        _ => "CURRENT_USER".to_owned(),
    };
    let (version, limits, connections) = match session {
        Some(Ok(session)) => (
            Some(Ok(session.version)),
            Some(Ok(session.limits)),
            Some(Ok(session.connections)),
        ),
        Some(Err(trouble)) => (
            Some(Err(trouble.clone())),
            Some(Err(trouble.clone())),
            Some(Err(trouble)),
        ),
        None => (None, None, None),
    };
    let reachable = entry.is_ok();
    let binding = binding(entry.as_ref().ok());
    let mut lines = vec![
        match entry {
            Ok(entry) => reached(&entry, settings.deadline),
            Err(trouble) => Line::trouble("connection", &trouble, URL),
        },
        direct_way(&direct, reachable),
        say("prepared statements", prepared, lost, statements),
        say("round trip", round_trip, lost, distance),
        say("server", version, lost, server),
        say("schema", steps, unsafe_way, |steps| {
            schema(&steps, migrates, may_migrate)
        }),
    ];
    lines.extend(of_tables(
        tables,
        settings.row_level_security,
        has_tables,
        unsafe_way,
    ));
    lines.extend([
        say("role", role, unsafe_way, |role| {
            of_role(&role, settings.row_level_security)
        }),
        say("limits", limits, lost, |limits| {
            of_limits(&limits, settings.deadline, &name)
        }),
        say("connections", connections, lost, |connections| {
            of_connections(&connections, settings.max_connections)
        }),
        say("clock", clock, lost, of_clock),
        binding,
    ]);
    lines
}

fn say<T>(what: &'static str, look: Look<T>, because: &str, words: impl FnOnce(T) -> Line) -> Line {
    match look {
        Some(Ok(found)) => words(found),
        Some(Err(trouble)) => Line::trouble(what, &trouble, URL),
        None => Line::skip(what, because),
    }
}

fn reached(entry: &Entry, deadline: Duration) -> Line {
    const WHAT: &str = "connection";
    let safety = if entry.verified {
        "certificate and host name verified"
    } else {
        "on this machine, certificate not looked at"
    };
    let tls = match &entry.tls {
        Some((version, cipher)) => format!("{version}, {cipher}"),
        None if entry.verified => "TLS ends before the server, at a pooler or proxy".to_owned(),
        None => "without TLS as the server sees it".to_owned(),
    };
    let took = time(entry.took);
    let found = format!("in {took}, {safety}, {tls}");
    if entry.took > deadline {
        Line::warn(
            WHAT,
            format!(
                "{found}, the database slept or is far away, and requests wait {} at most; raise \
                 ERRAND__DATABASE__DEADLINE",
                time(deadline)
            ),
        )
    } else if entry.took > SLOW {
        Line::ok(WHAT, format!("{found}, the database slept or is far away"))
    } else {
        Line::ok(WHAT, found)
    }
}

fn direct_way(direct: &Direct, reachable: bool) -> Line {
    const WHAT: &str = "direct way";
    let way = match direct.way {
        DirectWay::Same if reachable => return Line::ok(WHAT, "the same as DATABASE_URL"),
        DirectWay::Same => return Line::skip(WHAT, "it is the same as DATABASE_URL"),
        DirectWay::SamePlace => "DATABASE_DIRECT_URL, the same place with another role",
        DirectWay::Derived => "DATABASE_URL without -pooler",
        DirectWay::Given => "DATABASE_DIRECT_URL, another place",
    };
    match &direct.found {
        None => Line::ok(WHAT, way),
        Some(Err(trouble)) => Line::trouble(WHAT, trouble, DIRECT_URL),
        Some(Ok(found)) => {
            let took = time(found.took);
            match found.same_database {
                Some(true) => Line::ok(WHAT, format!("{way}, in {took}, to the same database")),
                Some(false) => Line::fault(
                    WHAT,
                    format!("{way}, leads to another database than DATABASE_URL; correct one of them"),
                ),
                None => Line::ok(WHAT, format!("{way}, in {took}")),
            }
        }
    }
}

fn statements(outcome: Result<(), Mixed>) -> Line {
    const WHAT: &str = "prepared statements";
    match outcome {
        Ok(()) => Line::ok(WHAT, "kept apart for several clients"),
        Err(mixed) => Line::fault(WHAT, mixed.to_string()),
    }
}

fn distance(round_trip: Duration) -> Line {
    const WHAT: &str = "round trip";
    let took = time(round_trip);
    if round_trip > FAR {
        Line::warn(
            WHAT,
            format!("{took}, and every request waits for it; run errand in the region of the database"),
        )
    } else {
        Line::ok(WHAT, took)
    }
}

fn server(version: i32) -> Line {
    const WHAT: &str = "server";
    let (major, minor) = (version / 10_000, version % 10_000);
    let name = format!("PostgreSQL {major}.{minor}");
    if VERSIONS.contains(&major) {
        Line::ok(WHAT, name)
    } else if major < *VERSIONS.start() {
        Line::fault(WHAT, format!("{name} is too old; errand needs 14 to 18"))
    } else {
        Line::warn(
            WHAT,
            format!("{name} is newer than errand was tried with; 14 to 18 are"),
        )
    }
}

fn of_tables(look: Look<Tables>, row_level_security: bool, has_tables: bool, because: &str) -> [Line; 2] {
    const RIGHTS: &str = "rights";
    const FENCE: &str = "row-level security";
    let tables = match look {
        Some(Ok(tables)) if tables.there => tables,
        Some(Ok(_)) if has_tables => {
            return [
                Line::fault(
                    RIGHTS,
                    "the role sees none of the tables; GRANT it USAGE on their schema, or set its search_path",
                ),
                Line::skip(FENCE, "the role sees no tables"),
            ];
        }
        Some(Ok(_)) => return [RIGHTS, FENCE].map(|what| Line::skip(what, "there are no tables yet")),
        Some(Err(trouble)) => {
            return [
                Line::trouble(RIGHTS, &trouble, URL),
                Line::skip(FENCE, "the tables could not be looked at"),
            ];
        }
        None => return [RIGHTS, FENCE].map(|what| Line::skip(what, because)),
    };
    let rights = if tables.missing_rights.is_empty() {
        Line::ok(RIGHTS, "the role reads and writes every table")
    } else {
        Line::fault(
            RIGHTS,
            format!(
                "the role lacks {}; GRANT them, or use the role that errand migrate up --app-role prepares",
                tables.missing_rights.join(", and ")
            ),
        )
    };
    let fence = match tables.unfit {
        Some(unfit) => Line::fault(FENCE, unfit.to_string()),
        None if row_level_security => Line::ok(FENCE, "on, and holds this role"),
        None => Line::ok(FENCE, "off, as is the setting"),
    };
    [rights, fence]
}

fn of_role(role: &Role, row_level_security: bool) -> Line {
    const WHAT: &str = "role";
    let reasons = role.reasons.join(", it ");
    if reasons.is_empty() {
        Line::ok(WHAT, "can what it needs and no more")
    } else if row_level_security || role.mighty {
        Line::warn(
            WHAT,
            format!("it {reasons}; use the role that errand migrate up --app-role prepares"),
        )
    } else {
        Line::ok(
            WHAT,
            "the owner's, which can more than it needs; errand migrate up --app-role prepares one that cannot",
        )
    }
}

/// A statement of which nobody waits for the answer any more keeps its connection, so it has to end first.
fn of_limits(limits: &Limits, deadline: Duration, role: &str) -> Line {
    const WHAT: &str = "limits";
    let shown = |milliseconds: i64| match u64::try_from(milliseconds) {
        Ok(0) | Err(_) => "none".to_owned(),
        Ok(milliseconds) => time(Duration::from_millis(milliseconds)),
    };
    let found = format!(
        "statement_timeout {}, lock_timeout {}, idle_in_transaction_session_timeout {}",
        shown(limits.statement_timeout),
        shown(limits.lock_timeout),
        shown(limits.idle_in_transaction_session_timeout)
    );
    let mut todo = Vec::new();
    // The server has to end a statement before errand gives it up, at nine tenths.
    let most = i64::try_from((deadline * 4 / 5).as_millis()).unwrap_or(i64::MAX);
    if limits.statement_timeout == 0 || limits.statement_timeout > most {
        let most = if most % 1000 == 0 {
            format!("{}s", most / 1000)
        } else {
            format!("{most}ms")
        };
        todo.push(format!("ALTER ROLE {role} SET statement_timeout = '{most}'"));
    }
    if limits.lock_timeout == 0 {
        todo.push(format!("ALTER ROLE {role} SET lock_timeout = '{LOCK}'"));
    }
    if limits.idle_in_transaction_session_timeout == 0 {
        todo.push(format!(
            "ALTER ROLE {role} SET idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION}'"
        ));
    }
    if todo.is_empty() {
        Line::ok(WHAT, found)
    } else {
        Line::warn(WHAT, format!("{found}; {}", todo.join("; ")))
    }
}

fn of_connections(server: &Connections, own: u32) -> Line {
    const WHAT: &str = "connections";
    let all = server.max_connections.saturating_sub(server.reserved_connections);
    let all = u32::try_from(all).unwrap_or_default();
    let found = format!("at most {own} of this process, the server has {all} for all");
    let most = all / 10 * 9 + all % 10 * 9 / 10;
    if own > most {
        Line::warn(
            WHAT,
            format!(
                "{found}; let ERRAND__DATABASE__MAX_CONNECTIONS of all processes together stay at {most} or below"
            ),
        )
    } else {
        Line::ok(WHAT, found)
    }
}

fn of_clock(ahead: i64) -> Line {
    const WHAT: &str = "clock";
    let off = ahead.unsigned_abs();
    let side = if ahead < 0 { "behind" } else { "ahead of" };
    let found = format!(
        "the server's is {} {side} this machine's",
        time(Duration::from_micros(off))
    );
    let verdict = match off {
        CLOCK_WRONG.. => Verdict::Fault,
        CLOCK_OFF.. => Verdict::Warn,
        _ => Verdict::Ok,
    };
    let todo = "let both follow NTP, because tokens live by the clock";
    match verdict {
        Verdict::Fault => Line::fault(WHAT, format!("{found}; {todo}")),
        Verdict::Warn => Line::warn(WHAT, format!("{found}; {todo}")),
        _ => Line::ok(WHAT, found),
    }
}

fn binding(entry: Option<&Entry>) -> Line {
    const WHAT: &str = "channel binding";
    match entry {
        Some(entry) if entry.verified => Line::ok(
            WHAT,
            "not done by the driver, the verified certificate is what protects",
        ),
        Some(_) => Line::ok(WHAT, "not done by the driver, and nothing leaves this machine"),
        None => Line::skip(WHAT, "there is no connection"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    fn entry(took: Duration, verified: bool, tls: Option<(&str, &str)>) -> Entry {
        Entry {
            took,
            verified,
            tls: tls.map(|(version, cipher)| (version.into(), cipher.into())),
        }
    }

    fn limits(statement_timeout: i64, lock_timeout: i64, idle_in_transaction_session_timeout: i64) -> String {
        let limits = Limits {
            statement_timeout,
            lock_timeout,
            idle_in_transaction_session_timeout,
        };
        of_limits(&limits, DEADLINE, "\"My App\"").to_string()
    }

    #[test]
    fn ways_in() {
        let tls = Some(("TLSv1.3", "TLS_AES_256_GCM_SHA384"));
        assert_eq!(
            reached(&entry(Duration::from_millis(34), true, tls), DEADLINE).to_string(),
            "ok    connection: in 34.0 ms, certificate and host name verified, TLSv1.3, TLS_AES_256_GCM_SHA384"
        );
        let slept = reached(&entry(Duration::from_secs(3), true, None), DEADLINE).to_string();
        assert!(
            slept.starts_with("ok ") && slept.ends_with("the database slept or is far away"),
            "{slept}"
        );
        assert!(slept.contains("TLS ends before the server"), "{slept}");
        let long = reached(&entry(Duration::from_secs(6), false, None), DEADLINE).to_string();
        assert!(
            long.starts_with("warn ") && long.ends_with("raise ERRAND__DATABASE__DEADLINE"),
            "{long}"
        );
        assert!(
            long.contains("on this machine, certificate not looked at, without TLS"),
            "{long}"
        );
    }

    #[test]
    fn what_a_role_is_limited_to() {
        assert_eq!(
            limits(4_000, 3_000, 10_000),
            "ok    limits: statement_timeout 4.0 s, lock_timeout 3.0 s, idle_in_transaction_session_timeout 10.0 s"
        );
        for (statement_timeout, lock, idle, todo) in [
            (
                0,
                0,
                0,
                "; ALTER ROLE \"My App\" SET statement_timeout = '4s'; \
                 ALTER ROLE \"My App\" SET lock_timeout = '3s'; \
                 ALTER ROLE \"My App\" SET idle_in_transaction_session_timeout = '10s'",
            ),
            (
                4_001,
                1,
                1,
                "; ALTER ROLE \"My App\" SET statement_timeout = '4s'",
            ),
            (1, 0, 1, "; ALTER ROLE \"My App\" SET lock_timeout = '3s'"),
            (
                1,
                1,
                0,
                "; ALTER ROLE \"My App\" SET idle_in_transaction_session_timeout = '10s'",
            ),
        ] {
            let line = limits(statement_timeout, lock, idle);
            assert!(
                line.starts_with("warn  limits: ") && line.ends_with(todo),
                "{line}"
            );
        }
    }

    #[test]
    fn measures_and_their_bounds() {
        let clock = |ahead: i64| of_clock(ahead).verdict;
        assert_eq!(clock(-1_999_999), Verdict::Ok);
        assert_eq!(clock(2_000_000), Verdict::Warn);
        assert_eq!(clock(-59_999_999), Verdict::Warn);
        assert_eq!(clock(-60_000_000), Verdict::Fault);
        assert!(
            of_clock(-90_000_000)
                .to_string()
                .contains("is 90.0 s behind this machine's; let both follow NTP")
        );
        assert!(
            of_clock(90_000_000)
                .to_string()
                .contains("is 90.0 s ahead of this machine's")
        );

        assert_eq!(distance(Duration::from_millis(20)).verdict, Verdict::Ok);
        assert_eq!(distance(Duration::from_millis(21)).verdict, Verdict::Warn);

        assert_eq!(server(130_005).verdict, Verdict::Fault);
        assert_eq!(server(140_000).to_string(), "ok    server: PostgreSQL 14.0");
        assert_eq!(server(180_006).verdict, Verdict::Ok);
        assert_eq!(server(190_000).verdict, Verdict::Warn);

        let server = Connections {
            max_connections: 104,
            reserved_connections: 7,
        };
        assert_eq!(of_connections(&server, 87).verdict, Verdict::Ok);
        let many = of_connections(&server, 88);
        assert_eq!(many.verdict, Verdict::Warn);
        assert!(many.to_string().contains("stay at 87 or below"), "{many}");
    }

    #[test]
    fn roles() {
        let role = |reasons: &[&str], mighty| Role {
            name: "app".into(),
            reasons: reasons.iter().map(|&reason| reason.into()).collect(),
            mighty,
        };
        assert_eq!(of_role(&role(&[], false), true).verdict, Verdict::Ok);
        assert_eq!(
            of_role(&role(&["owns tables of errand"], false), false).verdict,
            Verdict::Ok
        );
        assert_eq!(
            of_role(&role(&["owns tables of errand"], false), true).verdict,
            Verdict::Warn
        );
        assert_eq!(
            of_role(&role(&["is a superuser"], true), false).verdict,
            Verdict::Warn
        );
    }

    #[test]
    fn what_cannot_be_looked_at_says_why() {
        use errand_persistence::doctor::Trouble;
        let settings =
            Settings::new(errand_persistence::DatabaseUrl::parse("postgres://a:b@localhost/c").unwrap());
        let told = |entry, inside| {
            let report = PostgresReport {
                entry,
                direct: Direct {
                    way: DirectWay::Same,
                    found: None,
                },
                inside,
            };
            let lines = lines(report, &settings, true);
            lines.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let shut = told(Err(Trouble::NobodyListens), Inside::default());
        assert!(
            shut[0].starts_with("fault connection: nobody listens there"),
            "{shut:?}"
        );
        for line in &shut[2..] {
            assert!(
                line.starts_with("skip ") && line.ends_with("because there is no connection"),
                "{line}"
            );
        }
        assert_eq!(shut.len(), 13);
        let mixed = Inside {
            prepared: Some(Ok(Err(Mixed))),
            round_trip: Some(Ok(Duration::from_millis(1))),
            ..Inside::default()
        };
        let mixed = told(Ok(entry(Duration::ZERO, true, None)), mixed);
        assert!(
            mixed[2].starts_with("fault prepared statements: ")
                && mixed[2].contains("max_prepared_statements")
        );
        assert_eq!(mixed[3], "ok    round trip: 1.0 ms");
        for what in ["schema", "rights", "row-level security", "role"] {
            let line = format!("skip  {what}: because prepared statements cannot be trusted");
            assert!(mixed.contains(&line), "{mixed:?}");
        }
    }
}
