//! Access tokens made by somebody who has the signing key, or has not.

use std::time::SystemTime;

use aws_lc_rs::hmac::{self, Algorithm, HMAC_SHA256};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use errand_testbed::Person;
use serde_json::{Value, json};

use crate::support::SIGNING_KEY;

/// A token in the making: somebody's, with changes, signed with the service's key unless told otherwise.
#[derive(Clone)]
pub struct Forgery {
    original: String,
    header: String,
    claims: String,
    key: Vec<u8>,
    algorithm: Algorithm,
}

impl Forgery {
    /// From the token that a person was given.
    pub fn of(person: &Person) -> Self {
        Self::of_token(&person.access)
    }

    pub fn of_token(token: &str) -> Self {
        let mut parts = token.split('.');
        let mut part = || {
            let bytes = BASE64.decode(parts.next().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let (header, claims) = (part(), part());
        let forgery = Self {
            original: String::new(),
            header,
            claims,
            key: SIGNING_KEY.into(),
            algorithm: HMAC_SHA256,
        };
        Self {
            original: forgery.token(),
            ..forgery
        }
    }

    /// With another value in the header.
    pub fn header(self, name: &str, value: impl Into<Value>) -> Self {
        let header = with(&self.header, name, Some(value.into()));
        Self { header, ..self }
    }

    pub fn without_header(self, name: &str) -> Self {
        let header = with(&self.header, name, None);
        Self { header, ..self }
    }

    /// With another claim.
    pub fn claim(self, name: &str, value: impl Into<Value>) -> Self {
        let claims = with(&self.claims, name, Some(value.into()));
        Self { claims, ..self }
    }

    pub fn without_claim(self, name: &str) -> Self {
        let claims = with(&self.claims, name, None);
        Self { claims, ..self }
    }

    /// With this for a header, whatever it is.
    pub fn raw_header(self, header: impl Fn(&str) -> String) -> Self {
        let header = header(&self.header);
        Self { header, ..self }
    }

    /// With these for claims, whatever they are.
    pub fn raw_claims(self, claims: impl Fn(&str) -> String) -> Self {
        let claims = claims(&self.claims);
        Self { claims, ..self }
    }

    /// Issued and expiring so many seconds from now.
    pub fn times(self, issued: i64, expires: i64) -> Self {
        let now = now();
        self.claim("iat", now + issued).claim("exp", now + expires)
    }

    /// For another user.
    pub fn user(self, id: &str) -> Self {
        self.claim("sub", id).claim("user_id", id)
    }

    pub fn key(self, key: &[u8]) -> Self {
        let key = key.to_vec();
        Self { key, ..self }
    }

    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    pub fn claims(&self) -> Value {
        serde_json::from_str(&self.claims).unwrap()
    }

    /// What was forged, signed before anything was changed.
    pub fn original(&self) -> String {
        self.original.clone()
    }

    /// Header and claims, not signed.
    pub fn message(&self) -> String {
        format!("{}.{}", BASE64.encode(&self.header), BASE64.encode(&self.claims))
    }

    /// The token.
    pub fn token(&self) -> String {
        self.signed(&self.message())
    }

    /// Any text with a good signature of it behind.
    pub fn signed(&self, message: &str) -> String {
        let key = hmac::Key::new(self.algorithm, &self.key);
        let signature = hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "a forger has a clock of his own")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn with(object: &str, name: &str, value: Option<Value>) -> String {
    let mut object: Value = serde_json::from_str(object).unwrap_or_else(|_| json!({}));
    let map = object.as_object_mut().unwrap();
    match value {
        Some(value) => drop(map.insert(name.to_owned(), value)),
        None => drop(map.remove(name)),
    }
    object.to_string()
}
