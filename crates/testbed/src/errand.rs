use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

const START: Duration = Duration::from_secs(20);
const END: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(10);

/// A running `errand`: the real program in a process of its own. Dropping it kills the process.
#[derive(Debug)]
pub struct Errand {
    child: Child,
    log: Arc<Mutex<String>>,
    address: String,
    home: TempDir,
}

impl Errand {
    /// Starts `binary` in an empty directory, with an environment of only `PATH`, `HOME` (that directory),
    /// `HOST=127.0.0.1`, `PORT=0`, `ERRAND__LOG__FORMAT=json` and then `env`, and waits until it listens.
    ///
    /// Panics with the program's log if it ends instead, or does not listen within 20 seconds.
    pub async fn start(binary: &Path, env: &[(&str, String)]) -> Self {
        let home = tempfile::tempdir().expect("a temporary directory");
        let mut child = Command::new(binary)
            .env_clear()
            .env(
                "PATH",
                std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin")),
            )
            .env("HOME", home.path())
            .envs([
                ("HOST", "127.0.0.1"),
                ("PORT", "0"),
                ("ERRAND__LOG__FORMAT", "json"),
            ])
            .envs(env.iter().map(|(key, value)| (key, value)))
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", binary.display()));
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stderr.take().expect("stderr is piped"), Arc::clone(&log));
        // From here on a panic kills the process too.
        let mut errand = Self {
            child,
            log,
            address: String::new(),
            home,
        };
        let deadline = Instant::now() + START;
        loop {
            let ended = errand.child.try_wait().expect("a child can be waited for");
            if let Some(address) = errand.log().lines().find_map(listening) {
                errand.address = address;
                return errand;
            }
            if let Some(status) = ended {
                // The reader may be a line behind.
                sleep(STEP * 10).await;
                panic!("errand ended ({status}) before it listened:\n{}", errand.log());
            }
            assert!(
                Instant::now() < deadline,
                "errand does not listen after {START:?}:\n{}",
                errand.log()
            );
            sleep(STEP).await;
        }
    }

    /// `http://127.0.0.1:<port>`, without a slash at the end.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The directory that the program runs in, also its `HOME`; removed in the end.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The id of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that the program has written to stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the process at once, as a crash would, and waits until it is gone.
    pub fn kill_9(&mut self) {
        self.child.kill().expect("one's own child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Asks the program to end (SIGTERM); [`Self::wait`] tells when it has.
    pub fn terminate(&self) {
        // The shell's own kill: not every system has the program.
        let id = self.id().to_string();
        let sent = Command::new("/bin/sh")
            .args(["-c", "kill -TERM \"$0\"", &id])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "SIGTERM does not reach process {id}"
        );
    }

    /// How the program ended. Panics with its log if it still runs after a minute.
    pub async fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + END;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "errand still runs after a minute:\n{}",
                self.log()
            );
            sleep(STEP).await;
        }
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        // Both fail only if the process is gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn collect(stderr: ChildStderr, log: Arc<Mutex<String>>) {
    thread::spawn(move || {
        let mut stderr = BufReader::new(stderr);
        let mut line = Vec::new();
        while stderr.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            log.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

/// The address, if this is the log line that tells it; its fields may be nested under `fields`.
fn listening(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    let fields = event.get("fields").unwrap_or(&event);
    let told = fields.get("message")?.as_str()? == "listening";
    told.then(|| fields.get("address")?.as_str().map(str::to_owned))?
}

#[cfg(test)]
mod tests {
    use super::listening;

    #[test]
    fn the_address_is_read_from_flat_and_nested_lines() {
        let flat = r#"{"level":"INFO","message":"listening","address":"127.0.0.1:81"}"#;
        let nested = r#"{"level":"INFO","fields":{"message":"listening","address":"127.0.0.1:82"}}"#;
        assert_eq!(listening(flat).as_deref(), Some("127.0.0.1:81"));
        assert_eq!(listening(nested).as_deref(), Some("127.0.0.1:82"));
        assert_eq!(listening(r#"{"message":"starting"}"#), None);
        assert_eq!(listening("listening"), None);
    }
}
