//! The HTTP client says what it is told and reports what it hears.
#![expect(
    clippy::disallowed_methods,
    reason = "a test may spawn: nothing is lost when it is dropped"
)]

use std::sync::{Arc, Mutex};

use errand_testbed::{Api, Person};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that gives every request the same answer and keeps what it was asked.
async fn canned(answer: &'static str) -> std::io::Result<(Api, Arc<Mutex<String>>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let api = Api::new(format!("http://{}", listener.local_addr()?));
    let asked = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = String::new();
            let mut bytes = [0; 4096];
            // A request without a body ends with an empty line, the others here with a brace.
            while !text.ends_with("\r\n\r\n") && !text.ends_with('}') {
                match stream.read(&mut bytes).await {
                    Ok(length) if length > 0 => {
                        text += &String::from_utf8_lossy(bytes.get(..length).unwrap_or_default());
                    }
                    _ => return,
                }
            }
            if let Ok(mut heard) = heard.lock() {
                *heard = text;
            }
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    Ok((api, asked))
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let (api, asked) = canned(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: /b\r\nSet-Cookie: x\r\nSet-Cookie: y\r\n\
         Content-Length: 2\r\nConnection: close\r\n\r\nhi",
    )
    .await
    .unwrap();
    let answer = api
        .request("GET", "/a?b=c")
        .bearer("token")
        .header("x-one", "1")
        .send()
        .await;
    assert_eq!((answer.status, answer.text().as_str()), (307, "hi"));
    assert_eq!(answer.header("Location"), Some("/b"));
    assert_eq!(
        answer
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
            .count(),
        2
    );
    let asked = asked.lock().unwrap().clone();
    assert!(asked.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked}");
    assert!(
        asked.contains("authorization: Bearer token\r\n") && asked.contains("x-one: 1\r\n"),
        "{asked}"
    );
}

#[tokio::test]
async fn a_person_registers_and_keeps_the_grant() {
    let (api, asked) = canned(
        "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n\
         {\"access_token\":\"a\",\"refresh_token\":\"r\",\"user_id\":\"7\"}",
    )
    .await
    .unwrap();
    let ann = Person::register(&api, "ann").await;
    assert_eq!((ann.id, ann.access.as_str(), ann.refresh.as_str()), (7, "a", "r"));
    assert_eq!(ann.path("/tasks"), "/api/7/tasks");
    let asked = asked.lock().unwrap().clone();
    assert!(
        asked.starts_with("POST /api/auth/register HTTP/1.1\r\n"),
        "{asked}"
    );
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        body,
        json!({ "email": ann.email, "password": ann.password, "username": "ann" })
    );
    ann.request(&api, "DELETE", "/tasks/1").send().await;
}
