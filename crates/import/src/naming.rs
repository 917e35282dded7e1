//! What a receipt is called unless it is told.

use std::path::Path;

/// The name of a receipt in the current folder.
pub(crate) fn named(source: &str, tail: &str) -> String {
    let last = Path::new(source)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or(source);
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
            c
        } else {
            '-'
        }
    };
    let name: String = last.chars().map(plain).take(60).collect();
    format!("errand-import-{name}{tail}.jsonl")
}

/// The same at a time; there may be some of that time already.
pub(crate) fn numbered(source: &str, time: &str, n: u32) -> String {
    let more = if n == 0 {
        String::new()
    } else {
        format!("-{}", n + 1)
    };
    named(source, &format!("-{time}{more}"))
}
