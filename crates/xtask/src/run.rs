//! Starting other programs, and how a chore ends.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A chore is done, or failed.
pub type Outcome = Result<(), Failure>;

/// Why a chore failed and the exit code that says so.
#[derive(Debug)]
pub struct Failure {
    /// For a human.
    pub message: String,
    /// Not zero.
    pub code: u8,
}

impl Failure {
    /// With exit code 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            code: 1,
        }
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

/// Success if there are no violations, otherwise all of them, a line each.
pub fn verdict(violations: &[String]) -> Outcome {
    if violations.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("\n  {}", violations.join("\n  "))))
    }
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    let own = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let own = PathBuf::from(own);
    own.ancestors().nth(2).map_or_else(|| own.clone(), PathBuf::from)
}

/// The cargo that runs this chore, in the folder of the workspace.
pub fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    command
}

/// Runs to the end with the output going to the terminal; the failure carries the program's exit code.
pub fn stream(command: &mut Command) -> Outcome {
    let name = shown(command);
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| format!("`{name}` does not start: {error}"))?;
    if status.success() {
        return Ok(());
    }
    let code = status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1);
    Err(Failure {
        message: format!("`{name}` failed ({status})"),
        code,
    })
}

/// Runs to the end and returns what the program wrote to its standard output.
pub fn output(command: &mut Command) -> Result<String, String> {
    let name = shown(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("`{name}` does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{name}` failed ({})", output.status));
    }
    String::from_utf8(output.stdout)
        .map_err(|error| format!("`{name}` answers with something else than text: {error}"))
}

/// Whether the program exists and succeeds. Says nothing.
pub fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Makes sure that parts of the Rust toolchain are there; a minimal one lacks them.
pub fn components(names: &[&str]) -> Outcome {
    for name in names {
        let part = if *name == "rustfmt" { "fmt" } else { name };
        let there = cargo(&[part, "--version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !there.is_ok_and(|status| status.success()) {
            println!("adding {name} to the Rust toolchain");
            stream(Command::new("rustup").args(["component", "add", name]))?;
        }
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
