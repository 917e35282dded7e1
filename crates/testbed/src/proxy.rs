use std::future::pending;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Chunks that may be on their way in one direction before the sender has to wait.
const IN_FLIGHT: usize = 1024;

/// A TCP relay on a free loopback port that can be slow and can break.
/// Dropping it closes the port and its connections.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    delay: AtomicU64,
    connections: AtomicUsize,
    from_client: AtomicU64,
    cut: watch::Sender<()>,
}

impl Proxy {
    /// Relays every connection to `upstream` from now on.
    pub async fn start(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free loopback port");
        let addr = listener.local_addr().expect("a bound port");
        let state = Arc::new(State {
            upstream,
            delay: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            from_client: AtomicU64::new(0),
            cut: watch::Sender::new(()),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self {
            addr,
            state,
            accepting,
        }
    }

    /// Where clients connect.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets every chunk that arrives from now on, in either direction, reach the other side `delay` later.
    /// This is latency, not bandwidth: many chunks may be on their way at once.
    pub fn set_delay(&self, delay: Duration) {
        self.state
            .delay
            .store(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX), SeqCst);
    }

    /// Resets (RST) all connections on both sides; what was on its way is lost. New ones are welcome.
    pub fn cut_all(&self) {
        self.state.cut.send_replace(());
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.state.connections.load(SeqCst)
    }

    /// How many bytes all clients have sent so far.
    pub fn bytes_from_client(&self) -> u64 {
        self.state.from_client.load(SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut_all();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        // Counted and subscribed here, so that a cut right after the accept reaches it.
        state.connections.fetch_add(1, SeqCst);
        let cut = state.cut.subscribe();
        tokio::spawn(async move {
            // A failed connection is closed on both sides; that is all the other end may know.
            drop(serve(client, &state, cut).await);
            state.connections.fetch_sub(1, SeqCst);
        });
    }
}

async fn serve(mut client: TcpStream, state: &State, mut cut: watch::Receiver<()>) -> io::Result<()> {
    let mut server = tokio::select! {
        server = TcpStream::connect(state.upstream) => server?,
        _ = cut.changed() => return client.set_zero_linger(),
    };
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    let nobody = AtomicU64::new(0);
    let relayed = async {
        tokio::try_join!(
            pump(from_client, to_server, &state.delay, &state.from_client),
            pump(from_server, to_client, &state.delay, &nobody),
        )
    };
    tokio::select! {
        result = relayed => result.map(|_| ()),
        _ = cut.changed() => {
            client.set_zero_linger()?;
            server.set_zero_linger()
        }
    }
}

/// Moves one direction until its end, then passes the end on.
async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay: &AtomicU64,
    count: &AtomicU64,
) -> io::Result<()> {
    let (queue, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(IN_FLIGHT);
    let read = async move {
        loop {
            let mut chunk = vec![0; 16 * 1024];
            let length = from.read(&mut chunk).await?;
            chunk.truncate(length);
            count.fetch_add(length as u64, SeqCst);
            let at = Instant::now() + Duration::from_micros(delay.load(SeqCst));
            if queue.send((at, chunk)).await.is_err() || length == 0 {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((at, chunk)) = due.recv().await {
            sleep_until(at).await;
            if chunk.is_empty() {
                return to.shutdown().await;
            }
            to.write_all(&chunk).await?;
        }
        pending().await
    };
    tokio::try_join!(read, write).map(|_: ((), ())| ())
}
