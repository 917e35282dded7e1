//! Every error is a problem of the table, and every answer has its headers.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use actix_web::dev::Service;
use actix_web::http::header::AUTHORIZATION;
use actix_web::test::{self, TestRequest};
use errand_application::ports::{
    Created, Credentials, HasherError, MockLimitStore, Rotation, Seen, StoreError, UniqueKey,
};
use errand_domain::account::PasswordHash;
use errand_domain::limit::Take;

use super::support::{Answer, Mocks, TOKEN, now, send_one, settings, user};
use crate::problem::Code;

fn get(path: &str) -> TestRequest {
    TestRequest::with_uri(path).insert_header((AUTHORIZATION, format!("Bearer {TOKEN}")))
}

fn post(path: &str, json: &str) -> TestRequest {
    let request = TestRequest::post()
        .uri(path)
        .insert_header((AUTHORIZATION, format!("Bearer {TOKEN}")));
    request
        .insert_header(("content-type", "application/json"))
        .set_payload(json.to_owned())
}

fn form(body: &str) -> TestRequest {
    let request = TestRequest::post().uri("/api/auth/token");
    request
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(body.to_owned())
}

const REGISTER: &str = r#"{"email":"ann@example.com","password":"violet tandem bridge","username":"ann"}"#;
const LOGIN: &str = r#"{"email":"ann@example.com","password":"x"}"#;

fn credentials() -> Credentials {
    Credentials {
        user: user(),
        password: PasswordHash::new("stored".into()),
        disabled_at: None,
    }
}

fn registering(result: fn() -> StoreError) -> Mocks {
    let mut mocks = Mocks::default().verifying(true);
    mocks.accounts.expect_credentials().returning(|_| Ok(None));
    mocks
        .accounts
        .expect_register()
        .returning(move |_, _, _| Err(result()));
    mocks
}

fn full() -> Mocks {
    let mut mocks = Mocks::default();
    mocks
        .tasks
        .expect_create()
        .returning(|_, _, _, _, _| Ok(Created::Full));
    mocks
}

/// A service on which everything was tried too often.
fn tried_too_often() -> Mocks {
    let mut limits = MockLimitStore::new();
    limits.expect_take().returning(|buckets, at| {
        let wait = Duration::from_millis(6_100);
        let refused = |_| Take::Refused { full_at: at, wait };
        Ok(buckets.iter().map(refused).collect())
    });
    Mocks {
        limits,
        ..Mocks::default()
    }
}

fn crowded() -> Mocks {
    Mocks {
        at_once: 0,
        ..Mocks::default()
    }
}

fn finding(result: fn() -> StoreError) -> Mocks {
    let mut mocks = Mocks::default();
    mocks.tasks.expect_find().returning(move |_, _| Err(result()));
    mocks
}

fn knowing(matches: bool) -> Mocks {
    let mut mocks = Mocks::default().verifying(matches);
    mocks
        .accounts
        .expect_credentials()
        .returning(|_| Ok(Some(credentials())));
    mocks
        .accounts
        .expect_find()
        .returning(|_| Ok(Some(credentials())));
    mocks
}

fn overloaded() -> Mocks {
    let mut mocks = Mocks::default();
    mocks.accounts.expect_credentials().returning(|_| Ok(None));
    mocks
        .hasher
        .expect_verify()
        .returning(|_, _| Err(HasherError::Overloaded));
    mocks
}

fn forgetful() -> Mocks {
    let mut mocks = Mocks::default();
    mocks.tasks.expect_page().returning(|_, _, _| Ok(None));
    mocks
}

fn unwell() -> Mocks {
    let mut mocks = Mocks::default();
    mocks.database.checkpoint();
    mocks.database.expect_seen().returning(|| Seen {
        success: None,
        failure: Some(now()),
    });
    mocks
}

fn unknown_refresh() -> Mocks {
    let mut mocks = Mocks::default();
    mocks
        .sessions
        .expect_rotate()
        .returning(|_, _, _, _, _, _| Ok(Rotation::Unknown));
    mocks
}

