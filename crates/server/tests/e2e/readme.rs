//! The walk in the README works line by line, as a new user would run it.

use std::process::Command;

use crate::support::{Backend, Service};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_walk_works() {
    let readme = include_str!("../../../../README.md");
    let walk = readme
        .split("```sh\n")
        .find(|block| block.starts_with("B=http://127.0.0.1:8000"))
        .unwrap();
    let walk = walk.split("```").next().unwrap();
    let service = Service::start(Backend::Sqlite).await;
    let script = walk.replace("http://127.0.0.1:8000", &service.errand.base_url());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(service.errand.home())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{shown}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let answers: Vec<_> = shown.lines().filter(|line| !line.is_empty()).collect();
    assert!(shown.contains("\"title\":\"Write the plan\""), "{shown}");
    assert!(shown.contains("\"completed\":true"), "{shown}");
    assert!(answers.len() >= 3, "{shown}");
}
