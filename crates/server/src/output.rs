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
