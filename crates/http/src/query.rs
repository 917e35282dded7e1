//! Query parameters and forms: pairs of names and values, decoded strictly.

use errand_domain::Fault;

use crate::problem::{Code, Invalid, Problem};

/// The most characters of an unknown parameter's name that an answer repeats.
const NAME_SHOWN: usize = 64;

/// The query parameters of a request, each name once and known to the route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(pub(crate) Vec<(String, String)>);

impl Query {
    /// Reads the query of a route that knows the parameters `allowed`.
    pub(crate) fn parse(raw: &str, allowed: &[&str]) -> Result<Self, Problem> {
        let pairs = pairs(raw, Code::MalformedQuery)?;
        let mut faults = Vec::new();
        for (index, (name, _)) in pairs.iter().enumerate() {
            let shown: String = name.chars().take(NAME_SHOWN).collect();
            if !allowed.contains(&name.as_str()) {
                faults.push(Invalid::parameter(shown, unknown(allowed)));
            } else if pairs.iter().take(index).any(|(earlier, _)| earlier == name) {
                let fault = Fault::new("repeated", "must be given only once");
                faults.push(Invalid::parameter(shown, fault));
            }
        }
        if faults.is_empty() {
            Ok(Self(pairs))
        } else {
            Err(Problem::invalid(faults))
        }
    }

    /// The value of a parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

fn unknown(allowed: &[&str]) -> Fault {
    let detail = if allowed.is_empty() {
        "is not a known parameter; this route has none".to_owned()
    } else {
        format!("is not a known parameter; allowed are {}", allowed.join(", "))
    };
    Fault::new("unknown-parameter", detail)
}

/// Decodes `application/x-www-form-urlencoded`; `malformed` is the code of the failure.
pub(crate) fn pairs(raw: &str, malformed: Code) -> Result<Vec<(String, String)>, Problem> {
    let pieces = raw.split('&').filter(|piece| !piece.is_empty());
    let decoded = pieces.map(|piece| {
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        Some((decode(name)?, decode(value)?))
    });
    decoded
        .collect::<Option<_>>()
        .ok_or_else(|| Problem::new(malformed))
}

fn decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_strictly() {
        let read = |raw| pairs(raw, Code::MalformedQuery).map_err(|p| p.code());
        assert_eq!(
            read("a=1&&b=x+y%2B%C3%A9&c&=d"),
            Ok([("a", "1"), ("b", "x y+é"), ("c", ""), ("", "d")]
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .to_vec())
        );
        for bad in ["a=%", "a=%4", "a=%zz", "%ff=1", "a=%c0%af", "a=%+1"] {
            assert_eq!(read(bad), Err(Code::MalformedQuery), "{bad}");
        }
    }

    #[test]
    fn names_are_known_and_come_once() {
        let query = Query::parse("limit=5", &["limit", "q"]).unwrap();
        assert_eq!((query.get("limit"), query.get("q")), (Some("5"), None));
        let told = |raw, allowed: &[&str]| Query::parse(raw, allowed).unwrap_err().to_string();
        assert_eq!(
            told("user_id=2&limit=1&limit=2", &["limit", "q"]),
            "validation-failed: user_id is not a known parameter; allowed are limit, q; \
             limit must be given only once"
        );
        assert_eq!(
            told("x", &[]),
            "validation-failed: x is not a known parameter; this route has none"
        );
    }
}
