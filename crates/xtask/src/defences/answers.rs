//! Headers, other origins, answers and the log.

super::defences! {
    "headers-count" {
        "http/src/middleware/admit.rs": "if count > HEADERS_MAX || " => "if count > 100 * HEADERS_MAX || ";
    }
    "headers-bytes" {
        "http/src/middleware/admit.rs": "|| bytes > HEADERS_MAX_BYTES {" => "|| bytes > 100 * HEADERS_MAX_BYTES {";
    }
    "request-id" {
        "http/src/middleware/edge.rs": "(1..=REQUEST_ID_MAX).contains(&value.len()) && " => "true || ";
    }
    "relative-links" {
        "http/src/tasks.rs": r#"format!("/api/{}/tasks/{}", "# => r#"format!("http://evil.example/api/{}/tasks/{}", "#;
        "http/src/tasks/list.rs": r#"format!("</api/{owner}"# => r#"format!("<http://evil.example/api/{owner}"#;
    }
    "head-timeout" {
        "http/src/server.rs": ".client_request_timeout(head_timeout)" => ".client_request_timeout(head_timeout * 100)";
    }
    "cors-origins" {
        "http/src/server.rs": ".fold(cors, |cors, origin| cors.allowed_origin(origin))" => ".fold(cors.allow_any_origin(), |cors, _| cors)";
    }
    "cors-methods" {
        "http/src/server.rs": r#".allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])"# => ".allow_any_method()";
    }
    "cors-headers" {
        "http/src/server.rs": ".allowed_headers(allowed.map(HeaderName::from_static))" => ".allow_any_header()";
    }
    "answer-headers" {
        "http/src/middleware/edge.rs": "    secure(headers);\n" => "";
    }
    "answer-cache" {
        "http/src/middleware/edge.rs": "    cache(headers, asked.matched, failed);\n" => "";
    }
    "grant-cache" {
        "http/src/accounts.rs": "        .insert_header((CACHE_CONTROL, \"no-store\"))\n" => "";
    }
    "answer-fields" {
        "http/src/accounts.rs": "struct UserJson<'a> {\n" => "struct UserJson<'a> {\n    password_hash: &'static str,\n";
        "http/src/accounts.rs": "            id: user.id.0,\n" => "            password_hash: \"\",\n            id: user.id.0,\n";
    }
    // A refusal says what was refused.
    "answer-secrets" {
        "http/src/accounts.rs": "    let command = login_command(&name, password, &req);\n    let grant = services.accounts.login(command).await?;\n" => r#"    let said = format!("{name} has not the password {}", password.expose_secret());
    let command = login_command(&name, password, &req);
    let login = services.accounts.login(command).await;
    let grant = login.map_err(|error| Problem::from(error).with_detail(said))?;
"#;
    }
    "answer-internals" {
        "http/src/json.rs": "                malformed(Code::MalformedJson.detail())\n" => "                Problem::new(Code::MalformedJson).with_detail(error.to_string())\n";
    }
    "log-route" {
        "http/src/middleware/log.rs": "route = extensions.get::<Matched>().map_or(\"-\", |matched| matched.path)," => "route = response.request().uri().to_string(),";
    }
    "log-method" {
        "http/src/middleware/log.rs": "        _ => \"other\"," => "        _ => method.as_str(),";
    }
    // A health check that calls somebody, here itself.
    "no-connections" {
        "http/src/service.rs": "pub(crate) async fn live() -> HttpResponse {\n" => r#"pub(crate) async fn live() -> HttpResponse {
    if let Ok(listener) = std::net::TcpListener::bind("127.0.0.1:0") {
        let stream = listener.local_addr().and_then(std::net::TcpStream::connect);
        std::mem::forget((listener, stream));
    }
"#;
    }
}
