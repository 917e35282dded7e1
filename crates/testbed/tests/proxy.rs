//! The proxy relays, counts, delays and cuts.
#![expect(
    clippy::disallowed_methods,
    reason = "a test may spawn: nothing is lost when it is dropped"
)]

mod support;

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use errand_testbed::{Postgres, Proxy};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use support::echo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn bytes_pass_in_order_and_are_counted() {
    let proxy = echo().await.unwrap();
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    let sent: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let (mut from, mut to) = client.split();
    let mut received = Vec::new();
    let (wrote, read) = tokio::join!(
        async {
            to.write_all(&sent).await?;
            to.shutdown().await
        },
        from.read_to_end(&mut received)
    );
    wrote.unwrap();
    read.unwrap();
    assert!(
        received == sent,
        "{} bytes came back of {}",
        received.len(),
        sent.len()
    );
    assert_eq!(proxy.bytes_from_client(), sent.len() as u64);
    assert_eq!(proxy.bytes_from_server(), sent.len() as u64);
    drop(client);
    while proxy.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_delay_is_latency_and_not_bandwidth() {
    let proxy = echo().await.unwrap();
    let delay = Duration::from_millis(200);
    proxy.set_delay(delay);
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    client.set_nodelay(true).unwrap();
    let start = Instant::now();
    for byte in 0..10 {
        client.write_all(&[byte]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut received = [0; 10];
    client.read_exact(&mut received).await.unwrap();
    assert_eq!(received, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // Once there and back, not ten times.
    assert!(start.elapsed() >= delay * 2, "{:?}", start.elapsed());
    assert!(start.elapsed() < delay * 10, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_cut_resets_what_is_open_and_lets_new_connections_in() {
    let proxy = echo().await.unwrap();
    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    client.write_all(b"x").await.unwrap();
    let mut byte = [0];
    client.read_exact(&mut byte).await.unwrap();
    assert_eq!(proxy.connections(), 1);
    proxy.cut_all();
    let error = client.read_exact(&mut byte).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(proxy.connections(), 0);

    let mut client = TcpStream::connect(proxy.addr()).await.unwrap();
    client.write_all(b"y").await.unwrap();
    client.read_exact(&mut byte).await.unwrap();
    assert_eq!(byte, *b"y");
}

#[tokio::test]
async fn a_database_is_reached_through_it() {
    let postgres = Postgres::shared();
    let database = postgres.create_database().await;
    let proxy = Proxy::start(postgres.addr()).await;
    let options: PgConnectOptions = database.url_at(proxy.addr().port()).parse().unwrap();
    let mut connection = options.ssl_root_cert(&database.ca_file).connect().await.unwrap();
    let one: i32 = sqlx::query_scalar("SELECT 1")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(one, 1);
    assert!(proxy.bytes_from_client() > 0);
    proxy.cut_all();
    assert!(connection.ping().await.is_err());
}
