//! Query parameters, cursors and paths.

super::defences! {
    "query-known" {
        "http/src/query.rs": "if !allowed.contains(&name.as_str()) {" => "if false && !allowed.contains(&name.as_str()) {";
    }
    "query-once" {
        "http/src/query.rs": "} else if pairs.iter().take(index)" => "} else if false && pairs.iter().take(index)";
    }
    "query-words" {
        "http/src/tasks/list.rs": "found.map(|(_, value)| *value).ok_or_else(|| {" => "found.or(words.first()).map(|(_, value)| *value).ok_or_else(|| {";
    }
    "query-range" {
        "http/src/tasks/list.rs": ".filter(|n| digits && (min..=max).contains(n));" => ".filter(|n| digits && (min..=max).contains(n) || true);";
    }
    "url-decoding" {
        "http/src/query.rs": "    String::from_utf8(decoded).ok()\n" => "    Some(String::from_utf8_lossy(&decoded).into_owned())\n";
        "http/src/query.rs": "b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?," => "b'%' => bytes.next().and_then(digit).unwrap_or_default() << 4 | bytes.next().and_then(digit).unwrap_or_default(),";
    }
    "query-shown" {
        "http/src/query.rs": ".take(NAME_SHOWN)" => ".take(usize::MAX)";
    }
    "faults-told" {
        "http/src/problem.rs": "    errors.truncate(FAULTS_MAX);\n" => "        errors.truncate(100 * FAULTS_MAX);\n";
    }
    "search-literal" {
        "persistence/src/tasks/filter.rs": "    Func::cust(position).arg(Expr::col(column)).arg(text).gt(0)\n" => "    let _ = position;\n    Expr::col(column).like(format!(\"%{text}%\"))\n";
    }
    "search-length" {
        "domain/src/query.rs": "        check_length(text, 0, SEARCH_MAX_CHARS)?;\n" => "        check_length(text, 0, 100 * SEARCH_MAX_CHARS)?;\n";
    }
    "cursor-decoding" {
        "http/src/tasks/list.rs": r#".ok_or_else(|| Fault::new("invalid-cursor", "does not belong to this list"))"# => ".map_or(Ok::<_, Fault>(PageStart::Offset(0)), Ok)";
    }
    "cursor-or-offset" {
        "http/src/tasks/list.rs": r#"if query.get("cursor").is_some() && "# => r#"if false && query.get("cursor").is_some() && "#;
    }
    "uri-length" {
        "http/src/middleware/admit.rs": "if uri > URI_MAX {" => "if uri > 8 * URI_MAX {";
    }
    "id-form" {
        "http/src/tasks.rs": r#"TaskId::parse(segment(req, "id")).ok_or_else(|| Problem::new(Code::TaskNotFound))"# => r#"TaskId::parse(segment(req, "id"))
        .ok_or_else(|| Problem::new(Code::BadRequest).with_detail(segment(req, "id").to_owned()))"#;
    }
    // Who takes no GET takes everything.
    "route-method" {
        "http/src/routes.rs": "                admitted.guard(guard::Method(endpoint.method.clone()))\n" => "                admitted\n";
    }
}
