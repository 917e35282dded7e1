//! No source file is too long to read in one go.

use crate::git;
use crate::run::{Outcome, verdict};

const LIMIT: usize = 500;

/// Measures every Rust file of the project.
pub fn check() -> Outcome {
    let files = git::rust_files()?;
    let lengths = files.iter().map(|(path, text)| (path, length(text)));
    let long = lengths.filter(|(_, length)| *length > LIMIT);
    let found: Vec<_> = long
        .map(|(path, length)| format!("{}: {length} lines, at most {LIMIT}", path.display()))
        .collect();
    verdict(&found)
}

/// The lines of a file without the module of unit tests at its end.
fn length(text: &str) -> usize {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let tests = lines
        .iter()
        .rposition(|line| *line == "#[cfg(test)]")
        .filter(|start| {
            let mut after = lines
                .iter()
                .skip(start + 1)
                .skip_while(|line| line.starts_with("#["));
            let opens = after
                .next()
                .is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'));
            // The first brace in the first column closes the module: nothing may follow it.
            opens && after.position(|line| *line == "}").is_some() && after.next().is_none()
        });
    tests.unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::length;

    #[test]
    fn only_tests_at_the_end_are_free() {
        let code = "fn a() {\n}\n\n";
        let tests = "#[cfg(test)]\nmod tests {\n    fn t() {\n    }\n}\n";
        assert_eq!(length(code), 2);
        assert_eq!(length(&format!("{code}{tests}\n")), 3);
        assert_eq!(length(&format!("{tests}{code}")), 7);
        assert_eq!(length(&format!("{code}#[cfg(test)]\nmod tests;\n")), 5);
        assert_eq!(length(&"x\n".repeat(501)), 501);
        assert_eq!(length(""), 0);
    }
}
