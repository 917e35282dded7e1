//! Schemathesis: what the document promises, tried out with requests made of it. Installed into the target folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{pg_bin, postgres, run};

/// Every package with its version, those that Schemathesis needs too.
const REQUIREMENTS: &str = "crates/server/tests/schemathesis/requirements.txt";

/// A short run with a fixed seed, or with `--full` one of 10,000 cases on each database with a seed of its own.
pub fn check(arguments: &[String]) -> run::Outcome {
    let full = match arguments {
        [] => false,
        [one] if one == "--full" => true,
        _ => return Err(run::Failure::new("takes nothing but --full")),
    };
    let program = ensure()?;
    let mut cargo = run::cargo(&[
        "test",
        "--package",
        "errand",
        "--locked",
        "--test",
        "schemathesis",
    ]);
    cargo
        .args(["--", "--test-threads=1", "--nocapture"])
        .env("ERRAND_SCHEMATHESIS", program)
        .env(pg_bin::VARIABLE, postgres::ensure()?);
    if full {
        cargo.env("ERRAND_SCHEMATHESIS_FULL", "1");
    }
    run::stream(&mut cargo)
}

/// The program, after installing it if need be.
fn ensure() -> Result<PathBuf, run::Failure> {
    let root = run::root();
    let home = root.join("target/schemathesis");
    let (wanted, installed) = (root.join(REQUIREMENTS), home.join("requirements.txt"));
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let program = home.join("bin/st");
    if read(&wanted) != read(&installed) {
        let python = "python3 with its module venv is needed (Debian: apt-get install python3-venv)";
        run::stream(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&home))
            .map_err(|failure| format!("{}; {python}", failure.message))?;
        let mut pip = Command::new(home.join("bin/pip"));
        run::stream(pip.args(["install", "--quiet", "--requirement"]).arg(&wanted))?;
        // Last, so that an installation that was broken off is begun again.
        fs::copy(&wanted, &installed).map_err(|error| format!("{}: {error}", installed.display()))?;
    }
    Ok(program)
}
