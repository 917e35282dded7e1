//! `errand serve`, from start to stop.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::pin;
use std::time::Duration;

use errand_http::Settings;
use secrecy::SecretString;
use tokio::net::TcpSocket;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, oneshot};

use crate::config::{Auth, Config, Database, Server};
use crate::failure::Failure;
use crate::{banner, jwt_secret, migrate, wire};

/// Connections that may wait to be accepted; the standard library's 128 overflow when many clients come at once.
const BACKLOG: u32 = 1024;
/// How long the start waits for migrations. It does not wait for a database that is away.
const MIGRATE_WITHIN: Duration = Duration::from_secs(20);
/// How long it waits for a look at a database that others migrate.
const LOOK_WITHIN: Duration = Duration::from_secs(1);
/// Signals that come so close together are one.
const TOGETHER: Duration = Duration::from_millis(200);
/// How long work that a disconnected client left may take at the end.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// Why there is nothing to listen on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {host}, port {port} (HOST, PORT)")]
struct ListenError {
    host: String,
    port: u16,
    source: io::Error,
}

/// A human is in a hurry.
#[derive(Debug, thiserror::Error)]
#[error("stopped at once by a second signal; requests in progress were cut")]
struct Impatient;

/// Serves until a signal.
pub async fn run(config: Config) -> Result<(), Failure> {
    let Config {
        server,
        database,
        auth,
        limits,
        ..
    } = config;
    // First, so that a second process on the same port ends before it touches anything.
    let listener = listen(&server).await?;
    let address = listener.local_addr()?;
    let opened = wire::database(&database).await?;
    let secret = secret(&auth, &database)?;
    let services = wire::services(auth, limits, secret, &opened)?;

    let away = Notify::new();
    let migrates = database.migrate_on_start || database.url.sqlite_path().is_some();
    let patience = if migrates { MIGRATE_WITHIN } else { LOOK_WITHIN };
    let mut migrating = pin!(async {
        if migrates {
            migrate::at_start(&opened, &database, &away).await
        } else {
            migrate::look(&opened).await
        }
    });
    let migrated = tokio::select! {
        outcome = &mut migrating => outcome.map(|()| true)?,
        () = away.notified() => false,
        () = tokio::time::sleep(patience) => false,
    };
    let rest = async {
        if !migrated {
            migrating.await?;
        }
        Err::<(), Failure>(opened.unfit().await.into())
    };

    let (stop, stopping) = oneshot::channel();
    let signals = signals(stop, server.drain_time)?;
    let defaults = Settings::default();
    let settings = Settings {
        cors_origins: server.cors_origins,
        trusted_proxies: server.trusted_proxies,
        workers: server.workers,
        shutdown_timeout: server.shutdown_timeout,
        patience: database.deadline.unwrap_or(defaults.patience),
        ..defaults
    };
    let serving = errand_http::serve(listener, services, settings, async {
        // The other end is held until the signal.
        stopping.await.unwrap_or_default()
    });
    tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "listening");
    banner::show(address);
    tokio::select! {
        served = serving => served?,
        failed = rest => return failed,
        impatient = signals => return Err(impatient.into()),
    }
    opened.close(CLOSE_WITHIN).await;
    tracing::info!("stopped");
    Ok(())
}

async fn listen(server: &Server) -> Result<TcpListener, ListenError> {
    let bound = async {
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in tokio::net::lookup_host((server.host.as_str(), server.port)).await? {
            match bind(address) {
                Ok(listener) => return Ok(listener),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    };
    bound.await.map_err(|source| ListenError {
        host: server.host.clone(),
        port: server.port,
        source,
    })
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart must not wait for the last connections of its predecessor to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// As configured, or kept beside the SQLite file.
fn secret(auth: &Auth, database: &Database) -> Result<SecretString, jwt_secret::KeepError> {
    match (&auth.jwt_secret, database.url.sqlite_path()) {
        (Some(secret), _) => Ok(secret.clone()),
        (None, Some(path)) => jwt_secret::keep(path, &errand_security::SystemEntropy),
        (None, None) => Err(jwt_secret::KeepError::NoPlace),
    }
}

/// Tells `stop` of the first signal, and how long new requests are still to be answered; completes at the second.
fn signals(
    stop: oneshot::Sender<Duration>,
    drain_time: Duration,
) -> io::Result<impl Future<Output = Impatient>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        // Who presses a key is alone with it; who terminates may have a balancer to turn away.
        let drain = tokio::select! {
            _ = terminate.recv() => drain_time,
            _ = interrupt.recv() => Duration::ZERO,
        };
        tracing::info!("stopping: requests in progress are finished");
        // Nobody listens any more if serving has failed, and that is told elsewhere.
        let _ = stop.send(drain);
        // A supervisor and a process group may both pass the same signal on.
        let together = tokio::time::sleep(TOGETHER);
        tokio::pin!(together);
        while !together.is_elapsed() {
            tokio::select! {
                () = either(&mut terminate, &mut interrupt) => {}
                () = &mut together => {}
            }
        }
        either(&mut terminate, &mut interrupt).await;
        Impatient
    })
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}
