//! The files of the project.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::run;

/// Path from the root, and text, of every Rust file that is tracked or new and not ignored.
pub fn rust_files() -> Result<Vec<(PathBuf, String)>, String> {
    let root = run::root();
    let mut git = Command::new("git");
    git.args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        "*.rs",
    ]);
    let listed = run::output(git.current_dir(&root))?;
    let mut files = Vec::new();
    for name in listed.split_terminator('\0') {
        // Deleted and not yet staged.
        if root.join(name).is_file() {
            let text = fs::read_to_string(root.join(name)).map_err(|error| format!("{name}: {error}"))?;
            files.push((PathBuf::from(name), text));
        }
    }
    if files.is_empty() {
        Err("git lists no Rust file here".to_owned())
    } else {
        Ok(files)
    }
}
