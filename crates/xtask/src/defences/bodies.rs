//! What a body may be and hold.

super::defences! {
    "json-duplicates" {
        "http/src/json.rs": "if object.contains_key(&key) {" => "if false && object.contains_key(&key) {";
    }
    "json-depth" {
        "http/src/json.rs": "if self.depth == DEPTH_MAX {" => "if self.depth == 8 * DEPTH_MAX {";
    }
    "json-end" {
        "http/src/json.rs": "        .and_then(|value| parser.end().map(|()| value))\n" => "";
    }
    "json-utf8" {
        "http/src/json.rs": r#"let text = std::str::from_utf8(bytes).map_err(|_| malformed("The body is not UTF-8"))?;"# => "let text = String::from_utf8_lossy(bytes);\n    let text = &*text;";
    }
    "json-object" {
        "http/src/json.rs": r#"        _ => Err(Problem::invalid(vec![Invalid::body(Fault::new(
            "wrong-type",
            "must be a JSON object",
        ))])),
"# => "        _ => Ok(Map::new()),\n";
    }
    "json-empty" {
        "http/src/json.rs": "    match parse(bytes)? {\n" => "    if bytes.is_empty() {\n        return Ok(Map::new());\n    }\n    match parse(bytes)? {\n";
    }
    "body-text" {
        "http/src/fields.rs": r#"            Some(_) => {
                self.fault::<()>(name, wrong_type("must be a string"));
                Sent::Faulty
            }
"# => "            Some(other) => Sent::Value(other.to_string()),\n";
    }
    "body-null" {
        "http/src/fields.rs": r#"            Sent::Null => self.fault(name, wrong_type("must be a string")),
            Sent::Value(text) => self.keep(name, parse(&text)),
            Sent::Faulty => None,
"# => r#"            Sent::Null => self.keep(name, parse("null")),
            Sent::Value(text) => self.keep(name, parse(&text)),
            Sent::Faulty => None,
"#;
    }
    "body-flag" {
        "http/src/fields.rs": r#"_ => self.fault(name, wrong_type("must be true or false")),"# => "_ => Some(true),";
    }
    "body-tags" {
        "http/src/fields.rs": "Ok(_) => Err(faults)," => "Ok(tags) => Ok(tags),";
    }
    "body-type" {
        "http/src/body.rs": "Only::One(value) if is_type(value, expected) => Ok(())," => "Only::One(_) | Only::None | Only::Unclear => Ok(()),";
    }
    "body-encoding" {
        "http/src/body.rs": "    if encoded {" => "    if false && encoded {";
    }
    "body-size" {
        "http/src/body.rs": "if declared.is_some_and(|length| length > max) {" => "if false && declared.is_some_and(|length| length > max) {";
        "http/src/body.rs": "BytesMut::with_capacity(declared.unwrap_or_default())" => "BytesMut::new()";
        "http/src/body.rs": "if body.len() + chunk.len() > max {" => "if false && body.len() + chunk.len() > max {";
    }
    "body-timeout" {
        "http/src/body.rs": "tokio::time::timeout(limit, whole)" => "tokio::time::timeout(limit * 1000, whole)";
    }
    "text-controls" {
        "domain/src/text.rs": "if text.chars().any(bad) {" => "if false && text.chars().any(bad) {";
    }
    "text-min" {
        "domain/src/text.rs": "n if n < min =>" => "n if n + 1 < min =>";
    }
    "text-max" {
        "domain/src/text.rs": "n if n > max =>" => "n if n > 1000 * max =>";
    }
    "tags-max" {
        "domain/src/task/tags.rs": "Ok(()) if tags.len() == TAGS_MAX => {" => "Ok(()) if tags.len() == 5 * TAGS_MAX => {";
    }
    "priority-words" {
        "domain/src/task/priority.rs": r#"found.ok_or_else(|| Fault::new("unknown-value", "must be one of Low, Medium, High"))"# => "Ok(found.unwrap_or_default())";
    }
    "due-years" {
        "domain/src/time.rs": "let plain = text.get(..5).is_some_and(is_year) && " => "let plain = ";
        "domain/src/time.rs": "(plain && (1..=9999).contains(&time.year()))" => "plain";
    }
    "due-exact" {
        "domain/src/time.rs": "        .filter(|_| shape)?;" => "        .filter(|_| shape || true)?;";
        "domain/src/time.rs": r#"(day.year() >= 1 && day.format("%Y-%m-%d").to_string() == text)"# => "(day.year() >= 1)";
    }
}
