//! `specs/002-defence/attacks.md` and the code say the same.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::GROUPS;

/// What the feature promises.
const LEAST: usize = 140;
/// Where the second table begins.
const BEGINNING: &str = "## Attacks\n";

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/002-defence/attacks.md");
    fs::read_to_string(path).unwrap()
}

fn table() -> String {
    let mut table = String::new();
    for group in GROUPS {
        writeln!(table, "\n### {}\n\n| attack | defence |\n|---|---|", group.0).unwrap();
        for attack in group.1 {
            writeln!(table, "| `{}` | `{}` |", attack.name, attack.defence).unwrap();
        }
    }
    table
}

#[test]
fn the_table_of_attacks_is_that_of_the_code() {
    let document = document();
    let (_, written) = document.split_once(BEGINNING).unwrap();
    let right = table();
    assert!(
        written.trim() == right.trim(),
        "below \"## Attacks\" in specs/002-defence/attacks.md should stand:\n{right}"
    );
}

#[test]
fn no_attack_is_there_twice_and_there_are_enough() {
    let names: Vec<_> = GROUPS
        .iter()
        .flat_map(|group| group.1)
        .map(|attack| attack.name)
        .collect();
    let mut seen = BTreeSet::new();
    for name in &names {
        assert!(seen.insert(name), "{name} is there twice");
    }
    assert!(names.len() >= LEAST, "there are {} attacks", names.len());
}

#[test]
fn every_defence_is_told_where_it_stands() {
    let document = document();
    let (defences, _) = document.split_once(BEGINNING).unwrap();
    let told: BTreeSet<_> = defences
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(key, _)| key)
        .collect();
    let held: BTreeSet<_> = GROUPS
        .iter()
        .flat_map(|group| group.1)
        .map(|attack| attack.defence)
        .collect();
    assert_eq!(told, held, "left: in the document; right: in the code");
}
