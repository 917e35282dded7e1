//! Takes out one defence at a time, in a copy of the tree, and expects what is named for it to turn red: a test,
//! every attack of `specs/002-defence/attacks.md` that names it, or both. A defence that nobody misses is not
//! held by anything.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::defences::{self, Change};
use crate::mutants::{self, Mutant};
use crate::run::{self, Failure, Outcome};
use crate::table::{self, Attack};
use crate::{pg_bin, pooler, pooler_bin, postgres};

/// A defence and what must miss it.
struct Work {
    name: &'static str,
    changes: Vec<Change>,
    /// The arguments of `cargo test` and part of the name of a test.
    test: Option<(&'static [&'static str], &'static str)>,
    attacks: Vec<Attack>,
}

/// A copy of the project that defences are taken out of.
struct Copied {
    tree: PathBuf,
    programs: PathBuf,
    pooler: Option<PathBuf>,
    /// The tests with the attacks, built while nothing was missing; they start what is built beside them.
    attacks: Option<PathBuf>,
}

/// Runs the mutants with these names, or all.
pub fn check(names: &[String]) -> Outcome {
    let all = all()?;
    if let Some(name) = names.iter().find(|name| !all.iter().any(|w| w.name == **name)) {
        let known: Vec<_> = all.iter().map(|work| work.name).collect();
        return Err(Failure::new(format!(
            "no mutant {name}; there are {}",
            known.join(", ")
        )));
    }
    let mut copied = Copied {
        tree: run::root().join("target/mutants"),
        programs: postgres::ensure()?,
        pooler: pooler::for_tests(),
        attacks: None,
    };
    copy_tree(&copied.tree)?;
    let mut survivors = Vec::new();
    for work in all
        .iter()
        .filter(|w| names.is_empty() || names.iter().any(|n| n == w.name))
    {
        match kill(work, &mut copied) {
            Ok(reds) => println!("{}: {reds} without it", work.name),
            Err(reason) => {
                eprintln!("{}: {reason}", work.name);
                survivors.push(work.name);
            }
        }
    }
    if survivors.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("nothing misses: {}", survivors.join(", "))))
}

/// Everything that can be taken out, with everything that must miss it.
fn all() -> Result<Vec<Work>, String> {
    let mut all: Vec<_> = mutants::all()
        .map(|mutant| Work {
            name: mutant.name,
            changes: changes(mutant),
            test: Some((mutant.test, mutant.red)),
            attacks: Vec::new(),
        })
        .collect();
    let defences = defences::ALL.iter().flat_map(|area| area.iter());
    all.extend(defences.map(|defence| Work {
        name: defence.name,
        changes: defence.changes.to_vec(),
        test: None,
        attacks: Vec::new(),
    }));
    let (_, attacks) = table::read()?;
    for attack in attacks {
        if let Some(work) = all.iter_mut().find(|work| work.name == attack.defence) {
            work.attacks.push(attack);
        }
    }
    Ok(all)
}

fn changes(mutant: &Mutant) -> Vec<Change> {
    let first = Change {
        file: mutant.file,
        from: mutant.from,
        to: mutant.to,
    };
    let more = mutants::changes::MORE
        .iter()
        .filter(|(name, _)| *name == mutant.name);
    std::iter::once(first)
        .chain(more.map(|(_, change)| *change))
        .collect()
}

