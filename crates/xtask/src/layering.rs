//! Which crate may depend on which. The rules are the table; the rest reads them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;

use crate::metadata::{self, Kind, Metadata, Package};
use crate::run::{Outcome, verdict};

struct Rule {
    name: &'static str,
    may_use: &'static [&'static str],
    /// Besides `may_use`, for its tests.
    tests_may_use: &'static [&'static str],
    /// By whatever way, tests aside.
    must_not_reach: &'static [&'static str],
}

const RULES: [Rule; 12] = [
    Rule {
        name: "errand-domain",
        may_use: &[],
        tests_may_use: &[],
        must_not_reach: &[
            "tokio",
            "serde_json",
            "sea-orm",
            "sqlx",
            "actix-web",
            "async-trait",
            "chrono-tz",
        ],
    },
    Rule {
        name: "errand-application",
        may_use: &["errand-domain"],
        tests_may_use: &[],
        must_not_reach: &[
            "sea-orm",
            "sqlx",
            "actix-web",
            "jsonwebtoken",
            "bcrypt",
            "rrule",
            "chrono-tz",
        ],
    },
    Rule {
        name: "errand-migrations",
        may_use: &[],
        tests_may_use: &[],
        must_not_reach: &["actix-web"],
    },
    Rule {
        name: "errand-persistence",
        may_use: &["errand-application", "errand-domain", "errand-migrations"],
        tests_may_use: &["errand-conformance", "errand-testbed"],
        must_not_reach: &["actix-web", "mockall", "proptest"],
    },
    Rule {
        name: "errand-import",
        may_use: &["errand-application", "errand-domain"],
        tests_may_use: &[
            "errand-persistence",
            "errand-conformance",
            "errand-recurrence",
            "errand-security",
            "errand-testbed",
        ],
        must_not_reach: &["sea-orm", "actix-web", "mockall", "proptest"],
    },
    Rule {
        name: "errand-recurrence",
        may_use: &["errand-domain"],
        tests_may_use: &[],
        must_not_reach: &["sea-orm", "sqlx", "actix-web", "mockall", "proptest"],
    },
    Rule {
        name: "errand-security",
        may_use: &["errand-application", "errand-domain"],
        tests_may_use: &[],
        must_not_reach: &["sea-orm", "sqlx", "actix-web", "mockall", "proptest"],
    },
    Rule {
        name: "errand-http",
        may_use: &["errand-application", "errand-domain"],
        tests_may_use: &[],
        must_not_reach: &["sea-orm", "sqlx", "mockall", "proptest"],
    },
    Rule {
        name: "errand-conformance",
        may_use: &["errand-application", "errand-domain"],
        tests_may_use: &[],
        must_not_reach: &["sea-orm", "sqlx", "actix-web"],
    },
    Rule {
        name: "errand-testbed",
        may_use: &[],
        tests_may_use: &[],
        must_not_reach: &["sea-orm", "actix-web"],
    },
    Rule {
        name: "errand",
        may_use: &[
            "errand-http",
            "errand-import",
            "errand-persistence",
            "errand-recurrence",
            "errand-security",
            "errand-application",
            "errand-domain",
        ],
        tests_may_use: &["errand-testbed", "errand-conformance"],
        must_not_reach: &["mockall", "proptest", "errand-conformance", "errand-testbed"],
    },
    Rule {
        name: "xtask",
        may_use: &[],
        tests_may_use: &[],
        must_not_reach: &["tokio", "sqlx"],
    },
];

/// Crate, package, and the only features of it that the crate may ask for, tests aside.
/// Locks and semaphores belong to a use case; a runtime, a clock and sockets are an adapter's.
const PARTS: [(&str, &str, &[&str]); 1] = [("errand-application", "tokio", &["sync"])];

/// Holds the workspace against the rules.
pub fn check() -> Outcome {
    let metadata = metadata::load()?;
    let mut found = violations(&metadata);
    for package in metadata.members.iter().filter_map(|id| metadata.packages.get(id)) {
        let text =
            fs::read_to_string(&package.manifest).map_err(|error| format!("{}: {error}", package.name))?;
        if !inherits_lints(&text) {
            found.push(format!(
                "{}: Cargo.toml lacks `[lints] workspace = true`",
                package.name
            ));
        }
    }
    verdict(&found)
}

