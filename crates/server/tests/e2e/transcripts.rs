//! The same answers on both databases, also behind row-level security: one script, three transcripts, compared
//! line by line.

use errand_testbed::{Answer, Api};
use serde_json::{Map, Value, json};

use crate::support::{Backend, Service, essence, next_link};

/// What may differ between two runs: times, tokens, ids made of randomness, cursors.
const VARYING: [&str; 15] = [
    "access_token",
    "refresh_token",
    "created_at",
    "updated_at",
    "completed_at",
    "last_used_at",
    "expires_at",
    "deleted_at",
    "purge_at",
    "exported_at",
    "at",
    "session_id",
    "request_id",
    "uptime",
    "version_of_build",
];

struct Script<'a> {
    api: &'a Api,
    token: String,
    lines: Vec<String>,
}

impl Script<'_> {
    async fn send(&mut self, method: &str, path: &str, body: Value) -> Answer {
        self.send_with(None, method, path, body).await
    }

    async fn send_with(&mut self, key: Option<&str>, method: &str, path: &str, body: Value) -> Answer {
        let mut request = self.api.request(method, path);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if !self.token.is_empty() {
            request = request.bearer(&self.token);
        }
        if path.contains("token") {
            request = request.raw(
                body.as_str().unwrap().to_owned(),
                "application/x-www-form-urlencoded",
            );
        } else if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await;
        let (headers, _) = essence(&answer);
        let headers: Vec<_> = headers
            .iter()
            .filter(|(name, _)| !["x-request-id", "content-length"].contains(&name.as_str()))
            .map(|(name, value)| match value.split_once('-') {
                // A digest of the cursor too.
                Some((counter, _)) if name == "etag" => format!("{name}: {counter}-…"),
                _ => format!("{name}: {}", cut_cursor(value)),
            })
            .collect();
        let shown =
            serde_json::from_slice(&answer.body).map_or_else(|_| answer.text(), |v| mask(v).to_string());
        self.lines.push(format!(
            "{method} {} {body} -> {}\n  {}\n  {shown}",
            cut_cursor(path),
            answer.status,
            headers.join("\n  ")
        ));
        answer
    }

    async fn sign_in(&mut self, method_path: &str, body: Value) {
        let grant = self.send("POST", method_path, body).await.json();
        grant["access_token"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.token);
    }
}

fn cut_cursor(text: &str) -> String {
    match text.split_once("cursor=") {
        None => text.to_owned(),
        Some((head, tail)) => {
            let rest = tail.find(['&', '>']).map_or("", |at| &tail[at..]);
            format!("{head}cursor=…{rest}")
        }
    }
}

fn mask(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            // A refused registration uses up an id on PostgreSQL and none on SQLite.
            let account = fields.contains_key("email");
            let masked = fields.into_iter().map(|(key, value)| {
                let id = key == "id" && (account || value.is_string()) || key == "user_id" && account;
                let varies = VARYING.contains(&key.as_str()) && !value.is_null();
                (key, if id || varies { json!("…") } else { mask(value) })
            });
            Value::Object(masked.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(mask).collect()),
        other => other,
    }
}

