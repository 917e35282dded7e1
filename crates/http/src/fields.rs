//! Reads the fields of a body and collects everything that is wrong with them.

use errand_domain::account::check_password_size;
use errand_domain::task::{TAGS_MAX, Tags};
use errand_domain::{Fault, FieldFault};
use secrecy::SecretString;
use serde_json::{Map, Value};

use crate::problem::{Invalid, Problem};

/// More tags than this are not even looked at: comparing them with each other grows with the square.
const TAGS_LOOKED_AT: usize = 10 * TAGS_MAX;

/// The object in a body, and the faults found in it so far.
pub(crate) struct Fields {
    map: Map<String, Value>,
    faults: Vec<FieldFault>,
}

/// What was sent for a field.
enum Sent<T> {
    Absent,
    Null,
    Value(T),
    /// Already noted as a fault.
    Faulty,
}

impl Fields {
    pub(crate) fn new(map: Map<String, Value>) -> Self {
        Self {
            map,
            faults: Vec::new(),
        }
    }

    /// Whether the field is there, be it null or wrong.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Whether one of these is there, be it null or wrong.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.map.contains_key(*name))
    }

    /// Whether the field is there and not null.
    pub(crate) fn has_value(&self, name: &str) -> bool {
        self.map.get(name).is_some_and(|value| !value.is_null())
    }

    /// A text that must be there. `None` if a fault was noted.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        match self.text(name) {
            Sent::Absent => self.fault(name, Fault::new("required", "is required")),
            Sent::Null => self.fault(name, wrong_type("must be a string")),
            Sent::Value(text) => self.keep(name, parse(&text)),
            Sent::Faulty => None,
        }
    }

    /// A text that may be absent but not null.
    pub(crate) fn present<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<T> {
        match self.text(name) {
            Sent::Null => self.fault(name, wrong_type("must be a string")),
            Sent::Value(text) => self.keep(name, parse(&text)),
            Sent::Absent | Sent::Faulty => None,
        }
    }

    /// A text that may be absent (`None`) or null (`Some(None)`).
    #[expect(
        clippy::option_option,
        reason = "absent, null and a value are three things, as in a TaskChange"
    )]
    pub(crate) fn nullable<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, Fault>,
    ) -> Option<Option<T>> {
        match self.text(name) {
            Sent::Null => Some(None),
            Sent::Value(text) => self.keep(name, parse(&text)).map(Some),
            Sent::Absent | Sent::Faulty => None,
        }
    }

    /// A boolean that may be absent but not null.
    pub(crate) fn flag(&mut self, name: &'static str) -> Option<bool> {
        match self.map.remove(name)? {
            Value::Bool(flag) => Some(flag),
            _ => self.fault(name, wrong_type("must be true or false")),
        }
    }

    /// Tags: an array, a text with commas, or null for none.
    pub(crate) fn tags(&mut self, name: &'static str) -> Option<Tags> {
        let tags = match self.map.remove(name)? {
            Value::Null => Ok(Tags::default()),
            Value::String(text) => tags_in(&text),
            Value::Array(items) if items.len() > TAGS_LOOKED_AT => Err(too_many_tags()),
            Value::Array(items) => {
                let alien = items.iter().enumerate().filter(|(_, item)| !item.is_string());
                let mut faults: Vec<_> = alien
                    .map(|(n, _)| FieldFault::new(format!("tags/{n}"), wrong_type("must be a string")))
                    .collect();
                // A stand-in keeps the places of the others.
                match Tags::from_items(items.iter().map(|item| item.as_str().unwrap_or("x"))) {
                    Ok(tags) if faults.is_empty() => Ok(tags),
                    Ok(_) => Err(faults),
                    Err(more) => {
                        faults.extend(more);
                        Err(faults)
                    }
                }
            }
            _ => Err(vec![FieldFault::new(
                name,
                wrong_type("must be an array of strings or a string with commas"),
            )]),
        };
        tags.map_err(|faults| self.faults.extend(faults)).ok()
    }

    /// A secret that must be there and of a size that any password can have.
    pub(crate) fn secret(&mut self, name: &'static str) -> Option<SecretString> {
        self.required(name, |text| {
            check_password_size(text).map(|()| SecretString::from(text))
        })
    }

    /// Notes a fault.
    pub(crate) fn fault<T>(&mut self, name: &'static str, fault: Fault) -> Option<T> {
        self.faults.push(FieldFault::new(name, fault));
        None
    }

    /// What was read, unless there are faults.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Problem> {
        self.read(value)
            .map_err(|faults| Problem::invalid(faults.into_iter().map(Invalid::from).collect()))
    }

    /// The same for what is part of something greater.
    pub(crate) fn read<T>(self, value: Option<T>) -> Result<T, Vec<FieldFault>> {
        value.filter(|_| self.faults.is_empty()).ok_or(self.faults)
    }

    /// All that was sent and is not read yet, in one spelling.
    pub(crate) fn spelled(&self) -> String {
        // Sorted by name, as serde_json keeps objects.
        serde_json::Value::from(self.map.clone()).to_string()
    }

    /// An object that must be there.
    pub(crate) fn object(&mut self, name: &'static str) -> Option<Self> {
        match self.map.remove(name) {
            Some(Value::Object(map)) => Some(Self::new(map)),
            Some(_) => self.fault(name, wrong_type("must be an object")),
            None => self.fault(name, Fault::new("required", "is required")),
        }
    }

    /// An array that must be there.
    pub(crate) fn array(&mut self, name: &'static str) -> Option<Vec<Value>> {
        match self.map.remove(name) {
            Some(Value::Array(items)) => Some(items),
            Some(_) => self.fault(name, wrong_type("must be an array")),
            None => self.fault(name, Fault::new("required", "is required")),
        }
    }

    /// An id that must be there.
    pub(crate) fn id(&mut self, name: &'static str) -> Option<i64> {
        match self.map.remove(name) {
            Some(Value::Number(id)) => match id.as_i64().filter(|id| *id > 0) {
                Some(id) => Some(id),
                None => self.fault(name, Fault::new("invalid-id", "must be a positive integer")),
            },
            Some(_) => self.fault(name, wrong_type("must be a positive integer")),
            None => self.fault(name, Fault::new("required", "is required")),
        }
    }

    fn text(&mut self, name: &'static str) -> Sent<String> {
        match self.map.remove(name) {
            None => Sent::Absent,
            Some(Value::Null) => Sent::Null,
            Some(Value::String(text)) => Sent::Value(text),
            Some(_) => {
                self.fault::<()>(name, wrong_type("must be a string"));
                Sent::Faulty
            }
        }
    }

    fn keep<T>(&mut self, name: &'static str, parsed: Result<T, Fault>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(fault) => self.fault(name, fault),
        }
    }
}

