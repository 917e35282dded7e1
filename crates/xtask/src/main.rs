//! The chores of the project: test, pooler, schemathesis, lint, layering, licences, sizes, text, circles, mutate.

mod circles;
mod defences;
mod git;
mod layering;
mod licences;
mod metadata;
mod mutants;
mod mutate;
mod pg_bin;
mod pooler;
mod pooler_bin;
mod postgres;
mod run;
mod schemathesis;
mod sizes;
mod table;
mod text;

use std::process::ExitCode;

type Check = fn() -> run::Outcome;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test [-- ARGS]  install PostgreSQL and fetch PgBouncer if they are missing, then
                  `cargo test --workspace --locked ARGS`; without ARGS then schemathesis
  pooler          fetch PgBouncer if it is missing, into the target folder
  schemathesis [--full]
                  install Schemathesis into the target folder if it is missing, and try out
                  what the document of the interface promises, on both databases
  lint            formatting, clippy and every check below
  layering        which crate may depend on which
  licences        only permissive licences, only from the registry
  sizes           no source file over 500 lines without its tests
  text            no SQL that breaks under a migration or a pooler
  circles         no circle between the modules of a crate
  mutate [NAMES]  take out one defence at a time and expect what is named for it to fail: a test, or attacks";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) = arguments
        .split_first()
        .map_or(("", &[][..]), |(chore, rest)| (chore.as_str(), rest));
    let rest = match rest {
        [first, rest @ ..] if first == "--" => rest,
        rest => rest,
    };
    let outcome = match (chore, rest) {
        ("test", arguments) => test(arguments),
        ("pooler", []) => pooler(),
        ("schemathesis", arguments) => schemathesis::check(arguments),
        ("lint", []) => lint(),
        ("layering", []) => layering::check(),
        ("licences", []) => licences::check(),
        ("sizes", []) => sizes::check(),
        ("text", []) => text::check(),
        ("circles", []) => circles::check(),
        ("mutate", names) => mutate::check(names),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(run::Failure { message, code }) => {
            eprintln!("xtask {chore}: {message}");
            ExitCode::from(code)
        }
    }
}

fn test(arguments: &[String]) -> run::Outcome {
    let programs = postgres::ensure()?;
    println!("PostgreSQL: {}", programs.display());
    let pooler = pooler::for_tests();
    let mut cargo = run::cargo(&["test", "--workspace", "--locked"]);
    cargo
        .args(arguments)
        .env(pg_bin::VARIABLE, programs)
        .envs(pooler.map(|program| (pooler_bin::VARIABLE, program)));
    run::stream(&mut cargo)?;
    // Whoever asks for some tests does not want all.
    if arguments.is_empty() {
        schemathesis::check(&[])?;
    }
    Ok(())
}

/// Tests that are started without this program find it by themselves; without it they fail.
fn pooler() -> run::Outcome {
    println!("PgBouncer: {}", pooler::ensure()?.display());
    Ok(())
}

/// Runs every check even after one has failed, so that one run shows all there is to do.
fn lint() -> run::Outcome {
    run::components(&["rustfmt", "clippy"])?;
    let checks: [(&str, Check); 7] = [
        ("formatting", || {
            run::stream(&mut run::cargo(&["fmt", "--all", "--check"]))
        }),
        ("layering", layering::check),
        ("licences", licences::check),
        ("sizes", sizes::check),
        ("text", text::check),
        ("circles", circles::check),
        ("clippy", || {
            let clippy = [
                "clippy",
                "--workspace",
                "--all-targets",
                "--locked",
                "--",
                "-D",
                "warnings",
            ];
            run::stream(&mut run::cargo(&clippy))
        }),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        println!("lint: {name}");
        if let Err(failure) = check() {
            eprintln!("{}", failure.message);
            failed.push(name);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(run::Failure::new(format!("failed: {}", failed.join(", "))))
    }
}
