//! `errand user`: the administration of accounts, straight on the database.

use std::io::{BufRead, IsTerminal, Read, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use errand_application::administration::{AdministrationService, Which};
use errand_application::ports::AccountState;
use errand_domain::UserId;
use errand_domain::account::{Email, LoginName, User, Username};
use errand_persistence::MigrateError;
use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use crate::config::Config;
use crate::failure::Failure;
use crate::wire;

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

/// Does it, and says what was done.
pub async fn run(command: Command, config: &Config) -> Result<(), Failure> {
    let database = wire::database(&config.database).await?;
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
        act(command, &administration).await
    };
    let outcome = outcome.await;
    database.close(CLOSE_WITHIN).await;
    outcome
}

async fn act(command: Command, administration: &AdministrationService) -> Result<(), Failure> {
    match command {
        Command::List => list(administration).await,
        Command::Create { email, username } => {
            let email =
                Email::parse(&email).map_err(|fault| Failure(format!("the e-mail address {fault}")))?;
            let username = username.map(|name| Username::parse(&name)).transpose();
            let username = username.map_err(|fault| Failure(format!("the user name {fault}")))?;
            let user = administration.create(email, username, password()?).await?;
            say("created", &user)
        }
        Command::Disable(account) => say("disabled", &administration.disable(&account.which()?).await?),
        Command::Enable(account) => say("enabled", &administration.enable(&account.which()?).await?),
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

impl Account {
    /// A user name has no colon.
    fn which(&self) -> Result<Which, Failure> {
        let which = match self.user.strip_prefix("id:") {
            Some(id) => UserId::parse(id).map(Which::Id),
            None => LoginName::parse(&self.user).map(Which::Name),
        };
        which.ok_or_else(|| {
            Failure("an account is named by its e-mail address, its user name, or id:7".into())
        })
    }
}

async fn list(administration: &AdministrationService) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let mut after = None;
    loop {
        let page = administration.list(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(());
        };
        after = Some(last.user.id);
        for account in &page {
            writeln!(out, "{}", line(account))?;
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
    format!("{id}\t{username}\t{email}\t{state}\t{created_at}")
}

fn say(what: &str, user: &User) -> Result<(), Failure> {
    let (id, username, email) = (user.id, user.username.as_str(), user.email.as_str());
    writeln!(std::io::stdout(), "{what} {username} <{email}>, id {id}")?;
    Ok(())
}

/// Asked for twice on a terminal, where nobody sees it; else the first line of the standard input.
fn password() -> Result<SecretString, Failure> {
    if std::io::stdin().is_terminal() {
        let first = Zeroizing::new(rpassword::prompt_password("Password: ")?);
        let again = Zeroizing::new(rpassword::prompt_password("Once more: ")?);
        if *first != *again {
            return Err(Failure("the passwords differ".into()));
        }
        return Ok(SecretString::from(first.as_str()));
    }
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().lock().take(INPUT_MAX).read_line(&mut line)?;
    if line.is_empty() {
        return Err(Failure(
            "a password is expected on the first line of the standard input".into(),
        ));
    }
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
    let mut typed = String::new();
    std::io::stdin().lock().take(INPUT_MAX).read_line(&mut typed)?;
    if typed.trim() == email {
        Ok(())
    } else {
        Err(Failure("nothing was deleted".into()))
    }
}
