//! What an answer always says, and what neither an answer nor the log ever shows.

use serde_json::{Value, json};

use super::scene::{Scene, text};
use super::suite::attacks;
use crate::support::{SIGNING_KEY, create, problem};

attacks! {
    "answer-headers": every_answer_forbids_to_run_or_frame_it, a_title_with_markup_is_sent_as_data;
    "answer-cache": no_cache_keeps_a_refusal, no_shared_cache_keeps_data;
    "grant-cache": no_cache_keeps_a_grant;
    "http-server": no_answer_names_the_server;
    "answer-fields": no_answer_shows_what_a_user_cannot_use;
    "log-route": a_secret_in_an_address_is_not_logged, no_line_of_the_log_holds_a_secret;
    "log-method": a_made_up_method_is_not_logged;
    "answer-secrets": a_refused_password_is_not_repeated, no_answer_holds_a_secret;
    "answer-internals": a_parser_does_not_speak_for_itself, no_answer_shows_the_inside;
    "no-connections": the_service_connects_to_nothing_but_its_database;
}

/// Run behind the attacks of every group, on all that was answered and logged meanwhile.
pub const IN_THE_END: [&str; 3] = [
    "no_line_of_the_log_holds_a_secret",
    "no_answer_holds_a_secret",
    "no_answer_shows_the_inside",
];

const GOOD: u16 = 200;

/// Requests of all kinds, and with which status each is answered.
async fn all_kinds(scene: &Scene) -> Vec<(u16, errand_testbed::Answer)> {
    let person = scene.person().await;
    create(&scene.api, &person, json!({"title": "a"})).await;
    let own = |rest: &str| person.path(rest);
    let kinds = [
        ("GET", "/".to_owned(), GOOD),
        ("GET", "/health".to_owned(), GOOD),
        ("GET", own("/tasks"), GOOD),
        ("GET", own("/tasks/1"), GOOD),
        ("GET", own("/export"), GOOD),
        ("GET", "/nothing".to_owned(), 404),
        ("GET", own("/tasks/9"), 404),
        ("GET", "/api/0/tasks".to_owned(), 403),
        ("GET", own("/tasks?x=1"), 422),
        ("GET", own("/tasks?q=%zz"), 400),
        ("POST", own("/tasks/1"), 405),
        ("POST", own("/tasks"), 415),
        ("POST", "/api/auth/login".to_owned(), 415),
        ("OPTIONS", own("/tasks"), 204),
    ];
    let mut answers = Vec::new();
    for (method, path, status) in kinds {
        let request = scene.api.request(method, &path).bearer(&person.access);
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        answers.push((status, answer));
    }
    let none = scene.api.request("GET", &own("/tasks")).send().await;
    answers.push((401, none));
    answers
}

async fn every_answer_forbids_to_run_or_frame_it(scene: &Scene) {
    for (status, answer) in all_kinds(scene).await {
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            (
                "content-security-policy",
                "default-src 'none'; frame-ancestors 'none'",
            ),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{status}");
        }
    }
}

async fn a_title_with_markup_is_sent_as_data(scene: &Scene) {
    let person = scene.person().await;
    let title = "<script>alert(document.domain)</script>";
    create(&scene.api, &person, json!({"title": title})).await;
    let answer = person.request(&scene.api, "GET", "/tasks/1").send().await;
    assert_eq!(answer.json()["title"], title);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

async fn no_cache_keeps_a_refusal(scene: &Scene) {
    for (status, answer) in all_kinds(scene).await {
        if status >= 400 {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{status}");
        }
    }
}

async fn no_shared_cache_keeps_data(scene: &Scene) {
    let person = scene.person().await;
    for path in ["/tasks", "/export", "/sessions"] {
        let answer = person.request(&scene.api, "GET", path).send().await;
        assert_eq!(
            answer.header("cache-control"),
            Some("private, no-cache"),
            "{path}"
        );
        let vary = answer.headers.iter().filter(|(name, _)| name == "vary");
        let vary: Vec<_> = vary.map(|(_, value)| value.to_lowercase()).collect();
        assert!(
            vary.iter().any(|value| value.contains("authorization")),
            "{vary:?}"
        );
    }
}

async fn no_cache_keeps_a_grant(scene: &Scene) {
    let person = scene.person().await;
    let login = scene.login(&person.email, &person.password).await;
    let refresh = scene.refresh(&person.refresh).await;
    let body = json!({"current_password": person.password, "new_password": scene.password()});
    let changed = person
        .request(&scene.api, "PUT", "/password")
        .json(&body)
        .send()
        .await;
    for grant in [login, refresh, changed] {
        assert!(!text(&grant, "access_token").is_empty());
        assert_eq!(grant.header("cache-control"), Some("no-store"));
    }
}

async fn no_answer_names_the_server(scene: &Scene) {
    for (status, answer) in all_kinds(scene).await {
        for name in ["server", "x-powered-by", "via", "x-aspnet-version"] {
            assert_eq!(answer.header(name), None, "{status}");
        }
    }
}

/// Every field that a client is shown is known here: a new one must be added on purpose.
async fn no_answer_shows_what_a_user_cannot_use(scene: &Scene) {
    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }
    let (person, _) = scene.pair().await;
    let all = scene.snapshot(&person).await;
    assert_eq!(
        keys(&all),
        ["deleted_tasks", "events", "sessions", "tasks", "user"]
    );
    let user = ["created_at", "email", "id", "updated_at", "username"];
    assert_eq!(keys(&all["user"]), user);
    let session = [
        "created_at",
        "current",
        "expires_at",
        "id",
        "last_used_at",
        "user_agent",
    ];
    assert_eq!(keys(&all["sessions"][0]), session);
    let task = [
        "completed",
        "completed_at",
        "created_at",
        "description",
        "due_date",
        "id",
        "priority",
        "recurrence",
        "tags",
        "time_zone",
        "title",
        "updated_at",
        "user_id",
        "version",
    ];
    assert_eq!(keys(&all["tasks"][0]), task);
}

