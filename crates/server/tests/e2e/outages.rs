//! A database that sleeps, falls silent, refuses or is busy, and what clients see of it, with the deadline that
//! is the default. Each test prints what it measured.

mod bench;

use std::time::{Duration, Instant};

use errand_testbed::Postgres;
use tokio::time::sleep;

use crate::support::{at_once, list, problem};
use bench::{Bench, CAPACITY_WITHIN, CLIENTS, CONNECTIONS, DEADLINE, Load, SLACK, Seen, ask, print, run};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_sleep_is_seen_by_nobody() {
    // Fewer than usual: unoptimised, each new one costs a fifth of a second of the processor, and sixteen at once
    // would outlast what is left of the deadline after three seconds.
    let few = ("ERRAND__DATABASE__MAX_CONNECTIONS", "5".to_owned());
    let bench = Bench::start_with(&[few]).await;
    for millis in [500, 1000, 3000] {
        let wake = Duration::from_millis(millis);
        // Long enough for the knowledge of who is signed in to be too old as well, so that it is asked for first.
        sleep(Duration::from_secs(1)).await;
        bench.suspend(wake).await;
        let title = format!("idle {millis}");
        let read = ask(&bench.api, &bench.ann, bench.task, 0, title.clone()).await;
        // And now it is fresh, so that the creation itself finds its connection cut.
        list(&bench.api, &bench.ann, "?limit=1").await;
        bench.suspend(wake).await;
        let creation = ask(&bench.api, &bench.ann, bench.task, 2, title).await;
        let seen = Seen(vec![read, creation]);
        let what = format!("sleep of {wake:?}, idle");
        print(&what, &seen, None);
        seen.assert_all_served(&what);
        bench.assert_whole(&seen).await;
    }
    for (name, millis) in [("a", 500), ("b", 1000), ("c", 3000)] {
        let wake = Duration::from_millis(millis);
        let load = Load::start(&bench, name, CLIENTS);
        load.until_steady().await;
        let back = bench.suspend_under_load(wake).await;
        sleep(back.saturating_duration_since(Instant::now())).await;
        load.until_steady().await;
        let seen = load.end().await;
        let what = format!("sleep of {wake:?}, load");
        print(&what, &seen, Some(back));
        seen.assert_all_served(&what);
        bench.assert_whole(&seen).await;
    }
}

