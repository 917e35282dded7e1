//! Clients that take their time. Each waits for as long as an idle connection is kept, so they wait at once.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::scene::Scene;
use super::suite::attacks;

attacks! {
    "head-timeout": heads_that_do_not_end_are_cut_off;
}

/// A bit longer than an idle connection is kept.
const ENOUGH: Duration = Duration::from_secs(85);

/// Whether the service hangs up on somebody who sends this and then nothing, or a byte each second.
async fn is_cut_off(scene: &Scene, begin: &str, drips: bool) -> bool {
    let mut stream = scene.connect().await;
    stream.write_all(begin.as_bytes()).await.unwrap();
    let ended = async {
        let mut chunk = [0; 4096];
        loop {
            match timeout(Duration::from_secs(1), stream.read(&mut chunk)).await {
                Ok(Ok(1..)) => {}
                Ok(_) => break,
                Err(_) if drips && stream.write_all(b"x").await.is_err() => break,
                Err(_) => {}
            }
        }
    };
    timeout(ENOUGH, ended).await.is_ok()
}

async fn heads_that_do_not_end_are_cut_off(scene: &Scene) {
    let head = "GET /health HTTP/1.1\r\nHost: x\r\nX-Slow: ";
    let later = format!("GET /health HTTP/1.1\r\nHost: x\r\n\r\n{head}");
    let (nothing, silent, dripping, later) = tokio::join!(
        is_cut_off(scene, "", false),
        is_cut_off(scene, head, false),
        is_cut_off(scene, head, true),
        is_cut_off(scene, &later, false),
    );
    assert!(nothing, "a client that says nothing is waited for");
    assert!(silent, "a head that stops is waited for");
    assert!(dripping, "a head that drips is waited for");
    assert!(later, "a later head that stops is waited for");
}
