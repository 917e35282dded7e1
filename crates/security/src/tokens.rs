use std::borrow::Cow;
use std::time::Duration;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use errand_application::ports::BoxError;
use errand_application::ports::{AccessClaims, TokenSigner, VerifiedToken};
use errand_domain::{SessionId, Timestamp, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, crypto, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::secret::{WeakSecret, check_secret};

#[cfg(test)]
mod tests;

/// RFC 9068 section 2.1: nothing else that is signed with the same key passes as an access token.
const TYP: &str = "at+jwt";
/// The longest token that is looked at.
const MAX_BYTES: usize = 4096;
/// How far the clocks of two replicas may differ, in seconds.
const LEEWAY: i64 = 5;
/// 72 bits of a digest: enough to tell a handful of keys apart.
const KID_BYTES: usize = 9;

/// What [`JwtTokens`] needs to know.
#[derive(Debug)]
pub struct TokenSettings {
    /// Signs, and verifies. Its bytes as they are, so that another service with the secret can verify.
    pub signing_key: SecretString,
    /// Only verify: the previous key, or the next one.
    pub verifying_keys: Vec<SecretString>,
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// No token is believed that was given a longer life, whoever signed it.
    pub max_lifetime: Duration,
}

/// Access tokens as JWT (RFC 7519), HS256 and nothing else (RFC 8725 section 3.1). All checks but the
/// signature are made here: the library's leave `typ`, `crit`, `iat` and the JSON types of claims open, and ask
/// the wall clock.
pub struct JwtTokens {
    header: Header,
    signing_key: EncodingKey,
    keys: Vec<(String, DecodingKey)>,
    issuer: String,
    audience: String,
    max_lifetime: i64,
}

/// The whole header; anything more (`crit`, `jku`, `jwk`, `zip`, …) makes a token invalid.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    typ: Cow<'a, str>,
    #[serde(borrow)]
    kid: Cow<'a, str>,
}

/// The claims of contract section 2, all of them and no other.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims<'a> {
    #[serde(borrow)]
    iss: Cow<'a, str>,
    #[serde(borrow)]
    aud: Cow<'a, str>,
    #[serde(borrow)]
    sub: Cow<'a, str>,
    #[serde(borrow)]
    sid: Cow<'a, str>,
    #[serde(borrow)]
    jti: Cow<'a, str>,
    iat: i64,
    exp: i64,
    #[serde(borrow)]
    user_id: Cow<'a, str>,
    #[serde(borrow)]
    email: Cow<'a, str>,
    #[serde(borrow)]
    username: Cow<'a, str>,
}

impl JwtTokens {
    /// Refuses weak keys.
    pub fn new(settings: TokenSettings) -> Result<Self, WeakSecret> {
        // Without this, a dependency that enables the library's other provider would make it panic at the first
        // token. An error says that a provider is installed already, by an earlier call of this.
        let _installed = crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let TokenSettings {
            signing_key,
            verifying_keys,
            issuer,
            audience,
            max_lifetime,
        } = settings;
        let mut keys = Vec::new();
        for key in [&signing_key].into_iter().chain(&verifying_keys) {
            let key = key.expose_secret().as_bytes();
            check_secret(key)?;
            keys.push((key_id(key), DecodingKey::from_secret(key)));
        }
        let key = signing_key.expose_secret().as_bytes();
        Ok(Self {
            header: Header {
                typ: Some(TYP.to_owned()),
                kid: Some(key_id(key)),
                ..Header::new(Algorithm::HS256)
            },
            signing_key: EncodingKey::from_secret(key),
            keys,
            issuer,
            audience,
            max_lifetime: i64::try_from(max_lifetime.as_secs()).unwrap_or(i64::MAX),
        })
    }

    fn key(&self, header: &str) -> Option<&DecodingKey> {
        let json = URL_SAFE_NO_PAD.decode(header).ok()?;
        let header: StrictHeader<'_> = object(&json)?;
        if header.alg != "HS256" || header.typ != TYP {
            return None;
        }
        let known = self.keys.iter().find(|(kid, _)| *kid == header.kid);
        known.map(|(_, key)| key)
    }

    fn is_current(&self, claims: &Claims<'_>, now: i64) -> bool {
        // Earlier than 1970 is nobody's clock; with it the differences below cannot overflow.
        claims.iat >= 0
            && claims.iat <= now.saturating_add(LEEWAY)
            && claims.exp > now.saturating_sub(LEEWAY)
            && claims.exp > claims.iat
            && claims.exp - claims.iat <= self.max_lifetime
    }
}

impl TokenSigner for JwtTokens {
    fn sign(&self, claims: &AccessClaims) -> Result<String, BoxError> {
        let user = claims.user.id.to_string();
        let claims = Claims {
            iss: Cow::Borrowed(&self.issuer),
            aud: Cow::Borrowed(&self.audience),
            sub: Cow::Borrowed(&user),
            sid: claims.session.to_string().into(),
            jti: claims.id.to_string().into(),
            iat: claims.issued_at.seconds(),
            exp: claims.expires_at.seconds(),
            user_id: Cow::Borrowed(&user),
            email: Cow::Borrowed(claims.user.email.as_str()),
            username: Cow::Borrowed(claims.user.username.as_str()),
        };
        Ok(encode(&self.header, &claims, &self.signing_key)?)
    }

    fn verify(&self, token: &str, now: Timestamp) -> Option<VerifiedToken> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let (message, signature) = token.rsplit_once('.')?;
        let (header, payload) = message.split_once('.')?;
        if payload.contains('.') {
            return None;
        }
        let key = self.key(header)?;
        if !crypto::verify(signature, message.as_bytes(), key, Algorithm::HS256).ok()? {
            return None;
        }
        let json = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Claims<'_> = object(&json)?;
        let ours = claims.iss == self.issuer
            && claims.aud == self.audience
            && claims.user_id == claims.sub
            // The same spelling of a UUID as that of a session.
            && SessionId::parse(&claims.jti).is_some();
        if !ours || !self.is_current(&claims, now.seconds()) {
            return None;
        }
        Some(VerifiedToken {
            user: UserId::parse(&claims.sub)?,
            session: SessionId::parse(&claims.sid)?,
        })
    }
}

/// Reads a JSON object; serde would take an array for a struct too, by position. Duplicate keys are refused.
fn object<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    if json.first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(json).ok()
}

/// Names a key without giving anything of it away that its signatures do not.
fn key_id(key: &[u8]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"kid");
    context.update(key);
    URL_SAFE_NO_PAD.encode(context.finish().as_ref().split_at(KID_BYTES).0)
}
