use secrecy::ExposeSecret;

use super::*;

fn postgres(text: &str) -> Postgres {
    match DatabaseUrl::parse(text).unwrap().0 {
        Target::Postgres(postgres) => *postgres,
        Target::Sqlite(_) => panic!("not PostgreSQL"),
    }
}

fn fault(text: &str) -> UrlError {
    DatabaseUrl::parse(text).unwrap_err()
}

const NEON: &str = "postgresql://neondb_owner:npg_S3cr%40t%2F1@ep-cool-darkness-123456-pooler.us-east-2.aws.neon.tech/neondb?sslmode=require&channel_binding=require";

#[test]
fn neon_as_the_console_shows_it() {
    let url = postgres(NEON);
    assert_eq!(url.host, "ep-cool-darkness-123456-pooler.us-east-2.aws.neon.tech");
    assert_eq!((url.port, url.user.as_str()), (5432, "neondb_owner"));
    assert_eq!(url.password.as_ref().unwrap().expose_secret(), "npg_S3cr@t/1");
    assert_eq!((url.database.as_str(), url.ssl), ("neondb", SslMode::VerifyFull));
    assert_eq!(
        url.direct().host,
        "ep-cool-darkness-123456.us-east-2.aws.neon.tech"
    );
    assert_eq!(url.direct().direct().host, url.direct().host);
}

#[test]
fn spellings_of_the_scheme() {
    for scheme in [
        "postgres",
        "postgresql",
        "PostgreSQL",
        "postgresql+psycopg2",
        "postgresql+psycopg",
        "postgresql+asyncpg",
        "postgres+asyncpg",
    ] {
        let url = postgres(&format!("{scheme}://u:p@db.example.com:6543/d"));
        assert_eq!((url.port, url.ssl), (6543, SslMode::VerifyFull), "{scheme}");
    }
    for bad in [
        "",
        "mysql://u:p@h/d",
        "errand.db",
        "http://x",
        "postgresqlx://u@h/d",
    ] {
        assert_eq!(fault(bad), UrlError::Scheme, "{bad}");
    }
}

#[test]
fn another_machine_is_always_verified() {
    for mode in [
        "",
        "?sslmode=require",
        "?sslmode=verify-ca",
        "?sslmode=verify-full",
    ] {
        assert_eq!(
            postgres(&format!("postgres://u:p@db.example.com/d{mode}")).ssl,
            SslMode::VerifyFull
        );
    }
    for mode in ["disable", "allow", "prefer", "off", ""] {
        for host in ["db.example.com", "10.0.0.1", "localhost.example.com"] {
            let fault = fault(&format!("postgres://u:p@{host}/d?sslmode={mode}"));
            assert!(
                matches!(
                    fault,
                    UrlError::Refused {
                        parameter: "sslmode",
                        ..
                    }
                ),
                "{mode}"
            );
        }
    }
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
        let ssl = |query: &str| postgres(&format!("postgres://u@{host}/d{query}")).ssl;
        assert_eq!(ssl(""), SslMode::Prefer);
        assert_eq!(ssl("?sslmode=disable"), SslMode::Disable);
        assert_eq!(ssl("?sslmode=require"), SslMode::VerifyFull);
    }
    assert_eq!(postgres("postgres://u@[::1]/d").host, "::1");
}

