//! Turns the texts of settings into values and gathers what is wrong with them.

use std::collections::BTreeMap;

use super::faults::Faults;
use super::keys::Key;

/// What is set, before it is understood.
#[derive(Default)]
pub struct Reader {
    settings: BTreeMap<Key, Setting>,
    pub faults: Vec<String>,
    pub warnings: Vec<String>,
}

pub struct Setting {
    /// As the user wrote it.
    pub name: String,
    pub raw: Raw,
}

pub enum Raw {
    Text(String),
    /// A number of the file that is no whole one. There may be other ways to write it, so it is never a text.
    Fraction(String),
    List(Vec<String>),
}

impl Reader {
    /// An empty text in the file is no value, as it is in the environment.
    pub fn set(&mut self, key: Key, setting: Setting) {
        let empty = matches!(&setting.raw, Raw::Text(text) if text.is_empty());
        if !empty || key.is_list {
            self.settings.insert(key, setting);
        }
    }

    pub fn is_set(&self, key: Key) -> bool {
        self.settings.contains_key(&key)
    }

    /// The value of a setting; `None` if it is not set or, which is noted, not right. `parse` fails with the end
    /// of a sentence that begins with the setting's name: what the value must be.
    pub fn one<T>(&mut self, key: Key, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let Setting { name, raw } = self.settings.get(&key)?;
        let parsed = match raw {
            Raw::Text(text) => parse(text),
            Raw::Fraction(text) => parse(text).and(Err("must be in quotes".to_owned())),
            Raw::List(_) => Err("must be one value, not a list".to_owned()),
        };
        match parsed {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.faults.push(format!("{name} {wrong}"));
                None
            }
        }
    }

    /// The values of a list.
    pub fn list<T>(&mut self, key: Key, parse: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let Setting { name, raw } = self.settings.get(&key)?;
        let texts: Vec<&str> = match raw {
            Raw::Text(text) | Raw::Fraction(text) => text.split(',').map(str::trim).collect(),
            Raw::List(texts) => texts.iter().map(String::as_str).collect(),
        };
        let entries = (1..).zip(texts);
        // A comma too many is none.
        let entries = entries.filter(|(_, text)| matches!(raw, Raw::List(_)) || !text.is_empty());
        let mut values = Vec::new();
        let mut is_right = true;
        for (place, text) in entries {
            match parse(text) {
                Ok(value) => values.push(value),
                Err(wrong) => {
                    is_right = false;
                    self.faults.push(format!("{name} (entry {place}) {wrong}"));
                }
            }
        }
        is_right.then_some(values)
    }

    pub fn fault(&mut self, key: Key, wrong: &str) {
        let name = self
            .settings
            .get(&key)
            .map_or_else(|| key.preferred_variable(), |setting| setting.name.clone());
        self.faults.push(format!("{name} {wrong}"));
    }

    /// The value, unless something was wrong.
    pub fn finish<T>(self, value: T) -> Result<T, Faults> {
        if self.faults.is_empty() {
            Ok(value)
        } else {
            Err(Faults(self.faults))
        }
    }
}
