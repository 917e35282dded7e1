//! What the program refuses to start with, and what it leaves behind.

super::defences! {
    "secret-length" {
        "security/src/secret.rs": "if secret.len() < SECRET_MIN_BYTES {" => "if secret.is_empty() {";
    }
    "secret-pattern" {
        "security/src/secret.rs": "if repeats(secret) || is_a_row(secret) {" => "if false && (repeats(secret) || is_a_row(secret)) {";
    }
    "secret-variety" {
        "security/src/secret.rs": "if different.len() < MIN_DIFFERENT_BYTES {" => "if different.is_empty() {";
    }
    "secret-published" {
        "security/src/secret.rs": "if is_published(&text) {" => "if false && is_published(&text) {";
    }
    "secret-words" {
        "security/src/secret.rs": "if secret.len() - separators(secret) - bytes_in_words(text) < MIN_BESIDES_WORDS {" => "if false && secret.len() - separators(secret) - bytes_in_words(text) < MIN_BESIDES_WORDS {";
    }
    "secret-required" {
        "server/src/config.rs": "if purpose == Purpose::Serve && postgres && " => "if false && purpose == Purpose::Serve && postgres && ";
        "server/src/serve.rs": "(None, None) => Err(jwt_secret::KeepError::NoPlace)," => "(None, None) => Ok(SecretString::from(\"kB1xW7fZtq0Yp3Jm9LdRvC5sHn8GuEaT\")),";
    }
    "verify-secrets" {
        "server/src/config.rs": "reader.list(key::JWT_VERIFY_SECRETS, secret)" => "reader.list(key::JWT_VERIFY_SECRETS, |text| Ok(SecretString::from(text)))";
        "security/src/tokens.rs": "            check_secret(key)?;\n" => "            let _ = check_secret(key);\n";
    }
    "cost-range" {
        "security/src/passwords.rs": "pub const MIN: u32 = 10;" => "pub const MIN: u32 = 4;";
        "security/src/passwords.rs": "pub const MAX: u32 = 14;" => "pub const MAX: u32 = 31;";
    }
    "ttl-range" {
        "server/src/config.rs": "values::duration(Duration::from_secs(1), Duration::from_hours(1))" => "values::duration(Duration::from_secs(1), Duration::from_hours(100))";
    }
    "database-tls" {
        "persistence/src/url/postgres.rs": "\"disable\" | \"allow\" | \"prefer\" if !is_loopback(&self.host)" => "\"disable\" | \"allow\" | \"prefer\" if false && !is_loopback(&self.host)";
    }
    "database-parameters" {
        "persistence/src/url/postgres.rs": "other => return Err(unknown(other))," => "other => drop(unknown(other)),";
        "persistence/src/url/postgres.rs": "\"options\" => self.endpoint = Some(endpoint(value)?)," => "\"options\" => self.endpoint = endpoint(value).ok(),";
    }
    "database-environment" {
        "persistence/src/connect.rs": "if std::env::var_os(variable).is_some() {" => "if false && std::env::var_os(variable).is_some() {";
    }
    "database-memory" {
        "persistence/src/url/sqlite.rs": "if path.contains(\":memory:\") {" => "if false && path.contains(\":memory:\") {";
    }
    "cors-list" {
        "server/src/config/values.rs": "pub fn origin(text: &str) -> Parsed<String> {\n" => "pub fn origin(text: &str) -> Parsed<String> {\n    if !text.is_empty() {\n        return Ok(text.to_owned());\n    }\n";
        "http/src/server.rs": "        check_origin(origin)?;\n" => "        drop(check_origin(origin));\n";
    }
    "known-settings" {
        "server/src/config/layers.rs": "                reader.faults.push(format!(\"{name} {}\", near::variable(&name)));\n" => "";
        "server/src/config/layers.rs": r#"            None => reader
                .faults
                .push(format!("{} {}", in_file(&key, path), near::path(&key))),
"# => "            None => {}\n";
    }
    "one-setting" {
        "server/src/config/layers.rs": "if let Some(other) = found.get(key) {" => "if let Some(other) = found.get(key).filter(|_| false) {";
    }
    "silent-faults" {
        "server/src/config/reader.rs": "            Err(wrong) => {\n                self.faults.push(format!(\"{name} {wrong}\"));\n" => r#"            Err(wrong) => {
                let shown = match raw {
                    Raw::Text(text) | Raw::Fraction(text) => text.as_str(),
                    Raw::List(_) => "",
                };
                self.faults.push(format!("{name} {wrong}, not {shown}"));
"#;
    }
    "silent-urls" {
        "server/src/config/values.rs": "DatabaseUrl::parse(text).map_err(|error| error.to_string())" => "DatabaseUrl::parse(text).map_err(|error| format!(\"{error}: {text}\"))";
    }
    "private-files" {
        "server/src/wire.rs": ".mode(0o700)" => ".mode(0o755)";
        "server/src/jwt_secret.rs": "open.mode(0o600);" => "open.mode(0o644);";
        "persistence/src/connect.rs": "mode(&mut open, 0o600);" => "mode(&mut open, 0o644);";
    }
}
