//! What a stored hash looks like, and how one is made and judged.
//!
//! Current: `$bcrypt-sha256$v=2,t=2b,r=12$<salt>$<digest>` as passlib defines `bcrypt_sha256` version 2, that is
//! bcrypt over base64(HMAC-SHA-256(key: the salt's 22 characters, message: the password)). The detour makes the
//! password's length and NUL bytes irrelevant, and the key keeps plain SHA-256 digests leaked elsewhere from
//! being tried (<https://passlib.readthedocs.io/en/stable/lib/passlib.hash.bcrypt_sha256.html>).
//! Also verified, from accounts that were imported: bcrypt itself, `$2a$`, `$2b$`, `$2y$`, and scrypt (`scrypt.rs`).

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD};
use errand_application::ports::Verdict;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use super::{Cost, scrypt};

/// bcrypt's own alphabet; bits that belong to no byte must be 0.
const STRICT: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD);
/// The same, for programs that left such bits as they came (py-bcrypt, passlib before 1.5.3).
const LENIENT: GeneralPurpose = GeneralPurpose::new(&BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

const PREFIX: &str = "$bcrypt-sha256$v=2,t=2b,r=";
const MIN_COST: u32 = 4;
/// bcrypt looks at this many bytes of its key, the NUL at the end included.
const KEY_BYTES: usize = 72;
const SALT_CHARS: usize = 22;
const DIGEST_BYTES: usize = 23;

type Digest = [u8; DIGEST_BYTES];

/// A hash in the current scheme.
pub(super) fn hash(password: &SecretString, cost: u32, salt: &[u8; 16]) -> String {
    let salt_text = STRICT.encode(salt);
    let digest = STRICT.encode(with_hmac(password, cost, &salt_text, *salt));
    format!("{PREFIX}{cost}${salt_text}${digest}")
}

/// Judges a password, with the work of one hash at `current` cost at least.
pub(super) fn verify(password: &SecretString, stored: Option<&str>, current: u32) -> Verdict {
    if let Some(stored) = stored.and_then(scrypt::Stored::parse) {
        let matches = stored.is_of(password);
        spend(password, current);
        return Verdict {
            matches,
            outdated: true,
        };
    }
    let Some(stored) = stored.and_then(Stored::parse) else {
        spend(password, current);
        return Verdict {
            matches: false,
            outdated: false,
        };
    };
    let matches = stored.is_of(password);
    // A check at cost c and one hash at each of c, c + 1 … n − 1 are exactly the work of one at n.
    for cost in stored.cost..current {
        spend(password, cost);
    }
    Verdict {
        matches,
        outdated: matches!(stored.scheme, Scheme::Plain) || stored.cost != current,
    }
}

struct Stored<'a> {
    scheme: Scheme<'a>,
    cost: u32,
    salt: [u8; 16],
    digest: Digest,
}

enum Scheme<'a> {
    HmacSha256 { salt_text: &'a str },
    Plain,
}

impl<'a> Stored<'a> {
    /// `None` for anything that no password can match, or that would take too long to find out.
    fn parse(text: &'a str) -> Option<Self> {
        let stored = match text.strip_prefix(PREFIX) {
            Some(rest) => Self::hmac_sha256(rest)?,
            None => Self::plain(text)?,
        };
        (MIN_COST..=Cost::MAX).contains(&stored.cost).then_some(stored)
    }

    /// `12$<22 characters>$<31 characters>`
    fn hmac_sha256(rest: &'a str) -> Option<Self> {
        let mut parts = rest.split('$');
        let (cost, salt_text, digest) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || cost.starts_with('0') {
            return None;
        }
        Some(Self {
            scheme: Scheme::HmacSha256 { salt_text },
            cost: number(cost)?,
            salt: bytes(&STRICT, salt_text)?,
            digest: bytes(&STRICT, digest)?,
        })
    }

    /// `$2b$12$<22 characters><31 characters>`
    fn plain(text: &'a str) -> Option<Self> {
        let rest = ["$2a$", "$2b$", "$2y$"]
            .iter()
            .find_map(|prefix| text.strip_prefix(prefix))?;
        let (cost, rest) = rest.split_once('$')?;
        let (salt, digest) = rest.split_at_checked(SALT_CHARS)?;
        if cost.len() != 2 {
            return None;
        }
        Some(Self {
            scheme: Scheme::Plain,
            cost: number(cost)?,
            salt: bytes(&LENIENT, salt)?,
            digest: bytes(&LENIENT, digest)?,
        })
    }

