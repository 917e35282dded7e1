//! Access tokens of the right key with claims that are wrong: expired, of somebody else, of another type.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use serde_json::{Value, json};

use super::forgery::Forgery;
use super::scene::Scene;
use super::suite::attacks;

attacks! {
    "token-issuer": a_token_of_another_issuer_is_refused;
    "token-audience": a_token_for_another_audience_is_refused;
    "token-claims": an_audience_among_others_is_refused, a_token_without_audience_is_refused,
        a_token_without_issuer_is_refused, a_token_without_expiry_is_refused, an_expiry_in_quotes_is_refused,
        an_expiry_with_a_fraction_is_refused, an_expiry_beyond_numbers_is_refused, an_expiry_of_null_is_refused,
        a_subject_that_is_a_number_is_refused, a_token_without_subject_is_refused,
        a_token_that_starts_later_is_refused, a_claim_too_many_is_refused, a_claim_given_twice_is_refused,
        an_issue_time_in_quotes_is_refused;
    "token-object": a_header_that_is_an_array_is_refused, claims_that_are_an_array_are_refused;
    "token-user": a_subject_beside_another_user_is_refused;
    "token-jti": a_token_without_an_id_of_its_own_is_refused;
    "token-expiry": a_token_expired_6_seconds_ago_is_refused, a_token_of_yesterday_is_refused;
    "token-order": a_token_that_expires_before_it_is_issued_is_refused;
    "token-issued": a_token_of_the_future_is_refused;
    "token-issued-after-1970": times_that_overflow_are_refused;
    "token-lifetime": a_token_for_a_hundred_years_is_refused, a_token_a_minute_too_long_is_refused;
    "token-size": a_token_of_five_kilobytes_is_refused;
    "id-spelling": a_subject_with_a_zero_before_it_is_refused, a_subject_with_a_plus_is_refused;
    "session-id-spelling": an_ended_session_in_capitals_is_refused;
    "token-account": a_token_of_an_absent_user_is_refused;
    "token-parts": a_token_in_four_parts_is_refused, an_encrypted_token_is_refused,
        a_token_in_json_is_refused, padding_in_a_token_is_refused;
}

async fn forgery(scene: &Scene) -> Forgery {
    Forgery::of(&scene.person().await)
}

// Claims.

async fn claim(scene: &Scene, name: &str, value: impl Into<Value>) {
    scene
        .refuses_forged(forgery(scene).await.claim(name, value))
        .await;
}

async fn without(scene: &Scene, name: &str) {
    scene
        .refuses_forged(forgery(scene).await.without_claim(name))
        .await;
}

async fn a_token_of_another_issuer_is_refused(scene: &Scene) {
    for issuer in ["errand-staging", "ERRAND", "errand ", "https://errand", ""] {
        claim(scene, "iss", issuer).await;
    }
}

async fn a_token_for_another_audience_is_refused(scene: &Scene) {
    for audience in ["errand-staging", "Errand", "errand,other", ""] {
        claim(scene, "aud", audience).await;
    }
}

async fn an_audience_among_others_is_refused(scene: &Scene) {
    claim(scene, "aud", json!(["errand"])).await;
    claim(scene, "aud", json!(["errand", "billing"])).await;
}

async fn a_token_without_audience_is_refused(scene: &Scene) {
    without(scene, "aud").await;
}

async fn a_token_without_issuer_is_refused(scene: &Scene) {
    without(scene, "iss").await;
}

async fn a_token_without_expiry_is_refused(scene: &Scene) {
    without(scene, "exp").await;
}

fn expiry(forgery: &Forgery) -> i64 {
    forgery.claims()["exp"].as_i64().unwrap()
}

async fn an_expiry_in_quotes_is_refused(scene: &Scene) {
    let forged = forgery(scene).await;
    let exp = expiry(&forged).to_string();
    scene.refuses_forged(forged.claim("exp", exp)).await;
}

async fn an_expiry_with_a_fraction_is_refused(scene: &Scene) {
    let forged = forgery(scene).await;
    let exp = expiry(&forged);
    let with_fraction = |claims: &str| claims.replace(&exp.to_string(), &format!("{exp}.5"));
    scene.refuses_forged(forged.raw_claims(with_fraction)).await;
}

async fn an_expiry_beyond_numbers_is_refused(scene: &Scene) {
    for beyond in ["1e300", "18446744073709551616"] {
        let forged = forgery(scene).await;
        let exp = expiry(&forged).to_string();
        scene
            .refuses_forged(forged.raw_claims(|claims| claims.replace(&exp, beyond)))
            .await;
    }
}

async fn an_expiry_of_null_is_refused(scene: &Scene) {
    claim(scene, "exp", Value::Null).await;
    claim(scene, "exp", true).await;
}

async fn an_issue_time_in_quotes_is_refused(scene: &Scene) {
    let forged = forgery(scene).await;
    let iat = forged.claims()["iat"].to_string();
    scene.refuses_forged(forged.claim("iat", iat)).await;
}

async fn a_subject_that_is_a_number_is_refused(scene: &Scene) {
    let person = scene.person().await;
    scene
        .refuses_forged(Forgery::of(&person).claim("sub", person.id))
        .await;
}

async fn a_token_without_subject_is_refused(scene: &Scene) {
    without(scene, "sub").await;
}

/// `nbf` is none of errand's claims: it must not be overlooked.
async fn a_token_that_starts_later_is_refused(scene: &Scene) {
    claim(scene, "nbf", super::forgery::now() + 60).await;
}

