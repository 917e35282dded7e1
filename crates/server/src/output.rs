//! What a command writes to the standard output.

use std::io::{self, ErrorKind, Write};

/// Writes it; whether anybody goes on reading. That nobody does is no failure: of `errand user list | head -1` the
/// rest is not wanted.
pub fn print(text: &str) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    settle(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// The same of something that was written.
pub fn settle(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// A text of others on one line: what would steer a terminal, or cannot be seen, is spelled out.
pub fn escaped(text: &str) -> String {
    let spelled = |c: char| match c {
        '"' | '\'' | '\\' => c.to_string(),
        c => c.escape_debug().to_string(),
    };
    text.chars().map(spelled).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_spelled_out() {
        assert_eq!(
            escaped("k\u{1b}[2J\r\nimported \u{9b}1m \u{202e}x"),
            "k\\u{1b}[2J\\r\\nimported \\u{9b}1m \\u{202e}x"
        );
        let plain = r#"task "Zoë’s" 'x' C:\n 猫"#;
        assert_eq!(escaped(plain), plain);
    }
}
