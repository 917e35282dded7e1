//! Users.

use std::sync::Arc;

use errand_domain::UserId;
use errand_domain::account::{Email, PasswordHash, Username};

use super::row::{Outside, Row};
use super::{Adapter, stamp, words};
use crate::cell::Cell;
use crate::incoming::{Adapted, IncomingPassword, IncomingUser, NoPassword, Rule};

/// The most that errand spends on a hash: one of a higher cost would never be verified.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=14;

impl Adapter {
    pub fn user(&mut self, cells: Vec<Cell>) -> Adapted<IncomingUser> {
        let shape = Arc::clone(&self.users);
        let mut row = Row::new(&shape, cells);
        match self.read_user(&mut row) {
            Ok(value) => row.imported(value),
            Err(why) => {
                self.quarantined.insert(row.key.clone());
                row.quarantine(why)
            }
        }
    }

    fn read_user(&mut self, row: &mut Row<'_>) -> Result<IncomingUser, Outside> {
        row.check_key()?;
        row.check_sizes()?;
        row.check_deleted()?;
        let email = self.email(row)?;
        let username = self.username(row, &email);
        let password = password(row);
        let (created_at, updated_at) = row.made_and_changed()?;
        let fed = match &password {
            IncomingPassword::Hash(hash) => hash.as_str(),
            IncomingPassword::None(NoPassword::Absent) => "absent",
            IncomingPassword::None(NoPassword::NotAHash) => "not a hash",
            IncomingPassword::None(NoPassword::Disabled) => "disabled",
        };
        Ok(IncomingUser {
            row_hash: row.hash(fed),
            key: row.key.clone(),
            id: UserId::parse(&row.key.0),
            username,
            email,
            password,
            created_at,
            updated_at,
        })
    }

    fn email(&mut self, row: &Row<'_>) -> Result<Email, Outside> {
        let text = row.text("email").unwrap_or_default().body;
        let email = Email::parse(text.trim())
            .map_err(|fault| row.outside(Some("email"), Rule::EmailInvalid, &text, &fault.detail))?;
        let stamp = stamp(&email.key());
        if let Some(first) = self.addresses.get(&stamp) {
            let now = format!("user {} has it already, case aside", first.0);
            return Err(row.outside(Some("email"), Rule::EmailClash, &text, &now));
        }
        self.addresses.insert(stamp, row.key.clone());
        Ok(email)
    }

    fn username(&mut self, row: &mut Row<'_>, email: &Email) -> Username {
        let text = row.text("username").unwrap_or_default().body;
        let wanted = Username::parse(&text).or_else(|_| Username::parse(&fitting(&text)));
        let wanted = wanted.unwrap_or_else(|_| Username::derived(email, None));
        if wanted.as_str() != text {
            row.find("username", Rule::UsernameAdapted, &text, wanted.as_str());
        }
        let free = self.free_name(&wanted);
        if free != wanted {
            row.find("username", Rule::UsernameClash, wanted.as_str(), free.as_str());
        }
        free
    }

    /// The name, or the same with the first number behind it that makes it one of its own.
    fn free_name(&mut self, wanted: &Username) -> Username {
        let first = stamp(&wanted.key());
        let Some(mut number) = self.names.get(&first).copied() else {
            self.names.insert(first, 2);
            return wanted.clone();
        };
        loop {
            let tail = format!("-{number}");
            let room = 30_usize.saturating_sub(tail.len());
            let head: String = wanted.as_str().chars().take(room).collect();
            number = number.saturating_add(1);
            let Ok(name) = Username::parse(&format!("{head}{tail}")) else {
                return wanted.clone();
            };
            if let std::collections::hash_map::Entry::Vacant(vacant) = self.names.entry(stamp(&name.key())) {
                vacant.insert(2);
                self.names.insert(first, number);
                return name;
            }
        }
    }
}

/// A display name as a user name, blanks as dots, punctuation left out; nothing if letters would be lost.
fn fitting(text: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.chars().any(|c| c.is_alphanumeric() && !c.is_ascii()) {
        return String::new();
    }
    let words = text
        .split_whitespace()
        .map(|word| word.chars().filter(fits).collect::<String>());
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.join(".").chars().take(30).collect()
}

fn password(row: &mut Row<'_>) -> IncomingPassword {
    if let Some(field) = disabled(row) {
        let was = row.text(field).unwrap_or_default().body;
        row.find(
            field,
            Rule::AccountDisabled,
            &was,
            "cannot sign in until a password is set",
        );
        return IncomingPassword::None(NoPassword::Disabled);
    }
    let text = row.text("password").map(|text| text.body).unwrap_or_default();
    if text.is_empty() {
        row.find(
            "password",
            Rule::PasswordUnusable,
            "none",
            "cannot sign in until a password is set",
        );
        return IncomingPassword::None(NoPassword::Absent);
    }
    if is_bcrypt(&text) || is_better_auth(&text) {
        return IncomingPassword::Hash(PasswordHash::new(text));
    }
    row.find(
        "password",
        Rule::PasswordUnusable,
        "not a hash that errand knows (not shown)",
        "cannot sign in until a password is set",
    );
    IncomingPassword::None(NoPassword::NotAHash)
}

/// The field that says that the account is disabled.
fn disabled(row: &Row<'_>) -> Option<&'static str> {
    let says = |field| row.text(field).and_then(|text| words::is_done(&text.body));
    let is_null = |field| row.text(field).is_none();
    if !is_null("active") && says("active") == Some(false) {
        return Some("active");
    }
    (says("disabled") == Some(true)).then_some("disabled")
}

/// `$2b$12$` and 53 characters.
fn is_bcrypt(text: &str) -> bool {
    let Some(rest) = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
    else {
        return false;
    };
    let Some((cost, rest)) = rest.split_once('$') else {
        return false;
    };
    let is_cost = cost.len() == 2 && cost.parse().is_ok_and(|cost| BCRYPT_COSTS.contains(&cost));
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'/');
    is_cost && rest.len() == 53 && rest.bytes().all(plain)
}

/// `salt:key` of scrypt in hexadecimal.
fn is_better_auth(text: &str) -> bool {
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_once(':')
        .is_some_and(|(salt, key)| is_hex(salt, 32) && is_hex(key, 128))
}
