use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;

use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::keys::ALL;
use super::*;

mod told;

const SECRET: &str = "kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEaT";

fn environment(variables: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    let pairs = variables.iter();
    pairs
        .map(|(name, value)| (OsString::from(name), OsString::from(value)))
        .collect()
}

fn load(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    Config::load(None, environment(variables), Purpose::Serve).map_err(|faults| faults.0)
}

struct TomlFile(TempDir);

impl TomlFile {
    fn new(text: impl AsRef<[u8]>) -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        fs::write(file.path(), text).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
        file
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("errand.toml")
    }

    fn load(&self, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let loaded = Config::load(Some(&self.path()), environment(variables), Purpose::Serve);
        loaded.map_err(|faults| faults.0)
    }
}

/// Asserts that there is exactly one fault for each of the beginnings.
fn assert_faults(loaded: Result<Config, Vec<String>>, beginnings: &[&str]) {
    let mut faults = loaded.unwrap_err();
    faults.sort();
    let mut beginnings = beginnings.to_vec();
    beginnings.sort_unstable();
    assert_eq!(faults.len(), beginnings.len(), "{faults:#?}");
    for (fault, beginning) in faults.iter().zip(beginnings) {
        assert!(
            fault.starts_with(beginning),
            "{fault:?} does not begin with {beginning:?}"
        );
        assert!(!fault.contains('\n'), "{fault:?}");
    }
}

#[test]
fn defaults() {
    let config = load(&[]).unwrap();
    assert_eq!(
        (config.server.host.as_str(), config.server.port),
        ("127.0.0.1", 8000)
    );
    assert_eq!(config.server.cors_origins, ["http://localhost:3000"]);
    assert_eq!(config.server.shutdown_timeout, Duration::from_secs(10));
    assert_eq!(config.server.drain_time, Duration::from_secs(1));
    assert_eq!(config.server.workers, None);
    assert_eq!(
        config.database.url.sqlite_path(),
        Some(Path::new("data/errand.db"))
    );
    assert_eq!(config.database.own_dir.as_deref(), Some(Path::new("data")));
    assert!(config.database.direct_url.is_none() && config.database.ca_file.is_none());
    assert!(config.database.max_connections.is_none() && config.database.deadline.is_none());
    assert!(config.database.migrate_on_start && !config.database.row_level_security);
    assert!(config.auth.jwt_secret.is_none() && config.auth.jwt_verify_secrets.is_empty());
    assert_eq!(config.auth.bcrypt_cost, Cost::DEFAULT);
    assert_eq!(config.auth.access_token_ttl, Duration::from_mins(15));
    assert_eq!(
        (config.auth.issuer.as_str(), config.auth.audience.as_str()),
        ("errand", "errand")
    );
    assert_eq!(
        (config.log.level, config.log.format),
        (LevelFilter::INFO, LogFormat::Auto)
    );
    assert!(config.warnings.is_empty());
}

