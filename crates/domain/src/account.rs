//! Accounts: e-mail addresses, user names, passwords.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::fault::Fault;
use crate::id::UserId;
use crate::text::fold;
use crate::time::Timestamp;

/// The longest e-mail address, in bytes (RFC 5321 section 4.5.3.1.3 less the angle brackets).
pub const EMAIL_MAX_BYTES: usize = 254;
/// What [`Email::parse`] takes, for people.
pub const EMAIL_RULE: &str = "one @ between a name of at most 64 bytes and a domain with a dot; no blanks or \
    invisible characters; in the name no quotes, brackets, comma, semicolon, colon or backslash, and no dot at either \
    end or beside another; in the domain letters, digits, dots and hyphens, and no hyphen at either end of a part";
/// The fewest characters (code points) of a password.
pub const PASSWORD_MIN_CHARS: usize = 8;
/// The most bytes of a password.
pub const PASSWORD_MAX_BYTES: usize = 1024;
/// A password that a good cracker tries among its first so many is "common".
const COMMON_WITHIN_GUESSES: u64 = 30_000;

/// An account without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The tenant's id.
    pub id: UserId,
    /// As chosen or made.
    pub username: Username,
    /// As typed at registration.
    pub email: Email,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When name, address or password last changed.
    pub updated_at: Timestamp,
}

/// An e-mail address as typed; two that differ only in case are the same account.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Takes `local@domain`: at most 254 bytes, no blanks or control or invisible characters, one `@`, a dot
    /// in the domain's inside. Whether mail arrives there only mail can tell.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > EMAIL_MAX_BYTES {
            return Err(Fault::new(
                "too-long",
                format!("must have at most {EMAIL_MAX_BYTES} bytes"),
            ));
        }
        let invalid = || Fault::new("invalid-email", "must be an e-mail address");
        let (local, domain) = text.split_once('@').ok_or_else(invalid)?;
        let printable = !text
            .chars()
            .any(|c| c.is_control() || c.is_whitespace() || is_invisible(c));
        let label = |l: &str| !l.is_empty() && !l.starts_with('-') && !l.ends_with('-');
        let domain_ok = domain.contains('.')
            && domain.split('.').all(label)
            && domain
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
        let local_ok = !local.is_empty()
            && local.len() <= 64
            && !local.contains("..")
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains(['"', '(', ')', '<', '>', ',', ';', ':', '\\', '[', ']']);
        if printable && domain_ok && local_ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid())
        }
    }

    /// As typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that is unique: case-folded.
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }
}

/// Bidi controls and zero-width characters: two addresses that look the same must be the same.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

impl fmt::Debug for Email {
    /// Redacted: addresses do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// The fewest characters of a user name.
pub const USERNAME_MIN_CHARS: usize = 3;
/// The most characters of a user name.
pub const USERNAME_MAX_CHARS: usize = 30;

/// A user name: 3 to 30 of `[A-Za-z0-9._-]`, unique without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// Checks length and alphabet.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if (USERNAME_MIN_CHARS..=USERNAME_MAX_CHARS).contains(&text.len()) && text.bytes().all(alphabet) {
            return Ok(Self(text.to_owned()));
        }
        Err(Fault::new(
            "invalid-username",
            "must have 3 to 30 characters out of A-Z, a-z, 0-9, '.', '_' and '-'",
        ))
    }

    /// A name from an address's local part; `suffix` makes it another one when the first is taken.
    pub fn derived(email: &Email, suffix: Option<u32>) -> Self {
        let allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let tail = suffix.map(|n| format!("-{n}")).unwrap_or_default();
        let room = USERNAME_MAX_CHARS.saturating_sub(tail.len());
        let mut name: String = email.local_part().chars().filter(allowed).take(room).collect();
        if name.len() < USERNAME_MIN_CHARS {
            name = format!("user{name}");
        }
        name.push_str(&tail);
        Self(name)
    }

    /// As chosen.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that is unique: lower case.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// What somebody signs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoginName {
    /// Contains an `@`.
    Email(Email),
    /// Anything else that can be a user name.
    Username(Username),
}

impl LoginName {
    /// The account that a text may mean; `None` if no account can have such a name.
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains('@') {
            Email::parse(text).ok().map(Self::Email)
        } else {
            Username::parse(text).ok().map(Self::Username)
        }
    }
}

/// A new password that fulfils the policy: 8 characters at least, 1,024 bytes at most, no NUL, not common,
/// not the e-mail's local part. Nothing is trimmed or normalised.
#[derive(Debug)]
pub struct NewPassword(SecretString);

impl NewPassword {
    /// Checks the policy for the account with this address.
    pub fn parse(password: SecretString, email: &Email) -> Result<Self, Fault> {
        let text = password.expose_secret();
        Self::check_size(text)?;
        let lower = fold(text);
        if lower == email.key() || lower == fold(email.local_part()) {
            return Err(Fault::new(
                "too-common",
                "must not be the e-mail address or the part before its @",
            ));
        }
        if is_common(text) {
            return Err(Fault::new(
                "too-common",
                "must not be among the commonly used passwords",
            ));
        }
        Ok(Self(password))
    }