/// Takes a defence out, looks who misses it, and puts it back.
fn kill(work: &Work, copied: &mut Copied) -> Result<String, String> {
    if !work.attacks.is_empty() && copied.attacks.is_none() {
        copied.attacks = Some(build_attacks(copied)?);
    }
    let mut untouched = Vec::new();
    let outcome = take_out(work, &copied.tree, &mut untouched).and_then(|()| missed(work, copied));
    // In reverse, for a file that several changes were made to.
    for (file, text) in untouched.into_iter().rev() {
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    outcome
}

fn take_out(work: &Work, tree: &Path, untouched: &mut Vec<(PathBuf, String)>) -> Result<(), String> {
    for change in &work.changes {
        let file = tree.join(change.file);
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", change.file))?;
        let mutated = mutated(change, &text)?;
        untouched.push((file.clone(), text));
        fs::write(&file, mutated).map_err(|error| format!("{}: {error}", change.file))?;
    }
    Ok(())
}

fn missed(work: &Work, copied: &Copied) -> Result<String, String> {
    let mut reds = Vec::new();
    if let Some((test, red)) = work.test {
        let output = cargo(copied, &["test", "--locked", "--no-fail-fast"], test)?;
        let shown = String::from_utf8_lossy(&output.stdout);
        let is_red = |line: &str| line.contains(red) && line.ends_with("FAILED");
        if !shown.lines().any(is_red) {
            return Err(format!(
                "{red} stays green without it ({})\n{shown}{}",
                output.status,
                tail(&output.stderr)
            ));
        }
        reds.push(red.to_owned());
    }
    if let Some(binary) = copied.attacks.as_ref().filter(|_| !work.attacks.is_empty()) {
        let output = cargo(copied, &["build", "--locked", "-p", "errand"], &[])?;
        if !output.status.success() {
            return Err(format!("it cannot be built without it\n{}", tail(&output.stderr)));
        }
        attack(work, copied, binary)?;
        reds.push(format!("{} attacks succeed", work.attacks.len()));
        if work.name.starts_with("tenant-") {
            attack_behind_the_fence(work, copied, binary)?;
            reds.push("none behind row-level security".to_owned());
        }
    }
    Ok(reds.join(", "))
}

/// Runs the attacks that name the defence, on SQLite, and expects each to succeed.
fn attack(work: &Work, copied: &Copied, binary: &Path) -> Result<(), String> {
    expect(work, copied, binary, "sqlite", "FAILED")
        .map_err(|reason| format!("without it these are still held off: {reason}"))
}

/// Runs them behind row-level security, and expects none to succeed: it is the second lock for this one.
fn attack_behind_the_fence(work: &Work, copied: &Copied, binary: &Path) -> Result<(), String> {
    expect(work, copied, binary, "row_level_security", "ok")
        .map_err(|reason| format!("without it these leak behind row-level security: {reason}"))
}

/// Fails with the attacks that end in another way.
fn expect(work: &Work, copied: &Copied, binary: &Path, backend: &str, outcome: &str) -> Result<(), String> {
    let groups: BTreeSet<_> = work
        .attacks
        .iter()
        .map(|attack| format!("attacks::{}::{backend}", attack.group))
        .collect();
    let names: Vec<_> = work.attacks.iter().map(|attack| attack.name.as_str()).collect();
    let output = Command::new(binary)
        .args(groups)
        .arg("--nocapture")
        .env("ERRAND_ATTACKS", names.join(","))
        .env(pg_bin::VARIABLE, &copied.programs)
        .envs(
            copied
                .pooler
                .iter()
                .map(|program| (pooler_bin::VARIABLE, program)),
        )
        .current_dir(copied.tree.join("crates/server"))
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{} does not start: {error}", binary.display()))?;
    let shown = String::from_utf8_lossy(&output.stdout);
    let is_as_expected = |name: &&str| {
        let wanted = format!("attack {name} ... {outcome}");
        shown.lines().any(|line| line.ends_with(&wanted))
    };
    let others: Vec<_> = names
        .iter()
        .filter(|name| !is_as_expected(name))
        .copied()
        .collect();
    if others.is_empty() {
        return Ok(());
    }
    Err(format!("{}\n{shown}{}", others.join(", "), tail(&output.stderr)))
}

/// Builds the tests of the untouched copy and gives the program with the attacks. A mutant then only builds the
/// service, and cannot change the attacks along with it.
fn build_attacks(copied: &Copied) -> Result<PathBuf, String> {
    let test = [
        "test",
        "--locked",
        "--no-run",
        "--message-format=json",
        "-p",
        "errand",
        "--test",
        "e2e",
    ];
    let output = cargo(copied, &test, &[])?;
    let shown = String::from_utf8_lossy(&output.stdout);
    let built = shown.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        let is_ours = message.get("target")?.get("name")? == "e2e";
        let file = message.get("executable")?.as_str().filter(|_| is_ours)?;
        Some(PathBuf::from(file))
    });
    built.ok_or_else(|| format!("the attacks cannot be built\n{}", tail(&output.stderr)))
}

fn cargo(copied: &Copied, arguments: &[&str], more: &[&str]) -> Result<Output, String> {
    Command::new(
        std::env::var_os("CARGO")
            .as_deref()
            .unwrap_or(OsStr::new("cargo")),
    )
    .args(arguments)
    .args(more)
    .current_dir(&copied.tree)
    // Of its own: cargo takes the same crate in two folders for one, and would link a mutant into errand.
    .env("CARGO_TARGET_DIR", copied.tree.join("target"))
    .env(pg_bin::VARIABLE, &copied.programs)
    .envs(
        copied
            .pooler
            .iter()
            .map(|program| (pooler_bin::VARIABLE, program)),
    )
    .stdin(Stdio::null())
    .output()
    .map_err(|error| format!("cargo does not start: {error}"))
}

fn tail(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<_> = text.lines().collect();
    lines.split_at(lines.len().saturating_sub(30)).1.join("\n")
}

/// The text with the defence taken out, which must stand in it exactly once.
fn mutated(change: &Change, text: &str) -> Result<String, String> {
    match text.matches(change.from).count() {
        1 => Ok(text.replacen(change.from, change.to, 1)),
        n => Err(format!("`{}` stands {n} times in {}", change.from, change.file)),
    }
}

/// Every file of the project; what is the same already keeps its time, so that little is built again.
fn copy_tree(tree: &Path) -> Result<(), String> {
    let root = run::root();
    let mut git = Command::new("git");
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(&root);
    for name in run::output(&mut git)?.split_terminator('\0') {
        let (from, to): (PathBuf, PathBuf) = (root.join(name), tree.join(name));
        let Ok(bytes) = fs::read(&from) else { continue }; // deleted and not yet staged
        if fs::read(&to).is_ok_and(|old| old == bytes) {
            continue;
        }
        let parent = to.parent().unwrap_or(tree);
        fs::create_dir_all(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
        fs::write(&to, bytes).map_err(|error| format!("{}: {error}", to.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_defence_stands_where_its_mutant_says() {
        let all = all().unwrap();
        let mut wrong = Vec::new();
        for change in all.iter().flat_map(|work| &work.changes) {
            let text = fs::read_to_string(run::root().join(change.file)).unwrap();
            wrong.extend(mutated(change, &text).err());
            assert_ne!(change.from, change.to);
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let mut names: Vec<_> = all.iter().map(|work| work.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn every_defence_of_errand_in_the_table_has_a_mutant() {
        let all = all().unwrap();
        let (told, _) = table::read().unwrap();
        assert!(told.len() > 100);
        for defence in &told {
            let work = all.iter().find(|work| work.name == defence.name);
            assert_eq!(work.is_none(), defence.is_a_librarys, "{}", defence.name);
        }
        // And no mutant is there for nothing.
        for work in &all {
            assert!(work.test.is_some() || !work.attacks.is_empty(), "{}", work.name);
        }
    }
}
