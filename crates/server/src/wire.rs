//! Joins the parts: adapters to ports, ports to services.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use errand_application::Recorder;
use errand_application::accounts::AccountService;
use errand_application::administration::AdministrationService;
use errand_application::guard::SessionGuard;
use errand_application::health::HealthService;
use errand_application::in_flight::InFlight;
use errand_application::limits::Limiter;
use errand_application::ports::{Clock, Entropy};
use errand_application::purge::PurgeService;
use errand_application::sessions::{SessionService, SessionSettings};
use errand_application::tasks::TaskService;
use errand_http::Services;
use errand_persistence::{ConnectError, Database, Settings};
use errand_recurrence::CalendarRecurrences;
use errand_security::{BcryptPasswords, JwtTokens, SystemClock, SystemEntropy, TokenSettings, WeakSecret};
use secrecy::SecretString;

use crate::config;

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its directory.
    #[error("{0}: the data directory cannot be made")]
    Directory(String, #[source] io::Error),
    /// Itself.
    #[error("{0}")]
    Connect(String, #[source] ConnectError),
    /// There is none, and nobody asked for a new one.
    #[error("{}: there is no database; errand makes one when it starts. {hint}", .path.display())]
    Missing {
        /// Where one was looked for.
        path: PathBuf,
        /// How to look elsewhere.
        hint: &'static str,
    },
}

/// Why the services cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// A key of the tokens.
    #[error("the signing secret {0}")]
    Secret(#[from] WeakSecret),
    /// The threads for hashing.
    #[error("the threads for hashing cannot be started")]
    Threads(#[source] io::Error),
}

/// Opens the database for what makes no sense on a new one: looking into a wrong folder leaves nothing there.
pub async fn existing_database(config: &config::Database) -> Result<Database, OpenError> {
    match config.url.sqlite_path() {
        // One that cannot be looked for cannot be opened either, and that says why.
        Some(path) if matches!(path.try_exists(), Ok(false)) => Err(OpenError::Missing {
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            hint: if config.own_dir.is_some() {
                "If it is elsewhere, run this there, or set ERRAND__DATA_DIR or DATABASE_URL"
            } else {
                "If it is elsewhere, set DATABASE_URL"
            },
        }),
        _ => database(config).await,
    }
}

/// Opens the database; a PostgreSQL server that is down does not show here.
pub async fn database(config: &config::Database) -> Result<Database, OpenError> {
    if let Some(dir) = &config.own_dir {
        make_private_dir(dir).map_err(|error| OpenError::Directory(dir.display().to_string(), error))?;
    }
    let settings = settings(config);
    let connected = Database::connect(&settings, Arc::new(SystemClock::default())).await;
    connected.map_err(|error| open_error(config, error))
}

/// How the adapter is to use the database.
pub fn settings(config: &config::Database) -> Settings {
    let mut settings = Settings::new(config.url.clone());
    settings.direct_url.clone_from(&config.direct_url);
    settings.ca_file.clone_from(&config.ca_file);
    settings.row_level_security = config.row_level_security;
    if let Some(max_connections) = config.max_connections {
        settings.max_connections = max_connections;
    }
    if let Some(deadline) = config.deadline {
        settings.deadline = deadline;
    }
    settings
}

/// An error with the name of the setting that leads there.
pub fn open_error(config: &config::Database, error: ConnectError) -> OpenError {
    // A path is no secret; what a URL holds may be.
    let shown = |path: &Path| path.display().to_string();
    let place = match &error {
        ConnectError::CaFile(_) => {
            format!(
                "DATABASE_CA_FILE, {}",
                config.ca_file.as_deref().map(shown).unwrap_or_default()
            )
        }
        ConnectError::Setting(_) if config.direct_url.is_some() => "DATABASE_DIRECT_URL".to_owned(),
        _ => config
            .url
            .sqlite_path()
            .map_or_else(|| "DATABASE_URL".to_owned(), shown),
    };
    OpenError::Connect(place, error)
}

fn make_private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// All services on this database.
pub fn services(
    config: config::Auth,
    limits: config::Limits,
    secret: SecretString,
    database: &Database,
) -> Result<Services, WireError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let signer = JwtTokens::new(TokenSettings {
        signing_key: secret,
        verifying_keys: config.jwt_verify_secrets,
        issuer: config.issuer,
        audience: config.audience,
        max_lifetime: config.access_token_ttl,
    })?;
    let hasher = BcryptPasswords::new(config.bcrypt_cost, entropy.clone()).map_err(WireError::Threads)?;
    let recorder = Recorder::new(clock.clone(), entropy.clone());
    let limiter = Limiter::new(
        database.limits(),
        clock.clone(),
        limits.exempt_networks,
        hasher.places(),
    );
    let limiter = Arc::new(limiter);
    let guard = Arc::new(SessionGuard::new(database.sessions(), clock.clone()));
    let sessions = Arc::new(SessionService::new(
        database.sessions(),
        guard.clone(),
        Arc::new(signer),
        limiter.clone(),
        recorder.clone(),
        SessionSettings {
            access_life: config.access_token_ttl,
            most_per_user: limits.sessions_per_user,
        },
    ));
    Ok(Services {
        accounts: Arc::new(AccountService::new(
            database.accounts(),
            database.events(),
            sessions.clone(),
            guard,
            Arc::new(hasher),
            limiter,
            recorder.clone(),
        )),
        sessions,
        tasks: Arc::new(TaskService::new(
            database.tasks(Arc::new(CalendarRecurrences)),
            Arc::new(CalendarRecurrences),
            recorder,
            limits.tasks_per_user,
        )),
        in_flight: InFlight::new(limits.requests_in_flight_per_user),
        health: Arc::new(HealthService::new(database.health(), clock.clone())),
        clock,
        entropy,
    })
}

/// What removes deleted tasks from this database.
pub fn purge(database: &Database) -> PurgeService {
    PurgeService::new(
        database.accounts(),
        database.tasks(Arc::new(CalendarRecurrences)),
        Arc::new(SystemClock::default()),
    )
}

/// The administration of the accounts in this database.
pub fn administration(
    config: &config::Auth,
    database: &Database,
) -> Result<AdministrationService, WireError> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let hasher = BcryptPasswords::new(config.bcrypt_cost, entropy.clone()).map_err(WireError::Threads)?;
    let recorder = Recorder::new(Arc::new(SystemClock::default()), entropy);
    Ok(AdministrationService::new(
        database.accounts(),
        Arc::new(hasher),
        recorder,
    ))
}