/// Every way in which the packages break the rules, or the rules do not fit the packages.
pub fn violations(metadata: &Metadata) -> Vec<String> {
    let members: BTreeMap<&str, &str> = metadata
        .members
        .iter()
        .filter_map(|id| Some((metadata.packages.get(id)?.name.as_str(), id.as_str())))
        .collect();
    let known: BTreeSet<&str> = metadata
        .packages
        .values()
        .map(|package| package.name.as_str())
        .collect();
    let mut found = Vec::new();

    for name in members
        .keys()
        .filter(|name| RULES.iter().all(|rule| rule.name != **name))
    {
        found.push(format!("{name}: no layering rule names this crate"));
    }
    for rule in &RULES {
        let named = [&[rule.name], rule.may_use, rule.tests_may_use].concat();
        for name in named.iter().filter(|name| !members.contains_key(**name)) {
            found.push(format!(
                "the layering rules name {name}, which is no crate of this workspace"
            ));
        }
        for name in rule.must_not_reach.iter().filter(|name| !known.contains(**name)) {
            found.push(format!(
                "the layering rules forbid {name}, which no crate depends on: a typo?"
            ));
        }
        let Some(id) = members.get(rule.name) else {
            continue;
        };
        let Some(package) = metadata.packages.get(*id) else {
            continue;
        };
        found.extend(wrong_edges(rule, package, &members));
        found.extend(wrong_parts(package));

        let ways = reach(metadata, id);
        for name in rule.must_not_reach {
            if let Some(way) = ways.iter().find(|way| way.last() == Some(name)) {
                found.push(format!(
                    "{} must not reach {name}: {}",
                    rule.name,
                    way.join(" -> ")
                ));
            }
        }
    }
    found
}

fn wrong_edges(rule: &Rule, package: &Package, members: &BTreeMap<&str, &str>) -> Vec<String> {
    let own = package
        .declared
        .iter()
        .filter(|declared| members.contains_key(declared.name.as_str()));
    let wrong = own.filter(|declared| {
        let name = declared.name.as_str();
        let for_tests = declared.kind == Kind::Dev && rule.tests_may_use.contains(&name);
        !rule.may_use.contains(&name) && !for_tests
    });
    wrong
        .map(|declared| {
            format!(
                "{} must not depend on {} ({:?})",
                rule.name, declared.name, declared.kind
            )
        })
        .collect()
}

fn wrong_parts(package: &Package) -> Vec<String> {
    let mut found = Vec::new();
    for (_, part, allowed) in PARTS.iter().filter(|(name, _, _)| *name == package.name) {
        for declared in package
            .declared
            .iter()
            .filter(|line| line.name == *part && line.kind != Kind::Dev)
        {
            for feature in declared
                .features
                .iter()
                .filter(|feature| !allowed.contains(&feature.as_str()))
            {
                found.push(format!(
                    "{} must not use the feature {feature} of {part}",
                    package.name
                ));
            }
        }
    }
    found
}

/// The shortest way, by names, to every package that `root` uses when it is built alone and not for tests.
///
/// Cargo unites the features of the whole workspace, those of tests too, so its graph shows edges that
/// a build of one crate does not have. Between our own crates the manifests decide instead.
fn reach<'a>(metadata: &'a Metadata, root: &str) -> Vec<Vec<&'a str>> {
    let mut features: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    if let Some(package) = metadata.packages.get(root) {
        features.insert(&package.name, BTreeSet::from(["default"]));
    }
    // More features reach more crates, which ask for more features.
    loop {
        let before = features.clone();
        let ways = walk(metadata, root, &mut features);
        if features == before {
            return ways;
        }
    }
}