    fn is_of(&self, password: &SecretString) -> bool {
        let (digest, possible) = match self.scheme {
            Scheme::HmacSha256 { salt_text } => (with_hmac(password, self.cost, salt_text, self.salt), true),
            // The key repeats with its NUL at the end, so "ab" and "ab\0ab" have the same hash. A password
            // with a NUL in it was never accepted, so it matches none.
            Scheme::Plain => (
                bcrypt(password.expose_secret().as_bytes(), self.cost, self.salt),
                !password.expose_secret().contains('\0'),
            ),
        };
        verify_slices_are_equal(&digest, &self.digest).is_ok() & possible
    }
}

fn number(digits: &str) -> Option<u32> {
    let canonical = digits.len() <= 2 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| canonical)
}

fn bytes<const N: usize>(alphabet: &GeneralPurpose, text: &str) -> Option<[u8; N]> {
    alphabet.decode(text).ok()?.try_into().ok()
}

/// The work of one hash at this cost, for nothing.
fn spend(password: &SecretString, cost: u32) {
    let salt_text = STRICT.encode([0; 16]);
    std::hint::black_box(with_hmac(password, cost, &salt_text, [0; 16]));
}

fn with_hmac(password: &SecretString, cost: u32, salt_text: &str, salt: [u8; 16]) -> Digest {
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt_text.as_bytes());
    let tag = hmac::sign(&key, password.expose_secret().as_bytes());
    let text = Zeroizing::new(STANDARD.encode(tag));
    bcrypt(text.as_bytes(), cost, salt)
}