/// The tags in a text with commas.
pub(crate) fn tags_in(text: &str) -> Result<Tags, Vec<FieldFault>> {
    if text.split(',').count() > TAGS_LOOKED_AT {
        return Err(too_many_tags());
    }
    Tags::from_list(text)
}

fn too_many_tags() -> Vec<FieldFault> {
    let fault = Fault::new("too-many", format!("must have at most {TAGS_MAX} tags"));
    vec![FieldFault::new("tags", fault)]
}

fn wrong_type(detail: &'static str) -> Fault {
    Fault::new("wrong-type", detail)
}

#[cfg(test)]
mod tests {
    use errand_domain::task::{Description, Due, Priority, Title};
    use serde_json::json;

    use super::*;

    fn fields(value: Value) -> Fields {
        match value {
            Value::Object(map) => Fields::new(map),
            _ => panic!("an object"),
        }
    }

    fn faults(fields: Fields) -> Vec<(String, &'static str)> {
        let faults = fields.faults.into_iter();
        faults.map(|f| (f.field.into_owned(), f.fault.code)).collect()
    }

    #[test]
    fn all_faults_at_once() {
        let mut f = fields(json!({
            "title": " ", "description": 5, "priority": null, "due_date": "2024-02-30",
            "completed": "true", "tags": ["ok", 1, "a,b", null],
        }));
        f.required("title", Title::parse);
        f.nullable("description", Description::parse);
        f.present("priority", Priority::parse);
        f.nullable("due_date", Due::parse);
        f.flag("completed");
        f.tags("tags");
        f.required("absent", Title::parse);
        let expected = [
            ("title", "too-short"),
            ("description", "wrong-type"),
            ("priority", "wrong-type"),
            ("due_date", "invalid-date"),
            ("completed", "wrong-type"),
            ("tags/1", "wrong-type"),
            ("tags/3", "wrong-type"),
            ("tags/2", "invalid-tag"),
            ("absent", "required"),
        ];
        assert_eq!(faults(f), expected.map(|(field, code)| (field.to_owned(), code)));
    }

    #[test]
    fn absent_null_and_a_value_are_three_things() {
        let mut f = fields(json!({"null": null, "value": "x"}));
        assert_eq!(f.nullable("absent", Description::parse), None);
        assert_eq!(f.nullable("null", Description::parse), Some(None));
        assert!(f.nullable("value", Description::parse).flatten().is_some());
        assert!(f.finish(Some(())).is_ok());
    }

    #[test]
    fn tags_in_every_spelling() {
        for (sent, tags) in [
            (json!(null), vec![]),
            (json!([]), vec![]),
            (json!(""), vec![]),
            (json!("a, b,,A"), vec!["a", "b"]),
            (json!(["a", " b "]), vec!["a", "b"]),
        ] {
            let read = fields(json!({"tags": sent})).tags("tags");
            assert_eq!(read.unwrap().as_slice(), tags);
        }
        assert_eq!(fields(json!({})).tags("tags"), None);
    }

    #[test]
    fn a_flood_of_tags_costs_nothing() {
        let many: Vec<_> = (0..60_000).map(|n| n.to_string()).collect();
        for sent in [json!(many), json!(many.join(","))] {
            let mut f = fields(json!({"tags": sent}));
            f.tags("tags");
            assert_eq!(faults(f), [("tags".to_owned(), "too-many")]);
        }
    }

    #[test]
    fn secrets_are_bounded() {
        for (sent, fault) in [
            (json!("x"), None),
            (json!("a\0b"), Some("control-character")),
            (json!("x".repeat(1025)), Some("too-long")),
            (json!(null), Some("wrong-type")),
            (json!(7), Some("wrong-type")),
        ] {
            let mut f = fields(json!({"password": sent}));
            f.secret("password");
            assert_eq!(faults(f).first().map(|(_, code)| *code), fault);
        }
    }
}
