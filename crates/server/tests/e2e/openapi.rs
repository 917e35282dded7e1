//! The examples of the document are what errand answers: each request of it is sent, in an order in which they make
//! sense, and the answer compared with the one that the document shows.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::support::{Backend, Service};

/// What differs from one run to the next, wherever it stands.
const VARYING: [&str; 13] = [
    "access_token",
    "refresh_token",
    "created_at",
    "updated_at",
    "completed_at",
    "deleted_at",
    "purge_at",
    "last_used_at",
    "expires_at",
    "at",
    "address",
    "session_id",
    "cursor",
];

/// The shape of what varies, and everything else as it is.
fn mask(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let masked = fields.iter().map(|(name, value)| {
                let varies = VARYING.contains(&name.as_str()) || name == "id" && value.is_string();
                let shown = if varies && value.is_string() {
                    json!("…")
                } else {
                    mask(value)
                };
                (name.clone(), shown)
            });
            Value::Object(masked.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(mask).collect(),
        other => other.clone(),
    }
}

struct Walk<'a> {
    service: &'a Service,
    document: Value,
    token: String,
    refresh: String,
    seen: BTreeSet<String>,
}

impl Walk<'_> {
    /// The method, the path and the description of an operation.
    fn operation(&self, id: &str) -> (String, String, Value) {
        let paths = self.document["paths"].as_object().unwrap();
        let mut all = paths.iter().flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(move |(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
        });
        all.find(|(_, _, operation)| operation["operationId"] == id)
            .unwrap()
    }

    /// Sends the example of this name, or the only one, with a few members replaced; and compares.
    async fn send(&mut self, id: &str, fill: &[(&str, &str)], example: &str, replaced: Value) -> Value {
        let (method, path, operation) = self.operation(id);
        let fill = fill.iter().chain(&[("user_id", "1"), ("id", "1")]);
        let path = fill.fold(path, |path, (name, value)| {
            path.replace(&format!("{{{name}}}"), value)
        });
        let mut request = self
            .service
            .api
            .request(&method, &path)
            .header("user-agent", "Mozilla/5.0");
        if !self.token.is_empty() {
            request = request.bearer(&self.token);
        }
        if let Some(content) = operation["requestBody"]["content"].as_object() {
            let (media, content) = content.iter().next().unwrap();
            let mut body = content["examples"][example]["value"].clone();
            if let Some(replaced) = replaced.as_object() {
                body.as_object_mut().unwrap().extend(replaced.clone());
            }
            request = if media == "application/json" {
                request.json(&body)
            } else {
                let pairs = body.as_object().unwrap().iter();
                let pairs: Vec<_> = pairs
                    .map(|(name, value)| format!("{name}={}", value.as_str().unwrap().replace(' ', "+")))
                    .collect();
                request.raw(pairs.join("&"), media)
            };
        }
        let answer = request.send().await;
        let response = &operation["responses"][answer.status.to_string()];
        assert!(answer.status < 300, "{id}: {}", answer.text());
        let (media, content) = response["content"].as_object().unwrap().iter().next().unwrap();
        let shown = &content["example"];
        let answered = if media == "application/json" {
            answer.json()
        } else {
            answer.text().into()
        };
        assert_eq!(mask(&answered), mask(shown), "{id}");
        self.seen.insert(id.to_owned());
        if let Some(token) = answered["access_token"].as_str() {
            token.clone_into(&mut self.token);
            answered["refresh_token"]
                .as_str()
                .unwrap()
                .clone_into(&mut self.refresh);
        }
        answered
    }

    async fn example(&mut self, id: &str) -> Value {
        self.send(id, &[], "example", Value::Null).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_are_real_answers() {
    let service = Service::start(Backend::Sqlite).await;
    let mut walk = Walk {
        service: &service,
        document: serde_json::from_str(errand_http::openapi_json()).unwrap(),
        token: String::new(),
        refresh: String::new(),
        seen: BTreeSet::new(),
    };
    for id in ["welcome", "getLiveness", "getReadiness"] {
        walk.example(id).await;
    }
    walk.send("explainProblem", &[("code", "task-not-found")], "", Value::Null)
        .await;
    for id in [
        "register",
        "getMe",
        "createTask",
        "listTasks",
        "getTask",
        "putTask",
        "updateTask",
    ] {
        walk.example(id).await;
    }
    walk.send("completeTask", &[], "set", Value::Null).await;
    let in_the_trash = [
        "listTrash",
        "listChanges",
        "exportAccount",
        "listEvents",
        "listSessions",
    ];
    for id in ["deleteTask"]
        .into_iter()
        .chain(in_the_trash)
        .chain(["restoreTask", "runBatch"])
    {
        walk.example(id).await;
    }
    walk.example("deleteTask").await;
    walk.example("eraseTask").await;

    walk.send("login", &[], "email", Value::Null).await;
    let sessions = service
        .api
        .request("GET", "/api/1/sessions")
        .bearer(&walk.token)
        .send()
        .await
        .json();
    let first = sessions[0]["id"].as_str().unwrap();
    walk.send("endSession", &[("session_id", first)], "", Value::Null)
        .await;
    walk.send("login", &[], "username", Value::Null).await;
    walk.send("requestToken", &[], "password", Value::Null).await;
    let refresh = json!({"refresh_token": walk.refresh});
    walk.send("requestToken", &[], "refresh_token", refresh).await;
    let refresh = json!({"refresh_token": walk.refresh});
    walk.send("refreshTokens", &[], "example", refresh).await;
    walk.example("changePassword").await;
    walk.example("logout").await;
    let new = json!({"password": "another tandem, another bridge"});
    walk.send("login", &[], "email", new.clone()).await;
    walk.example("endSessions").await;
    walk.send("login", &[], "email", new).await;
    walk.example("deleteAccount").await;

    let ids = walk.document["paths"].as_object().unwrap().values();
    let ids = ids.flat_map(|item| item.as_object().unwrap().values());
    let mut ids: BTreeSet<_> = ids
        .map(|o| o["operationId"].as_str().unwrap().to_owned())
        .collect();
    // They answer with files, without examples.
    for id in ["getOpenApi", "getReference", "getReferenceFile"] {
        ids.remove(id);
    }
    assert_eq!(walk.seen, ids);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_document_is_printed_as_it_is_served() {
    let service = Service::start(Backend::Sqlite).await;
    let printed = service.command(&["openapi"], "");
    assert!(printed.status.success() && printed.stderr.is_empty());
    let served = service.api.request("GET", "/openapi.json").send().await;
    assert_eq!(String::from_utf8(printed.stdout).unwrap(), served.text());
}
