//! The signing secret that errand makes for itself, kept beside a SQLite database.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use errand_application::ports::Entropy;
use errand_security::{WeakSecret, check_secret};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};

use crate::config::is_readable_by_others;

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// Reading.
    #[error("{}: the signing secret cannot be read", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// Making.
    #[error("{}: the signing secret cannot be kept here; set JWT_SECRET instead", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// The configuration has none, and the database is no file that it could be kept beside.
    #[error("JWT_SECRET must be set")]
    NoPlace,
    /// Somebody wrote another into the file.
    #[error("{}: the signing secret {}", .0.display(), .1)]
    Weak(PathBuf, WeakSecret),
}

/// Where the secret of the database at `database` is kept.
pub fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".jwt-secret");
    PathBuf::from(path)
}

/// The secret of the database at `database`; made if there is none. Of processes that start at once all get the
/// same one.
pub fn keep(database: &Path, entropy: &dyn Entropy) -> Result<SecretString, KeepError> {
    let path = beside(database);
    if !path.exists() {
        make(&path, entropy).map_err(|error| KeepError::Write(path.clone(), error))?;
        tracing::info!(path = %path.display(), "made a signing secret");
    }
    let text = fs::read_to_string(&path).map_err(|error| KeepError::Read(path.clone(), error))?;
    let text = Zeroizing::new(text);
    let secret = SecretString::from(text.trim_end_matches(['\r', '\n']));
    if let Err(weak) = check_secret(secret.expose_secret().as_bytes()) {
        return Err(KeepError::Weak(path, weak));
    }
    if is_readable_by_others(&path) {
        tracing::warn!(path = %path.display(), "others may read the signing secret: chmod 600");
    }
    Ok(secret)
}

/// Writes the whole file under another name and then gives it its own, which fails if it has one: nobody ever
/// reads half a secret, and the first one stays.
fn make(path: &Path, entropy: &dyn Entropy) -> io::Result<()> {
    let random = Zeroizing::new(entropy.bytes());
    let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(random.as_slice()));
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(
        ".{}",
        URL_SAFE_NO_PAD.encode(entropy.bytes().split_at(9).0)
    ));
    let draft = PathBuf::from(draft);
    let written = write(&draft, text.as_bytes()).and_then(|()| fs::hard_link(&draft, path));
    // Gone already if it could not be made.
    drop(fs::remove_file(&draft));
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_directory(path),
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut open = OpenOptions::new();
    open.write(true).create_new(true);
    open.mode(0o600);
    let mut file = open.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Barrier;

    use errand_security::SystemEntropy;

    use super::*;

    #[test]
    fn processes_that_start_at_once_agree() {
        for _ in 0..20 {
            let home = tempfile::tempdir().unwrap();
            let database = home.path().join("errand.db");
            let barrier = Barrier::new(8);
            let secrets: HashSet<String> = std::thread::scope(|scope| {
                let start = || {
                    barrier.wait();
                    let kept = keep(&database, &SystemEntropy).unwrap();
                    kept.expose_secret().to_owned()
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(secrets.len(), 1);
            let files: Vec<_> = fs::read_dir(home.path()).unwrap().map(|f| f.unwrap()).collect();
            assert_eq!(files.len(), 1, "no draft is left: {files:?}");
            assert_eq!(files[0].file_name(), "errand.db.jwt-secret");
            assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn what_somebody_put_there_is_used_or_refused_but_never_replaced() {
        let home = tempfile::tempdir().unwrap();
        let database = home.path().join("errand.db");
        let path = home.path().join("errand.db.jwt-secret");
        fs::write(&path, "kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEaT\n").unwrap();
        let kept = keep(&database, &SystemEntropy).unwrap();
        assert_eq!(kept.expose_secret(), "kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEaT");
        fs::write(&path, "changeme").unwrap();
        let error = keep(&database, &SystemEntropy).err().unwrap();
        assert!(matches!(error, KeepError::Weak(..)));
        assert!(!format!("{error} {error:?}").contains("changeme"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "changeme");
    }
}
