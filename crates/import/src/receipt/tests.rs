//! Where a receipt is written, others may have been before.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

const OTHERS: &str = "somebody else's";

fn places() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (base, part) = (dir.path().join("r"), dir.path().join("r.part"));
    (dir, base, part)
}

fn is_refused(base: &Path) -> bool {
    matches!(Writer::create(base, true), Err(ReceiptError::NotOurs(_)))
}

#[test]
fn nothing_of_others_is_written_over() {
    let (dir, base, part) = places();
    let other = dir.path().join("other");
    fs::write(&other, OTHERS).unwrap();
    symlink(&other, &part).unwrap();
    assert!(is_refused(&base), "a link");
    fs::write(&other, "").unwrap();
    assert!(is_refused(&base), "a link to an empty file");
    fs::remove_file(&part).unwrap();
    symlink(dir.path().join("nowhere"), &part).unwrap();
    assert!(is_refused(&base) && !dir.path().join("nowhere").exists());
    fs::remove_file(&part).unwrap();
    fs::write(&part, OTHERS).unwrap();
    assert!(is_refused(&base), "another file");
    assert_eq!(fs::read_to_string(&part).unwrap(), OTHERS);
    fs::remove_file(&part).unwrap();
    fs::create_dir(&part).unwrap();
    assert!(is_refused(&base), "a folder");
}

#[test]
fn what_an_import_left_is_gone_on_with_and_read_by_nobody_else() {
    let (_dir, base, part) = places();
    for left in [&[], HEAD] {
        fs::write(&part, left).unwrap();
        fs::set_permissions(&part, Permissions::from_mode(0o644)).unwrap();
        drop(Writer::create(&base, true).unwrap());
        let meta = fs::metadata(&part).unwrap();
        assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (0, 0o600));
    }
}

/// A link is made before the first name goes.
#[test]
fn a_receipt_that_has_its_name_is_not_emptied() {
    let (dir, base, part) = places();
    let complete = dir.path().join("complete");
    fs::write(&complete, HEAD).unwrap();
    fs::hard_link(&complete, &part).unwrap();
    drop(Writer::create(&base, true).unwrap());
    assert_eq!(fs::read(&complete).unwrap(), HEAD);
    assert_eq!(fs::read(&part).unwrap(), b"");
}
