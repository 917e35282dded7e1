//! SQL that works on the desk and fails in production.

use std::path::Path;

use crate::git;
use crate::run::{Outcome, verdict};

// In two parts each, or this file would be the first to be found.
const BANNED: [(&str, &str); 6] = [
    (
        concat!("select", " *"),
        "a prepared statement breaks when a migration adds a column: name the columns",
    ),
    (
        concat!("returning", " *"),
        "a prepared statement breaks when a migration adds a column: name the columns",
    ),
    (
        concat!("pg_advisory", "_lock("),
        "belongs to a session, which a transaction pooler gives to others",
    ),
    (
        concat!("\"listen", " "),
        "belongs to a session, which a transaction pooler gives to others",
    ),
    (
        concat!("set_schema", "_search_path"),
        "sets the session, which a transaction pooler gives to others",
    ),
    (
        concat!(".statement", "_timeout("),
        "a pooler refuses it as a start-up parameter: limits belong to the role",
    ),
];

/// Reads every Rust file of the project.
pub fn check() -> Outcome {
    let files = git::rust_files()?;
    let found: Vec<_> = files
        .iter()
        .flat_map(|(path, text)| violations(path, text))
        .collect();
    verdict(&found)
}

fn violations(path: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words: Vec<_> = line.split_whitespace().collect();
        let line = words.join(" ").to_lowercase();
        for (banned, reason) in BANNED.iter().filter(|(banned, _)| line.contains(banned)) {
            found.push(format!("{}:{}: `{banned}`: {reason}", path.display(), index + 1));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_banned_text_is_found_in_any_case_with_its_line() {
        for (banned, _) in BANNED {
            let text = format!(
                "fn a() {{}}\n  \"{}\"\n",
                banned.to_uppercase().replace(' ', "   ")
            );
            let found = violations(Path::new("a.rs"), &text);
            assert_eq!(found.len(), 1, "{banned}");
            assert!(
                found[0].starts_with(&format!("a.rs:2: `{banned}`")),
                "{}",
                found[0]
            );
        }
        let fine = "SELECT count(*), id\nRETURNING id\npg_advisory_xact_lock(1)\n";
        assert_eq!(violations(Path::new("a.rs"), fine), Vec::<String>::new());
    }
}
