//! What servers stand on: folders, ports, secrets.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use crate::watchdog::Account;

/// A new folder for a server, and the account to run it as if it is not this one.
pub fn new_dir(prefix: &str) -> (PathBuf, Option<Account>) {
    let dir = tempfile::Builder::new().prefix(prefix).tempdir_in(temp_dir());
    let dir = dir.expect("a temporary directory").keep();
    let root = fs::metadata(&dir).expect("just made").uid() == 0;
    let account = root.then(Account::unprivileged);
    give(&dir, account);
    (dir, account)
}

/// A folder that an unprivileged user can reach too: root's own temporary one may be closed to others.
fn temp_dir() -> PathBuf {
    let common = Path::new("/tmp");
    if common.is_dir() {
        common.to_path_buf()
    } else {
        std::env::temp_dir()
    }
}

pub fn give(path: &Path, account: Option<Account>) {
    if let Some(Account { uid, gid }) = account {
        chown(path, Some(uid), Some(gid)).expect("root may give files away");
    }
}

/// A port below those that systems give to outgoing connections: none of them can take it while the
/// server is down, and a client that knocks then cannot end up connected to itself.
pub fn free_port() -> u16 {
    let [low, high, ..] = random();
    let first = u16::from_le_bytes([low, high]) % 10_000;
    (0..10_000)
        .map(|step| 20_000 + (first + step) % 10_000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a free port between 20000 and 30000")
}

pub fn secret() -> String {
    format!("{:032x}", u128::from_le_bytes(random()))
}

fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .expect("the system's randomness");
    bytes
}
