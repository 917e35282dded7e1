//! The file that a receipt is written to before it is complete.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek};
use std::path::Path;

use super::{HEAD, ReceiptError, failed};

/// Opens it for writing, alone. Who waited for the lock while the file got another name would write into a receipt
/// that is complete.
pub(super) fn lock(part: &Path) -> Result<File, ReceiptError> {
    for _ in 0..10 {
        let mut open = OpenOptions::new();
        open.create(true).read(true).write(true).truncate(false);
        #[cfg(unix)]
        {
            use rustix::fs::OFlags;
            use std::os::unix::fs::OpenOptionsExt;
            let alone = OFlags::NOFOLLOW | OFlags::NONBLOCK;
            open.mode(0o600).custom_flags(alone.bits().cast_signed());
        }
        let mut file = open
            .open(part)
            .map_err(|error| match std::fs::symlink_metadata(part) {
                Ok(meta) if !meta.is_file() => not_ours(part),
                _ => failed(part)(error),
            })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ReceiptError::Running(part.display().to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(part)(error)),
        }
        if !is_same(&file, part) {
            continue;
        }
        if !is_unfinished(&mut file).map_err(failed(part))? {
            return Err(not_ours(part));
        }
        if is_alone(&file).map_err(failed(part))? {
            return Ok(file);
        }
        // Stopped when it had its name already: that one is complete.
        std::fs::remove_file(part).map_err(failed(part))?;
    }
    Err(ReceiptError::Running(part.display().to_string()))
}

#[cfg(unix)]
fn is_same(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    let (Ok(open), Ok(named)) = (file.metadata(), std::fs::symlink_metadata(path)) else {
        return false;
    };
    place(open) == place(named)
}

#[cfg(not(unix))]
fn is_same(_: &File, path: &Path) -> bool {
    path.exists()
}

fn not_ours(part: &Path) -> ReceiptError {
    ReceiptError::NotOurs(part.display().to_string())
}

/// Whether an import of this user's left it, or nobody anything: what else is in a place that can be guessed is not
/// written over.
fn is_unfinished(file: &mut File) -> io::Result<bool> {
    let meta = file.metadata()?;
    #[cfg(unix)]
    if std::os::unix::fs::MetadataExt::uid(&meta) != rustix::process::geteuid().as_raw() {
        return Ok(false);
    }
    let mut head = Vec::new();
    if meta.is_file() {
        io::Read::take(&mut *file, HEAD.len() as u64).read_to_end(&mut head)?;
        file.rewind()?;
    }
    Ok(meta.is_file() && (head.is_empty() || head == HEAD))
}

/// Whether it has no other name; from then on nobody else reads it.
#[cfg(unix)]
fn is_alone(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let alone = file.metadata()?.nlink() == 1;
    if alone {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(alone)
}

#[cfg(not(unix))]
fn is_alone(_: &File) -> io::Result<bool> {
    Ok(true)
}

/// So that the name is there after a loss of power too, before the database says that the run is over.
pub(super) fn keep_name(file: &Path) -> Result<(), ReceiptError> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    // One that may be written and not read cannot be opened.
    match File::open(folder) {
        Ok(open) => open.sync_all().map_err(failed(folder)),
        Err(_) => Ok(()),
    }
}