async fn a_secret_in_an_address_is_not_logged(scene: &Scene) {
    let person = scene.person().await;
    let secret = scene.secret("needle-in-an-address");
    for path in [
        format!("/{secret}"),
        format!("/api/auth/me?token={secret}"),
        format!("/health?{secret}"),
        person.path(&format!("/tasks/{secret}")),
        person.path(&format!("/tasks?q={secret}")),
    ] {
        let request = scene.api.request("GET", &path).bearer(&person.access);
        let request = request.header("x-probe", &secret).header("user-agent", &secret);
        request.header("referer", &secret).send().await;
    }
    unlogged(scene, &secret);
}

async fn a_made_up_method_is_not_logged(scene: &Scene) {
    let secret = "NEEDLEINAMETHOD";
    problem(
        &scene.api.request(secret, "/api/auth/me").send().await,
        405,
        "method-not-allowed",
    );
    unlogged(scene, secret);
}

fn unlogged(scene: &Scene, secret: &str) {
    let log = scene.service.errand.log();
    let line = log.lines().find(|line| line.contains(secret));
    assert_eq!(line, None, "{secret} is in the log");
}

/// The passwords, addresses and tokens of everybody, and the service's own secrets.
fn secrets(scene: &Scene) -> Vec<String> {
    let mut secrets = scene.secrets();
    secrets.push(SIGNING_KEY.to_owned());
    // The beginnings of every stored password.
    secrets.extend(["$bcrypt-sha256$".to_owned(), "$2b$".to_owned()]);
    let url = scene.service.setting("DATABASE_URL").unwrap_or_default();
    if let Some((entry, _)) = url.rsplit_once('@') {
        let (_, password) = entry.rsplit_once(':').unwrap();
        assert!(password.len() > 8, "no password in {url}");
        secrets.push(password.to_owned());
    }
    // Too short a text is in every log by chance, and what only looks like a password is none.
    secrets.retain(|secret| secret.trim().len() >= 8);
    secrets
}

/// What was granted: good only in a grant.
fn tokens(scene: &Scene) -> Vec<String> {
    let answers = scene.api.answers();
    let grants = answers
        .iter()
        .filter_map(|answer| serde_json::from_slice(&answer.body).ok());
    grants
        .flat_map(|grant: Value| {
            ["access_token", "refresh_token"]
                .map(|key| grant.get(key).and_then(Value::as_str).map(str::to_owned))
        })
        .flatten()
        .collect()
}

async fn no_line_of_the_log_holds_a_secret(scene: &Scene) {
    let log = scene.service.errand.log();
    assert!(log.contains("\"level\":\"INFO\""), "there is no log");
    for secret in secrets(scene).into_iter().chain(tokens(scene)) {
        unlogged(scene, &secret);
    }
    for line in log.lines() {
        let read: Result<Value, _> = serde_json::from_str(line);
        assert!(read.is_ok(), "a line was broken: {line}");
    }
}

async fn a_refused_password_is_not_repeated(scene: &Scene) {
    let person = scene.person().await;
    let wrong = scene.secret("a wrong wilted password");
    let answer = scene.login(&person.email, &wrong).await;
    assert!(!answer.text().contains(&wrong), "{}", answer.text());
    let body = json!({"email": person.email, "password": wrong, "username": "<>"});
    let answer = scene.register(&body).await;
    assert!(!answer.text().contains(&wrong), "{}", answer.text());
}

