use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{Door, State};

/// Chunks that may be on their way in one direction before the sender has to wait.
const IN_FLIGHT: usize = 1024;

/// One connection, from its accept to its end.
pub struct Visit {
    presence: Presence,
    door: watch::Receiver<Door>,
    cut: watch::Receiver<()>,
    darkened: watch::Receiver<()>,
}

/// Counts as an open connection until it is dropped.
struct Presence(Arc<State>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, SeqCst);
    }
}

impl Visit {
    pub fn new(state: Arc<State>) -> Self {
        state.connections.fetch_add(1, SeqCst);
        Self {
            door: state.door.subscribe(),
            cut: state.cut.subscribe(),
            darkened: state.darkened.subscribe(),
            presence: Presence(state),
        }
    }

    /// A failed connection is closed on both sides; that is all the other end may know.
    pub async fn serve(self, mut client: TcpStream) {
        let Self {
            presence,
            mut door,
            mut cut,
            mut darkened,
        } = self;
        let mut server = None;
        tokio::select! {
            _ = attend(&presence.0, &mut client, &mut server, &mut door) => return,
            _ = cut.changed() => {}
            _ = darkened.changed() => {
                tokio::select! {
                    () = swallow(presence, &mut client, server.as_mut()) => {}
                    _ = cut.changed() => {}
                }
            }
        }
        for stream in [Some(client), server].into_iter().flatten() {
            // It is closed either way.
            drop(stream.set_zero_linger());
        }
    }
}

async fn attend(
    state: &State,
    client: &mut TcpStream,
    server: &mut Option<TcpStream>,
    door: &mut watch::Receiver<Door>,
) -> io::Result<()> {
    let met = door.borrow_and_update().clone();
    match met {
        Door::Open => relay(state, client, server, &[]).await,
        Door::Waking(_) | Door::Held(None) => held(state, client, server, pending(), door).await,
        Door::Held(Some(until)) => held(state, client, server, sleep_until(until), door).await,
        Door::Closing => finish(client).await,
        Door::Refusing(refusal) => {
            refusal.answer(client).await?;
            finish(client).await
        }
        Door::Dark => drain(client).await,
    }
}

/// Lets the client wait until then or until the door changes; if it leaves, the server never hears of it.
async fn held(
    state: &State,
    client: &mut TcpStream,
    server: &mut Option<TcpStream>,
    until: impl Future<Output = ()>,
    door: &mut watch::Receiver<Door>,
) -> io::Result<()> {
    let mut early = Vec::new();
    {
        let over = async {
            tokio::select! {
                () = until => {}
                _ = door.changed() => {}
            }
        };
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => break,
                read = client.read_buf(&mut early) => match read? {
                    0 => return Ok(()),
                    length => state.from_client.fetch_add(length as u64, SeqCst),
                },
            };
        }
    }
    relay(state, client, server, &early).await
}

/// Connects to the server and moves both directions until their end.
async fn relay(
    state: &State,
    client: &mut TcpStream,
    server: &mut Option<TcpStream>,
    early: &[u8],
) -> io::Result<()> {
    let server = server.insert(TcpStream::connect(state.upstream).await?);
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    server.write_all(early).await?;
    let asked = AtomicBool::new(!early.is_empty());
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let questions = Direction {
        delay: &state.delay,
        arriving: |length| {
            state.from_client.fetch_add(length, SeqCst);
            false
        },
        leaving: |_| asked.store(true, SeqCst),
    };
    let answers = Direction {
        delay: &state.delay,
        arriving: |length| {
            state.from_server.fetch_add(length, SeqCst);
            asked.swap(false, SeqCst)
        },
        leaving: |is_first| {
            state.round_trips.fetch_add(u64::from(is_first), SeqCst);
        },
    };
    tokio::try_join!(
        questions.pump(from_client, to_server),
        answers.pump(from_server, to_client),
    )
    .map(drop)
}

/// What happens to chunks of one direction.
struct Direction<'a, A, L> {
    delay: &'a AtomicU64,
    /// Told the length as one arrives, says what to tell as it leaves.
    arriving: A,
    leaving: L,
}

impl<A: Fn(u64) -> bool, L: Fn(bool)> Direction<'_, A, L> {
    /// Moves it until its end, then passes the end on.
    async fn pump(self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) -> io::Result<()> {
        let Self {
            delay,
            arriving,
            leaving,
        } = self;
        let (queue, mut due) = mpsc::channel::<(Instant, Vec<u8>, bool)>(IN_FLIGHT);
        let read = async move {
            loop {
                let mut chunk = vec![0; 16 * 1024];
                let length = from.read(&mut chunk).await?;
                chunk.truncate(length);
                let note = length > 0 && arriving(length as u64);
                let at = Instant::now() + Duration::from_micros(delay.load(SeqCst));
                if queue.send((at, chunk, note)).await.is_err() || length == 0 {
                    return Ok(());
                }
            }
        };
        let write = async move {
            while let Some((at, chunk, note)) = due.recv().await {
                sleep_until(at).await;
                if chunk.is_empty() {
                    return to.shutdown().await;
                }
                leaving(note);
                to.write_all(&chunk).await?;
            }
            pending().await
        };
        tokio::try_join!(read, write).map(|_: ((), ())| ())
    }
}

/// A black hole: both sides may say what they like, for ever. When the client leaves, its server still waits.
async fn swallow(presence: Presence, client: &mut TcpStream, server: Option<&mut TcpStream>) {
    let client_side = async {
        drop(drain(client).await);
        drop(presence);
    };
    let server_side = async {
        if let Some(server) = server {
            drop(drain(server).await);
        }
    };
    tokio::join!(client_side, server_side);
    pending::<()>().await;
}

/// Says that this was all and waits for the other side: closing with something unread would reset the connection,
/// and what was sent might be lost.
async fn finish(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown().await?;
    drain(stream).await
}

/// Reads until the other side ends.
async fn drain(stream: &mut TcpStream) -> io::Result<()> {
    let mut chunk = vec![0; 16 * 1024];
    while stream.read(&mut chunk).await? > 0 {}
    Ok(())
}
