mod certificates;

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool};

use crate::ground::{free_port, give, new_dir, secret};
use crate::pg_bin;
use crate::watchdog::{Account, Server, Watchdog, command};

pub const SUPERUSER: &str = "testbed";

/// How a cluster is set up.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether a commit waits for the disk (`fsync`). Without it everything is faster, and a crash loses data.
    pub durable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { durable: true }
    }
}

/// A throwaway PostgreSQL cluster on a loopback port that takes TLS connections only, with a CA of its own.
///
/// It ends and its files vanish when it is dropped or when the test process ends, even by `kill -9`.
/// Everything panics, with the server's log, if the server does not do as told.
#[derive(Debug)]
pub struct Postgres {
    dir: PathBuf,
    port: u16,
    password: String,
    watchdog: Arc<Mutex<Watchdog>>,
}

impl Postgres {
    /// The cluster of this test process, started at the first call and not durable: for every test
    /// that needs a database but does not stop, crash or reconfigure the server.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(Options { durable: false }))
    }

    /// A cluster of one's own. Takes a second or two and blocks the thread meanwhile.
    pub fn start(options: Options) -> Self {
        let bin = pg_bin::find().unwrap_or_else(|error| panic!("{error}"));
        let (dir, account) = new_dir("errand-postgres-");
        let server = Server {
            program: &bin.join("postgres"),
            arguments: &["-D", "data"],
            pidfile: "data/postmaster.pid",
            state: "ready",
        };
        // From here on the directory is removed whatever happens.
        let mut watchdog = Watchdog::new(&server, &dir, account);

        certificates::write(&dir).expect("the certificates are made");
        let password = secret();
        fs::write(dir.join("password"), &password).expect("the password is written");
        for file in ["ca.pem", "server.pem", "server.key", "password"] {
            fs::set_permissions(dir.join(file), Permissions::from_mode(0o600)).expect("permissions");
            give(&dir.join(file), account);
        }
        init(&bin, &dir, account);
        fs::write(
            dir.join("data/pg_hba.conf"),
            "hostssl all all 127.0.0.1/32 scram-sha-256\n",
        )
        .expect("pg_hba.conf is written");
        let defaults = fs::read_to_string(dir.join("data/postgresql.conf")).expect("initdb writes it");

        // Another process may take the port first: then the next one.
        for _ in 0..5 {
            let port = free_port();
            let settings = format!("{defaults}\n{}", settings(port, options));
            fs::write(dir.join("data/postgresql.conf"), settings).expect("postgresql.conf is written");
            if watchdog.start().is_some() {
                return Self {
                    dir,
                    port,
                    password,
                    watchdog: Arc::new(Mutex::new(watchdog)),
                };
            }
        }
        panic!("PostgreSQL did not start:\n{}", watchdog.log());
    }

    /// Where the server listens; it stays the same over [`Self::restart`].
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The CA that vouches for the server, as a PEM file.
    pub fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The folder with the CA, and the certificate and the key that it vouches for.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The superuser's.
    pub(crate) fn password(&self) -> &str {
        &self.password
    }

    /// What the server logged so far.
    pub fn log(&self) -> String {
        self.watchdog.lock().unwrap_or_else(PoisonError::into_inner).log()
    }

    /// A new empty database with a role of its own that owns it and is no superuser.
    pub async fn create_database(&self) -> TestDatabase {
        let (name, password) = (format!("test_{}", secret()), secret());
        let mut admin = self
            .connect_options()
            .connect()
            .await
            .expect("PostgreSQL takes connections");
        for statement in [
            format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"),
            format!("CREATE DATABASE {name} OWNER {name}"),
        ] {
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut admin)
                .await
                .expect("the database is created");
        }
        admin.close().await.expect("the connection closes");
        TestDatabase {
            url: url(&name, &password, self.port, &name),
            port: self.port,
            ca_file: self.ca_file(),
            admin: self.connect_options().database(&name),
            name,
            password,
        }
    }

    /// Kills the server and all of its processes the way a crash of the machine would.
    pub async fn kill_9(&self) {
        self.watch(Watchdog::crash).await;
    }

    /// Stops the server in good order: sessions are ended, everything is written.
    pub async fn stop(&self) {
        self.watch(Watchdog::stop).await;
    }

    /// Starts the server again, after stopping it if it runs; returns when it takes connections.
    pub async fn restart(&self) {
        self.watch(|watchdog| {
            watchdog.stop();
            assert!(
                watchdog.start().is_some(),
                "PostgreSQL did not start again:\n{}",
                watchdog.log()
            );
        })
        .await;
    }

    /// As the superuser, to the database `postgres`.
    fn connect_options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .host("localhost")
            .port(self.port)
            .username(SUPERUSER)
            .password(&self.password)
            .database("postgres")
            .ssl_mode(PgSslMode::VerifyFull)
            .ssl_root_cert(self.ca_file())
    }

    async fn watch(&self, order: impl FnOnce(&mut Watchdog) + Send + 'static) {
        let watchdog = Arc::clone(&self.watchdog);
        let work = move || order(&mut watchdog.lock().unwrap_or_else(PoisonError::into_inner));
        tokio::task::spawn_blocking(work)
            .await
            .expect("PostgreSQL does as told");
    }
}

