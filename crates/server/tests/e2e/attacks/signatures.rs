//! Access tokens that are signed in another way, by somebody else, or for another kind of token.
//!
//! The signing key is known here, as it is to another service that verifies tokens: what its owner may not make
//! must not pass either.

use aws_lc_rs::hmac::{HMAC_SHA384, HMAC_SHA512};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::forgery::Forgery;
use super::scene::Scene;
use super::suite::attacks;
use crate::support::SIGNING_KEY;

attacks! {
    "token-alg": alg_none_is_refused, alg_none_in_other_letters_is_refused, a_token_without_alg_is_refused,
        hs384_with_the_same_key_is_refused, hs512_with_the_same_key_is_refused, a_header_of_rs256_is_refused,
        alg_in_small_letters_is_refused;
    "token-signature": changed_claims_are_refused, a_changed_signature_is_refused,
        the_signature_of_another_token_is_refused, a_signature_cut_short_is_refused,
        a_token_without_signature_is_refused, another_key_is_refused, an_empty_key_is_refused,
        another_spelling_of_the_signature_is_refused;
    "token-kid": a_token_without_kid_is_refused, a_kid_that_is_a_path_is_refused, a_kid_that_is_sql_is_refused,
        a_kid_that_is_an_address_is_refused, a_kid_that_is_no_text_is_refused, an_empty_kid_is_refused;
    "token-header": jku_is_refused, jwk_is_refused, x5u_is_refused, x5c_is_refused, crit_is_refused,
        b64_is_refused, zip_is_refused, cty_is_refused;
    "token-typ": a_plain_jwt_is_refused, a_refresh_jwt_is_refused, a_token_without_typ_is_refused;
}

async fn forgery(scene: &Scene) -> Forgery {
    Forgery::of(&scene.person().await)
}

// Algorithms.

async fn unsigned(scene: &Scene, alg: &str) {
    let forged = forgery(scene).await.header("alg", alg);
    assert_eq!(scene.me(&forged.original()).await.status, 200);
    for token in [format!("{}.", forged.message()), forged.token()] {
        scene.refuses(&token).await;
    }
}

async fn alg_none_is_refused(scene: &Scene) {
    unsigned(scene, "none").await;
}

async fn alg_none_in_other_letters_is_refused(scene: &Scene) {
    for alg in ["None", "NONE", "nOnE"] {
        unsigned(scene, alg).await;
    }
}

async fn a_token_without_alg_is_refused(scene: &Scene) {
    scene
        .refuses_forged(forgery(scene).await.without_header("alg"))
        .await;
}

async fn hs384_with_the_same_key_is_refused(scene: &Scene) {
    let forged = forgery(scene).await.header("alg", "HS384");
    scene.refuses_forged(forged.algorithm(HMAC_SHA384)).await;
}

async fn hs512_with_the_same_key_is_refused(scene: &Scene) {
    let forged = forgery(scene).await.header("alg", "HS512");
    scene.refuses_forged(forged.algorithm(HMAC_SHA512)).await;
}

/// Where a service has a public key, its bytes would be the key of this signature.
async fn a_header_of_rs256_is_refused(scene: &Scene) {
    for alg in ["RS256", "ES256", "EdDSA"] {
        scene
            .refuses_forged(forgery(scene).await.header("alg", alg))
            .await;
    }
}

async fn alg_in_small_letters_is_refused(scene: &Scene) {
    scene
        .refuses_forged(forgery(scene).await.header("alg", "hs256"))
        .await;
}

// Signatures.

fn parts(token: &str) -> (String, String) {
    let (message, signature) = token.rsplit_once('.').unwrap();
    (message.to_owned(), signature.to_owned())
}

async fn changed_claims_are_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let (_, signature) = parts(&attacker.access);
    let forged = Forgery::of(&attacker).user(&victim.id.to_string());
    scene.refuses(&format!("{}.{signature}", forged.message())).await;
}

async fn a_changed_signature_is_refused(scene: &Scene) {
    let person = scene.person().await;
    let (message, signature) = parts(&person.access);
    let other = if signature.starts_with('A') { "B" } else { "A" };
    scene
        .refuses(&format!("{message}.{other}{}", &signature[1..]))
        .await;
}

