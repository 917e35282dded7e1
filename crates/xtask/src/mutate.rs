//! Takes out one defence at a time, in a copy of the tree, and expects the test named for it to turn red.
//! A defence that nobody misses is not held by anything.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::mutants::{MUTANTS, Mutant};
use crate::run::{self, Failure, Outcome};
use crate::{pg_bin, postgres};

/// Runs the mutants with these names, or all.
pub fn check(names: &[String]) -> Outcome {
    let unknown = names
        .iter()
        .find(|name| !MUTANTS.iter().any(|m| m.name == name.as_str()));
    if let Some(name) = unknown {
        let known: Vec<_> = MUTANTS.iter().map(|m| m.name).collect();
        return Err(Failure::new(format!(
            "no mutant {name}; there are {}",
            known.join(", ")
        )));
    }
    let programs = postgres::ensure()?;
    let tree = run::root().join("target/mutants");
    copy_tree(&tree)?;
    let mut survivors = Vec::new();
    for mutant in MUTANTS
        .iter()
        .filter(|m| names.is_empty() || names.iter().any(|n| n == m.name))
    {
        match kill(mutant, &tree, &programs) {
            Ok(()) => println!("{}: {} without it", mutant.name, mutant.red),
            Err(reason) => {
                eprintln!("{}: {reason}", mutant.name);
                survivors.push(mutant.name);
            }
        }
    }
    if survivors.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("nothing misses: {}", survivors.join(", "))))
}

fn kill(mutant: &Mutant, tree: &Path, programs: &Path) -> Result<(), String> {
    let file = tree.join(mutant.file);
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", mutant.file))?;
    let mutated = mutated(mutant, &text)?;
    fs::write(&file, mutated).map_err(|error| format!("{}: {error}", mutant.file))?;
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["test", "--locked", "--no-fail-fast"])
        .args(mutant.test)
        .current_dir(tree)
        // Of its own: cargo takes the same crate in two folders for one, and would link a mutant into errand.
        .env("CARGO_TARGET_DIR", tree.join("target"))
        .env(pg_bin::VARIABLE, programs)
        .stdin(Stdio::null())
        .output();
    fs::write(&file, text).map_err(|error| format!("{}: {error}", mutant.file))?;
    let output = output.map_err(|error| format!("cargo does not start: {error}"))?;
    let shown = String::from_utf8_lossy(&output.stdout);
    let red = shown
        .lines()
        .any(|line| line.contains(mutant.red) && line.ends_with("FAILED"));
    if red {
        return Ok(());
    }
    let tail: Vec<_> = String::from_utf8_lossy(&output.stderr)
        .lines()
        .rev()
        .take(15)
        .map(str::to_owned)
        .collect();
    let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
    Err(format!(
        "{} stays green without it ({})\n{shown}{tail}",
        mutant.red, output.status
    ))
}

/// The text with the defence taken out, which must stand in it exactly once.
fn mutated(mutant: &Mutant, text: &str) -> Result<String, String> {
    match text.matches(mutant.from).count() {
        1 => Ok(text.replacen(mutant.from, mutant.to, 1)),
        n => Err(format!("`{}` stands {n} times in {}", mutant.from, mutant.file)),
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
        for mutant in MUTANTS {
            let text = fs::read_to_string(run::root().join(mutant.file)).unwrap();
            assert!(
                mutated(mutant, &text).is_ok(),
                "{}: {:?}",
                mutant.name,
                mutated(mutant, &text).err()
            );
            assert_ne!(mutant.from, mutant.to);
        }
        let mut names: Vec<_> = MUTANTS.iter().map(|m| m.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MUTANTS.len());
    }
}
