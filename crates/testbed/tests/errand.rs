//! A program is started, watched and ended as `errand` will be. A shell script plays its part.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use errand_testbed::{Api, Errand};

const LISTENS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/listens.sh");
const ENDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/programs/ends.sh");

#[tokio::test]
async fn it_is_started_with_a_clean_environment_and_ends_when_asked() {
    let mut errand = Errand::start(Path::new(LISTENS), &[("SECRET", "x".to_owned())]).await;
    assert_eq!(errand.base_url(), "http://127.0.0.1:9");
    let home = errand.home().canonicalize().unwrap();
    let expected = format!("HOST=127.0.0.1 PORT=0 SECRET=x LANG=unset in {}", home.display());
    assert!(errand.log().contains(&expected), "{}", errand.log());
    errand.terminate();
    assert_eq!(errand.wait().await.code(), Some(7));
}

#[tokio::test]
async fn it_can_be_killed() {
    let mut errand = Errand::start(Path::new(LISTENS), &[]).await;
    errand.kill_9();
    assert_eq!(errand.wait().await.signal(), Some(9));
    assert!(!errand.log().contains("bye"));
}

#[tokio::test]
#[should_panic(expected = "no database")]
async fn an_early_end_shows_the_log() {
    Errand::start(Path::new(ENDS), &[]).await;
}

#[tokio::test]
async fn a_refused_connection_is_an_error_of_the_client() {
    let refused = Api::new("http://127.0.0.1:9")
        .request("GET", "/health")
        .try_send()
        .await;
    assert!(refused.unwrap_err().is_connect());
}
