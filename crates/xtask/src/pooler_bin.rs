//! Finds PgBouncer. One file for two crates, as `pg_bin.rs`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that names the program and ends the search.
pub const VARIABLE: &str = "ERRAND_PGBOUNCER";

/// The first version that keeps prepared statements of several clients apart.
pub const OLDEST: (u32, u32) = (1, 21);

/// Where `cargo xtask pooler` puts one, by the folder of the workspace.
pub fn fetched(workspace: &Path) -> PathBuf {
    workspace.join("target/pooler/pgbouncer")
}

/// The program: `ERRAND_PGBOUNCER` if set, otherwise the first that is new enough among `PATH`,
/// the system's folders and what was fetched. The error says what is missing and what to do.
pub fn find(workspace: &Path) -> Result<PathBuf, String> {
    let (major, minor) = OLDEST;
    if let Some(chosen) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let chosen = PathBuf::from(chosen);
        return if fits(&chosen) {
            Ok(chosen)
        } else {
            Err(format!(
                "{VARIABLE} is {}: no PgBouncer of at least {major}.{minor} runs there",
                chosen.display()
            ))
        };
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from))
        .map(|dir| dir.join("pgbouncer"))
        .chain([fetched(workspace)])
        .find(|program| fits(program))
        .ok_or_else(|| {
            format!(
                "PgBouncer of at least {major}.{minor} was not found. Run `cargo xtask pooler`, which fetches \
                 it on Debian, or install it, for example `dnf install pgbouncer` or `brew install pgbouncer`, \
                 or set {VARIABLE} to the program."
            )
        })
}

fn fits(program: &Path) -> bool {
    if !program.is_absolute() || !program.is_file() {
        return false;
    }
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| parse(&String::from_utf8_lossy(&output.stdout)) >= Some(OLDEST))
}

fn parse(text: &str) -> Option<(u32, u32)> {
    let number = text.strip_prefix("PgBouncer ")?;
    let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse("PgBouncer 1.24.1\nlibevent 2.1.12-stable\n"), Some((1, 24)));
        assert!(parse("PgBouncer 1.9.0") < Some(OLDEST));
        assert!(parse("PgBouncer 1.100.0dev") > Some(OLDEST));
        assert!(parse("PgBouncer 1.21.0") >= Some(OLDEST));
        assert_eq!(parse("no such thing 1.24"), None);
    }
}