async fn a_sleep_of(wake: Duration) {
    let bench = Bench::start().await;
    let load = Load::start(&bench, "l", CLIENTS);
    load.until_steady().await;
    let back = bench.suspend_under_load(wake).await;
    sleep(back.saturating_duration_since(Instant::now())).await;
    load.until_steady().await;
    let seen = load.end().await;
    let what = format!("sleep of {wake:?}, load");
    print(&what, &seen, Some(back));
    seen.assert_told_in_time(&what);
    seen.assert_back_after(back, &what);
    bench.assert_whole(&seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleep_as_long_as_the_deadline_is_told_of() {
    a_sleep_of(DEADLINE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleep_of_twenty_seconds_is_told_of() {
    a_sleep_of(Duration::from_secs(20)).await;
}

/// Connections that fell silent are let go; the way to the database is open all along.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_are_replaced() {
    let bench = Bench::start().await;
    let mut owner = bench.database.connect().await;
    let load = Load::start(&bench, "l", CLIENTS);
    load.until_steady().await;
    bench.proxy.blackhole();
    let healed = Instant::now();
    load.wind_down();
    while !bench.has_full_capacity(&mut owner).await {
        assert!(healed.elapsed() < CAPACITY_WITHIN, "no full capacity");
    }
    let capacity = healed.elapsed();
    let seen = load.end().await;
    print("silent connections, load", &seen, Some(healed));
    println!("full capacity after {:.2} s", capacity.as_secs_f64());
    seen.assert_told_in_time("silent connections");
    bench.assert_whole(&seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_network_is_told_of_and_forgotten() {
    let bench = Bench::start().await;
    let mut owner = bench.database.connect().await;
    let load = Load::start(&bench, "l", CLIENTS);
    load.until_steady().await;
    bench.proxy.blackhole_all().await;
    sleep(Duration::from_secs(6)).await;
    bench.proxy.heal().await;
    let healed = Instant::now();
    load.wind_down();
    while !bench.has_full_capacity(&mut owner).await {
        assert!(healed.elapsed() < CAPACITY_WITHIN, "no full capacity");
    }
    let capacity = healed.elapsed();
    let seen = load.end().await;
    print("silent network for 6 s, load", &seen, None);
    println!("full capacity after {:.2} s", capacity.as_secs_f64());
    seen.assert_told_in_time("silent network");
    assert!(seen.refused().count() > 0);
    bench.assert_whole(&seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_network_does_not_keep_it_from_stopping() {
    const SHUTDOWN: Duration = Duration::from_secs(2);
    let shutdown = format!("{}s", SHUTDOWN.as_secs());
    let mut bench = Bench::start_with(&[("ERRAND__SERVER__SHUTDOWN_TIMEOUT", shutdown)]).await;
    let load = Load::start(&bench, "l", CLIENTS);
    load.until_steady().await;
    bench.proxy.blackhole_all().await;
    let told = Instant::now();
    bench.service.errand.terminate();
    load.wind_down();
    let status = bench.service.errand.wait().await;
    let took = told.elapsed();
    println!("stopped after {:.2} s in a silent network", took.as_secs_f64());
    assert!(status.success(), "{status}: {}", bench.service.errand.log());
    let drain = Duration::from_secs(1);
    let closing = Duration::from_secs(5);
    assert!(took < drain + SHUTDOWN + closing + SLACK, "{took:?}");
    drop(load.end().await);
}

/// What Neon's proxy says while it cannot wake the compute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compute_that_does_not_wake_at_once_is_waited_for() {
    let bench = Bench::start().await;
    let load = Load::start(&bench, "l", CLIENTS);
    load.until_steady().await;
    let message = "Couldn't connect to compute node";
    bench
        .proxy
        .answer_with_error(Postgres::shared(), "XX000", message)
        .await;
    bench.proxy.cut_all();
    sleep(Duration::from_secs(1)).await;
    bench.proxy.heal().await;
    let back = Instant::now();
    load.until_steady().await;
    let seen = load.end().await;
    print("\"couldn't connect\" for 1 s, load", &seen, Some(back));
    seen.assert_all_served(message);
    bench.assert_whole(&seen).await;
}

/// Connecting while a compute is just going to sleep.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_closed_at_once_are_made_again() {
    let bench = Bench::start().await;
    let load = Load::start(&bench, "l", CLIENTS);
    load.until_steady().await;
    bench.proxy.accept_and_close().await;
    bench.proxy.cut_all();
    sleep(Duration::from_millis(300)).await;
    bench.proxy.heal().await;
    let back = Instant::now();
    load.until_steady().await;
    let seen = load.end().await;
    print("accepted and closed for 300 ms, load", &seen, Some(back));
    seen.assert_all_served("accepted and closed");
    bench.assert_whole(&seen).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_endpoint_is_asked_once_in_ten_seconds() {
    let bench = Bench::start().await;
    let load = Load::start(&bench, "l", CLIENTS);
    load.until_steady().await;
    let before = bench.proxy.accepted();
    let message = "The requested endpoint is disabled";
    bench
        .proxy
        .answer_with_error(Postgres::shared(), "XX000", message)
        .await;
    bench.proxy.cut_all();
    // Whoever was under way finds out for himself.
    bench.until_accepted(before + 1).await;
    sleep(Duration::from_secs(1)).await;
    let first = bench.proxy.accepted();
    let ready = bench.api.request("GET", "/health/ready").send().await;
    problem(&ready, 503, "not-ready");
    sleep(Duration::from_secs(20)).await;
    let attempts = bench.proxy.accepted() - first;
    bench.proxy.heal().await;
    let healed = Instant::now();
    load.until_steady().await;
    let seen = load.end().await;
    print("disabled endpoint for 21 s, load", &seen, Some(healed));
    println!("{} attempts at once, {attempts} in 20 s", first - before);
    assert!(attempts <= 3, "{attempts} attempts in 20 s");
    seen.assert_told_in_time(message);
    let (first, _) = seen.back_after(healed);
    assert!(first < Duration::from_secs(10) + SLACK, "{first:?}");
    let ready = bench.api.request("GET", "/health/ready").send().await;
    assert_eq!(ready.status, 200);
    bench.assert_whole(&seen).await;

    let log = bench.service.errand.log();
    assert!(log.contains("endpoint is disabled"), "{log}");
    let password = bench.database.url.split([':', '@']).nth(2).unwrap();
    let port = format!(":{}", bench.proxy.addr().port());
    for secret in [password, bench.database.name(), &port] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

/// Every connection waits for a lock.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_locked_table_is_told_of() {
    let bench = Bench::start().await;
    let mut owner = bench.database.connect().await;
    let load = Load::start(&bench, "l", 200);
    load.until_steady().await;
    run(&mut owner, "BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE").await;
    let locked = Instant::now();
    let mut slowest = Duration::ZERO;
    while locked.elapsed() < Duration::from_secs(8) {
        let began = Instant::now();
        let live = bench.api.request("GET", "/health/live").send().await;
        assert_eq!(live.status, 200);
        slowest = slowest.max(began.elapsed());
        sleep(Duration::from_millis(100)).await;
    }
    run(&mut owner, "ROLLBACK").await;
    let back = Instant::now();
    load.until_steady().await;
    let seen = load.end().await;
    print("locked table for 8 s, 200 clients", &seen, Some(back));
    println!("/health/live took {slowest:?} at most");
    seen.assert_told_in_time("locked table");
    seen.assert_back_after(back, "locked table");
    assert!(seen.refused().count() > 0);
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let served = at_once(CONNECTIONS.into(), |_| {
        let request = bench
            .ann
            .request(&bench.api, "GET", &format!("/tasks/{}", bench.task));
        async move { request.send().await.status }
    });
    assert_eq!(served.await, [200; CONNECTIONS as usize]);
    assert!(bench.is_served().await);
    bench.assert_whole(&seen).await;
}
