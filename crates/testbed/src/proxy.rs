mod refusal;
mod relay;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Postgres;
use refusal::Refusal;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A TCP relay on a free loopback port that can be slow and can break.
/// Dropping it closes the port and its connections.
///
/// What becomes of new connections says the last order among [`Self::hold`], [`Self::hold_until_healed`],
/// [`Self::refuse`], [`Self::accept_and_close`], [`Self::answer_with_error`], [`Self::blackhole_all`] and
/// [`Self::heal`], which can be given at any time.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    state: Arc<State>,
    entry: Mutex<Entry>,
}

/// The port.
#[derive(Debug)]
enum Entry {
    Open(JoinHandle<()>),
    /// Bound, so that nobody else takes it, and not listening, so that who knocks is refused.
    Shut(TcpSocket),
}

/// What becomes of who comes in.
#[derive(Clone, Debug)]
enum Door {
    Open,
    /// For this long from the first who comes.
    Waking(Duration),
    Held(Option<Instant>),
    Closing,
    Refusing(Arc<Refusal>),
    Dark,
}

#[derive(Debug)]
struct State {
    upstream: SocketAddr,
    delay: AtomicU64,
    connections: AtomicUsize,
    accepted: AtomicU64,
    from_client: AtomicU64,
    from_server: AtomicU64,
    round_trips: AtomicU64,
    /// Those who wait at a door wait until it changes.
    door: watch::Sender<Door>,
    cut: watch::Sender<()>,
    darkened: watch::Sender<()>,
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
            accepted: AtomicU64::new(0),
            from_client: AtomicU64::new(0),
            from_server: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
            door: watch::Sender::new(Door::Open),
            cut: watch::Sender::new(()),
            darkened: watch::Sender::new(()),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self {
            addr,
            state,
            entry: Mutex::new(Entry::Open(accepting)),
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

    /// Resets (RST) all connections on both sides; what was on its way is lost. New ones are treated as before.
    pub fn cut_all(&self) {
        self.state.cut.send_replace(());
    }

    /// Lets connections swallow every byte in both directions for ever, as if the network had forgotten them:
    /// those that are open now, relayed or held. Neither side is told, not even when the other one leaves;
    /// only [`Self::cut_all`] ends them. New ones are treated as before.
    pub fn blackhole(&self) {
        self.state.darkened.send_replace(());
    }

    /// [`Self::blackhole`], for new connections too: they are accepted, and that was all.
    pub async fn blackhole_all(&self) {
        self.order(Door::Dark).await;
        self.blackhole();
    }

    /// Treats new connections as a database that sleeps: the first one wakes it up, which takes `wake`; who comes
    /// until then is accepted and relayed when it is over. Who comes later finds it awake. Any later order lets
    /// through who waits.
    pub async fn hold(&self, wake: Duration) {
        self.order(Door::Waking(wake)).await;
    }

    /// Accepts new connections and relays them only after [`Self::heal`] or any other order.
    pub async fn hold_until_healed(&self) {
        self.order(Door::Held(None)).await;
    }

    /// Refuses new connections (`ECONNREFUSED`): nobody listens.
    pub async fn refuse(&self) {
        let mut entry = self.entry.lock().await;
        if let Entry::Open(accepting) = &mut *entry {
            accepting.abort();
            // Aborted or not, it has let go of the port.
            drop(accepting.await);
            let socket = TcpSocket::new_v4().expect("a socket");
            socket.set_reuseaddr(true).expect("connections of the port stay");
            socket.bind(self.addr).expect("the port was ours a moment ago");
            *entry = Entry::Shut(socket);
        }
        // Who was held is let through, as by any order.
        self.state.door.send_replace(Door::Open);
    }

    /// Accepts new connections and ends them (FIN) without a byte.
    pub async fn accept_and_close(&self) {
        self.order(Door::Closing).await;
    }

    /// Answers new connections as Neon's proxy does when it cannot or will not serve: over TLS, with the
    /// certificate of this server, an error instead of the question for a password.
    pub async fn answer_with_error(&self, postgres: &Postgres, sqlstate: &str, message: &str) {
        let refusal = Refusal::new(postgres, sqlstate, message);
        self.order(Door::Refusing(Arc::new(refusal))).await;
    }

    /// Relays new connections again, and those that are held. Blackholed ones stay dead.
    pub async fn heal(&self) {
        self.order(Door::Open).await;
    }

    /// How many connections are open; one in a black hole is until the client leaves.
    pub fn connections(&self) -> usize {
        self.state.connections.load(SeqCst)
    }

    /// How many connections were accepted so far, whatever became of them.
    pub fn accepted(&self) -> u64 {
        self.state.accepted.load(SeqCst)
    }

    /// How many bytes all clients have sent so far.
    pub fn bytes_from_client(&self) -> u64 {
        self.state.from_client.load(SeqCst)
    }

    /// How many bytes the server has sent to all clients so far.
    pub fn bytes_from_server(&self) -> u64 {
        self.state.from_server.load(SeqCst)
    }

    /// How often so far the server has answered, on all connections: spoke after the client had. One is counted
    /// just before the answer's first bytes are passed on, so whoever has an answer has it counted. A driver that
    /// tests a connection after use adds one more a little later; with a delay, not before the delay is over.
    pub fn round_trips(&self) -> u64 {
        self.state.round_trips.load(SeqCst)
    }

    async fn order(&self, door: Door) {
        let mut entry = self.entry.lock().await;
        self.state.door.send_replace(door);
        if let Entry::Shut(_) = &*entry {
            // Something to put in its place until it listens.
            let idle = TcpSocket::new_v4().expect("a socket");
            if let Entry::Shut(socket) = std::mem::replace(&mut *entry, Entry::Shut(idle)) {
                let listener = socket.listen(BACKLOG).expect("the port is bound");
                *entry = Entry::Open(tokio::spawn(accept(listener, Arc::clone(&self.state))));
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Entry::Open(accepting) = self.entry.get_mut() {
            accepting.abort();
        }
        self.cut_all();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        // Counted and subscribed here, so that an order right after the accept reaches it.
        state.accepted.fetch_add(1, SeqCst);
        state.door.send_if_modified(|door| {
            if let Door::Waking(wake) = door {
                *door = Door::Held(Some(Instant::now() + *wake));
            }
            false
        });
        let visit = relay::Visit::new(Arc::clone(&state));
        tokio::spawn(visit.serve(client));
    }
}
