//! The hashes of Better Auth: `<salt, 32 hex digits>:<key, 128 hex digits>`, scrypt (RFC 7914) with N = 2^14, r = 16,
//! p = 1 over the password in the normal form NFKC; the salt is used as the digits that it is written in.
//!
//! A password that matches is hashed anew as it was typed, so that from then on it counts as it is: another way to
//! write the same characters no longer matches, as with any other account.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use icu_normalizer::ComposingNormalizerBorrowed;
use scrypt::Params;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

const LOG_N: u8 = 14;
const R: u32 = 16;
const P: u32 = 1;
const KEY_BYTES: usize = 64;
const SALT_DIGITS: usize = 32;

pub(super) struct Stored<'a> {
    salt_text: &'a str,
    key: [u8; KEY_BYTES],
}

impl<'a> Stored<'a> {
    /// `None` for what is no hash of theirs.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (salt_text, key) = text.split_once(':')?;
        let is_salt = salt_text.len() == SALT_DIGITS && salt_text.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_salt || key.len() != 2 * KEY_BYTES {
            return None;
        }
        let mut bytes = [0; KEY_BYTES];
        for (byte, pair) in bytes.iter_mut().zip(key.as_bytes().chunks_exact(2)) {
            // from_str_radix takes a sign.
            let pair = str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+'))?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self {
            salt_text,
            key: bytes,
        })
    }

    pub(super) fn is_of(&self, password: &SecretString) -> bool {
        let text = password.expose_secret();
        let normal = ComposingNormalizerBorrowed::new_nfkc()
            .normalize(text)
            .into_owned();
        let normal = Zeroizing::new(normal);
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        let derived = Params::new(LOG_N, R, P, KEY_BYTES).ok().and_then(|params| {
            scrypt::scrypt(normal.as_bytes(), self.salt_text.as_bytes(), &params, &mut *key).ok()
        });
        derived.is_some() && verify_slices_are_equal(&*key, &self.key).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by Python's `hashlib.scrypt`, with the salt as text and the password in NFKC.
    const MADE: [(&str, &str); 2] = [
        (
            "violet tandem bridge",
            "00112233445566778899aabbccddeeff:95589af6905814a3d11038ca548a15afd15b6cd564aa60ea7ed4d85c617bd3da\
             18c64a5e2e7aea1693de70ae7206c4939139ede81dc751401ba61b62cf8f1c04",
        ),
        (
            "caf\u{e9} \u{fb01}ne",
            "f0e1d2c3b4a5968778695a4b3c2d1e0f:1f097fadd9c24d80a783eae9737a0fc9f698cc9d9b01fafd3d4d5e8739d90315\
             ecf6d351f98ebbd4d0bab6ecb79176c32cda6d5a3328672a829c4dbb0ab090b8",
        ),
    ];

    fn matches(password: &str, stored: &str) -> bool {
        let stored = Stored::parse(stored).unwrap();
        stored.is_of(&SecretString::from(password))
    }

    #[test]
    fn a_password_is_known_in_any_of_its_forms() {
        for (password, stored) in MADE {
            assert!(matches(password, stored));
            assert!(!matches(&format!("{password}x"), stored));
        }
        // Composed, decomposed, and with a ligature.
        for same in ["caf\u{e9} \u{fb01}ne", "cafe\u{301} fine"] {
            assert!(matches(same, MADE[1].1), "{same}");
        }
        assert!(!matches("cafe fine", MADE[1].1));
    }

    #[test]
    fn what_is_no_such_hash() {
        let good = MADE[0].1;
        for bad in [
            "",
            ":",
            "!",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}0"),
            &good.replacen(':', "$", 1),
            &good.replacen(':', ":+", 1)[..good.len()],
            &format!("g{}", &good[1..]),
            &format!("{}g", &good[..good.len() - 1]),
        ] {
            assert!(Stored::parse(bad).is_none(), "{bad}");
        }
    }
}
