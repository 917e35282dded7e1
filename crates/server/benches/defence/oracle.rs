//! Whether the time of a refused sign-in tells if there is such an account: interleaved pairs, medians.

use std::time::{Duration, Instant};

use errand_testbed::Person;

use crate::stage::{Stage, percentile, sign_in};

const PAIRS: u32 = 300;
const WARM_UP: u32 = 20;

/// Unknown against known, against an account whose hash is of an older cost, and against a disabled one that is
/// given its right password.
pub async fn run() {
    let cost = |cost: &str| ("ERRAND__AUTH__BCRYPT_COST", cost.to_owned());
    // Its hash is of cost 10, and it is never signed in to with the right password.
    let stage = Stage::start(&[cost("10")]).await;
    let older = Person::register(&stage.api, "older").await;
    let stage = stage.restart_with("ERRAND__AUTH__BCRYPT_COST", "11").await;
    let known = Person::register(&stage.api, "known").await;
    let disabled = Person::register(&stage.api, "disabled").await;
    stage.command(&["user", "disable", "disabled"]);
    println!("cost 11, SQLite, {PAIRS} interleaved pairs, one at a time; medians in ms");
    println!(
        "{:24} {:>9} {:>9} {:>9} {:>9}",
        "unknown against", "unknown", "other", "apart", "allowed"
    );
    let wrong = "a wrong guess";
    for (what, person, password) in [
        ("wrong password", &known, wrong),
        ("hash of an older cost", &older, wrong),
        ("disabled, right password", &disabled, disabled.password.as_str()),
    ] {
        let (mut nobody, mut somebody) = (Vec::new(), Vec::new());
        for n in 0..WARM_UP + PAIRS {
            // Each try from elsewhere: it is the work that is measured, not the limit.
            let address = format!("10.{}.{}.1", n / 250, n % 250);
            let name = format!("nobody{n}@example.com");
            let unknown = timed(&stage, &name, wrong, &address);
            let (first, second);
            if n % 2 == 0 {
                first = unknown.await;
                second = timed(&stage, &person.email, password, &address).await;
            } else {
                second = timed(&stage, &person.email, password, &address).await;
                first = unknown.await;
            }
            if n >= WARM_UP {
                nobody.push(first);
                somebody.push(second);
            }
        }
        let (a, b) = (percentile(&mut nobody, 50), percentile(&mut somebody, 50));
        let allowed = (a * 0.03).max(3.0);
        println!("{what:24} {a:9.2} {b:9.2} {:9.2} {allowed:9.2}", (a - b).abs());
    }
}

async fn timed(stage: &Stage, name: &str, password: &str, address: &str) -> Duration {
    let started = Instant::now();
    let answer = sign_in(&stage.api, name, password, address).await;
    assert_eq!(answer.status, 401, "{}", answer.text());
    started.elapsed()
}
