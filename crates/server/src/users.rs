//! `errand user`: the administration of accounts, straight on the database.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use errand_application::administration::{AdministrationError, AdministrationService, Switched, Which};
use errand_application::ports::AccountState;
use errand_domain::UserId;
use errand_domain::account::{EMAIL_RULE, Email, LoginName, PASSWORD_MAX_BYTES, User, Username};
use errand_persistence::{Database, MigrateError};
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use crate::config::Config;
use crate::failure::Failure;
use crate::{output, wire};

/// How long open work may take when a command is done.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);
/// So many accounts are asked for at a time.
const PAGE: u32 = 500;
/// More than the longest password that is allowed.
const INPUT_MAX: u64 = 4096;

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all accounts: id, user name, e-mail, state and time of creation, separated by tabs.
    List,
    /// Make an account. The password is asked for, or is the first line of the standard input.
    Create {
        /// Its e-mail address.
        email: String,
        /// Its user name; without one it is made from the address.
        #[arg(long)]
        username: Option<String>,
    },
    /// Let nobody sign in to an account any more, and end its sessions.
    Disable(Account),
    /// Let its user sign in again.
    Enable(Account),
    /// Remove an account with everything in it.
    Delete {
        #[command(flatten)]
        account: Account,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Set another password, and end all sessions. The password is asked for, or is the first line of the
    /// standard input.
    SetPassword(Account),
}

/// Which account.
#[derive(Debug, Args)]
pub struct Account {
    /// E-mail address, user name, or id: and the number.
    user: String,
}

/// Why a command was not done.
enum Undone {
    /// For a reason of the command line's.
    Said(Failure),
    /// The administration did not do it.
    Act(AdministrationError),
}

impl From<Failure> for Undone {
    fn from(failure: Failure) -> Self {
        Self::Said(failure)
    }
}

impl From<AdministrationError> for Undone {
    fn from(error: AdministrationError) -> Self {
        Self::Act(error)
    }
}

