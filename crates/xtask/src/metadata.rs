//! What `cargo metadata` tells, in the shape that the checks need.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

use crate::run;

/// All packages of the workspace and everything that they depend on.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// Ids of the workspace's own packages.
    pub members: BTreeSet<String>,
    /// By id.
    pub packages: BTreeMap<String, Package>,
}

/// One package.
#[derive(Clone, Debug, Default)]
pub struct Package {
    /// Not unique: several versions of a package may take part.
    pub name: String,
    /// For messages.
    pub version: String,
    /// The licence expression as its manifest has it.
    pub licence: Option<String>,
    /// Where it comes from; none for a local folder.
    pub source: Option<String>,
    /// Its `Cargo.toml`.
    pub manifest: PathBuf,
    /// What its manifest declares, used or not.
    pub declared: Vec<Declared>,
    /// What each of its features turns on.
    pub features: BTreeMap<String, Vec<String>>,
    /// What is used after all features of all packages are united: id and kinds.
    pub uses: Vec<(String, BTreeSet<Kind>)>,
}

/// One line of a manifest's dependencies.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The package.
    pub name: String,
    /// The name under which features speak of it.
    pub alias: String,
    /// Which part of the build wants it.
    pub kind: Kind,
    /// Only with a feature.
    pub optional: bool,
    /// The features asked for; `default` is among them unless it was turned off.
    pub features: Vec<String>,
}

/// Which part of a build wants a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The crate itself.
    Normal,
    /// Its build script.
    Build,
    /// Its tests.
    Dev,
}

/// Asks cargo, with the lock file as it is.
pub fn load() -> Result<Metadata, String> {
    let text = run::output(&mut run::cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--locked",
    ]))?;
    let value =
        serde_json::from_str(&text).map_err(|error| format!("cargo metadata is not JSON: {error}"))?;
    parse(&value).ok_or_else(|| "cargo metadata has another shape than expected".to_owned())
}

fn parse(value: &Value) -> Option<Metadata> {
    let mut packages = BTreeMap::new();
    for package in value.get("packages")?.as_array()? {
        packages.insert(text(package, "id")?, parse_package(package)?);
    }
    for node in value.get("resolve")?.get("nodes")?.as_array()? {
        let package = packages.get_mut(node.get("id")?.as_str()?)?;
        for used in node.get("deps")?.as_array()? {
            let kinds = used
                .get("dep_kinds")?
                .as_array()?
                .iter()
                .map(kind)
                .collect::<Option<_>>()?;
            package.uses.push((text(used, "pkg")?, kinds));
        }
    }
    let members = strings(value.get("workspace_members")?)?.into_iter().collect();
    Some(Metadata { members, packages })
}

fn parse_package(package: &Value) -> Option<Package> {
    let declared = package
        .get("dependencies")?
        .as_array()?
        .iter()
        .map(parse_declared)
        .collect::<Option<_>>()?;
    let features = package.get("features")?.as_object()?.iter();
    Some(Package {
        name: text(package, "name")?,
        version: text(package, "version")?,
        licence: text(package, "license"),
        source: text(package, "source"),
        manifest: text(package, "manifest_path")?.into(),
        declared,
        features: features
            .map(|(name, on)| Some((name.clone(), strings(on)?)))
            .collect::<Option<_>>()?,
        uses: Vec::new(),
    })
}

fn parse_declared(line: &Value) -> Option<Declared> {
    let name = text(line, "name")?;
    let mut features = strings(line.get("features")?)?;
    if line.get("uses_default_features")?.as_bool()? {
        features.push("default".to_owned());
    }
    Some(Declared {
        alias: text(line, "rename").unwrap_or_else(|| name.clone()),
        name,
        kind: kind(line)?,
        optional: line.get("optional")?.as_bool()?,
        features,
    })
}

fn kind(of: &Value) -> Option<Kind> {
    match of.get("kind")? {
        Value::Null => Some(Kind::Normal),
        Value::String(kind) if kind == "dev" => Some(Kind::Dev),
        Value::String(kind) if kind == "build" => Some(Kind::Build),
        _ => None,
    }
}

fn text(of: &Value, key: &str) -> Option<String> {
    of.get(key)?.as_str().map(str::to_owned)
}

fn strings(of: &Value) -> Option<Vec<String>> {
    of.as_array()?
        .iter()
        .map(|value| value.as_str().map(str::to_owned))
        .collect()
}