    /// What of the policy shows at a glance; the rest takes about as long as hashing.
    pub fn check_size(text: &str) -> Result<(), Fault> {
        if text.chars().count() < PASSWORD_MIN_CHARS {
            return Err(Fault::new(
                "too-short",
                format!("must have at least {PASSWORD_MIN_CHARS} characters"),
            ));
        }
        check_password_size(text)
    }

    /// The password itself, for the hasher.
    pub fn secret(&self) -> &SecretString {
        &self.0
    }
}

/// The bounds that hold for every password that is looked at, at sign-in too.
pub fn check_password_size(text: &str) -> Result<(), Fault> {
    if text.len() > PASSWORD_MAX_BYTES {
        return Err(Fault::new(
            "too-long",
            format!("must have at most {PASSWORD_MAX_BYTES} bytes"),
        ));
    }
    if text.contains('\0') {
        return Err(Fault::new(
            "control-character",
            "must not contain the NUL character",
        ));
    }
    Ok(())
}

/// Whether the whole password falls to a dictionary, a keyboard row, a repetition or the like. Estimating grows
/// with the square of the length, and hardly anything that so few guesses find is longer than 32 characters.
fn is_common(text: &str) -> bool {
    let head: String = text.chars().take(33).collect();
    head.chars().count() <= 32 && zxcvbn::zxcvbn(&head, &["errand"]).guesses() <= COMMON_WITHIN_GUESSES
        || is_repetition(text)
}

fn is_repetition(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    chars.all(|c| Some(c) == first)
}

/// A stored password hash in modular crypt format, whatever scheme it is of.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps what a hasher made or a database holds; it is judged when it is verified.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Of a user whom no password lets in, until another one is set: somebody came in without a hash.
    pub fn unusable() -> Self {
        Self("!".to_owned())
    }

    /// The stored form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Email {
        Email::parse(text).unwrap()
    }

    #[test]
    fn emails() {
        for good in [
            "ann@example.com",
            "a.b+c@ex-ample.co.uk",
            "josé@exämple.de",
            "o'neil@x.io",
            "A@B.C",
        ] {
            assert!(Email::parse(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(243));
        for bad in [
            "",
            "ann",
            "@x.io",
            "ann@",
            "ann@x",
            "ann@x.io.",
            "a@b@c.io",
            " ann@x.io",
            "ann@x.io ",
            "a nn@x.io",
            "ann\0@x.io",
            "ann\r\n@x.io",
            "ann\u{202e}@x.io",
            "an\u{200b}n@x.io",
            "ann@-x.io",
            "a..b@x.io",
            "<a>@x.io",
            &long,
        ] {
            assert!(Email::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(email("Ann@Example.COM").key(), email("ann@example.com").key());
        assert_ne!(email("josé@x.io").key(), email("jose@x.io").key());
    }

    #[test]
    fn usernames() {
        assert!(Username::parse("a.b-C_9").is_ok());
        for bad in ["ab", "a b", "ann@x", "ännchen", "", &"a".repeat(31)] {
            assert!(Username::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            Username::derived(&email("ann+todo@x.io"), None).as_str(),
            "anntodo"
        );
        assert_eq!(Username::derived(&email("é@x.io"), None).as_str(), "user");
        let long = email(&format!("{}@x.io", "a".repeat(60)));
        let name = Username::derived(&long, Some(4711));
        assert_eq!(
            (name.as_str().len(), name.as_str().ends_with("-4711")),
            (30, true)
        );
        for n in [None, Some(1), Some(u32::MAX)] {
            assert!(Username::parse(Username::derived(&long, n).as_str()).is_ok());
        }
    }

    #[test]
    fn passwords() {
        let check = |p: &str| {
            NewPassword::parse(SecretString::from(p), &email("annabelle@example.com"))
                .map(|_| ())
                .map_err(|f| f.code)
        };
        assert_eq!(check("correct horse battery"), Ok(()));
        assert_eq!(check(&"密".repeat(64)), Err("too-common"));
        assert_eq!(check("密碼學的長密碼測試好"), Ok(()));
        assert_eq!(check("éééÉÉ7x"), Err("too-short"));
        assert_eq!(check("Annabelle"), Err("too-common"));
        assert_eq!(check("ANNABELLE@example.com"), Err("too-common"));
        for common in [
            "password",
            "Password1",
            "12345678",
            "qwertyuiop",
            "aaaaaaaaaaaa",
            "iloveyou",
            "trustno1",
            "football1",
        ] {
            assert_eq!(check(common), Err("too-common"), "{common}");
        }
        assert_eq!(check("tres\0secret pass"), Err("control-character"));
        assert_eq!(check(&format!("x{}", "kQ9!".repeat(256))), Err("too-long"));
        assert_eq!(check(&"kQ9!vv7 ".repeat(128)), Ok(()));
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!(
            "{:?} {:?}",
            email("ann@example.com"),
            PasswordHash::new("$2b$hash".into())
        );
        assert!(!shown.contains("ann") && !shown.contains("$2b$"), "{shown}");
    }
}