/// Does it, and says what was done.
pub async fn run(command: Command, config: &Config) -> Result<(), Failure> {
    let database = match command {
        Command::Create { .. } => wire::database(&config.database).await?,
        _ => wire::existing_database(&config.database).await?,
    };
    let outcome = async {
        // As at every start: the file may be new.
        if config.database.url.sqlite_path().is_some() {
            match database.migrate().await {
                // Later versions only add: what is there can be administered.
                Ok(_) | Err(MigrateError::Newer(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let administration = wire::administration(&config.auth, &database)?;
        let named = command.account().map(|account| account.user.clone());
        match act(command, &administration).await {
            Ok(()) => Ok(()),
            Err(Undone::Said(failure)) => Err(failure),
            Err(Undone::Act(error)) => Err(explain(error, named.as_deref(), &database).await),
        }
    };
    let outcome = outcome.await;
    database.close(CLOSE_WITHIN).await;
    outcome
}

async fn explain(error: AdministrationError, named: Option<&str>, database: &Database) -> Failure {
    match (error, named) {
        (AdministrationError::Store(error), _) => database.explain(error).await.into(),
        (error @ AdministrationError::NoAccount, Some(name)) => Failure(format!("{error}: {name}")),
        (error, _) => error.into(),
    }
}

async fn act(command: Command, administration: &AdministrationService) -> Result<(), Undone> {
    match command {
        Command::List => list(administration).await,
        Command::Create { email, username } => {
            let email = Email::parse(&email).map_err(|fault| {
                let rule = match fault.code {
                    "invalid-email" => format!(": {EMAIL_RULE}"),
                    _ => String::new(),
                };
                Failure(format!("the e-mail address {fault}{rule}"))
            })?;
            let username = username.map(|name| Username::parse(&name)).transpose();
            let username = username.map_err(|fault| Failure(format!("the user name {fault}")))?;
            let user = administration.create(email, username, password()?).await?;
            say("created", &user)
        }
        Command::Disable(account) => {
            let Switched { user, changed } = administration.disable(&account.which()?).await?;
            say(if changed { "disabled" } else { "already disabled:" }, &user)
        }
        Command::Enable(account) => {
            let Switched { user, changed } = administration.enable(&account.which()?).await?;
            say(if changed { "enabled" } else { "already enabled:" }, &user)
        }
        Command::Delete { account, yes } => {
            let user = administration.find(&account.which()?).await?;
            if !yes {
                confirm(&user)?;
            }
            say("deleted", &administration.delete(&Which::Id(user.id)).await?)
        }
        Command::SetPassword(account) => {
            let which = account.which()?;
            // Before anybody types a password for nothing.
            administration.find(&which).await?;
            let user = administration.set_password(&which, password()?).await?;
            say("password set, all sessions ended:", &user)
        }
    }
}

impl Command {
    /// The account that is named.
    fn account(&self) -> Option<&Account> {
        match self {
            Self::List | Self::Create { .. } => None,
            Self::Disable(account)
            | Self::Enable(account)
            | Self::Delete { account, .. }
            | Self::SetPassword(account) => Some(account),
        }
    }
}

impl Account {
    /// A user name has no colon.
    fn which(&self) -> Result<Which, Failure> {
        let which = match self.user.strip_prefix("id:") {
            Some(id) => UserId::parse(id).map(Which::Id),
            None => LoginName::parse(&self.user).map(Which::Name),
        };
        which.ok_or_else(|| {
            let user = &self.user;
            Failure(format!(
                "{user:?} names no account: give its e-mail address, its user name, or id:7"
            ))
        })
    }
}

async fn list(administration: &AdministrationService) -> Result<(), Undone> {
    let mut after = None;
    loop {
        let page = administration.list(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.user.id);
        let lines: String = page.iter().map(line).collect();
        if !output::print(&lines).map_err(Failure::from)? {
            return Ok(());
        }
    }
}

fn line(account: &AccountState) -> String {
    let User {
        id,
        username,
        email,
        created_at,
        ..
    } = &account.user;
    let state = account
        .disabled_at
        .map_or_else(|| "active".to_owned(), |at| format!("disabled since {at}"));
    let (username, email) = (username.as_str(), email.as_str());
    format!("{id}\t{username}\t{email}\t{state}\t{created_at}\n")
}

fn say(what: &str, user: &User) -> Result<(), Undone> {
    let (id, username, email) = (user.id, user.username.as_str(), user.email.as_str());
    output::print(&format!("{what} {username} <{email}>, id {id}\n")).map_err(Failure::from)?;
    Ok(())
}

/// Asked for twice on a terminal, where nobody sees it; else the first line of the standard input.
fn password() -> Result<SecretString, Failure> {
    if std::io::stdin().is_terminal() {
        let ask = |prompt| rpassword::prompt_password(prompt).map(Zeroizing::new);
        let first = ask("Password: ").map_err(|error| untyped(&error))?;
        let again = ask("Once more: ").map_err(|error| untyped(&error))?;
        if *first != *again {
            return Err(Failure("the passwords differ".into()));
        }
        return Ok(SecretString::from(first.as_str()));
    }
    first_line(std::io::stdin().lock())
}

/// Why nobody typed one.
fn untyped(error: &io::Error) -> Failure {
    Failure(match error.kind() {
        ErrorKind::UnexpectedEof => "no password was typed".into(),
        ErrorKind::InvalidData => "the password must be UTF-8".into(),
        _ => format!("the password cannot be read: {error}"),
    })
}

fn first_line(input: impl BufRead) -> Result<SecretString, Failure> {
    let mut line = Zeroizing::new(Vec::new());
    let read = input.take(INPUT_MAX).read_until(b'\n', &mut line);
    read.map_err(|error| untyped(&error))?;
    if line.is_empty() {
        return Err(Failure(
            "a password is expected on the first line of the standard input".into(),
        ));
    }
    if line.len() as u64 == INPUT_MAX {
        // Cut off, perhaps within a character.
        return Err(Failure(format!(
            "the password must have at most {PASSWORD_MAX_BYTES} bytes"
        )));
    }
    let line = str::from_utf8(&line).map_err(|_| Failure("the password must be UTF-8".into()))?;
    Ok(SecretString::from(line.trim_end_matches(['\r', '\n'])))
}

/// Who deletes by hand types the address once more.
fn confirm(user: &User) -> Result<(), Failure> {
    let email = user.email.as_str();
    if !std::io::stdin().is_terminal() {
        return Err(Failure("deleting an account from a script needs --yes".into()));
    }
    let mut out = std::io::stdout();
    write!(
        out,
        "This removes {email} and everything of theirs for good. Type the address to go on: "
    )?;
    out.flush()?;
    let mut typed = Vec::new();
    std::io::stdin()
        .lock()
        .take(INPUT_MAX)
        .read_until(b'\n', &mut typed)?;
    if typed.trim_ascii() == email.as_bytes() {
        Ok(())
    } else {
        Err(Failure("nothing was deleted".into()))
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_password_is_the_first_line_or_it_is_said_why_not() {
        let read = |input: &[u8]| match first_line(input) {
            Ok(password) => Ok(password.expose_secret().to_owned()),
            Err(failure) => Err(failure.0),
        };
        assert_eq!(read(b" violet \r\nmore").unwrap(), " violet ");
        assert_eq!(read(b"\n").unwrap(), "");
        assert!(read(b"").unwrap_err().contains("standard input"));
        assert_eq!(read(b"vi\xfflet\n").unwrap_err(), "the password must be UTF-8");
        let long = "é".repeat(3000);
        assert!(read(long.as_bytes()).unwrap_err().contains("at most 1024 bytes"));
        let typed = |kind: ErrorKind| untyped(&kind.into()).0;
        assert_eq!(typed(ErrorKind::UnexpectedEof), "no password was typed");
        assert_eq!(typed(ErrorKind::InvalidData), "the password must be UTF-8");
    }
}