#[test]
fn environment_over_file_over_default() {
    let file = TomlFile::new(
        "[server]\nport = 9000\nhost = '0.0.0.0'\ncors_origins = ['https://a.example', 'https://b.example']\n\
         [auth]\nbcrypt_cost = 11\n[database]\nmigrate_on_start = false\n",
    );
    let config = file
        .load(&[("PORT", "9100"), ("ERRAND__AUTH__BCRYPT_COST", "13")])
        .unwrap();
    assert_eq!(
        (config.server.host.as_str(), config.server.port),
        ("0.0.0.0", 9100)
    );
    assert_eq!(
        config.server.cors_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(config.auth.bcrypt_cost, Cost::new(13).unwrap());
    assert!(!config.database.migrate_on_start);
    assert_eq!(config.log.level, LevelFilter::INFO);
}

#[test]
fn every_setting_has_both_of_its_names() {
    let config = load(&[
        ("ERRAND__DATA_DIR", "/var/lib/errand"),
        ("ERRAND__SERVER__HOST", "::1"),
        ("ERRAND__SERVER__PORT", "0"),
        (
            "ERRAND__SERVER__CORS_ORIGINS",
            "https://a.example, http://[::1]:3000,",
        ),
        ("ERRAND__SERVER__SHUTDOWN_TIMEOUT", "2s"),
        ("ERRAND__SERVER__WORKERS", "3"),
        ("ERRAND__DATABASE__MAX_CONNECTIONS", "7"),
        ("ERRAND__DATABASE__DEADLINE", "3s"),
        ("ERRAND__DATABASE__CA_FILE", "/ca.pem"),
        ("ERRAND__AUTH__JWT_SECRET", SECRET),
        ("ERRAND__AUTH__ACCESS_TOKEN_TTL", "1h"),
        ("ERRAND__AUTH__ISSUER", "https://todo.example"),
        ("ERRAND__AUTH__AUDIENCE", "todo"),
        ("ERRAND__LOG__LEVEL", "debug"),
        ("ERRAND__LOG__FORMAT", "json"),
    ])
    .unwrap();
    assert_eq!(
        config.database.url.sqlite_path(),
        Some(Path::new("/var/lib/errand/errand.db"))
    );
    assert_eq!(
        config.server.cors_origins,
        ["https://a.example", "http://[::1]:3000"]
    );
    assert_eq!(
        (config.server.workers, config.database.max_connections),
        (Some(3), Some(7))
    );
    assert_eq!(config.database.deadline, Some(Duration::from_secs(3)));
    assert_eq!(config.auth.access_token_ttl, Duration::from_hours(1));
    assert_eq!(config.auth.jwt_secret.unwrap().expose_secret(), SECRET);
    assert_eq!(
        (config.log.level, config.log.format),
        (LevelFilter::DEBUG, LogFormat::Json)
    );
    let short = load(&[
        ("HOST", "::1"),
        ("PORT", "65535"),
        ("CORS_ORIGINS", ""),
        ("JWT_SECRET", SECRET),
        ("DATABASE_URL", "postgresql://u:p@db.example/d"),
        ("DATABASE_DIRECT_URL", "postgresql://u:p@direct.example/d"),
        ("DATABASE_CA_FILE", "/ca.pem"),
    ])
    .unwrap();
    assert_eq!((short.server.host.as_str(), short.server.port), ("::1", 65535));
    assert!(short.server.cors_origins.is_empty());
    assert!(short.database.url.sqlite_path().is_none() && short.database.own_dir.is_none());
    assert!(short.database.direct_url.is_some() && short.auth.jwt_secret.is_some());
}

#[test]
fn networks_and_quotas() {
    let config = load(&[]).unwrap();
    let limits = &config.limits;
    assert_eq!(
        (
            limits.requests_in_flight_per_user,
            limits.tasks_per_user,
            limits.sessions_per_user
        ),
        (100, 10_000, 50)
    );
    assert!(limits.exempt_networks.is_empty() && config.server.trusted_proxies.is_empty());
    let config = load(&[
        ("ERRAND__LIMITS__EXEMPT_NETWORKS", "10.0.0.0/8, 2001:db8::/32"),
        ("ERRAND__SERVER__TRUSTED_PROXIES", "192.0.2.1"),
        ("ERRAND__LIMITS__TASKS_PER_USER", "5"),
    ]);
    let config = config.unwrap();
    assert_eq!(config.limits.exempt_networks.len(), 2);
    assert_eq!(config.server.trusted_proxies[0].to_string(), "192.0.2.1/32");
    assert_eq!(config.limits.tasks_per_user, 5);
}

#[test]
fn every_key_can_be_in_the_file() {
    // Whatever is wrong with "?", nothing says that the key is not a setting.
    let lines: Vec<String> = ALL.iter().map(|key| format!("{} = '?'", key.path)).collect();
    let text = lines.join("\n");
    let faults = TomlFile::new(text).load(&[]).err().unwrap_or_default();
    assert!(
        !faults.iter().any(|fault| fault.contains("not a setting")),
        "{faults:#?}"
    );
    assert!(faults.len() >= 12, "{faults:#?}");
}

#[test]
fn text_that_looks_like_a_number_stays_text() {
    for text in ["00123", "1e10", "true", "1.50"] {
        let config = load(&[("ERRAND__AUTH__ISSUER", text)]).unwrap();
        assert_eq!(config.auth.issuer, text);
        let config = TomlFile::new(format!("auth.issuer = '{text}'"))
            .load(&[])
            .unwrap();
        assert_eq!(config.auth.issuer, text);
    }
}

#[test]
fn all_faults_are_reported_at_once_by_the_name_that_was_used() {
    let file = TomlFile::new(
        "colour = 'red'\n[server]\nport = 70000\nprot = 1\n[log]\nlevel = 'loud'\n[auth]\nissuer = 1.5\n[limits]\n# tasks_per_user = 5\n[limitz]\n",
    );
    let at = |key: &str| format!("{key} (in {})", file.path().display());
    assert_faults(
        file.load(&[
            ("ERRAND__AUTH__BCRYPT_COSTS", "12"),
            ("ERRAND__AUTH__BCRYPT_COST", "9"),
            ("CORS_ORIGINS", "https://a.example/"),
            ("ERRAND__DATABASE__MIGRATE_ON_START", "no"),
        ]),
        &[
            &at("colour"),
            &at("server.port"),
            &at("server.prot"),
            &at("log.level"),
            &at("auth.issuer"),
            &at("limitz"),
            "ERRAND__AUTH__BCRYPT_COSTS is not a setting",
            "ERRAND__AUTH__BCRYPT_COST must be a whole number from 10 to 14",
            "CORS_ORIGINS (entry 1) must be written as browsers send it: https://a.example",
            "ERRAND__DATABASE__MIGRATE_ON_START must be one of true, false",
        ],
    );
}

#[test]
fn values_out_of_range_are_refused() {
    for (name, values) in [
        (
            "PORT",
            &["-1", "65536", "http", "8000 ", " 8000", "+80", "0x50", "8000.0"][..],
        ),
        ("HOST", &["a b", "http://localhost", "127.0.0.1/8"]),
        ("ERRAND__AUTH__BCRYPT_COST", &["4", "9", "15", "31", "twelve"]),
        (
            "ERRAND__AUTH__ACCESS_TOKEN_TTL",
            &[
                "61m",
                "2h",
                "0s",
                "15",
                "m",
                "1.5h",
                "-1m",
                "15 m",
                "99999999999999999999h",
            ],
        ),
        ("ERRAND__SERVER__WORKERS", &["0", "2000"]),
        (
            "ERRAND__SERVER__TRUSTED_PROXIES",
            &["proxy", "10.0.0.0/33", "10.0.0.1/8", "*", "10.0.0.0-10.0.0.9"],
        ),
        (
            "ERRAND__LIMITS__EXEMPT_NETWORKS",
            &["everybody", "2001:db8::1/32"],
        ),
        ("ERRAND__LIMITS__REQUESTS_IN_FLIGHT_PER_USER", &["0", "10001"]),
        ("ERRAND__LIMITS__TASKS_PER_USER", &["0", "1000001"]),
        ("ERRAND__LIMITS__SESSIONS_PER_USER", &["0", "1001"]),
        ("ERRAND__DATABASE__MAX_CONNECTIONS", &["0", "1001"]),
        ("ERRAND__LOG__FORMAT", &["xml", "JSON"]),
        (
            "CORS_ORIGINS",
            &[
                "*",
                "null",
                "localhost:3000",
                "https://A.example",
                "https://a.example:443",
                "ftp://a.example",
                "https://*.a.example",
                "https://u:p@a.example",
            ],
        ),
        ("DATABASE_DIRECT_URL", &["sqlite://x.db", "mysql://u:p@h/d"]),
        (
            "DATABASE_URL",
            &[
                "mysql://u:p@h/d",
                "sqlite://",
                "sqlite::memory:",
                "postgres://h/d",
            ],
        ),
        (
            "JWT_SECRET",
            &[
                "secret",
                "changeme-changeme-changeme-changeme",
                "01234567890123456789012345678901",
            ],
        ),
        ("ERRAND__AUTH__JWT_VERIFY_SECRETS", &["secret"]),
    ] {
        for value in values {
            assert_faults(load(&[(name, value), ("IGNORED", "x")]), &[name]);
        }
    }
}

#[test]
fn postgres_needs_a_secret_to_serve_and_none_to_migrate() {
    let variables = [("DATABASE_URL", "postgres://ann:hunter22@db.example/todo")];
    assert_faults(
        load(&variables),
        &["JWT_SECRET must be set when the database is PostgreSQL"],
    );
    assert!(Config::load(None, environment(&variables), Purpose::Database).is_ok());
    // A bad one is not also a missing one.
    let [url] = variables;
    assert_faults(
        load(&[url, ("JWT_SECRET", "secret")]),
        &["JWT_SECRET must have at least 32 bytes"],
    );
}

#[test]
fn row_level_security_is_for_postgres() {
    let on = ("ERRAND__DATABASE__ROW_LEVEL_SECURITY", "true");
    let fault = "ERRAND__DATABASE__ROW_LEVEL_SECURITY must be false when the database is SQLite";
    assert_faults(load(&[on]), &[fault]);
    assert_faults(load(&[on, ("DATABASE_URL", "sqlite://x.db")]), &[fault]);
    // Of a database that is none nothing more can be said.
    assert_faults(
        load(&[on, ("DATABASE_URL", "mysql://u:p@h/d")]),
        &["DATABASE_URL"],
    );
    let url = ("DATABASE_URL", "postgres://ann:hunter22@db.example/todo");
    let config = load(&[on, url, ("JWT_SECRET", SECRET)]).unwrap();
    assert!(config.database.row_level_security);
    let off = ("ERRAND__DATABASE__ROW_LEVEL_SECURITY", "false");
    assert!(!load(&[off]).unwrap().database.row_level_security);
}

#[test]
fn no_message_and_no_debug_output_holds_a_secret() {
    let faults = load(&[
        (
            "DATABASE_URL",
            "postgres://ann:hunter22@db.example/todo?sslmode=disable&sslpassword=hunter22",
        ),
        ("DATABASE_DIRECT_URL", "hunter22"),
        ("JWT_SECRET", "hunter22"),
        ("ERRAND__AUTH__JWT_VERIFY_SECRETS", "hunter22,hunter22"),
        ("ERRAND__AUTH__BCRYPT_COST", "hunter22"),
        ("PORT", "hunter22"),
    ])
    .unwrap_err();
    // Of the list each entry.
    assert_eq!(faults.len(), 7, "{faults:#?}");
    assert!(!faults.concat().contains("hunter22"), "{faults:#?}");
    for text in [
        "auth.jwt_secret = hunter22",
        "auth.jwt_secret = 'hunter22",
        "hunter22",
        "[hunter22",
    ] {
        let faults = TomlFile::new(text).load(&[]).unwrap_err();
        assert!(!faults.concat().contains("hunter22"), "{faults:#?}");
        assert!(faults.concat().contains("line 1"), "{faults:#?}");
    }
    let good = load(&[
        ("DATABASE_URL", "postgres://ann:hunter22@db.example/todo"),
        ("JWT_SECRET", SECRET),
        (
            "ERRAND__AUTH__JWT_VERIFY_SECRETS",
            "Qz4NwTj6hVb2XsKg0PyMf1DrLc9UoI7e",
        ),
    ])
    .unwrap();
    let shown = format!("{good:?}");
    for secret in ["hunter22", SECRET, "Qz4NwTj6hVb2XsKg0PyMf1DrLc9UoI7e"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn empty_variables_are_unset() {
    let config = load(&[
        ("JWT_SECRET", ""),
        ("DATABASE_URL", ""),
        ("PORT", ""),
        ("DATABASE_CA_FILE", ""),
    ])
    .unwrap();
    assert_eq!(config.server.port, 8000);
    assert!(config.auth.jwt_secret.is_none() && config.database.own_dir.is_some());
}

#[test]
fn two_names_of_one_setting_are_a_fault() {
    let both = [("PORT", "1"), ("ERRAND__SERVER__PORT", "2")];
    assert_faults(
        load(&both),
        &["ERRAND__SERVER__PORT and PORT are the same setting"],
    );
}

#[test]
fn foreign_variables_are_left_alone() {
    // Kubernetes makes the first for services of the names errand and errand-db.
    let foreign = [
        ("ERRAND_PORT", "tcp://10.0.0.1:8000"),
        ("ERRAND_SERVICE_HOST", "10.0.0.1"),
        ("ERRAND_SERVICE_PORT", "8000"),
        ("ERRAND_SERVICE_PORT_HTTP", "8000"),
        ("ERRAND_PORT_8000_TCP", "tcp://10.0.0.1:8000"),
        ("ERRAND_PORT_8000_TCP_ADDR", "10.0.0.1"),
        ("ERRAND_DB_SERVICE_HOST", "10.0.0.2"),
        ("ERRAND_DB_PORT", "tcp://10.0.0.2:5432"),
        ("ERRAND_DB_PORT_5432_TCP_PROTO", "tcp"),
        ("ERRAND_CONFIG", "/etc/errand.toml"),
        ("ERRAND_PG_BIN", "/usr/lib/postgresql/17/bin"),
        ("ERRAND_TEST_URL", "x"),
        ("ERRAND_ATTACKS", "x"),
        ("errand__log__level", "loud"),
        ("RUST_LOG", "trace"),
        ("PATH", "/bin"),
    ];
    assert!(load(&foreign).is_ok());
    assert_faults(
        load(&[("ERRAND__log__level", "info")]),
        &["ERRAND__log__level is not a setting"],
    );
    assert_faults(
        load(&[("ERRAND__LOG", "info")]),
        &["ERRAND__LOG is not a setting"],
    );
    assert_faults(load(&[("ERRAND__", "")]), &["ERRAND__ is not a setting"]);
    let not_text = || OsString::from_vec(vec![0xff]);
    assert!(Config::load(None, [(not_text(), not_text())], Purpose::Serve).is_ok());
    let faults = Config::load(None, [("JWT_SECRET".into(), not_text())], Purpose::Serve).unwrap_err();
    assert_eq!(faults.0, ["JWT_SECRET must be UTF-8"]);
}

#[test]
fn files_that_are_none() {
    let missing = Config::load(Some(Path::new("/nowhere/errand.toml")), [], Purpose::Serve).unwrap_err();
    assert!(
        missing.0[0].starts_with("/nowhere/errand.toml: cannot be read"),
        "{missing}"
    );
    for (text, fault) in [
        (&b"\xff\xfe"[..], "is not a text file"),
        (b"port =", "is not valid TOML at line 1"),
        (b"a = 1\na = 2", "is not valid TOML at line 2"),
    ] {
        let file = TomlFile::new(text);
        assert_faults(file.load(&[]), &[&format!("{}: {fault}", file.path().display())]);
    }
    assert!(TomlFile::new("").load(&[]).is_ok());
}

#[test]
fn a_file_with_secrets_that_others_may_read_is_warned_of() {
    let file = TomlFile::new(format!("auth.jwt_secret = '{SECRET}'"));
    assert!(file.load(&[]).unwrap().warnings.is_empty());
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let warnings = file.load(&[]).unwrap().warnings;
    assert!(
        warnings.len() == 1 && !warnings.concat().contains(SECRET),
        "{warnings:?}"
    );
}
