use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::Postgres;
use crate::ground::{free_port, give, new_dir};
use crate::pooler_bin;
use crate::postgres::SUPERUSER;
use crate::watchdog::{Account, Server, Watchdog};

/// The one program that a fetched `PgBouncer` lies beside; see xtask.
const FETCHED: &str = "pgbouncer.bin";

/// How a pooler is set up; what is not here is as Neon has it.
#[derive(Clone, Copy, Debug)]
pub struct PoolerOptions {
    /// How many connections the clients of one role and database share.
    pub server_connections: u16,
    /// How many prepared statements it keeps apart for each connection to the server. With 0 it does not know
    /// them: clients that share a connection get each other's.
    pub max_prepared_statements: u16,
    /// How long a client may wait for a connection to the server before it is shut out; whole seconds.
    pub query_wait_timeout: Duration,
    /// How many clients are let in.
    pub max_client_conn: u16,
}

impl Default for PoolerOptions {
    fn default() -> Self {
        Self {
            server_connections: 3,
            max_prepared_statements: 1000,
            query_wait_timeout: Duration::from_mins(2),
            max_client_conn: 1000,
        }
    }
}

/// `PgBouncer` in transaction mode before a [`Postgres`], on a loopback port of its own.
///
/// It takes TLS connections only, with the same certificate, and every role of the server's by its password.
/// It ends when it is dropped or when the test process ends, even by `kill -9`.
/// Everything panics, with its log, if it does not do as told.
#[derive(Debug)]
pub struct Pooler {
    port: u16,
    watchdog: Arc<Mutex<Watchdog>>,
}

impl Pooler {
    /// One before this server, wherever that is restarted. Blocks the thread until it takes connections.
    pub fn start(postgres: &Postgres, options: PoolerOptions) -> Self {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = manifest.ancestors().nth(2).unwrap_or(manifest);
        let found = pooler_bin::find(workspace).unwrap_or_else(|error| panic!("{error}"));
        let (dir, account) = new_dir("errand-pooler-");
        let program = within_reach(&found, &dir);
        let server = Server {
            program: &program,
            arguments: &["pooler.ini"],
            pidfile: "pid",
            state: "",
        };
        // From here on the directory is removed whatever happens.
        let mut watchdog = Watchdog::new(&server, &dir, account);

        if program != found {
            bring(&found, &program, account);
        }
        for file in ["ca.pem", "server.pem", "server.key"] {
            fs::copy(postgres.dir().join(file), dir.join(file)).expect("the certificates are copied");
        }
        let users = format!("\"{SUPERUSER}\" \"{}\"\n", postgres.password());
        fs::write(dir.join("users.txt"), users).expect("the users are written");
        for file in ["ca.pem", "server.pem", "server.key", "users.txt"] {
            fs::set_permissions(dir.join(file), Permissions::from_mode(0o600)).expect("permissions");
            give(&dir.join(file), account);
        }

        // Another process may take the port first: then the next one.
        for _ in 0..5 {
            let port = free_port();
            let settings = settings(port, postgres.addr().port(), options);
            fs::write(dir.join("pooler.ini"), settings).expect("the settings are written");
            if watchdog.start().is_some() {
                let watchdog = Arc::new(Mutex::new(watchdog));
                return Self { port, watchdog };
            }
        }
        panic!("PgBouncer did not start:\n{}", watchdog.log());
    }

    /// Where it listens; it stays the same over [`Self::restart`].
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.watchdog.lock().unwrap_or_else(PoisonError::into_inner).log()
    }

    /// Ends it as Neon does when a database goes to sleep: with no word to anybody.
    pub async fn kill_9(&self) {
        self.watch(Watchdog::crash).await;
    }

    /// Starts it again, after killing it if it runs; returns when it takes connections.
    pub async fn restart(&self) {
        self.watch(|watchdog| {
            watchdog.crash();
            assert!(
                watchdog.start().is_some(),
                "PgBouncer did not start again:\n{}",
                watchdog.log()
            );
        })
        .await;
    }

    async fn watch(&self, order: impl FnOnce(&mut Watchdog) + Send + 'static) {
        let watchdog = Arc::clone(&self.watchdog);
        let work = move || order(&mut watchdog.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work)
            .await
            .expect("PgBouncer does as told");
    }
}

/// Where to start it from: one that was fetched may lie where another account cannot go.
fn within_reach(found: &Path, dir: &Path) -> PathBuf {
    if found.with_file_name(FETCHED).is_file() {
        dir.join("program/pgbouncer")
    } else {
        found.to_path_buf()
    }
}

/// Copies a program with everything that lies beside it.
fn bring(from: &Path, to: &Path, account: Option<Account>) {
    let [from, to] = [from, to].map(|program| program.parent().expect("a file in a folder"));
    fs::create_dir(to).expect("a folder for PgBouncer");
    give(to, account);
    for entry in fs::read_dir(from).expect("the fetched PgBouncer").flatten() {
        let copy = to.join(entry.file_name());
        fs::copy(entry.path(), &copy).expect("PgBouncer is copied");
        give(&copy, account);
    }
}

fn settings(port: u16, server_port: u16, options: PoolerOptions) -> String {
    let PoolerOptions {
        server_connections,
        max_prepared_statements,
        query_wait_timeout,
        max_client_conn,
    } = options;
    let query_wait_timeout = query_wait_timeout.as_secs();
    format!(
        "[databases]\n* = host=127.0.0.1 port={server_port}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\npidfile = pid\n\
         pool_mode = transaction\ndefault_pool_size = {server_connections}\n\
         max_client_conn = {max_client_conn}\nmax_prepared_statements = {max_prepared_statements}\n\
         query_wait_timeout = {query_wait_timeout}\nignore_startup_parameters = extra_float_digits\n\
         auth_type = scram-sha-256\nauth_file = users.txt\nauth_user = {SUPERUSER}\nauth_dbname = postgres\n\
         auth_query = SELECT rolname, rolpassword FROM pg_authid WHERE rolname = $1 AND rolcanlogin\n\
         client_tls_sslmode = require\nclient_tls_cert_file = server.pem\nclient_tls_key_file = server.key\n\
         server_tls_sslmode = verify-full\nserver_tls_ca_file = ca.pem\n\
         log_connections = 0\nlog_disconnections = 0\n"
    )
}