#[expect(clippy::too_many_lines, reason = "one script, read from top to bottom")]
async fn transcript(backend: Backend) -> Vec<String> {
    let service = Service::start(backend).await;
    let mut s = Script {
        api: &service.api,
        token: String::new(),
        lines: Vec::new(),
    };
    let password = "violet tandem bridge";
    s.send("GET", "/api/1/tasks", Value::Null).await;
    s.send(
        "POST",
        "/api/auth/register",
        json!({"email": "x", "password": "y"}),
    )
    .await;
    s.sign_in(
        "/api/auth/register",
        json!({"email": "Bob@Example.com", "password": password}),
    )
    .await;
    s.send("POST", "/api/1/tasks", json!({"title": "bob's"})).await;
    s.token.clear();
    s.sign_in(
        "/api/auth/register",
        json!({"email": "ann@example.com", "password": password, "username": "Ann"}),
    )
    .await;
    s.send(
        "POST",
        "/api/auth/register",
        json!({"email": "ANN@example.com", "password": password}),
    )
    .await;
    s.send(
        "POST",
        "/api/auth/register",
        json!({"email": "é@example.com", "password": password, "username": "aNN"}),
    )
    .await;
    s.send(
        "POST",
        "/api/auth/register",
        json!({"email": "ÉÉÉ@example.com", "password": password}),
    )
    .await;
    s.send(
        "POST",
        "/api/auth/register",
        json!({"email": "ééé@example.com", "password": password}),
    )
    .await;
    s.send(
        "POST",
        "/api/auth/login",
        json!({"email": "ann@example.com", "password": "wrong password"}),
    )
    .await;
    s.send(
        "POST",
        "/api/auth/login",
        json!({"username": "ANN", "password": password}),
    )
    .await;
    s.send(
        "POST",
        "/api/auth/token",
        json!("grant_type=password&username=ann&password=violet+tandem+bridge"),
    )
    .await;
    s.send("GET", "/api/auth/me", Value::Null).await;
    for task in [
        json!({"title": "zebra", "priority": "High", "tags": "b,A,a"}),
        json!({"title": "Äpfel", "due_date": "2026-12-01", "description": "Straße 100% _\\"}),
        json!({"title": "apple", "due_date": "2026-12-01T10:00:00+02:00", "completed": true}),
        json!({"title": "APPLE", "due_date": "1969-07-20", "priority": "low"}),
        json!({"title": "😀 emoji", "due_date": "9999-12-31T23:59:59.999999Z", "tags": ["ß", "SS"]}),
        json!({"title": "\u{ff5e} wide", "description": "line\nbreak\ttab"}),
        json!({"title": "apple", "due_date": "2026-12-01T00:00:00Z"}),
        json!({"title": ""}),
        json!({"title": "x", "tags": [1]}),
    ] {
        s.send("POST", "/api/2/tasks", task).await;
    }
    for (id, change) in [
        (1, json!({"title": "zebra 2", "description": "new"})),
        (1, json!({"title": "zebra 2"})),
        (2, json!({"due_date": null, "tags": ["x"]})),
        (3, json!({"completed": false, "unknown": 1})),
        (4, json!({"completed": true})),
        (5, json!({})),
        (99, json!({"title": "a"})),
    ] {
        s.send("PUT", &format!("/api/2/tasks/{id}"), change).await;
    }
    s.send("PATCH", "/api/2/tasks/1/complete", Value::Null).await;
    s.send("PATCH", "/api/2/tasks/1/complete", json!({"completed": true}))
        .await;
    s.send("PATCH", "/api/2/tasks/2/complete", Value::Null).await;
    s.send("DELETE", "/api/2/tasks/6", Value::Null).await;
    s.send("DELETE", "/api/2/tasks/6", Value::Null).await;
    for (method, path) in [
        ("GET", "/api/2/trash"),
        ("GET", "/api/2/trash?limit=0&x=1"),
        ("POST", "/api/2/trash/6/restore"),
        ("POST", "/api/2/trash/6/restore"),
        ("DELETE", "/api/2/tasks/6"),
        ("DELETE", "/api/2/tasks/5"),
        ("GET", "/api/2/trash?limit=1"),
        ("DELETE", "/api/2/trash/5"),
        ("DELETE", "/api/2/trash/5"),
        ("POST", "/api/2/trash/5/restore"),
        ("GET", "/api/2/trash"),
        ("GET", "/api/2/changes"),
        ("GET", "/api/2/changes?limit=2"),
        ("GET", "/api/2/changes?limit=0&since=x"),
    ] {
        s.send(method, path, Value::Null).await;
    }
    series_and_batches(&mut s).await;
    for sort in ["created_at", "updated_at", "title", "due_date", "priority"] {
        for order in ["asc", "desc"] {
            s.send(
                "GET",
                &format!("/api/2/tasks?sort={sort}&order={order}&count=true"),
                Value::Null,
            )
            .await;
            let mut next = Some(format!("/api/2/tasks?sort={sort}&order={order}&limit=2"));
            while let Some(path) = next {
                next = next_link(&s.send("GET", &path, Value::Null).await);
            }
        }
    }
    for query in [
        "q=APPLE",
        "q=strasse%20100%25",
        "q=%5C",
        "q=_",
        "q=%F0%9F%98%80",
        "tag=SS",
        "tag=x,a",
        "status=completed",
        "priority=low,medium",
        "due_before=2026-12-01",
        "due_after=2026-12-01",
        "due_after=1969-07-19&due_before=1970-01-01",
        "offset=2&limit=2",
        "offset=100000",
        "limit=0",
        "nonsense=1",
        "sort=nonsense",
        "q=%00",
    ] {
        s.send("GET", &format!("/api/2/tasks?{query}"), Value::Null).await;
    }
    for (method, path) in [
        ("GET", "/api/2/tasks/2"),
        ("GET", "/api/2/tasks/77"),
        ("GET", "/api/1/tasks/1"),
        ("GET", "/api/2/sessions"),
        ("GET", "/api/2/export"),
        ("DELETE", "/api/2/sessions/x"),
        ("POST", "/api/2/tasks/1"),
        ("GET", "/problems/not-found"),
        ("GET", "/nothing"),
        ("GET", "/"),
        ("GET", "/health/ready"),
    ] {
        s.send(method, path, Value::Null).await;
    }
    let new = "another violet tandem";
    s.send(
        "PUT",
        "/api/2/password",
        json!({"current_password": "wrong", "new_password": new}),
    )
    .await;
    s.sign_in(
        "/api/auth/login",
        json!({"email": "ann@example.com", "password": password}),
    )
    .await;
    s.send("DELETE", "/api/2", json!({"password": "wrong"})).await;
    s.send("DELETE", "/api/2", json!({"password": password})).await;
    s.send("GET", "/api/2/tasks", Value::Null).await;
    s.lines
}