/// One database of a [`Postgres`]; it lives as long as the cluster.
#[derive(Clone, Debug)]
pub struct TestDatabase {
    /// `postgresql://role:password@localhost:port/name?sslmode=verify-full`; the role owns the database
    /// and is no superuser. The server's certificate is valid for the host under [`Self::ca_file`].
    pub url: String,
    /// The CA that vouches for the server, as a PEM file.
    pub ca_file: PathBuf,
    name: String,
    password: String,
    port: u16,
    admin: PgConnectOptions,
}

impl TestDatabase {
    /// The name of the database and of the role that owns it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// [`Self::url`] by way of another port of localhost, such as a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        url(&self.name, &self.password, port, &self.name)
    }

    /// Lets the owner of the database make roles, as `errand migrate up --app-role` does.
    pub async fn allow_making_roles(&self) {
        self.order(format!("ALTER ROLE {} CREATEROLE", self.name)).await;
    }

    /// Gives a role a new password, and the URL by which it reaches this database.
    pub async fn url_as(&self, role: &str) -> String {
        let password = secret();
        self.order(format!("ALTER ROLE \"{role}\" PASSWORD '{password}'"))
            .await;
        url(role, &password, self.port, &self.name)
    }

    async fn order(&self, statement: String) {
        let mut admin = self.connect().await;
        let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await;
        done.expect("a superuser's order is obeyed");
        admin.close().await.expect("the connection closes");
    }

    /// How to connect as a superuser, over TLS and verified.
    pub fn admin(&self) -> PgConnectOptions {
        self.admin.clone()
    }

    /// A connection as a superuser, over TLS and verified, to look at the data behind errand's back.
    pub async fn connect(&self) -> PgConnection {
        self.admin.connect().await.expect("PostgreSQL takes connections")
    }

    /// A small pool as a superuser, over TLS and verified; connects when first used.
    pub fn pool(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(5)
            .connect_lazy_with(self.admin.clone())
    }
}

fn url(role: &str, password: &str, port: u16, database: &str) -> String {
    format!("postgresql://{role}:{password}@localhost:{port}/{database}?sslmode=verify-full")
}

fn settings(port: u16, Options { durable }: Options) -> String {
    let durable = if durable { "on" } else { "off" };
    format!(
        "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n\
         ssl = on\nssl_cert_file = '../server.pem'\nssl_key_file = '../server.key'\n\
         password_encryption = 'scram-sha-256'\nmax_connections = 200\nshared_buffers = '64MB'\n\
         timezone = 'UTC'\nlog_timezone = 'UTC'\nlogging_collector = off\nlog_destination = 'stderr'\n\
         fsync = {durable}\nsynchronous_commit = {durable}\nfull_page_writes = {durable}\n"
    )
}

fn init(bin: &Path, dir: &Path, account: Option<Account>) {
    // Neon's locale first; not every system has it.
    let mut faults = String::new();
    for locale in ["--locale=C.UTF-8", "--locale=C"] {
        let output = command(&bin.join("initdb"), dir, account)
            .args([
                "--pgdata=data",
                "--pwfile=password",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-sync",
            ])
            .args([locale, &format!("--username={SUPERUSER}")])
            .output()
            .expect("initdb starts");
        if output.status.success() {
            return;
        }
        faults += &String::from_utf8_lossy(&output.stderr);
    }
    panic!("initdb failed:\n{faults}");
}
