//! Tokens in the wrong place, in the wrong form, or of the wrong kind.

use base64::Engine;
use errand_testbed::Person;

use super::forgery::Forgery;
use super::scene::Scene;
use super::suite::attacks;
use crate::support::{essence, problem};

attacks! {
    "bearer-scheme": another_scheme_is_refused, basic_credentials_are_refused;
    "bearer-once": two_authorizations_are_refused;
    "bearer-form": two_bearers_in_one_field_are_refused, two_blanks_before_a_token_are_refused;
    "bearer-place": a_token_in_the_query_is_refused, a_token_in_a_cookie_is_refused,
        a_token_in_another_header_is_refused;
    "token-kinds": a_refresh_token_is_no_access_token;
    "refused-alike": every_refused_token_gets_the_same_answer;
}

async fn forgery(scene: &Scene) -> Forgery {
    Forgery::of(&scene.person().await)
}

async fn with_header(scene: &Scene, value: &str) {
    let request = scene.api.request("GET", "/api/auth/me");
    let answer = request.header("authorization", value).send().await;
    problem(&answer, 401, "invalid-token");
}

async fn another_scheme_is_refused(scene: &Scene) {
    let token = scene.person().await.access;
    for scheme in ["Token", "JWT", "DPoP", "Bearer:"] {
        with_header(scene, &format!("{scheme} {token}")).await;
    }
}

async fn basic_credentials_are_refused(scene: &Scene) {
    let person = scene.person().await;
    with_header(scene, &format!("Basic {}", person.access)).await;
    let pair = format!("{}:{}", person.email, person.password);
    let encoded = scene.secret(&base64::prelude::BASE64_STANDARD.encode(pair));
    with_header(scene, &format!("Basic {encoded}")).await;
}

async fn twice(scene: &Scene, first: &Person, second: &Person) {
    let request = scene.api.request("GET", "/api/auth/me");
    let answer = request.bearer(&first.access).bearer(&second.access).send().await;
    problem(&answer, 401, "invalid-token");
}

async fn two_authorizations_are_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    twice(scene, &attacker, &victim).await;
    twice(scene, &attacker, &attacker).await;
}

async fn two_bearers_in_one_field_are_refused(scene: &Scene) {
    let (attacker, victim) = scene.pair().await;
    let (a, v) = (&attacker.access, &victim.access);
    for value in [
        format!("Bearer {a}, Bearer {v}"),
        format!("Bearer {a},{v}"),
        format!("Bearer {a} {v}"),
    ] {
        with_header(scene, &value).await;
    }
}

async fn two_blanks_before_a_token_are_refused(scene: &Scene) {
    let token = scene.person().await.access;
    with_header(scene, &format!("Bearer  {token}")).await;
    with_header(scene, &format!("Bearer\t{token}")).await;
}

/// Would end up in logs and in the histories of browsers.
async fn a_token_in_the_query_is_refused(scene: &Scene) {
    let person = scene.person().await;
    for path in ["/api/auth/me", &person.path("/tasks")] {
        let path = format!("{path}?access_token={}", person.access);
        let answer = scene.api.request("GET", &path).send().await;
        problem(&answer, 401, "invalid-token");
    }
}

/// A browser would send it along with requests of any page.
async fn a_token_in_a_cookie_is_refused(scene: &Scene) {
    let person = scene.person().await;
    let request = scene.api.request("GET", &person.path("/tasks"));
    let cookie = format!("access_token={}", person.access);
    problem(
        &request.header("cookie", &cookie).send().await,
        401,
        "invalid-token",
    );
}

async fn a_token_in_another_header_is_refused(scene: &Scene) {
    let person = scene.person().await;
    for name in ["x-access-token", "x-auth-token", "proxy-authorization"] {
        let request = scene.api.request("GET", &person.path("/tasks"));
        let request = request.header(name, &format!("Bearer {}", person.access));
        problem(&request.send().await, 401, "invalid-token");
    }
}

async fn a_refresh_token_is_no_access_token(scene: &Scene) {
    scene.refuses(&scene.person().await.refresh).await;
}

/// Why a token is refused helps only whoever tries.
async fn every_refused_token_gets_the_same_answer(scene: &Scene) {
    let ended = scene.person().await;
    let logout = scene.api.request("POST", "/api/auth/logout");
    assert_eq!(logout.bearer(&ended.access).send().await.status, 200);
    let forged = forgery(scene).await;
    let mut answers = Vec::new();
    for token in [
        ended.access,
        forged.clone().times(-1000, -100).token(),
        forged.clone().key(b"another").token(),
        forged.clone().header("kid", "another").token(),
        forged.claim("iss", "another").token(),
        "x.y.z".to_owned(),
        "x".to_owned(),
    ] {
        let request = scene.api.request("GET", "/api/auth/me").bearer(&token);
        let answer = request.header("x-request-id", "same").send().await;
        problem(&answer, 401, "invalid-token");
        answers.push(essence(&answer));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "refusals can be told apart");
}
