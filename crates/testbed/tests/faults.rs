//! The proxy breaks as told, and heals.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is the point, and nothing is lost with what it spawns"
)]

mod support;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use errand_testbed::{Postgres, Proxy};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use support::echo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Long enough for the machine to do what should not happen.
const A_WHILE: Duration = Duration::from_millis(300);

async fn client(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.addr()).await.unwrap()
}

/// Sends a byte and waits until it is back.
async fn answered(client: &mut TcpStream) -> std::io::Result<()> {
    client.write_all(b"x").await?;
    client.read_u8().await.map(drop)
}

/// Whether nothing comes.
async fn is_silent(client: &mut TcpStream) -> bool {
    timeout(A_WHILE, client.read_u8()).await.is_err()
}

#[tokio::test]
async fn who_comes_while_it_wakes_waits_for_the_same_moment() {
    let proxy = echo().await.unwrap();
    let mut open = client(&proxy).await;
    answered(&mut open).await.unwrap();
    let wake = Duration::from_millis(800);
    proxy.hold(wake).await;
    // It sleeps until somebody comes.
    tokio::time::sleep(wake).await;
    let start = Instant::now();
    let mut first = client(&proxy).await;
    first.write_all(b"a").await.unwrap();
    answered(&mut open).await.unwrap();
    assert!(is_silent(&mut first).await);
    let mut second = client(&proxy).await;
    answered(&mut second).await.unwrap();
    assert!(start.elapsed() >= wake, "{:?}", start.elapsed());
    assert_eq!(first.read_u8().await.unwrap(), b'a');
    // It is awake: nobody waits any more.
    answered(&mut client(&proxy).await).await.unwrap();
    assert_eq!(proxy.accepted(), 4);
}

