//! What is logged of a request, and what is not.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use actix_web::test::TestRequest;
use errand_application::ports::StoreError;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use super::support::{Mocks, TOKEN, send_one};

type Line = BTreeMap<String, String>;

/// Keeps every event and every field of a span as text.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<(Level, Line)>>>);

struct Texts<'a>(&'a mut Line);

impl Visit for Texts<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), value.to_owned());
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("errand")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::new();
        event.record(&mut Texts(&mut line));
        self.0.lock().unwrap().push((*event.metadata().level(), line));
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

async fn logged(mocks: Mocks, request: TestRequest) -> Vec<(Level, Line)> {
    let recorder = Recorder::default();
    let guard = tracing::subscriber::set_default(recorder.clone());
    send_one(mocks, request.insert_header(("x-request-id", "r-1"))).await;
    drop(guard);
    recorder.0.lock().unwrap().clone()
}

fn fields(line: &Line) -> Vec<(&str, &str)> {
    line.iter()
        .filter(|(name, _)| *name != "duration_ms")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[actix_web::test]
async fn one_line_without_anything_that_the_client_wrote() {
    let request = TestRequest::with_uri("/api/1/tasks/4711?q=private")
        .insert_header(("authorization", format!("Bearer {TOKEN}")))
        .insert_header(("x-forwarded-for", "203.0.113.9"))
        .insert_header(("user-agent", "private"));
    let lines = logged(Mocks::default(), request).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let (level, line) = &lines[0];
    assert_eq!(*level, Level::INFO);
    assert!(line.contains_key("duration_ms"));
    assert_eq!(
        fields(line),
        [
            ("message", "request"),
            ("method", "GET"),
            ("request_id", "r-1"),
            ("route", "/api/{user_id}/tasks/{id}"),
            ("status", "422"),
            ("user_id", "1"),
        ]
    );
}

#[actix_web::test]
async fn unknown_paths_and_methods_are_not_repeated() {
    let request = TestRequest::with_uri("/private").method("PRIVATE".parse().unwrap());
    let lines = logged(Mocks::default(), request).await;
    let expected = [
        ("message", "request"),
        ("method", "other"),
        ("request_id", "r-1"),
        ("route", "-"),
        ("status", "404"),
    ];
    assert_eq!(lines.len(), 1);
    assert_eq!(fields(&lines[0].1), expected);
}

#[actix_web::test]
async fn the_cause_of_a_failure_is_logged_once() {
    #[derive(Debug, Clone, Copy)]
    struct Outer;
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&std::fmt::Error)
        }
    }
    let mut mocks = Mocks::default();
    mocks
        .tasks
        .expect_find()
        .returning(|_, _| Err(StoreError::Broken(Box::new(Outer))));
    let request =
        TestRequest::with_uri("/api/1/tasks/1").insert_header(("authorization", format!("Bearer {TOKEN}")));
    let lines = logged(mocks, request).await;
    let levels: Vec<_> = lines.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::ERROR, Level::INFO]);
    assert_eq!(
        fields(&lines[0].1),
        [
            ("error", "outer: an error occurred when formatting an argument"),
            ("message", "cause of a failed request"),
            ("request_id", "r-1"),
        ]
    );
    assert_eq!(lines[1].1.get("status").map(String::as_str), Some("500"));
}