fn walk<'a>(
    metadata: &'a Metadata,
    root: &str,
    features: &mut BTreeMap<&'a str, BTreeSet<&'a str>>,
) -> Vec<Vec<&'a str>> {
    let mut seen = BTreeSet::new();
    let mut ways = Vec::new();
    let mut open = VecDeque::new();
    if let Some((id, package)) = metadata.packages.get_key_value(root) {
        open.push_back((id, vec![package.name.as_str()]));
    }
    while let Some((id, way)) = open.pop_front() {
        let Some(package) = metadata.packages.get(id).filter(|_| seen.insert(id)) else {
            continue;
        };
        let member = metadata.members.contains(id);
        let on = member.then(|| active(package, features.get(package.name.as_str())));
        if let Some(active) = &on {
            let normal = package
                .declared
                .iter()
                .filter(|declared| declared.kind == Kind::Normal);
            for declared in normal.filter(|declared| active.contains(declared.name.as_str())) {
                let wanted = declared.features.iter().map(String::as_str);
                features.entry(&declared.name).or_default().extend(wanted);
            }
        }
        for (used, _) in package
            .uses
            .iter()
            .filter(|(_, kinds)| kinds.contains(&Kind::Normal))
        {
            let Some(name) = metadata.packages.get(used).map(|package| package.name.as_str()) else {
                continue;
            };
            if on.as_ref().is_none_or(|active| active.contains(name)) {
                open.push_back((used, [way.as_slice(), &[name]].concat()));
            }
        }
        ways.push(way);
    }
    ways
}

/// The names of the packages that a manifest uses, tests aside, with these of its features on.
fn active<'a>(package: &'a Package, features: Option<&BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut open: Vec<&str> = features.into_iter().flatten().copied().collect();
    let (mut seen, mut aliases) = (BTreeSet::new(), BTreeSet::new());
    while let Some(feature) = open.pop() {
        for item in package
            .features
            .get(feature)
            .filter(|_| seen.insert(feature))
            .into_iter()
            .flatten()
        {
            if let Some(alias) = item.strip_prefix("dep:") {
                aliases.insert(alias);
            } else if let Some((alias, _)) = item.split_once('/') {
                // `x?/y` gives x a feature only if something else turns x on.
                aliases.extend((!alias.ends_with('?')).then_some(alias));
            } else {
                open.push(item);
            }
        }
    }
    let normal = package
        .declared
        .iter()
        .filter(|declared| declared.kind == Kind::Normal);
    let on = normal.filter(|declared| !declared.optional || aliases.contains(declared.alias.as_str()));
    on.map(|declared| declared.name.as_str()).collect()
}

