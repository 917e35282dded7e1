//! A private copy of a SQLite file, so that nothing is ever written beside the original: even a read-only
//! connection makes files next to a database with a write-ahead log, and cannot read one with a hot journal.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use tempfile::TempDir;

use crate::cell::hex;
use crate::error::SourceError;

/// What belongs to a database beside its file, in the order in which they are hashed. The index of the log
/// (`-shm`) does not: SQLite makes it anew.
const SIDES: [&str; 2] = ["-wal", "-journal"];
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// So often a copy is tried beside somebody who writes.
const TRIES: usize = 3;
const CHUNK: usize = 1 << 20;

/// A copy in a folder that only this user can read.
#[derive(Debug)]
pub(crate) struct Copied {
    /// Goes with it.
    pub dir: TempDir,
    pub file: PathBuf,
    /// Of the original, which is what the copy is of.
    pub hash: String,
}

/// The file that is meant, links followed.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, SourceError> {
    let shown = || path.display().to_string();
    let found = fs::canonicalize(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => SourceError::Missing(shown()),
        _ => SourceError::File { path: shown(), error },
    })?;
    check(&found)?;
    Ok(found)
}

/// Copies and hashes until both are of the same bytes.
pub(crate) fn copy(path: &Path) -> Result<Copied, SourceError> {
    copy_beside(path, || ())
}

/// `meanwhile` stands for what others do between copying and hashing.
fn copy_beside(path: &Path, mut meanwhile: impl FnMut()) -> Result<Copied, SourceError> {
    let dir = private_dir().map_err(SourceError::Copy)?;
    let file = dir.path().join("source.db");
    for _ in 0..TRIES {
        let hash = read(path, Some(&file))?;
        meanwhile();
        if hash == self::hash(path)? {
            return Ok(Copied { dir, file, hash });
        }
    }
    Err(SourceError::BeingWritten(path.display().to_string()))
}

/// SHA-256 over the file and what lies beside it, as `cat FILE FILE-wal | sha256sum` gives it.
pub(crate) fn hash(path: &Path) -> Result<String, SourceError> {
    read(path, None)
}

fn beside(path: &Path, side: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(side);
    name.into()
}

/// Only regular files: a pipe would be waited for, and a device has no end.
fn check(path: &Path) -> Result<(), SourceError> {
    let shown = || path.display().to_string();
    let meta = fs::metadata(path).map_err(|error| SourceError::File { path: shown(), error })?;
    if meta.is_file() {
        Ok(())
    } else {
        Err(SourceError::NotAFile(shown()))
    }
}

fn read(path: &Path, to: Option<&Path>) -> Result<String, SourceError> {
    let mut hash = Context::new(&SHA256);
    for side in [""].into_iter().chain(SIDES) {
        let from = beside(path, side);
        let to = to.map(|to| beside(to, side));
        if !side.is_empty() && fs::symlink_metadata(&from).is_err() {
            // Left of a try before, when there was one.
            if let Some(to) = to {
                let _ = fs::remove_file(to);
            }
            continue;
        }
        check(&from)?;
        stream(&from, to.as_deref(), side.is_empty(), &mut hash)?;
    }
    Ok(hex(hash.finish().as_ref()))
}

fn stream(from: &Path, to: Option<&Path>, is_database: bool, hash: &mut Context) -> Result<(), SourceError> {
    let failed = |error| SourceError::File {
        path: from.display().to_string(),
        error,
    };
    let mut source = File::open(from).map_err(failed)?;
    let mut copy = match to {
        Some(to) => Some(create(to).map_err(SourceError::Copy)?),
        None => None,
    };
    let mut chunk = vec![0; CHUNK];
    let mut is_first = is_database;
    loop {
        let count = match source.read(&mut chunk) {
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(failed(error)),
        };
        let bytes = chunk.get(..count).unwrap_or_default();
        if is_first && !bytes.starts_with(MAGIC) {
            return Err(SourceError::NotADatabase(from.display().to_string()));
        }
        if count == 0 {
            return Ok(());
        }
        is_first = false;
        hash.update(bytes);
        if let Some(copy) = &mut copy {
            copy.write_all(bytes).map_err(SourceError::Copy)?;
        }
    }
}

fn private_dir() -> std::io::Result<TempDir> {
    let mut dir = tempfile::Builder::new();
    dir.prefix("errand-import-");
    #[cfg(unix)]
    dir.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
    dir.tempdir()
}

fn create(path: &Path) -> std::io::Result<File> {
    let mut open = OpenOptions::new();
    open.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> (TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        fs::write(&path, [MAGIC.as_slice(), &[7; 100]].concat()).unwrap();
        (dir, path)
    }

    fn grow(path: &Path) {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(b"more").unwrap();
    }

    #[test]
    fn a_copy_is_of_one_state() {
        let (_dir, path) = database();
        let mut calls = 0;
        let copied = copy_beside(&path, || {
            calls += 1;
            if calls == 1 {
                grow(&path);
                grow(&beside(&path, "-wal"));
            } else {
                let _ = fs::remove_file(beside(&path, "-wal"));
            }
        });
        let copied = copied.unwrap();
        assert_eq!(calls, 3);
        assert_eq!(fs::read(&copied.file).unwrap(), fs::read(&path).unwrap());
        assert!(!beside(&copied.file, "-wal").exists(), "of a state before");
        assert_eq!(copied.hash, hash(&path).unwrap());
        assert!(matches!(
            copy_beside(&path, || grow(&path)),
            Err(SourceError::BeingWritten(_))
        ));
    }

    #[test]
    fn what_lies_beside_is_hashed_and_copied_with_it() {
        let (_dir, path) = database();
        let alone = hash(&path).unwrap();
        for side in SIDES {
            fs::write(beside(&path, side), side).unwrap();
        }
        fs::write(beside(&path, "-shm"), "no part of it").unwrap();
        let copied = copy(&path).unwrap();
        assert_ne!(copied.hash, alone);
        for side in SIDES {
            assert_eq!(fs::read_to_string(beside(&copied.file, side)).unwrap(), side);
        }
        assert_eq!(fs::read_dir(copied.dir.path()).unwrap().count(), 3);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_the_copy() {
        use std::os::unix::fs::PermissionsExt;
        let (_dir, path) = database();
        let copied = copy(&path).unwrap();
        for path in [copied.dir.path(), &copied.file] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
    }
}