#[test]
fn parameters() {
    let base = "postgres://u:p@db.example.com/d";
    let url = postgres(&format!(
        "{base}?connect_timeout=10&pgbouncer=true&pool_timeout=9&sslnegotiation=direct&sslrootcert=system&application_name=x"
    ));
    assert_eq!(
        (url.root_cert, url.application_name.as_deref()),
        (None, Some("x"))
    );
    assert_eq!(
        postgres(&format!("{base}?sslrootcert=%2Fetc%2Fca.pem"))
            .root_cert
            .unwrap(),
        Path::new("/etc/ca.pem")
    );
    assert_eq!(
        postgres(&format!("{base}?options=endpoint%3Dep-x-1"))
            .endpoint
            .as_deref(),
        Some("ep-x-1")
    );
    for bad in ["options=-c%20geqo%3Doff", "options=", "options=endpoint%3Da%20b"] {
        assert!(
            matches!(
                fault(&format!("{base}?{bad}")),
                UrlError::Refused {
                    parameter: "options",
                    ..
                }
            ),
            "{bad}"
        );
    }
    for key in ["host", "hostaddr", "user", "password", "sslcert"] {
        let fault = fault(&format!("{base}?{key}=v4lue"));
        assert_eq!(fault, UrlError::UnknownParameter(Some(key)));
        assert!(
            fault
                .to_string()
                .starts_with(&format!("has the parameter {key:?},"))
        );
    }
    // Anything else may be the rest of a password.
    for key in ["options[endpoint]", "x", "s3cret@host/d", "SSLCERT"] {
        let fault = fault(&format!("{base}?{key}=v4lue"));
        assert_eq!(fault, UrlError::UnknownParameter(None));
        assert!(fault.to_string().starts_with("has a parameter,"));
    }
}

#[test]
fn what_is_missing_is_named() {
    for (bad, expected) in [
        ("postgres:///d", UrlError::Missing("host")),
        ("postgres://h/d", UrlError::Missing("user name")),
        ("postgres://u@h", UrlError::Missing("database name")),
        ("postgres://u@h/", UrlError::Missing("database name")),
        ("postgres://u:%zz@h/d", UrlError::Unreadable("password")),
        ("postgres://u:%00@h/d", UrlError::Unreadable("password")),
        ("postgres://u:p@h:99999/d", UrlError::Unreadable("port")),
        ("postgres://u:p@a,b/d", UrlError::Unreadable("host")),
        ("sqlite://", UrlError::Missing("file name")),
        ("sqlite:///data/", UrlError::Missing("file name")),
        ("sqlite://%zz", UrlError::Unreadable("path")),
        ("sqlite::memory:", UrlError::InMemory),
        ("sqlite://:memory:", UrlError::InMemory),
        ("sqlite://x?mode=memory", UrlError::InMemory),
        (
            "sqlite://x?cache=shared",
            UrlError::UnknownParameter(Some("cache")),
        ),
    ] {
        assert_eq!(fault(bad), expected, "{bad}");
    }
}

#[test]
fn sqlite_paths() {
    for (text, path) in [
        ("sqlite://errand.db", "errand.db"),
        ("sqlite:errand.db", "errand.db"),
        ("sqlite://./data/errand.db", "./data/errand.db"),
        ("sqlite:///var/lib/errand.db", "/var/lib/errand.db"),
        ("sqlite:///./todo.db", "todo.db"),
        ("sqlite:/var/lib/errand.db", "/var/lib/errand.db"),
        ("sqlite:///with%20blank/%C3%A4.db?mode=rwc", "/with blank/ä.db"),
    ] {
        assert_eq!(
            DatabaseUrl::parse(text).unwrap().sqlite_path(),
            Some(Path::new(path)),
            "{text}"
        );
    }
}

#[test]
fn nothing_shows_a_value() {
    for text in [
        NEON,
        "postgres://u:S3cr@t@h:x/S3cr",
        "postgres://S3cr:p@h/d?sslmode=S3cr",
        "postgres://u:S3cr%zz@h/d",
        "postgres://u:p@h/d?options=S3cr",
        "postgres://u:p@h/d?x=S3cr",
        "sqlite://S3cr?mode=S3cr",
        "S3cr://u:p@h/d",
        "postgres://u:S3cr@:5432/d",
        "postgres://u:p?S3cr@h/d",
        "postgres://u@h/d?S3cr",
        "sqlite://x?S3cr",
    ] {
        let parsed = DatabaseUrl::parse(text);
        let shown = match &parsed {
            Ok(url) => format!("{url:?} {:?}", url.direct()),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("S3cr"), "{shown}");
    }
}
