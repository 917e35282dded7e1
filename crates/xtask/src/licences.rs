//! Which licences and sources the dependencies may have; `deny.toml` says the same to cargo-deny.

use std::collections::BTreeSet;

use crate::metadata::{self, Kind, Metadata};
use crate::run::{Outcome, verdict};

const ALLOWED: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Holds everything that takes part in a build against the list.
pub fn check() -> Outcome {
    verdict(&violations(&metadata::load()?))
}

/// Every package that may not take part, and why. What only tests of a dependency use is not built and not asked.
pub fn violations(metadata: &Metadata) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<&String> = metadata.members.iter().collect();
    while let Some(id) = open.pop() {
        let Some(package) = metadata.packages.get(id).filter(|_| seen.insert(id)) else {
            continue;
        };
        let name = format!("{} {}", package.name, package.version);
        match &package.licence {
            None => found.push(format!("{name}: no licence expression")),
            Some(licence) => match permits(licence) {
                Some(true) => {}
                Some(false) => found.push(format!("{name}: {licence} is not permissive")),
                None => found.push(format!("{name}: cannot read the licence expression {licence}")),
            },
        }
        match &package.source {
            Some(source) if source.starts_with("registry+") || source.starts_with("sparse+") => {}
            None if metadata.members.contains(id) => {}
            source => {
                let source = source.as_deref().unwrap_or("a folder");
                found.push(format!("{name}: comes from {source}, not from the registry"));
            }
        }
        let built = |kinds: &BTreeSet<Kind>| kinds.contains(&Kind::Normal) || kinds.contains(&Kind::Build);
        open.extend(
            package
                .uses
                .iter()
                .filter(|(_, kinds)| built(kinds))
                .map(|(used, _)| used),
        );
    }
    found
}

/// Whether an expression can be satisfied by allowed licences alone; none if it is malformed.
fn permits(expression: &str) -> Option<bool> {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (value, rest) = any(&words)?;
    rest.is_empty().then_some(value)
}

type Parsed<'a> = Option<(bool, &'a [&'a str])>;

fn any<'a>(words: &'a [&'a str]) -> Parsed<'a> {
    let (mut value, mut rest) = all(words)?;
    while let ["OR", after @ ..] = rest {
        let (next, left) = all(after)?;
        (value, rest) = (value | next, left);
    }
    Some((value, rest))
}

fn all<'a>(words: &'a [&'a str]) -> Parsed<'a> {
    let (mut value, mut rest) = one(words)?;
    while let ["AND", after @ ..] = rest {
        let (next, left) = one(after)?;
        (value, rest) = (value & next, left);
    }
    Some((value, rest))
}

fn one<'a>(words: &'a [&'a str]) -> Parsed<'a> {
    match words {
        ["(", inner @ ..] => match any(inner)? {
            (value, [")", rest @ ..]) => Some((value, rest)),
            _ => None,
        },
        [")" | "AND" | "OR" | "WITH", ..] | [] => None,
        [licence, "WITH", exception, rest @ ..] => Some((
            ALLOWED.contains(&format!("{licence} WITH {exception}").as_str()),
            rest,
        )),
        [licence, rest @ ..] => Some((ALLOWED.contains(licence), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_permissive() {
        assert_eq!(violations(&metadata::load().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn expressions_are_evaluated() {
        for yes in [
            "MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 / MIT",
            "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
            "GPL-3.0-only OR (MIT AND Unicode-3.0)",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0-only",
        ] {
            assert_eq!(permits(yes), Some(true), "{yes}");
        }
        for no in [
            "GPL-3.0-or-later",
            "AGPL-3.0-only",
            "LGPL-2.1-or-later",
            "MPL-2.0",
            "MIT AND MPL-2.0",
            "MIT AND GPL-2.0-only OR LGPL-3.0-only",
            "(MIT OR Apache-2.0) AND GPL-3.0-only",
            "GPL-2.0-only WITH Classpath-exception-2.0",
            "MIT WITH LLVM-exception",
        ] {
            assert_eq!(permits(no), Some(false), "{no}");
        }
        // AND binds tighter than OR.
        assert_eq!(permits("MIT OR ISC AND GPL-3.0-only"), Some(true));
        for broken in ["", "MIT OR", "(MIT", "MIT Apache-2.0", "AND MIT", "MIT)"] {
            assert_eq!(permits(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_planted_licence_or_source_is_found() {
        let clean = metadata::load().unwrap();
        let id = clean
            .packages
            .iter()
            .find(|(_, package)| package.name == "serde_json")
            .unwrap()
            .0
            .clone();
        let planted = |change: fn(&mut metadata::Package)| {
            let mut metadata = clean.clone();
            change(metadata.packages.get_mut(&id).unwrap());
            let found = violations(&metadata);
            assert_eq!(found.len(), 1, "{found:#?}");
            found[0].clone()
        };
        let line = planted(|package| package.licence = Some("GPL-3.0-or-later".to_owned()));
        assert!(line.ends_with("GPL-3.0-or-later is not permissive"), "{line}");
        assert!(planted(|package| package.licence = None).ends_with("no licence expression"));
        let line = planted(|package| package.source = Some("git+ssh://somewhere/serde_json".to_owned()));
        assert!(line.contains("comes from git+ssh://somewhere"), "{line}");
        assert!(planted(|package| package.source = None).contains("comes from a folder"));
    }

    #[test]
    fn the_other_list_says_the_same() {
        let text = std::fs::read_to_string(crate::run::root().join("deny.toml")).unwrap();
        let (_, list) = text.split_once("\nallow = [").unwrap();
        let list = list.split_once(']').unwrap().0;
        let listed: BTreeSet<&str> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(listed, BTreeSet::from(ALLOWED));
    }
}
