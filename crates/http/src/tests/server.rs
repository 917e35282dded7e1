//! What only a real connection shows.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use errand_application::ports::{Ended, EndedCursor, MockSessionStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::support::{Mocks, TOKEN, settings};

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<Duration>,
    server: JoinHandle<std::io::Result<()>>,
}

fn start(mocks: Mocks) -> Running {
    start_with(mocks, settings())
}

fn start_with(mocks: Mocks, settings: crate::Settings) -> Running {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async { stopped.await.unwrap_or_default() };
    let services = mocks.services();
    let server = actix_web::rt::spawn(crate::serve(listener, services, settings, shutdown));
    Running {
        address,
        stop,
        server,
    }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.stop.send(Duration::ZERO).unwrap();
        let stopped = tokio::time::timeout(Duration::from_secs(5), self.server).await;
        stopped.expect("stops in time").unwrap().unwrap();
    }
}

/// Reads until the answers so far end with `end`, or the connection ends.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut buffer));
        let n = read.await.expect("an answer in time").unwrap_or(0);
        all.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&all).into_owned();
        if n == 0 || text.ends_with(end) {
            return text;
        }
    }
}

fn head(method: &str, path: &str, more: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n{more}\r\n")
}

#[actix_web::test]
async fn head_has_the_length_and_nothing_after_it() {
    let running = start(Mocks::default().with_task());
    let mut stream = running.connect().await;
    for path in ["/api/1/tasks/1", "/api/1/tasks/2", "/health"] {
        stream.write_all(head("GET", path, "").as_bytes()).await.unwrap();
        let get = read_until(&mut stream, "}").await;
        stream.write_all(head("HEAD", path, "").as_bytes()).await.unwrap();
        let head = read_until(&mut stream, "\r\n\r\n").await;
        let length = |text: &str| {
            let line = text.lines().find(|line| line.starts_with("content-length: "));
            line.unwrap().to_owned()
        };
        assert_eq!(length(&get), length(&head), "{path}");
        assert_ne!(length(&get), "content-length: 0");
    }
    running.stop().await;
}

#[actix_web::test]
async fn a_panic_costs_neither_the_connection_nor_the_worker() {
    let running = start(Mocks::default());
    let mut stream = running.connect().await;
    for _ in 0..3 {
        stream
            .write_all(head("GET", "/api/1/export", "").as_bytes())
            .await
            .unwrap();
        let answer = read_until(&mut stream, "}").await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
    }
    stream
        .write_all(head("GET", "/health", "").as_bytes())
        .await
        .unwrap();
    assert!(read_until(&mut stream, "}").await.starts_with("HTTP/1.1 200"));
    running.stop().await;
}

const JSON: &str = "Content-Type: application/json\r\n";

