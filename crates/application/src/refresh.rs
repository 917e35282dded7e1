//! Refresh tokens: opaque to clients, 96 characters of base64url.
//!
//! A token is `user id (8) | session id (16) | family (16) | secret (32)`. The family value is the same in all
//! tokens of a session and proves that a token is (or was) one of them; the secret changes at every use. The
//! successor's secret is HMAC-SHA-256 of a stored random salt under the old secret: whoever holds the old token
//! can be given the same successor again, and the database alone gives nobody any.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use errand_domain::session::Digest;
use errand_domain::{SessionId, UserId};
use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use crate::sha256::sha256;

const LENGTH: usize = 8 + 16 + 16 + 32;

/// A refresh token in its parts.
#[derive(Clone)]
pub struct RefreshToken {
    /// Whose session.
    pub user: UserId,
    /// Which session.
    pub session: SessionId,
    family: [u8; 16],
    secret: [u8; 32],
}

impl RefreshToken {
    /// The first token of a session, from fresh randomness.
    pub fn new(user: UserId, session: SessionId, family: [u8; 16], secret: [u8; 32]) -> Self {
        Self {
            user,
            session,
            family,
            secret,
        }
    }

    /// Reads a token; `None` if it cannot be one.
    pub fn parse(text: &SecretString) -> Option<Self> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.expose_secret()).ok()?;
        let bytes: [u8; LENGTH] = bytes.try_into().ok()?;
        let (user, rest) = bytes.split_first_chunk::<8>()?;
        let (session, rest) = rest.split_first_chunk::<16>()?;
        let (family, secret) = rest.split_first_chunk::<16>()?;
        Some(Self {
            user: UserId(i64::from_be_bytes(*user)),
            session: SessionId(Uuid::from_bytes(*session)),
            family: *family,
            secret: secret.try_into().ok()?,
        })
    }

    /// As it is given to the client.
    pub fn encode(&self) -> SecretString {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend(self.user.0.to_be_bytes());
        bytes.extend(self.session.0.as_bytes());
        bytes.extend(self.family);
        bytes.extend(self.secret);
        SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The token that replaces this one.
    #[must_use]
    pub fn successor(&self, salt: &[u8; 32]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        let tag = hmac::sign(&key, salt);
        let mut secret = [0; 32];
        secret.copy_from_slice(tag.as_ref());
        Self {
            secret,
            ..self.clone()
        }
    }

    /// What is stored of the family value.
    pub fn family_digest(&self) -> Digest {
        sha256(&self.family)
    }

    /// What is stored of the secret.
    pub fn token_digest(&self) -> Digest {
        sha256(&self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> RefreshToken {
        RefreshToken::new(UserId(7), SessionId(Uuid::from_u128(5)), [1; 16], [2; 32])
    }

    #[test]
    fn round_trip() {
        let text = token().encode();
        assert_eq!(text.expose_secret().len(), 96);
        let back = RefreshToken::parse(&text).unwrap();
        assert_eq!(
            (back.user, back.session, back.token_digest()),
            (UserId(7), token().session, token().token_digest())
        );
    }

    #[test]
    fn nonsense_is_no_token() {
        let text = token().encode();
        let good = text.expose_secret();
        for bad in [
            "",
            "x",
            &good[..95],
            &format!("{good}A"),
            &format!("{good}="),
            &good.replace('A', "+"),
            &format!(" {good}"),
        ] {
            assert!(RefreshToken::parse(&SecretString::from(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_successor_is_known_only_to_the_holder_and_is_always_the_same() {
        let next = token().successor(&[9; 32]);
        assert_eq!(next.token_digest(), token().successor(&[9; 32]).token_digest());
        assert_eq!(next.family_digest(), token().family_digest());
        for other in [token(), token().successor(&[8; 32])] {
            assert_ne!(next.token_digest(), other.token_digest());
        }
    }
}