async fn the_signature_of_another_token_is_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let (message, _) = parts(&victim.access);
    let (_, signature) = parts(&attacker.access);
    scene.refuses(&format!("{message}.{signature}")).await;
}

async fn a_signature_cut_short_is_refused(scene: &Scene) {
    let person = scene.person().await;
    for cut in [1, 22, 39] {
        scene.refuses(&person.access[..person.access.len() - cut]).await;
    }
}

async fn a_token_without_signature_is_refused(scene: &Scene) {
    let (message, _) = parts(&scene.person().await.access);
    scene.refuses(&format!("{message}.")).await;
}

async fn another_key_is_refused(scene: &Scene) {
    let forged = forgery(scene).await.key(b"Qz4NwTj6hVb2XsKg0PyMf1DrLc9UoI7e");
    scene.refuses_forged(forged).await;
}

async fn an_empty_key_is_refused(scene: &Scene) {
    scene.refuses_forged(forgery(scene).await.key(b"")).await;
}

/// 32 bytes are 43 characters, of which the last has two bits to spare.
async fn another_spelling_of_the_signature_is_refused(scene: &Scene) {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut token = scene.person().await.access.into_bytes();
    let last = token.pop().unwrap();
    let place = ALPHABET.iter().position(|c| *c == last).unwrap();
    token.push(ALPHABET[place | 1]);
    scene.refuses(std::str::from_utf8(&token).unwrap()).await;
}

// Headers.

async fn header(scene: &Scene, name: &str, value: impl Into<Value>) {
    scene
        .refuses_forged(forgery(scene).await.header(name, value))
        .await;
}

async fn a_token_without_kid_is_refused(scene: &Scene) {
    scene
        .refuses_forged(forgery(scene).await.without_header("kid"))
        .await;
}

async fn a_kid_that_is_a_path_is_refused(scene: &Scene) {
    for kid in [
        "../../../../dev/null",
        "/proc/self/environ",
        "data/errand.db.jwt-secret",
    ] {
        header(scene, "kid", kid).await;
    }
}

async fn a_kid_that_is_sql_is_refused(scene: &Scene) {
    header(scene, "kid", "x' UNION SELECT 'key' --").await;
}

async fn a_kid_that_is_an_address_is_refused(scene: &Scene) {
    header(scene, "kid", "http://127.0.0.1:9/key").await;
}

async fn a_kid_that_is_no_text_is_refused(scene: &Scene) {
    for kid in [
        json!(0),
        json!(["a"]),
        json!({"k": "a"}),
        Value::Null,
        json!(true),
    ] {
        header(scene, "kid", kid).await;
    }
}

async fn an_empty_kid_is_refused(scene: &Scene) {
    header(scene, "kid", "").await;
}

async fn jku_is_refused(scene: &Scene) {
    header(scene, "jku", "http://127.0.0.1:9/jwks.json").await;
}

async fn jwk_is_refused(scene: &Scene) {
    header(
        scene,
        "jwk",
        json!({"kty": "oct", "k": BASE64.encode(SIGNING_KEY)}),
    )
    .await;
}

async fn x5u_is_refused(scene: &Scene) {
    header(scene, "x5u", "http://127.0.0.1:9/chain.pem").await;
}

async fn x5c_is_refused(scene: &Scene) {
    header(scene, "x5c", json!(["MIIB"])).await;
}

async fn crit_is_refused(scene: &Scene) {
    header(scene, "crit", json!(["exp"])).await;
}

async fn b64_is_refused(scene: &Scene) {
    header(scene, "b64", false).await;
}

async fn zip_is_refused(scene: &Scene) {
    header(scene, "zip", "DEF").await;
}

async fn cty_is_refused(scene: &Scene) {
    header(scene, "cty", "JWT").await;
}

async fn a_plain_jwt_is_refused(scene: &Scene) {
    header(scene, "typ", "JWT").await;
}

async fn a_refresh_jwt_is_refused(scene: &Scene) {
    header(scene, "typ", "refresh+jwt").await;
}

async fn a_token_without_typ_is_refused(scene: &Scene) {
    scene
        .refuses_forged(forgery(scene).await.without_header("typ"))
        .await;
}