#[actix_web::test]
async fn a_slow_body_is_not_waited_for() {
    let running = start(Mocks::default());
    let mut stream = running.connect().await;
    let slow = head("POST", "/api/1/tasks", &format!("{JSON}Content-Length: 50\r\n"));
    stream.write_all(format!("{slow}{{").as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(
        answer.contains("\"request-timeout\"") && answer.contains("connection: close"),
        "{answer}"
    );
    drop(stream);
    running.stop().await;
}

/// Whoever waited long to be let in may not wait as long again.
#[actix_web::test]
async fn what_was_waited_for_at_the_door_counts() {
    let mut sessions = MockSessionStore::new();
    sessions.expect_ended().returning(|_| {
        // A mock cannot wait in another way; longer than what counts.
        std::thread::park_timeout(Duration::from_millis(1100));
        let (sessions, cursor) = (Vec::new(), EndedCursor(1));
        Ok(Ended { sessions, cursor })
    });
    let mocks = Mocks {
        sessions,
        ..Mocks::default()
    };
    let settings = crate::Settings {
        body_timeout: Duration::from_mins(1),
        patience: Duration::from_millis(1300),
        ..settings()
    };
    let running = start_with(mocks, settings);
    let mut stream = running.connect().await;
    let slow = head("POST", "/api/1/tasks", &format!("{JSON}Content-Length: 50\r\n"));
    stream.write_all(format!("{slow}{{").as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    drop(stream);
    running.stop().await;
}

/// What cannot be waited for any more is not begun: a write would be done and told as failed.
#[actix_web::test]
async fn who_came_in_too_late_begins_nothing() {
    let mut sessions = MockSessionStore::new();
    sessions.expect_ended().returning(|_| {
        std::thread::park_timeout(Duration::from_millis(1100));
        let (sessions, cursor) = (Vec::new(), EndedCursor(1));
        Ok(Ended { sessions, cursor })
    });
    // No store of tasks expects a call: one would be a panic, and 500.
    let mocks = Mocks {
        sessions,
        ..Mocks::default()
    };
    let settings = crate::Settings {
        patience: Duration::from_millis(500),
        ..settings()
    };
    let running = start_with(mocks, settings);
    let mut stream = running.connect().await;
    let body = r#"{"title":"a"}"#;
    let request = head(
        "POST",
        "/api/1/tasks",
        &format!("{JSON}Content-Length: {}\r\n", body.len()),
    );
    stream
        .write_all(format!("{request}{body}").as_bytes())
        .await
        .unwrap();
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    running.stop().await;
}

#[actix_web::test]
async fn a_slow_first_head_is_cut() {
    let settings = crate::Settings {
        head_timeout: Duration::from_millis(300),
        ..settings()
    };
    let running = start_with(Mocks::default(), settings);
    let mut stream = running.connect().await;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost:").await.unwrap();
    let answer = read_until(&mut stream, "\0").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    running.stop().await;
}

#[actix_web::test]
async fn a_body_that_breaks_off_is_a_bad_request() {
    let running = start(Mocks::default());
    let mut stream = running.connect().await;
    let chunked = head(
        "POST",
        "/api/1/tasks",
        &format!("{JSON}Transfer-Encoding: chunked\r\n"),
    );
    stream
        .write_all(format!("{chunked}nonsense\r\n").as_bytes())
        .await
        .unwrap();
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    drop(stream);
    running.stop().await;
}

#[actix_web::test]
async fn a_large_body_is_refused_before_it_is_read() {
    let running = start(Mocks::default());
    let mut stream = running.connect().await;
    let declared = head(
        "POST",
        "/api/1/tasks",
        &format!("{JSON}Content-Length: 1000000000\r\n"),
    );
    stream.write_all(declared.as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    drop(stream);
    let mut stream = running.connect().await;
    let chunked = head(
        "POST",
        "/api/1/tasks",
        &format!("{JSON}Transfer-Encoding: chunked\r\n"),
    );
    stream.write_all(chunked.as_bytes()).await.unwrap();
    let chunk = format!("8000\r\n{}\r\n", " ".repeat(0x8000));
    for _ in 0..9 {
        stream.write_all(chunk.as_bytes()).await.unwrap();
    }
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    drop(stream);
    running.stop().await;
}

#[actix_web::test]
async fn requests_in_progress_are_finished() {
    let running = start(Mocks::default().with_task());
    let mut stream = running.connect().await;
    let start = head("POST", "/api/1/tasks", &format!("{JSON}Content-Length: 13\r\n"));
    stream.write_all(start.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let finish = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.write_all(b"{\"title\":\"x\"}").await.unwrap();
        read_until(&mut stream, "}").await
    };
    let (answer, ()) = tokio::join!(finish, running.stop());
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[actix_web::test]
async fn odd_requests_have_sober_answers() {
    let running = start(Mocks::default().with_task());
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    for (line, status) in [
        ("OPTIONS * HTTP/1.1", 404),
        ("CONNECT x:80 HTTP/1.1", 404),
        ("CONNECT /health HTTP/1.1", 405),
        ("TRACE /health HTTP/1.1", 405),
        ("GET http://other/api/1/tasks/1 HTTP/1.1", 200),
        ("GET /api/1/../2/tasks HTTP/1.1", 404),
        ("GET /api/1/%2e%2e/2/tasks HTTP/1.1", 404),
        ("GET /api/1/tasks/%0d%0aX:1 HTTP/1.1", 404),
        ("GET /api/1/tasks/\u{e9} HTTP/1.1", 400),
        ("GET /health?%zz HTTP/1.1", 200),
        ("GET  /health HTTP/1.1", 400),
    ] {
        let mut stream = running.connect().await;
        let request = format!("{line}\r\nHost: x\r\n{token}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\0").await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{line}: {answer}"
        );
    }
    running.stop().await;
}

/// A balancer that asks turns away, and whoever did not ask yet is answered.
#[actix_web::test]
async fn before_it_stops_it_still_answers() {
    let Running {
        address,
        stop,
        server,
    } = start(Mocks::default());
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        read_until(&mut stream, "}").await.to_lowercase()
    };
    let before = ask("/health/ready").await;
    assert!(
        before.starts_with("http/1.1 200") && !before.contains("connection: close"),
        "{before}"
    );
    stop.send(Duration::from_secs(3)).unwrap();
    let mut ready = String::new();
    for _ in 0..500 {
        ready = ask("/health/ready").await;
        if !ready.starts_with("http/1.1 200") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(
        ready.starts_with("http/1.1 503") && ready.contains("not-ready"),
        "{ready}"
    );
    let live = ask("/health/live").await;
    assert!(
        live.starts_with("http/1.1 200") && live.contains("connection: close"),
        "{live}"
    );
    let stopped = tokio::time::timeout(Duration::from_secs(10), server).await;
    stopped.expect("stops in time").unwrap().unwrap();
}

#[actix_web::test]
async fn a_bad_origin_stops_the_start() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let settings = crate::Settings {
        cors_origins: vec!["*".into()],
        ..settings()
    };
    let outcome = crate::serve(listener, Mocks::default().services(), settings, async {
        Duration::ZERO
    })
    .await;
    assert_eq!(outcome.unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}