/// What is too much.
fn too_much() -> Vec<(Code, Mocks, TestRequest)> {
    vec![
        (
            Code::QuotaExceeded,
            full(),
            post("/api/1/tasks", r#"{"title":"x"}"#),
        ),
        (
            Code::TooManyAttempts,
            tried_too_often(),
            post("/api/auth/login", LOGIN),
        ),
        (Code::TooManyRequests, crowded(), get("/api/1/tasks")),
    ]
}

/// Every way that this process can be made to fail, but for those that need a real connection.
#[expect(clippy::too_many_lines, reason = "one list, a few lines for each code")]
fn provocations() -> Vec<(Code, Mocks, TestRequest)> {
    let big = format!(r#"{{"email":"{}"}}"#, "x".repeat(5000));
    let preflight = TestRequest::with_uri("/api/1/tasks").method(actix_web::http::Method::OPTIONS);
    let preflight = preflight
        .insert_header(("origin", "https://evil.example"))
        .insert_header(("access-control-request-method", "POST"));
    let mut many_headers = get("/");
    for n in 0..70 {
        many_headers = many_headers.append_header(("x-filler", n.to_string()));
    }
    vec![
        (Code::MalformedJson, Mocks::default(), post("/api/1/tasks", "{")),
        (Code::MalformedForm, Mocks::default(), form("username=%ff")),
        (Code::MalformedQuery, Mocks::default(), get("/api/1/tasks?q=%")),
        (
            Code::UnsupportedGrantType,
            Mocks::default(),
            form("grant_type=implicit"),
        ),
        (Code::CorsRejected, Mocks::default(), preflight),
        (
            Code::InvalidToken,
            Mocks::default(),
            TestRequest::with_uri("/api/1/tasks"),
        ),
        (
            Code::BadCredentials,
            knowing(false),
            post("/api/auth/login", LOGIN),
        ),
        (
            Code::InvalidRefreshToken,
            unknown_refresh(),
            post("/api/auth/refresh", r#"{"refresh_token":"x"}"#),
        ),
        (Code::WrongUser, Mocks::default(), get("/api/2/tasks")),
        (
            Code::WrongPassword,
            knowing(false),
            post("/api/1", r#"{"password":"x"}"#).method(actix_web::http::Method::DELETE),
        ),
        (Code::NotFound, Mocks::default(), get("/nowhere")),
        (Code::NotFound, Mocks::default(), get("/problems/nonsense")),
        (Code::TaskNotFound, Mocks::default(), get("/api/1/tasks/x")),
        (
            Code::SessionNotFound,
            Mocks::default(),
            get("/api/1/sessions/x").method(actix_web::http::Method::DELETE),
        ),
        (Code::MethodNotAllowed, Mocks::default(), post("/health", "")),
        (
            Code::EmailTaken,
            registering(|| StoreError::Conflict(UniqueKey::Email)),
            post("/api/auth/register", REGISTER),
        ),
        (
            Code::UsernameTaken,
            registering(|| StoreError::Conflict(UniqueKey::Username)),
            post("/api/auth/register", REGISTER),
        ),
        (
            Code::PreconditionFailed,
            Mocks::default().with_task(),
            get("/api/1/tasks/1")
                .method(actix_web::http::Method::DELETE)
                .insert_header(("if-match", "\"2\"")),
        ),
        (
            Code::IdempotencyKeyReused,
            Mocks::default().with_task(),
            post("/api/1/tasks", r#"{"title":"milk"}"#).insert_header(("idempotency-key", "reused")),
        ),
        (
            Code::TooManyKeys,
            Mocks::default().with_task(),
            post("/api/1/tasks", r#"{"title":"milk"}"#).insert_header(("idempotency-key", "too-many")),
        ),
        (Code::CursorExpired, forgetful(), get("/api/1/tasks")),
        (
            Code::BodyTooLarge,
            Mocks::default(),
            post("/api/auth/login", &big),
        ),
        (
            Code::UriTooLong,
            Mocks::default(),
            get(&format!("/api/1/tasks?q={}", "x".repeat(9000))),
        ),
        (
            Code::UnsupportedMediaType,
            Mocks::default(),
            TestRequest::post().uri("/api/auth/login").set_payload("{}"),
        ),
        (
            Code::ValidationFailed,
            Mocks::default(),
            post("/api/1/tasks", "{}"),
        ),
        (Code::HeadersTooLarge, Mocks::default(), many_headers),
        (
            Code::InternalError,
            finding(|| StoreError::Broken("row 7 of secret_table".into())),
            get("/api/1/tasks/1"),
        ),
        // A port that was not expected to be called panics.
        (Code::InternalError, Mocks::default(), get("/api/1/tasks/1")),
        (Code::Overloaded, overloaded(), post("/api/auth/login", LOGIN)),
        (
            Code::Unavailable,
            finding(|| StoreError::Unavailable("secret_host".into())),
            get("/api/1/tasks/1"),
        ),
        (Code::NotReady, unwell(), get("/health/ready")),
    ]
}

fn check_headers(answer: &Answer) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'",
        ),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    assert_eq!(answer.header("server"), None);
    assert!(answer.header("cache-control").is_some());
    assert!(answer.headers.get_all("vary").any(|v| v == "Authorization"));
    assert!(answer.header("x-request-id").is_some());
}

#[actix_web::test]
async fn every_code_can_be_seen_and_no_other() {
    // A body that stops or is too slow needs a connection; see the tests of the server.
    let mut seen = HashSet::from([Code::BadRequest, Code::RequestTimeout]);
    for (code, mocks, request) in provocations().into_iter().chain(too_much()) {
        let answer = send_one(mocks, request.insert_header(("x-request-id", "provoked.1_2-3"))).await;
        assert_eq!(answer.code(), code.slug());
        assert_eq!(answer.header("x-request-id"), Some("provoked.1_2-3"));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{code:?}");
        assert_eq!(answer.header("www-authenticate").is_some(), answer.status == 401);
        assert_eq!(
            answer.header("retry-after").is_some(),
            answer.status == 503 || answer.status == 429
        );
        for name in ["ratelimit", "ratelimit-policy"] {
            assert_eq!(answer.header(name).is_some(), answer.status == 429);
        }
        assert_eq!(answer.header("allow").is_some(), answer.status == 405);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("secret"), "{text}");
        check_headers(&answer);
        seen.insert(code);
    }
    assert_eq!(seen, Code::ALL.iter().copied().collect());
}

/// Who is refused and asks again at once gets the slower answers the more they are.
#[actix_web::test]
async fn refusals_wait_for_each_other() {
    const MANY: u32 = 100;
    for (mocks, request) in [
        (crowded(), (|| get("/api/1/tasks")) as fn() -> TestRequest),
        (tried_too_often(), || post("/api/auth/login", LOGIN)),
        (overloaded(), || post("/api/auth/login", LOGIN)),
    ] {
        let app = test::init_service(crate::app(&mocks.services(), &settings())).await;
        let started = Instant::now();
        let all = (0..MANY).map(|_| app.call(request().to_request()));
        for answer in futures_util::future::join_all(all).await {
            assert!(answer.unwrap().headers().contains_key("retry-after"));
        }
        // Half of them, since not all need wait at the same time.
        let least = Duration::from_micros(2_500) * (MANY / 2);
        assert!(started.elapsed() >= least, "{:?}", started.elapsed());
    }
}

#[actix_web::test]
async fn errors_of_the_token_endpoint_speak_oauth() {
    for (request, mocks, error) in [
        (
            form("grant_type=implicit"),
            Mocks::default(),
            "unsupported_grant_type",
        ),
        (form("username=ann&password=x"), knowing(false), "invalid_grant"),
        (
            form("grant_type=refresh_token&refresh_token=x"),
            Mocks::default(),
            "invalid_grant",
        ),
        (
            form("grant_type=password&username=ann"),
            Mocks::default(),
            "invalid_request",
        ),
        (
            form("username=a&username=b&password=x"),
            Mocks::default(),
            "invalid_request",
        ),
        (post("/api/token/", "{}"), Mocks::default(), "invalid_request"),
        (get("/api/token"), Mocks::default(), "invalid_request"),
        (
            form("").uri("/api/auth/token?x=1"),
            Mocks::default(),
            "invalid_request",
        ),
    ] {
        let answer = send_one(mocks, request).await;
        answer.code();
        assert_eq!(answer.json()["error"], error);
    }
    let answer = send_one(Mocks::default(), get("/nowhere")).await;
    assert!(answer.json().get("error").is_none());
}

#[actix_web::test]
async fn challenges_tell_only_whether_there_was_a_token() {
    let plain = r#"Bearer realm="errand""#;
    let refused = r#"Bearer realm="errand", error="invalid_token""#;
    let mut bodies = HashSet::new();
    for (header, challenge) in [
        (None, plain),
        (Some("Basic YTpi"), plain),
        (Some("Bearer"), refused),
        (Some("Bearer  token-of-1"), refused),
        (Some("Bearer other"), refused),
        (Some("Bearer token-of-1, Bearer token-of-1"), refused),
    ] {
        let mut request = TestRequest::with_uri("/api/1/tasks").insert_header(("x-request-id", "r"));
        if let Some(header) = header {
            request = request.insert_header((AUTHORIZATION, header));
        }
        let answer = send_one(Mocks::default(), request).await;
        assert_eq!(answer.code(), "invalid-token", "{header:?}");
        assert_eq!(answer.header("www-authenticate"), Some(challenge), "{header:?}");
        bodies.insert(answer.body);
    }
    assert_eq!(bodies.len(), 1);
    for request in [
        TestRequest::with_uri("/api/1/tasks?access_token=token-of-1"),
        TestRequest::with_uri("/api/1/tasks").insert_header(("cookie", "access_token=token-of-1")),
    ] {
        assert_eq!(send_one(Mocks::default(), request).await.status, 401);
    }
    let lower = TestRequest::with_uri("/api/1/tasks/1").insert_header((AUTHORIZATION, "bearer token-of-1"));
    assert_eq!(send_one(Mocks::default().with_task(), lower).await.status, 200);
}

#[actix_web::test]
async fn a_request_id_is_kept_only_if_it_is_harmless() {
    let long = "x".repeat(129);
    for (sent, kept) in [
        ("abc-1._Z", true),
        ("", false),
        ("a b", false),
        ("a\"b", false),
        ("<x>", false),
        (long.as_str(), false),
        (&long[..128], true),
    ] {
        let request = get("/health").insert_header(("x-request-id", sent));
        let answer = send_one(Mocks::default(), request).await;
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(id == sent, kept, "{sent}");
        assert!(kept || uuid::Uuid::try_parse(id).is_ok(), "{id}");
    }
}

#[actix_web::test]
async fn problems_explain_themselves() {
    for code in Code::ALL {
        for slash in ["", "/"] {
            let path = format!("/problems/{}{slash}", code.slug());
            let answer = send_one(Mocks::default(), TestRequest::with_uri(&path)).await;
            assert_eq!(answer.status, 200);
            assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
            let text = String::from_utf8(answer.body).unwrap();
            assert!(text.contains(code.explanation()) && text.contains(code.remedy()));
        }
    }
}

#[actix_web::test]
async fn a_limit_says_what_is_allowed_and_when() {
    for (path, body, policy, told) in [
        (
            "/api/auth/login",
            LOGIN,
            r#""sign-in";q=60;w=120"#,
            r#""sign-in";r=0;t=7"#,
        ),
        (
            "/api/auth/register",
            REGISTER,
            r#""new-password";q=30;w=300"#,
            r#""new-password";r=0;t=7"#,
        ),
    ] {
        let answer = send_one(tried_too_often(), post(path, body)).await;
        assert_eq!(answer.code(), "too-many-attempts");
        assert_eq!(answer.header("retry-after"), Some("7"), "rounded up");
        assert_eq!(answer.header("ratelimit-policy"), Some(policy));
        assert_eq!(answer.header("ratelimit"), Some(told));
    }
    let answer = send_one(crowded(), get("/api/1/tasks")).await;
    assert_eq!(
        answer.header("ratelimit-policy"),
        Some(r#""requests";q=0;qu="concurrent-requests""#)
    );
    let foreign = send_one(crowded(), get("/api/2/tasks")).await;
    assert_eq!(foreign.code(), "wrong-user", "whose path it is comes first");
    assert_eq!(send_one(crowded(), get("/health")).await.status, 200);
}
