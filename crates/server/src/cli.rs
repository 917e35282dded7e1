//! The command line.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use errand_persistence::AppRole;

use crate::config::{Config, Purpose};
use crate::failure::Failure;
use crate::{copy, doctor, import, migrate, openapi, output, purge, serve, telemetry, users};

/// A task service for many users, on SQLite or PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "errand", version)]
struct Cli {
    /// A TOML file with settings; variables of the environment come before it.
    #[arg(long, value_name = "FILE", env = "ERRAND_CONFIG", global = true)]
    config: Option<PathBuf>,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve HTTP until SIGTERM or SIGINT; what happens without a command.
    Serve,
    /// The tables of the database.
    #[command(subcommand)]
    Migrate(Migrate),
    /// The accounts in the database; a running errand follows within a second.
    #[command(subcommand)]
    User(users::Command),
    /// Move in from another todo application: its users and tasks, with a receipt.
    #[command(subcommand)]
    Import(import::Command),
    /// Remove the deleted tasks of all users that are no longer kept (30 days).
    Purge,
    /// Copy a whole database into an empty one, such as SQLite to PostgreSQL; stop what writes to it before.
    Copy(copy::Way),
    /// Look at configuration and database, and say what is wrong and what to do; changes nothing.
    Doctor,
    /// Print openapi.json, the document of the interface.
    Openapi,
}

#[derive(Debug, Clone, Subcommand)]
enum Migrate {
    /// Apply the migrations that are missing and list them.
    Up {
        /// Prepare this role for errand to run as (PostgreSQL), and turn row-level security on.
        #[arg(long, value_name = "NAME", value_parser = AppRole::parse)]
        app_role: Option<AppRole>,
        /// Prepare the role alone.
        #[arg(long, requires = "app_role")]
        no_row_level_security: bool,
    },
    /// List all migrations, and which are applied.
    Status,
}

/// Prints the help or the version that was asked for, or says in one line what is wrong.
fn explain(error: &clap::Error) -> Result<(), Failure> {
    if !error.use_stderr() {
        output::settle(error.print())?;
        return Ok(());
    }
    let text = match error.kind() {
        // Its text is the help, whole.
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => "a command is missing".to_owned(),
        _ => error.to_string(),
    };
    // What follows an empty line are tips and the usage; what is missing has lines of its own.
    let first: Vec<&str> = text
        .lines()
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let first = first.join(" ");
    let first = without_urls(first.trim_start_matches("error: "));
    Err(Failure(format!("{first} (see errand --help)")))
}

/// A URL may hold a password, and clap repeats what it does not understand.
fn without_urls(text: &str) -> String {
    let words = text
        .split(' ')
        .map(|word| if word.contains("://") { "'…'" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Does what the command line says.
pub fn run() -> Result<(), Failure> {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let file = cli.config.filter(|path| !path.as_os_str().is_empty());
    let command = cli.command.unwrap_or(Command::Serve);
    let load = |purpose| Config::load(file.as_deref(), std::env::vars_os(), purpose);
    let purpose = match command {
        Command::Serve => Purpose::Serve,
        Command::Migrate(_) | Command::User(_) | Command::Import(_) | Command::Purge | Command::Copy(_) => {
            Purpose::Database
        }
        Command::Doctor => return doctor::run(load),
        Command::Openapi => return openapi::run(),
    };
    let config = load(purpose)?;
    telemetry::start(&config.log);
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve => serve::run(config).await,
            Command::Migrate(Migrate::Up {
                app_role,
                no_row_level_security,
            }) => {
                let role = app_role.map(|role| migrate::ForRole {
                    role,
                    row_level_security: !no_row_level_security,
                });
                migrate::up(&config.database, role).await
            }
            Command::Migrate(Migrate::Status) => migrate::status(&config.database).await,
            Command::User(command) => users::run(command, &config).await,
            Command::Import(command) => import::run(command, &config).await,
            Command::Purge => purge::run(&config).await,
            Command::Copy(way) => {
                let variables: Vec<_> = std::env::vars_os().collect();
                copy::run(&way, &variables, &config).await
            }
            // They returned above.
            Command::Doctor | Command::Openapi => Ok(()),
        }
    });
    // What still runs by now was told to stop and waited for, or must not be waited for.
    runtime.shutdown_background();
    outcome
}