/// Whether a manifest takes the lints of the workspace.
fn inherits_lints(manifest: &str) -> bool {
    let lines = manifest
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().replace(' ', ""));
    let mut section = String::new();
    for line in lines {
        if line.starts_with('[') {
            section = line;
        } else if section == "[lints]" && line == "workspace=true" {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Declared;

    /// The real workspace with one more dependency.
    fn with(from: &str, to: &str, kind: Kind) -> Metadata {
        let mut metadata = metadata::load().unwrap();
        plant(&mut metadata, from, to, kind);
        metadata
    }

    fn plant(metadata: &mut Metadata, from: &str, to: &str, kind: Kind) {
        let id = |name: &str| {
            metadata
                .packages
                .iter()
                .find(|(_, package)| package.name == name)
                .unwrap()
                .0
                .clone()
        };
        let (from, used) = (id(from), id(to));
        let package = metadata.packages.get_mut(&from).unwrap();
        package.uses.push((used, BTreeSet::from([kind])));
        package.declared.push(Declared {
            name: to.to_owned(),
            alias: to.to_owned(),
            kind,
            optional: false,
            features: vec!["default".to_owned()],
        });
    }

    fn assert_found(metadata: &Metadata, expected: &str) {
        let found = violations(metadata);
        assert!(
            found.iter().any(|line| line.contains(expected)),
            "no `{expected}` in {found:#?}"
        );
    }

    #[test]
    fn the_workspace_keeps_the_rules() {
        assert_eq!(violations(&metadata::load().unwrap()), Vec::<String>::new());
    }

    #[test]
    fn every_edge_that_is_not_allowed_is_found() {
        let clean = metadata::load().unwrap();
        for (from, to) in RULES
            .iter()
            .flat_map(|from| RULES.iter().map(move |to| (from, to.name)))
        {
            for kind in [Kind::Normal, Kind::Build, Kind::Dev] {
                let allowed =
                    from.may_use.contains(&to) || (kind == Kind::Dev && from.tests_may_use.contains(&to));
                let mut metadata = clean.clone();
                plant(&mut metadata, from.name, to, kind);
                let line = format!("{} must not depend on {to} ({kind:?})", from.name);
                assert_eq!(violations(&metadata).contains(&line), !allowed, "{line}");
            }
        }
    }

    #[test]
    fn every_forbidden_package_is_found_directly_and_behind_another_crate() {
        let clean = metadata::load().unwrap();
        for rule in &RULES {
            for name in rule.must_not_reach {
                let mut direct = clean.clone();
                plant(&mut direct, rule.name, name, Kind::Normal);
                assert_found(
                    &direct,
                    &format!("{} must not reach {name}: {} -> {name}", rule.name, rule.name),
                );

                // `once_cell` has no dependency of its own and nothing forbids it.
                let mut behind = clean.clone();
                plant(&mut behind, rule.name, "once_cell", Kind::Normal);
                plant(&mut behind, "once_cell", name, Kind::Normal);
                assert_found(&behind, &format!("{} must not reach {name}: ", rule.name));
            }
        }
    }

    #[test]
    fn tests_may_reach_what_the_crate_must_not() {
        let metadata = with("errand-domain", "tokio", Kind::Dev);
        assert_eq!(violations(&metadata), Vec::<String>::new());
    }

    #[test]
    fn only_the_allowed_part_of_a_package_is_used() {
        let metadata = with("errand-application", "tokio", Kind::Normal);
        assert_found(
            &metadata,
            "errand-application must not use the feature default of tokio",
        );
    }

    #[test]
    fn a_feature_that_ships_a_test_helper_is_found() {
        let mut metadata = metadata::load().unwrap();
        let http = metadata
            .packages
            .values_mut()
            .find(|package| package.name == "errand-http")
            .unwrap();
        let line = http
            .declared
            .iter_mut()
            .find(|line| line.name == "errand-application")
            .unwrap();
        line.features.push("test-support".to_owned());
        let application = metadata
            .packages
            .iter()
            .find(|(_, package)| package.name == "errand-application");
        let application = application.unwrap().0.clone();
        let mockall = metadata
            .packages
            .iter()
            .find(|(_, package)| package.name == "mockall")
            .unwrap()
            .0
            .clone();
        let uses = &mut metadata.packages.get_mut(&application).unwrap().uses;
        uses.push((mockall, BTreeSet::from([Kind::Normal])));
        assert_found(&metadata, "errand must not reach mockall: errand -> ");
        assert_found(
            &metadata,
            "errand-http must not reach mockall: errand-http -> errand-application -> mockall",
        );
    }

    #[test]
    fn a_crate_without_a_rule_and_a_rule_without_a_crate_are_found() {
        let mut metadata = metadata::load().unwrap();
        let id = metadata
            .members
            .iter()
            .find(|id| id.contains("xtask"))
            .unwrap()
            .clone();
        metadata.packages.get_mut(&id).unwrap().name = "chores".to_owned();
        assert_found(&metadata, "chores: no layering rule names this crate");
        assert_found(&metadata, "the layering rules name xtask, which is no crate");
        for package in metadata
            .packages
            .values_mut()
            .filter(|package| package.name == "bcrypt")
        {
            package.name = "decrypt".to_owned();
        }
        assert_found(
            &metadata,
            "the layering rules forbid bcrypt, which no crate depends on",
        );
    }

    #[test]
    fn inherited_lints_are_recognised() {
        assert!(inherits_lints(
            "[package]\nname = \"a\"\n\n[lints]\nworkspace = true # all\n[dependencies]\n"
        ));
        assert!(!inherits_lints(
            "[package]\n[lints]\n[dependencies]\nworkspace = true\n"
        ));
        assert!(!inherits_lints(
            "[lints]\n# workspace = true\nworkspace = false\n"
        ));
        assert!(!inherits_lints("[package]\nname = \"a\"\n"));
    }
}