/// Tasks that repeat, requests that come again, and operations that are done together.
async fn series_and_batches(s: &mut Script<'_>) {
    let tasks = "/api/2/tasks";
    for task in [
        json!({"title": "daily", "due_date": "2026-03-01", "recurrence": "daily"}),
        json!({"title": "clock", "due_date": "2026-03-28T02:30:00+01:00", "time_zone": "Europe/Berlin",
            "recurrence": "FREQ=DAILY;COUNT=3"}),
        json!({"title": "old", "due_date": "2026-01-31", "recursion_pattern": "monthly", "recurrence_from": "due"}),
        json!({"title": "a", "recurrence": "daily"}),
        json!({"title": "a", "due_date": "2026-03-01", "recurrence": "FREQ=SECONDLY", "time_zone": "No Where"}),
        json!({"title": "a", "due_date": "2026-03-01", "recurrence": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}),
        json!({"title": "a", "due_date": "2026-03-01", "recurrence": "daily", "completed": true}),
    ] {
        s.send("POST", tasks, task).await;
    }
    // 8, 9 and 10 repeat, whatever came before them.
    for (id, change) in [
        (8, json!({"completed": true})),
        (8, json!({"completed": false})),
        (8, json!({"completed": true})),
        (8, json!({"recurrence": "weekly"})),
        (9, json!({"completed": true, "title": "clock was here"})),
        (10, json!({"recurrence": null, "time_zone": "Asia/Tokyo"})),
        (10, json!({"recurrence": "weekly", "due_date": null})),
        (
            10,
            json!({"recurrence": "FREQ=WEEKLY;UNTIL=20270101", "recurrence_from": "due"}),
        ),
        (11, json!({"title": "taken back"})),
    ] {
        s.send("PUT", &format!("{tasks}/{id}"), change).await;
    }
    let body = json!({"title": "once", "due_date": "2026-03-01", "recurrence": "daily"});
    for (key, method, path, body) in [
        ("k", "POST", "/tasks", body.clone()),
        ("k", "POST", "/tasks", body),
        ("k", "POST", "/tasks", json!({"title": "other"})),
        ("t", "PATCH", "/tasks/10/complete", Value::Null),
        ("t", "PATCH", "/tasks/10/complete", Value::Null),
        ("t", "PATCH", "/tasks/9/complete", Value::Null),
        ("a b", "POST", "/tasks", json!({"title": "x"})),
    ] {
        s.send_with(Some(key), method, &format!("/api/2{path}"), body)
            .await;
    }
    for operations in [
        json!([]),
        json!([{"op": "create", "task": {"title": "batch", "tags": "b,a"}}, {"op": "complete", "id": 9, "completed": false},
            {"op": "update", "id": 8, "task": {"priority": "high"}}, {"op": "delete", "id": 10},
            {"op": "complete", "id": 8}]),
        json!([{"op": "delete", "id": 1}, {"op": "delete", "id": 1}, {"op": "update", "id": 999, "task": {"title": "x"}}]),
        json!([{"op": "create", "task": {"title": ""}}, {"op": "burn"}, 7]),
    ] {
        let body = json!({"operations": operations});
        for key in [None, Some("b")] {
            s.send_with(key, "POST", "/api/2/batch", body.clone()).await;
        }
    }
    s.send("GET", "/api/2/trash", Value::Null).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_databases_answer_alike() {
    let sqlite = transcript(Backend::Sqlite).await;
    assert!(sqlite.len() > 140, "{}", sqlite.len());
    for backend in [Backend::Postgres, Backend::PostgresRls] {
        let other = transcript(backend).await;
        for (a, b) in sqlite.iter().zip(&other) {
            assert_eq!(a, b, "{backend:?}");
        }
        assert_eq!(sqlite.len(), other.len(), "{backend:?}");
    }
}
