//! Finds PostgreSQL's own server programs. One file for two crates: xtask compiles it without the
//! weight of the testbed, the testbed without depending on xtask.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variable that names the directory of the programs and ends the search.
pub const VARIABLE: &str = "ERRAND_PG_BIN";

/// Where installers put the programs: a folder, how the name of its entries starts, and what follows.
const KNOWN: [(&str, &str, &str); 7] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/usr/libexec", "postgresql", ""),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

/// The directory that holds `initdb` and `postgres`: `ERRAND_PG_BIN` if set, otherwise the newest
/// version among what `pg_config`, `PATH` and the usual folders offer.
/// The error says what is missing and what to do.
pub fn find() -> Result<PathBuf, String> {
    if let Some(chosen) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        let chosen = PathBuf::from(chosen);
        return match version(&chosen) {
            Some(_) => Ok(chosen),
            None => Err(format!(
                "{VARIABLE} is {}: no initdb and postgres run there",
                chosen.display()
            )),
        };
    }
    let versions = candidates()
        .into_iter()
        .filter_map(|dir| Some((version(&dir)?, dir)));
    versions.max().map(|(_, dir)| dir).ok_or_else(|| {
        format!(
            "PostgreSQL's server programs (initdb, postgres) were not found. Install them, for example \
             `apt-get install postgresql`, `dnf install postgresql-server` or `brew install postgresql`, \
             or run `cargo xtask test`, which does it, or set {VARIABLE} to their directory."
        )
    })
}

fn candidates() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        found.insert(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()));
    }
    for dir in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        // PATH often holds links only; what `initdb` needs lies beside the real program.
        let real = fs::canonicalize(dir.join("postgres")).ok();
        found.extend(real.as_deref().and_then(Path::parent).map(Path::to_path_buf));
        found.insert(dir);
    }
    for (folder, prefix, rest) in KNOWN {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.insert(entry.path().join(rest));
            }
        }
    }
    found
}

/// Major and minor version of the server in `dir`; none if a program is missing or does not run.
fn version(dir: &Path) -> Option<(u32, u32)> {
    if !dir.is_absolute() || !dir.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(dir.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    parse(&String::from_utf8_lossy(&output.stdout))
}

fn parse(text: &str) -> Option<(u32, u32)> {
    let number = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let mut parts = number
        .split(|c: char| !c.is_ascii_digit())
        .map(|part| part.parse().unwrap_or(0));
    Some((parts.next()?, parts.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let debian = parse("postgres (PostgreSQL) 9.6 (Debian 9.6-1)");
        assert_eq!(debian, Some((9, 6)));
        assert!(parse("postgres (PostgreSQL) 18beta1") > parse("postgres (PostgreSQL) 17.5"));
        assert!(parse("postgres (PostgreSQL) 15.18") > parse("postgres (PostgreSQL) 15.9"));
        assert_eq!(parse("no such thing"), None);
    }

    #[test]
    fn the_server_programs_are_found() {
        let dir = find().unwrap();
        assert!(dir.join("postgres").exists() && dir.join("initdb").exists());
    }
}