/// bcrypt of the secret up to its 72nd byte, with a NUL behind it if there is room.
fn bcrypt(secret: &[u8], cost: u32, salt: [u8; 16]) -> Digest {
    let mut key = Zeroizing::new([0_u8; KEY_BYTES]);
    for (to, from) in key.iter_mut().zip(secret) {
        *to = *from;
    }
    let used = key.split_at((secret.len() + 1).min(KEY_BYTES)).0;
    #[cfg(test)]
    tests::ROUNDS.with(|rounds| rounds.set(rounds.get() + (1 << cost)));
    let output = bcrypt::bcrypt(cost, salt, used);
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(output.split_at(DIGEST_BYTES).0);
    digest
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::passwords::vectors::{HMAC_SHA256, PLAIN};

    const CURRENT: u32 = 5;

    thread_local! {
        /// What this thread's hashes have cost.
        pub(super) static ROUNDS: Cell<u64> = const { Cell::new(0) };
    }

    fn verdict(password: &str, stored: &str) -> Verdict {
        verify(&SecretString::from(password), Some(stored), CURRENT)
    }

    #[test]
    fn passlib_made_the_same_hashes() {
        for (password, stored) in HMAC_SHA256 {
            let parsed = Stored::parse(stored).unwrap();
            assert_eq!(
                hash(&SecretString::from(*password), parsed.cost, &parsed.salt),
                *stored
            );
        }
    }

    #[test]
    fn verifies_what_passlib_made() {
        for (password, stored) in HMAC_SHA256.iter().chain(PLAIN) {
            assert!(verdict(password, stored).matches, "{stored}");
            assert!(!verdict(&format!("{password}x"), stored).matches, "{stored}");
        }
    }

    #[test]
    fn another_scheme_or_cost_is_outdated() {
        for (password, stored) in HMAC_SHA256 {
            let other_cost = !stored.contains("r=5$");
            assert_eq!(verdict(password, stored).outdated, other_cost, "{stored}");
        }
        for (password, stored) in PLAIN {
            assert!(verdict(password, stored).outdated, "{stored}");
        }
    }

    #[test]
    fn plain_bcrypt_keeps_its_own_rules() {
        // Cut at 72 bytes, as it was when the account was made.
        let of_72 = "$2b$04$hzlkF93svCA5tDFeQZJct.OSKzIsP21hB2RaCJpRhkRaCs1ABSUaW";
        assert!(verdict(&"a".repeat(72), of_72).matches);
        assert!(verdict(&"a".repeat(80), of_72).matches);
        assert!(!verdict(&"a".repeat(71), of_72).matches);
        // The bits of a salt that belong to no byte do not count; passlib repairs them too.
        let (password, stored) = PLAIN[0];
        let dirty = stored.replacen("rpezYO", "rpezYP", 1);
        assert_ne!(dirty, stored);
        assert!(verdict(password, &dirty).matches);
    }

    #[test]
    fn a_password_with_nul_matches_no_plain_hash_and_only_its_own_new_one() {
        let salt = [7; 16];
        let plain = format!(
            "$2b$05${}{}",
            STRICT.encode(salt),
            STRICT.encode(bcrypt(b"ab", 5, salt))
        );
        assert!(verdict("ab", &plain).matches);
        assert_eq!(
            bcrypt(b"ab\0ab", 5, salt),
            bcrypt(b"ab", 5, salt),
            "the trap is real"
        );
        for password in ["ab\0ab", "ab\0", "\0"] {
            assert!(!verdict(password, &plain).matches);
        }
        let stored = hash(&SecretString::from("ab"), 5, &salt);
        assert!(!verdict("ab\0ab", &stored).matches);
    }

    #[test]
    fn no_byte_of_a_long_password_is_ignored() {
        let long = "密".repeat(341);
        let stored = hash(&SecretString::from(long.as_str()), 4, &[3; 16]);
        assert!(verdict(&long, &stored).matches);
        assert!(!verdict(&format!("{}x", "密".repeat(340)), &stored).matches);
        assert!(!verdict(&format!("{long}密"), &stored).matches);
    }

    #[test]
    fn malformed_hashes_match_nothing_and_do_not_panic() {
        let (password, good) = HMAC_SHA256[2];
        let (plain_password, plain) = PLAIN[0];
        assert!(verdict(password, good).matches && verdict(plain_password, plain).matches);
        for (bad, password) in [
            (String::new(), password),
            ("x".into(), password),
            ("$".into(), password),
            ("!".into(), password),
            (good.replace("v=2", "v=1"), password),
            (good.replace("t=2b", "t=2a"), password),
            (good.replace("r=4", "r=04"), password),
            (good.replace("r=4", "r=+4"), password),
            (good.replace("r=4", "r=3"), password),
            (good.replace("r=4", "r=15"), password),
            (good.replace("r=4", "r=31"), password),
            (good.replace("r=4", "r=4294967300"), password),
            (format!("{good}$"), password),
            (format!("{good} "), password),
            (good[..good.len() - 1].into(), password),
            (good.replacen("stuu", "stuv", 1), password),
            (plain.replace("$2a$", "$2x$"), plain_password),
            (plain.replace("$2a$", "$2$"), plain_password),
            (plain.replace("$04$", "$4$"), plain_password),
            (plain.replace("$04$", "$31$"), plain_password),
            (format!("{plain}."), plain_password),
            (plain[..59].into(), plain_password),
            ("$2b$04$äääääääääääääääääääääääääää".into(), plain_password),
            (
                "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g".into(),
                password,
            ),
        ] {
            ROUNDS.set(0);
            assert!(!verdict(password, &bad).matches, "{bad}");
            assert!(ROUNDS.get() <= 1 << CURRENT, "{bad} costs too much");
        }
    }

    /// Each way to a verdict, counted in rounds of bcrypt: time is what they take.
    #[test]
    fn every_verdict_takes_the_work_of_one_current_hash() {
        let password = SecretString::from("correct horse");
        let of_cost = |cost| hash(&password, cost, &[1; 16]);
        for stored in [
            Some(of_cost(7)),
            Some(of_cost(6)),
            Some(of_cost(4)),
            Some("broken".into()),
            Some("!".into()),
            Some(format!("{}:{}", "0".repeat(32), "0".repeat(128))),
            None,
        ] {
            ROUNDS.set(0);
            verify(&password, stored.as_deref(), 7);
            assert_eq!(ROUNDS.get(), 1 << 7, "{stored:?}");
        }
    }
}