#[tokio::test]
async fn who_is_held_waits_until_it_heals_or_leaves_unseen() {
    let proxy = echo().await.unwrap();
    proxy.hold_until_healed().await;
    let mut patient = client(&proxy).await;
    patient.write_all(b"a").await.unwrap();
    assert!(is_silent(&mut patient).await);
    let mut hasty = client(&proxy).await;
    hasty.write_all(b"b").await.unwrap();
    while proxy.bytes_from_client() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(proxy.connections(), 2);
    drop(hasty);
    while proxy.connections() > 1 {
        tokio::task::yield_now().await;
    }
    proxy.heal().await;
    assert_eq!(patient.read_u8().await.unwrap(), b'a');
    assert_eq!(proxy.bytes_from_server(), 1);

    // A cut reaches who is held.
    proxy.hold_until_healed().await;
    let mut held = client(&proxy).await;
    while proxy.accepted() < 3 {
        tokio::task::yield_now().await;
    }
    proxy.cut_all();
    let error = held.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn nobody_listens_while_it_refuses() {
    let proxy = echo().await.unwrap();
    let mut open = client(&proxy).await;
    answered(&mut open).await.unwrap();
    for _ in 0..3 {
        proxy.refuse().await;
        proxy.refuse().await;
        for _ in 0..3 {
            let error = TcpStream::connect(proxy.addr()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        }
        answered(&mut open).await.unwrap();
        proxy.heal().await;
        answered(&mut client(&proxy).await).await.unwrap();
    }
    // Any other order listens again, too.
    proxy.refuse().await;
    proxy.accept_and_close().await;
    assert_eq!(client(&proxy).await.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn who_is_accepted_and_closed_sees_a_clean_end() {
    let postgres = Postgres::shared();
    let database = postgres.create_database().await;
    let proxy = Proxy::start(postgres.addr()).await;
    proxy.accept_and_close().await;
    let mut closed = client(&proxy).await;
    closed.write_all(b"hello").await.unwrap();
    assert_eq!(closed.read(&mut [0]).await.unwrap(), 0);

    let options: PgConnectOptions = database.url_at(proxy.addr().port()).parse().unwrap();
    let options = options.ssl_root_cert(&database.ca_file);
    let error = options.connect().await.unwrap_err();
    assert!(matches!(error, sqlx::Error::Protocol(_)), "{error:?}");
    proxy.heal().await;
    options.connect().await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn a_black_hole_swallows_for_ever_what_is_open() {
    let proxy = echo().await.unwrap();
    let mut open = client(&proxy).await;
    answered(&mut open).await.unwrap();
    proxy.hold_until_healed().await;
    let mut held = client(&proxy).await;
    while proxy.accepted() < 2 {
        tokio::task::yield_now().await;
    }
    let before = proxy.bytes_from_server();
    proxy.blackhole();
    proxy.heal().await;
    // More than fits into any buffer: writing does not block, and does not fail.
    let much = vec![0; 20_000_000];
    open.write_all(&much).await.unwrap();
    held.write_all(b"x").await.unwrap();
    assert!(is_silent(&mut open).await && is_silent(&mut held).await);
    answered(&mut client(&proxy).await).await.unwrap();
    assert_eq!(proxy.bytes_from_server(), before + 1);
    assert!(is_silent(&mut open).await);

    drop(held);
    while proxy.connections() > 1 {
        tokio::task::yield_now().await;
    }
    proxy.cut_all();
    let error = open.read_u8().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_black_hole_may_swallow_newcomers_too_until_it_heals() {
    let proxy = echo().await.unwrap();
    let mut open = client(&proxy).await;
    answered(&mut open).await.unwrap();
    proxy.blackhole_all().await;
    let mut new = client(&proxy).await;
    for client in [&mut open, &mut new] {
        client.write_all(b"x").await.unwrap();
        assert!(is_silent(client).await);
    }
    proxy.heal().await;
    answered(&mut client(&proxy).await).await.unwrap();
    assert!(is_silent(&mut open).await && is_silent(&mut new).await);
}

/// The server of a blackholed connection does not learn that its client is gone.
#[tokio::test]
async fn the_server_of_a_black_hole_waits_on() {
    let postgres = Postgres::shared();
    let database = postgres.create_database().await;
    let proxy = Proxy::start(postgres.addr()).await;
    let options: PgConnectOptions = database.url_at(proxy.addr().port()).parse().unwrap();
    let options = options.ssl_root_cert(&database.ca_file);
    let mut client = options.connect().await.unwrap();
    sqlx::query("SELECT 1").execute(&mut client).await.unwrap();
    proxy.blackhole();
    let asking = sqlx::query("SELECT 1").execute(&mut client);
    assert!(timeout(A_WHILE, asking).await.is_err());
    drop(client);
    while proxy.connections() > 0 {
        tokio::task::yield_now().await;
    }
    let mut look = database.connect().await;
    let mut sessions = async || -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM pg_stat_activity WHERE usename = $1")
            .bind(database.name())
            .fetch_one(&mut look)
            .await
            .unwrap()
    };
    assert_eq!(sessions().await, 1);
    proxy.cut_all();
    let deadline = Instant::now() + Duration::from_secs(20);
    while sessions().await > 0 {
        assert!(Instant::now() < deadline, "the cut does not reach the server");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_error_is_told_over_tls_with_the_certificate_of_the_server() {
    let postgres = Postgres::shared();
    let database = postgres.create_database().await;
    let proxy = Proxy::start(postgres.addr()).await;
    proxy
        .answer_with_error(postgres, "XX000", "Control plane request failed")
        .await;
    let options: PgConnectOptions = database.url_at(proxy.addr().port()).parse().unwrap();
    let verified = options.clone().ssl_root_cert(&database.ca_file);
    let plain = options.clone().ssl_mode(PgSslMode::Disable);
    for options in [verified.clone(), plain] {
        let error = options.connect().await.unwrap_err();
        let error = error.as_database_error().unwrap();
        assert_eq!(error.code().as_deref(), Some("XX000"));
        assert_eq!(error.message(), "Control plane request failed");
    }
    // Who does not know the CA is not told.
    let error = options.connect().await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error:?}");
    assert_eq!((proxy.accepted(), proxy.bytes_from_server()), (3, 0));
    proxy.heal().await;
    verified.connect().await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn round_trips_are_counted() {
    let proxy = echo().await.unwrap();
    let mut client = client(&proxy).await;
    for n in 1..=5 {
        answered(&mut client).await.unwrap();
        assert_eq!(proxy.round_trips(), n);
    }
    // One who is not answered made none yet.
    proxy.blackhole();
    client.write_all(b"x").await.unwrap();
    assert!(is_silent(&mut client).await);
    assert_eq!(proxy.round_trips(), 5);
}

/// What a driver does: a statement it knows is one, a new one is two, a transaction adds its two ends.
#[tokio::test]
async fn the_round_trips_of_a_database_are_counted() {
    let postgres = Postgres::shared();
    let database = postgres.create_database().await;
    let proxy = Proxy::start(postgres.addr()).await;
    let options: PgConnectOptions = database.url_at(proxy.addr().port()).parse().unwrap();
    let options = options.ssl_root_cert(&database.ca_file);
    let mut client = options.connect().await.unwrap();
    let before = proxy.round_trips();
    sqlx::query("SELECT $1::int4")
        .bind(1)
        .execute(&mut client)
        .await
        .unwrap();
    assert_eq!(proxy.round_trips() - before, 2);
    let before = proxy.round_trips();
    for n in 0..10 {
        sqlx::query("SELECT $1::int4")
            .bind(n)
            .execute(&mut client)
            .await
            .unwrap();
    }
    assert_eq!(proxy.round_trips() - before, 10);
    let before = proxy.round_trips();
    let mut transaction = client.begin().await.unwrap();
    sqlx::query("SELECT $1::int4")
        .bind(1)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(proxy.round_trips() - before, 3);
}
