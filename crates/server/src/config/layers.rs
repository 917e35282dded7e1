//! Puts environment and file on top of each other, and refuses what is no setting.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, Environment, File, FileFormat, Value, ValueKind};

use super::keys::{ALL, Key};
use super::near;
use super::reader::{Raw, Reader, Setting};

/// All settings that are set, with all faults of their names.
pub fn merge(file: Option<&Path>, environment: impl IntoIterator<Item = (OsString, OsString)>) -> Reader {
    let mut reader = Reader::default();
    let variables = variables(environment, &mut reader);
    let text = file.and_then(|path| read(path, &mut reader));
    let mut builder = Config::builder();
    if let (Some(path), Some(text)) = (file, text) {
        builder = add_file(builder, path, &text, &mut reader);
    }
    // Handed over as text, each under its full path: the library's own reading of numbers and lists out of
    // variables turns the password 00123 into 123.
    let values = variables
        .iter()
        .map(|(key, set)| (key.path.to_owned(), set.value.clone()));
    let environment = Environment::default().source(Some(values.collect()));
    for (path, value) in flatten(builder.add_source(environment), &mut reader) {
        let Some(key) = ALL.iter().find(|key| key.path == path) else {
            // Of the file, and reported when that was looked at.
            continue;
        };
        let name = match (variables.get(key), file) {
            (Some(set), _) => set.name.clone(),
            (None, Some(file)) => in_file(&path, file),
            (None, None) => path,
        };
        match raw(value) {
            Some(raw) => reader.set(*key, Setting { name, raw }),
            None => reader.faults.push(format!(
                "{name} must be {}",
                if key.is_list {
                    "a list of texts"
                } else {
                    "one value"
                }
            )),
        }
    }
    reader
}

struct Variable {
    name: String,
    value: String,
}

fn variables(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    reader: &mut Reader,
) -> BTreeMap<Key, Variable> {
    let mut found: BTreeMap<Key, Variable> = BTreeMap::new();
    for (name, value) in environment {
        // A name that is not text is none of ours.
        let Ok(name) = name.into_string() else { continue };
        let known = ALL
            .iter()
            .find(|key| key.alias == Some(name.as_str()) || key.variable() == name);
        let Some(key) = known else {
            if near::is_claimed(&name, &value.to_string_lossy()) {
                reader.faults.push(format!("{name} {}", near::variable(&name)));
            }
            continue;
        };
        let Ok(value) = value.into_string() else {
            reader.faults.push(format!("{name} must be UTF-8"));
            continue;
        };
        // Compose files and unit files pass on what is unset as empty. An empty list is a list.
        if value.is_empty() && !key.is_list {
            continue;
        }
        if let Some(other) = found.get(key) {
            let (first, second) = if other.name < name {
                (&other.name, &name)
            } else {
                (&name, &other.name)
            };
            reader.faults.push(format!(
                "{first} and {second} are the same setting: set one of them"
            ));
        }
        found.insert(*key, Variable { name, value });
    }
    found
}

fn read(path: &Path, reader: &mut Reader) -> Option<String> {
    match fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => Some(text),
        Ok(Err(_)) => {
            reader
                .faults
                .push(format!("{}: is not a text file", path.display()));
            None
        }
        Err(error) => {
            reader
                .faults
                .push(format!("{}: cannot be read: {error}", path.display()));
            None
        }
    }
}

fn add_file(
    builder: ConfigBuilder<DefaultState>,
    path: &Path,
    text: &str,
    reader: &mut Reader,
) -> ConfigBuilder<DefaultState> {
    let source = || File::from_str(text, FileFormat::Toml);
    if let Err(error) = Config::builder().add_source(source()).build() {
        // Only its first line: the others quote the file, which may hold secrets.
        let error = error.to_string();
        let first = error.lines().next().unwrap_or_default();
        let place = first
            .split_once(" at ")
            .map_or(String::new(), |(_, place)| format!(" at {place}"));
        reader
            .faults
            .push(format!("{}: is not valid TOML{place}", path.display()));
        return builder;
    }
    let mut has_secrets = false;
    for (key, _) in flatten(Config::builder().add_source(source()), reader) {
        match ALL.iter().find(|known| known.path == key) {
            Some(known) => has_secrets |= known.is_secret,
            None => reader
                .faults
                .push(format!("{} {}", in_file(&key, path), near::path(&key))),
        }
    }
    if has_secrets && is_readable_by_others(path) {
        let text = format!(
            "{} holds secrets and others may read it: chmod 600",
            path.display()
        );
        reader.warnings.push(text);
    }
    builder.add_source(source())
}

fn in_file(key: &str, file: &Path) -> String {
    format!("{key} (in {})", file.display())
}

/// Whether anybody but the owner may read a file.
pub fn is_readable_by_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
pub fn is_readable_by_others(_: &Path) -> bool {
    false
}

/// Every leaf with its path, in the order of the paths.
fn flatten(builder: ConfigBuilder<DefaultState>, reader: &mut Reader) -> BTreeMap<String, Value> {
    let mut leaves = BTreeMap::new();
    let table = builder
        .build()
        .and_then(Config::try_deserialize::<HashMap<String, Value>>);
    match table {
        Ok(table) => add_leaves("", table, &mut leaves),
        Err(_) => reader.faults.push("the configuration cannot be read".to_owned()),
    }
    leaves
}

fn add_leaves(above: &str, table: HashMap<String, Value>, leaves: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let path = if above.is_empty() {
            key
        } else {
            format!("{above}.{key}")
        };
        match value.kind {
            ValueKind::Table(inner) if !inner.is_empty() => add_leaves(&path, inner, leaves),
            // All its settings are commented out.
            ValueKind::Table(_) if is_section(&path) => {}
            _ => {
                leaves.insert(path, value);
            }
        }
    }
}

fn is_section(path: &str) -> bool {
    let mut paths = ALL.iter().map(|key| key.path);
    paths.any(|known| known.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

fn raw(value: Value) -> Option<Raw> {
    match value.kind {
        ValueKind::String(text) => Some(Raw::Text(text)),
        ValueKind::Boolean(value) => Some(Raw::Text(value.to_string())),
        ValueKind::I64(value) => Some(Raw::Text(value.to_string())),
        ValueKind::Float(value) => Some(Raw::Fraction(format!("{value:?}"))),
        ValueKind::Array(items) => {
            let texts = items.into_iter().map(|item| match item.kind {
                ValueKind::String(text) => Some(text),
                _ => None,
            });
            texts.collect::<Option<_>>().map(Raw::List)
        }
        _ => None,
    }
}
