//! No circle between the modules of a crate. A module and those inside it are one house: they may know each
//! other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::git;
use crate::run::{self, Outcome};

type Module = Vec<String>;
type Edges = BTreeMap<Module, BTreeSet<Module>>;

/// Looks at every crate.
pub fn check() -> Outcome {
    let mut crates: BTreeMap<String, Vec<(Module, String)>> = BTreeMap::new();
    for (path, text) in git::rust_files()? {
        if let Some((name, module)) = place(&path) {
            crates.entry(name).or_default().push((module, text));
        }
    }
    let mut violations = Vec::new();
    for (name, files) in &crates {
        let edges = edges(files);
        for module in edges.keys().filter(|module| reaches(&edges, module, module)) {
            violations.push(format!(
                "{name}: {} is part of a circle of modules",
                module.join("::")
            ));
        }
    }
    run::verdict(&violations)
}

/// The crate and the module of a source file: `crates/http/src/tasks/list.rs` is `http`, `tasks::list`.
fn place(path: &Path) -> Option<(String, Module)> {
    let text = path.to_str()?.strip_suffix(".rs")?;
    let (name, inside) = text.split_once("/src/")?;
    let module: Module = inside
        .split('/')
        .filter(|part| *part != "mod")
        .map(str::to_owned)
        .collect();
    let test = module
        .iter()
        .any(|part| part == "tests" || part == "test_support");
    let root = matches!(inside, "lib" | "main");
    (!test && !root).then(|| (name.to_owned(), module))
}

/// Which module takes something from which, by the `use` lines before the tests.
fn edges(files: &[(Module, String)]) -> Edges {
    let known: BTreeSet<&Module> = files.iter().map(|(module, _)| module).collect();
    let mut edges = Edges::new();
    for (module, text) in files {
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for path in used(module, text) {
            let longest = (1..=path.len())
                .rev()
                .find_map(|n| path.get(..n).map(<[_]>::to_vec).filter(|p| known.contains(p)));
            if let Some(target) =
                longest.filter(|target| !module.starts_with(target) && !target.starts_with(module))
            {
                edges.entry(module.clone()).or_default().insert(target);
            }
        }
    }
    edges
}

/// The paths behind `use crate::` and `use super::`, as seen from the root of the crate.
fn used(module: &Module, text: &str) -> Vec<Module> {
    let mut paths = Vec::new();
    for statement in text.split("\nuse ").skip(1) {
        let statement = statement.split(';').next().unwrap_or_default();
        let (mut base, mut rest) = (module.clone(), statement);
        if let Some(tail) = rest.strip_prefix("crate::") {
            (base, rest) = (Vec::new(), tail);
        } else if rest.starts_with("super::") {
            while let Some(tail) = rest.strip_prefix("super::") {
                base.pop();
                rest = tail;
            }
        } else {
            continue;
        }
        let (stem, group) = rest.split_once('{').unwrap_or((rest, ""));
        base.extend(
            stem.split("::")
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(str::to_owned),
        );
        paths.push(base.clone());
        for item in group.trim_end_matches('}').split(',') {
            let item = item.split("::").map(|part| part.trim().to_owned());
            paths.push(base.iter().cloned().chain(item).collect());
        }
    }
    paths
}

fn reaches(edges: &Edges, from: &Module, to: &Module) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(next) = open.pop() {
        for target in edges.get(next).into_iter().flatten() {
            if target == to {
                return true;
            }
            if seen.insert(target) {
                open.push(target);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(texts: &[(&str, &str)]) -> Vec<(Module, String)> {
        texts
            .iter()
            .map(|(m, t)| (m.split("::").map(str::to_owned).collect(), (*t).to_owned()))
            .collect()
    }

    fn circles(texts: &[(&str, &str)]) -> Vec<String> {
        let edges = edges(&files(texts));
        edges
            .keys()
            .filter(|m| reaches(&edges, m, m))
            .map(|m| m.join("::"))
            .collect()
    }

    #[test]
    fn a_circle_is_found_over_several_modules_and_through_groups() {
        let texts = [
            ("a", "\nuse crate::b::Thing;\n"),
            ("b", "\nuse crate::{\n    c::Other, d,\n};\n"),
            ("c", "\nuse super::a::Back;\n"),
            ("d", "\nuse std::fmt;\n"),
        ];
        assert_eq!(circles(&texts), ["a", "b", "c"]);
        assert_eq!(circles(texts.get(..2).unwrap_or_default()), Vec::<String>::new());
    }

    #[test]
    fn a_module_and_its_own_may_know_each_other() {
        let texts = [
            ("a", "\nuse crate::a::b::X;\n"),
            ("a::b", "\nuse super::Y;\n"),
            ("a::c", "\nuse super::b::X;\n"),
        ];
        assert_eq!(circles(&texts), Vec::<String>::new());
        let siblings = [("a::b", "\nuse super::c::X;\n"), ("a::c", "\nuse super::b::X;\n")];
        assert_eq!(circles(&siblings), ["a::b", "a::c"]);
    }
}
