use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The user and group that the server runs as when the test itself is root, which servers refuse.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub uid: u32,
    pub gid: u32,
}

impl Account {
    /// An unprivileged account of this machine.
    pub fn unprivileged() -> Self {
        let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        let find = |name: &str| {
            accounts.lines().find_map(|line| {
                let mut fields = line.split(':');
                let found = fields.next()? == name;
                let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
                found.then_some(Self { uid, gid })
            })
        };
        find("postgres").or_else(|| find("nobody")).unwrap_or_else(|| {
            panic!("a server does not run as root and there is no user `postgres` or `nobody`: run the tests as another user")
        })
    }
}

/// A program with a bare environment, run inside `dir` as `account`.
pub fn command(program: &Path, dir: &Path, account: Option<Account>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("LC_ALL", "C");
    command.current_dir(dir);
    if let Some(Account { uid, gid }) = account {
        command.uid(uid).gid(gid);
    }
    command
}

/// What a watchdog runs.
#[derive(Debug)]
pub struct Server<'a> {
    pub program: &'a Path,
    pub arguments: &'a [&'a str],
    /// The file that has the process id in its first line, seen from the server's directory.
    pub pidfile: &'a str,
    /// What the eighth line of that file says once the server takes connections; nothing, if the file is only
    /// there then.
    pub state: &'a str,
}

/// The shell that owns the server process and outlives this one just long enough to clean up.
#[derive(Debug)]
pub struct Watchdog {
    shell: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Watchdog {
    /// Watches over `dir`, which it removes in the end; no server runs yet.
    pub fn new(server: &Server, dir: &Path, account: Option<Account>) -> Self {
        let mut shell = command(Path::new("/bin/sh"), dir, account)
            .args(["-c", include_str!("watchdog.sh"), "watchdog"])
            .arg(dir)
            .args([server.pidfile, server.state])
            .arg(server.program)
            .args(server.arguments)
            // Out of reach of the terminal's Ctrl-C, which would end it before it cleaned up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("/bin/sh starts");
        let orders = shell.stdin.take();
        let answers = BufReader::new(shell.stdout.take().expect("stdout is piped"));
        Self {
            shell,
            orders,
            answers,
            log: dir.join("log"),
        }
    }

    /// Starts the server and waits until it takes connections: its process id, or none if it ended.
    pub fn start(&mut self) -> Option<u32> {
        self.order("start")
            .strip_prefix("ready ")
            .and_then(|pid| pid.parse().ok())
    }

    /// Stops the server in good order.
    pub fn stop(&mut self) {
        assert_eq!(self.order("stop"), "stopped", "{}", self.log());
    }

    /// Kills the server and all of its processes.
    pub fn crash(&mut self) {
        assert_eq!(self.order("crash"), "crashed", "{}", self.log());
    }

    /// What the server wrote so far.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn order(&mut self, order: &str) -> String {
        let orders = self.orders.as_mut().expect("open until dropped");
        writeln!(orders, "{order}").expect("the watchdog takes orders");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the watchdog answers");
        answer.trim_end().to_owned()
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.orders.take());
        // Nothing to do about a failure: the shell cleans up by itself.
        drop(self.shell.wait());
    }
}
