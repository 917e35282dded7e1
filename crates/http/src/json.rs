//! Strict JSON: what two parsers could read differently is refused.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use errand_domain::Fault;

use crate::problem::{Code, Invalid, Problem};

/// How deep arrays and objects may nest.
const DEPTH_MAX: usize = 16;

/// Reads one JSON object and nothing else.
pub(crate) fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    match parse(bytes)? {
        Value::Object(map) => Ok(map),
        _ => Err(Problem::invalid(vec![Invalid::body(Fault::new(
            "wrong-type",
            "must be a JSON object",
        ))])),
    }
}

fn parse(bytes: &[u8]) -> Result<Value, Problem> {
    let malformed = |detail: &'static str| Problem::new(Code::MalformedJson).with_detail(detail);
    let text = std::str::from_utf8(bytes).map_err(|_| malformed("The body is not UTF-8"))?;
    if text.is_empty() {
        return Err(malformed("The body is empty"));
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut parser);
    value
        .and_then(|value| parser.end().map(|()| value))
        .map_err(|error| {
            if error.is_data() {
                malformed("The body has a key twice in one object, or is nested too deeply")
            } else {
                malformed(Code::MalformedJson.detail())
            }
        })
}

/// Builds a [`Value`] and fails where [`Value`]'s own reader would go on: at a second key of the same name and
/// below [`DEPTH_MAX`].
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth == DEPTH_MAX {
            return Err(E::custom("too deep"));
        }
        Ok(Self {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(deeper)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(de::Error::custom("duplicate key"));
            }
            let value = entries.next_value_seed(deeper)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: &[u8]) -> Option<Code> {
        parse_object(bytes).err().map(|problem| problem.code())
    }

    #[test]
    fn reads_objects() {
        let text = r#" {"a": [1, -2, 3.5, true, null, "x"], "b": {"a": {}}} "#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(Value::Object(parse_object(text.as_bytes()).unwrap()), expected);
    }

    #[test]
    fn refuses_what_is_not_json() {
        for bad in [
            &b""[..],
            b" ",
            b"{",
            b"{} x",
            b"{}{}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":1,}",
            b"{\"a\":NaN}",
            b"{\"a\":1e400}",
            b"{/**/}",
            b"{'a':1}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\xc0\xaf\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":\"\x01\"}",
            b"{\"a\":01}",
        ] {
            assert_eq!(code(bad), Some(Code::MalformedJson), "{bad:?}");
        }
    }

    #[test]
    fn refuses_a_key_that_comes_twice_at_any_depth() {
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"x":[{"a":1,"b":2,"a":3}]}"#,
            r#"{"a":1,"\u0061":2}"#,
        ] {
            assert_eq!(code(bad.as_bytes()), Some(Code::MalformedJson), "{bad}");
        }
    }

    #[test]
    fn refuses_depth() {
        let nested = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert_eq!(code(nested(DEPTH_MAX - 1).as_bytes()), None);
        assert_eq!(code(nested(DEPTH_MAX).as_bytes()), Some(Code::MalformedJson));
        assert_eq!(code("[".repeat(100_000).as_bytes()), Some(Code::MalformedJson));
    }

    #[test]
    fn anything_but_an_object_breaks_a_rule() {
        for bad in ["[]", r#"["a","b"]"#, "1", "\"a\"", "null", "true"] {
            assert_eq!(code(bad.as_bytes()), Some(Code::ValidationFailed), "{bad}");
        }
    }
}