async fn no_answer_holds_a_secret(scene: &Scene) {
    let (secrets, tokens) = (secrets(scene), tokens(scene));
    let check = |text: &str, is_grant: bool| {
        let tokens = tokens.iter().filter(|_| !is_grant);
        for secret in secrets.iter().chain(tokens) {
            assert!(
                !text.contains(secret.as_str()),
                "an answer holds {secret}: {text}"
            );
        }
    };
    for answer in scene.api.answers() {
        let body = answer.text();
        check(&body, body.contains("\"access_token\""));
        check(&format!("{:?}", answer.headers), false);
    }
    for answer in scene.raw_answers() {
        check(&answer, false);
    }
}

async fn a_parser_does_not_speak_for_itself(scene: &Scene) {
    let person = scene.person().await;
    for body in [
        "{",
        "{\"title\":\"a\"} x",
        "{\"title\":\"a\",\"title\":\"b\"}",
        "{\"a\":NaN}",
    ] {
        let request = person.request(&scene.api, "POST", "/tasks");
        let answer = request.raw(body, "application/json").send().await;
        problem(&answer, 400, "malformed-json");
        inside(&answer.text());
    }
}

/// Fails at words that only a program says.
fn inside(text: &str) {
    for word in [
        "at line",
        "column ",
        "sqlx",
        "sea_orm",
        "SQLITE",
        "sqlstate",
        "constraint",
        "users_",
        "panicked",
        "unwrap",
        "serde",
        "actix",
        "::",
        ".rs",
        "/src/",
        "stack backtrace",
    ] {
        assert!(!text.contains(word), "an answer says {word:?}: {text}");
    }
}

async fn no_answer_shows_the_inside(scene: &Scene) {
    for answer in scene.api.answers() {
        assert_ne!(answer.status, 500, "{}", answer.text());
        if answer.status >= 400 && !answer.body.is_empty() {
            let body = answer.json();
            for part in ["detail", "title"] {
                inside(body[part].as_str().unwrap());
            }
        }
    }
    for answer in scene.raw_answers() {
        assert!(!answer.contains("HTTP/1.1 500"), "{answer}");
    }
}

/// Sockets of the process, as the kernel has them.
#[cfg(target_os = "linux")]
mod sockets {
    use std::collections::HashSet;
    use std::fs;

    pub struct Socket {
        pub local_port: u16,
        pub remote_port: u16,
        pub is_listening: bool,
        pub protocol: &'static str,
    }

    pub fn of(process: u32) -> Vec<Socket> {
        let open: HashSet<String> = fs::read_dir(format!("/proc/{process}/fd"))
            .unwrap()
            .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
            .filter_map(|target| {
                let text = target.to_str()?.strip_prefix("socket:[")?;
                text.strip_suffix(']').map(str::to_owned)
            })
            .collect();
        ["tcp", "tcp6", "udp", "udp6"]
            .into_iter()
            .flat_map(|protocol| {
                let table = fs::read_to_string(format!("/proc/{process}/net/{protocol}"));
                let table = table.unwrap_or_default();
                let lines: Vec<String> = table.lines().skip(1).map(str::to_owned).collect();
                lines.into_iter().map(move |line| (protocol, line))
            })
            .filter_map(|(protocol, line)| {
                let columns: Vec<_> = line.split_whitespace().collect();
                let port = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
                open.contains(columns[9]).then(|| Socket {
                    local_port: port(columns[1]).unwrap(),
                    remote_port: port(columns[2]).unwrap(),
                    is_listening: columns[3] == "0A",
                    protocol,
                })
            })
            .collect()
    }
}

/// Whatever it is asked, it asks nobody else: there is no address that it could be made to call.
#[cfg(target_os = "linux")]
async fn the_service_connects_to_nothing_but_its_database(scene: &Scene) {
    all_kinds(scene).await;
    let (_, victim) = scene.pair().await;
    scene.refresh(&victim.refresh).await;
    let forged = super::forgery::Forgery::of(&victim).header("jku", "http://127.0.0.1:9/");
    scene.refuses(&forged.token()).await;
    let port_of = |url: &str| {
        url.rsplit_once(':')
            .and_then(|(_, rest)| rest.split('/').next()?.parse().ok())
    };
    let own: u16 = port_of(&scene.service.errand.base_url()).unwrap();
    let url = scene.service.setting("DATABASE_URL").unwrap();
    let database: Option<u16> = url.starts_with("postgres").then(|| {
        let (_, host) = url.rsplit_once('@').unwrap();
        port_of(host.split('?').next().unwrap()).unwrap()
    });
    let sockets = sockets::of(scene.service.errand.id());
    assert!(sockets.iter().any(|s| s.is_listening && s.local_port == own));
    for socket in sockets {
        let expected = socket.local_port == own || database == Some(socket.remote_port);
        assert!(
            expected && socket.protocol.starts_with("tcp"),
            "a socket of its own: {} {} to {}",
            socket.protocol,
            socket.local_port,
            socket.remote_port
        );
    }
}

#[cfg(not(target_os = "linux"))]
async fn the_service_connects_to_nothing_but_its_database(_: &Scene) {
    // Elsewhere a process cannot be looked at without rights.
}