async fn a_claim_too_many_is_refused(scene: &Scene) {
    claim(scene, "scope", "admin").await;
    claim(scene, "act", json!({"sub": "1"})).await;
}

async fn a_claim_given_twice_is_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let twice = |claims: &str| {
        let rest = claims.strip_suffix('}').unwrap();
        format!("{rest},\"sub\":\"{0}\",\"user_id\":\"{0}\"}}", victim.id)
    };
    scene
        .refuses_forged(Forgery::of(&attacker).raw_claims(twice))
        .await;
}

/// By position, as a careless reader would take them.
fn as_array(object: &str, order: &[&str]) -> String {
    let object: Value = serde_json::from_str(object).unwrap();
    let items: Vec<_> = order.iter().map(|name| object[*name].clone()).collect();
    Value::from(items).to_string()
}

async fn a_header_that_is_an_array_is_refused(scene: &Scene) {
    let array = |header: &str| as_array(header, &["alg", "typ", "kid"]);
    scene.refuses_forged(forgery(scene).await.raw_header(array)).await;
}

async fn claims_that_are_an_array_are_refused(scene: &Scene) {
    let order = [
        "iss", "aud", "sub", "sid", "jti", "iat", "exp", "user_id", "email", "username",
    ];
    let array = |claims: &str| as_array(claims, &order);
    scene.refuses_forged(forgery(scene).await.raw_claims(array)).await;
}

async fn a_subject_beside_another_user_is_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let forged = Forgery::of(&attacker);
    scene
        .refuses_forged(forged.clone().claim("sub", victim.id.to_string()))
        .await;
    scene
        .refuses_forged(forged.claim("user_id", victim.id.to_string()))
        .await;
}

async fn a_token_without_an_id_of_its_own_is_refused(scene: &Scene) {
    for id in ["", "1", "0198F3A0-0000-7000-8000-000000000001"] {
        claim(scene, "jti", id).await;
    }
}

// Times.

async fn times(scene: &Scene, issued: i64, expires: i64) {
    scene
        .refuses_forged(forgery(scene).await.times(issued, expires))
        .await;
}

async fn a_token_expired_6_seconds_ago_is_refused(scene: &Scene) {
    times(scene, -100, -6).await;
}

async fn a_token_of_yesterday_is_refused(scene: &Scene) {
    times(scene, -86_400, -86_400 + 900).await;
}

async fn a_token_that_expires_before_it_is_issued_is_refused(scene: &Scene) {
    times(scene, 2, 0).await;
}

async fn a_token_of_the_future_is_refused(scene: &Scene) {
    times(scene, 3600, 3600 + 900).await;
}

/// The difference of the two is no number.
async fn times_that_overflow_are_refused(scene: &Scene) {
    let forged = forgery(scene).await.claim("iat", i64::MIN).claim("exp", i64::MAX);
    scene.refuses_forged(forged).await;
}

async fn a_token_for_a_hundred_years_is_refused(scene: &Scene) {
    times(scene, 0, 100 * 365 * 86_400).await;
}

async fn a_token_a_minute_too_long_is_refused(scene: &Scene) {
    times(scene, -30, 930).await;
}

// Sizes, spellings, people.

async fn a_token_of_five_kilobytes_is_refused(scene: &Scene) {
    claim(scene, "email", format!("{}@example.com", "a".repeat(3800))).await;
}

async fn a_subject_with_a_zero_before_it_is_refused(scene: &Scene) {
    let person = scene.person().await;
    scene
        .refuses_forged(Forgery::of(&person).user(&format!("0{}", person.id)))
        .await;
}

async fn a_subject_with_a_plus_is_refused(scene: &Scene) {
    let person = scene.person().await;
    scene
        .refuses_forged(Forgery::of(&person).user(&format!("+{}", person.id)))
        .await;
}

/// What has ended is remembered by its id, so an id must have one spelling.
async fn an_ended_session_in_capitals_is_refused(scene: &Scene) {
    let forged = forgery(scene).await;
    let session = forged.claims()["sid"].as_str().unwrap().to_uppercase();
    scene.refuses_forged(forged.claim("sid", session)).await;
}

async fn a_token_of_an_absent_user_is_refused(scene: &Scene) {
    for id in ["999999999", "9223372036854775807"] {
        scene.refuses_forged(forgery(scene).await.user(id)).await;
    }
}

// Not three parts of base64url.

async fn a_token_in_four_parts_is_refused(scene: &Scene) {
    let forged = forgery(scene).await;
    let four = forged.signed(&format!("{}.e30", forged.message()));
    scene.refuses(&four).await;
    scene.refuses(&format!("{}.e30", forged.token())).await;
}

async fn an_encrypted_token_is_refused(scene: &Scene) {
    let header = BASE64.encode(json!({"alg": "dir", "enc": "A256GCM"}).to_string());
    scene.refuses(&format!("{header}..AAAA.AAAA.AAAA")).await;
}

async fn a_token_in_json_is_refused(scene: &Scene) {
    let token = scene.person().await.access;
    let parts: Vec<_> = token.split('.').collect();
    let json = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    for text in [json.clone(), BASE64.encode(json)] {
        scene.refuses(&text).await;
    }
}

async fn padding_in_a_token_is_refused(scene: &Scene) {
    let forged = forgery(scene).await;
    let (header, claims) = {
        let message = forged.message();
        let (header, claims) = message.split_once('.').unwrap();
        (header.to_owned(), claims.to_owned())
    };
    for message in [format!("{header}=.{claims}"), format!("{header}.{claims}=")] {
        scene.refuses(&forged.signed(&message)).await;
    }
    scene.refuses(&format!("{}=", forged.token())).await;
}
