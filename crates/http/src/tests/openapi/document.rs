//! The document, and what is looked up in it.

use std::sync::LazyLock;

use serde_json::Value;

/// The document as it is served.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(crate::openapi_json()).unwrap());

/// What stands there, after following references.
pub fn resolve(value: &'static Value) -> &'static Value {
    match value.get("$ref").and_then(Value::as_str) {
        None => value,
        Some(place) => {
            let found = DOCUMENT.pointer(place.strip_prefix('#').unwrap());
            resolve(found.unwrap_or_else(|| panic!("{place} leads nowhere")))
        }
    }
}

/// Every operation, with its method in capitals and its path.
pub fn operations() -> Vec<(String, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let each = |(path, item): (&'static String, &'static Value)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (method.to_uppercase(), path.as_str(), operation))
    };
    paths.iter().flat_map(each).collect()
}

/// The members of an object, or none.
pub fn members(value: &'static Value) -> impl Iterator<Item = (&'static str, &'static Value)> {
    let members = value.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), value))
}

/// Why a value is not of a schema. Knows what the document uses.
pub fn misfit(value: &Value, schema: &'static Value) -> Option<String> {
    let schema = resolve(schema);
    for choice in ["anyOf", "oneOf"] {
        if let Some(shapes) = schema[choice].as_array() {
            let misfits: Vec<_> = shapes.iter().map(|shape| misfit(value, shape)).collect();
            return misfits
                .iter()
                .all(Option::is_some)
                .then(|| format!("{value} is none of {misfits:?}"));
        }
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        kind => vec![kind.clone()],
    };
    if !kinds.contains(&kind.into()) {
        return Some(format!("{value} is no {kinds:?}"));
    }
    if schema["enum"]
        .as_array()
        .is_some_and(|words| !words.contains(value))
    {
        return Some(format!("{value} is none of {}", schema["enum"]));
    }
    let below = value.as_i64() < schema["minimum"].as_i64() && value.is_number();
    if below
        || value.is_number()
            && schema["maximum"]
                .as_i64()
                .is_some_and(|max| value.as_i64() > Some(max))
    {
        return Some(format!("{value} is out of bounds"));
    }
    match value {
        Value::Array(items) => items.iter().find_map(|item| misfit(item, &schema["items"])),
        Value::Object(object) => {
            let required = schema["required"].as_array().into_iter().flatten();
            let missing = required
                .filter_map(Value::as_str)
                .find(|name| !object.contains_key(*name));
            if let Some(name) = missing {
                return Some(format!("{name} is missing in {value}"));
            }
            let mut unfit = object.iter().map(|(name, member)| {
                let known = schema["properties"]
                    .get(name)
                    .or(schema.get("additionalProperties"));
                match known {
                    Some(schema) => misfit(member, schema).map(|why| format!("{name}: {why}")),
                    None => Some(format!("{name} is not in the document")),
                }
            });
            unfit.find_map(|why| why)
        }
        _ => None,
    }
}
