//! Names, passwords, signing in.

super::defences! {
    "password-nul" {
        "domain/src/account.rs": r"if text.contains('\0') {" => r#"if text.contains("\0\0\0") {"#;
    }
    "password-min" {
        "domain/src/account.rs": "if text.chars().count() < PASSWORD_MIN_CHARS {" => "if text.is_empty() {";
    }
    "password-max" {
        "domain/src/account.rs": "if text.len() > PASSWORD_MAX_BYTES {" => "if text.len() > 4 * PASSWORD_MAX_BYTES {";
    }
    "password-common" {
        "domain/src/account.rs": ".guesses() <= COMMON_WITHIN_GUESSES" => ".guesses() < COMMON_WITHIN_GUESSES / 30_000";
    }
    "password-repetition" {
        "domain/src/account.rs": "        || is_repetition(text)\n" => "        || text.is_empty() && is_repetition(text)\n";
    }
    "password-not-name" {
        "domain/src/account.rs": "if lower == email.key() || lower == fold(email.local_part()) {" => "if lower.is_empty() {";
    }
    // The new password is taken as it comes.
    "password-change-policy" {
        "application/src/accounts.rs": "self.judged(new, &user.email, origin).await?\n        };" => "Ok::<_, Fault>(new)\n        };";
        "application/src/accounts.rs": "new.secret().clone()" => "new.clone()";
    }
    "password-differs" {
        "application/src/accounts.rs": "let new = if same {" => "let new = if false && same {";
    }
    "password-proof" {
        "application/src/accounts.rs": "Ok(verdict) if verdict.matches => Ok(())," => "Ok(verdict) if verdict.matches || true => Ok(()),";
    }
    // Plain bcrypt: 72 bytes, up to the first NUL and round again.
    "password-whole" {
        "security/src/passwords/scheme.rs": "let text = Zeroizing::new(STANDARD.encode(tag));" => "let _ = tag;\n    let text = Zeroizing::new(password.expose_secret().to_owned());";
        "http/src/accounts.rs": "let possible = check_password_size(password.expose_secret()).is_ok();" => "let possible = true;";
    }
    // Only the digits count.
    "password-exact" {
        "security/src/passwords/scheme.rs": "let tag = hmac::sign(&key, password.expose_secret().as_bytes());" => "let digits: Vec<u8> = password.expose_secret().bytes().filter(u8::is_ascii_digit).collect();\n    let tag = hmac::sign(&key, &digits);";
    }
    "email-printable" {
        "domain/src/account.rs": "if printable && domain_ok && local_ok {" => "if (printable || true) && domain_ok && local_ok {";
    }
    "email-domain" {
        "domain/src/account.rs": "if printable && domain_ok && local_ok {" => "if printable && (domain_ok || true) && local_ok {";
    }
    "email-local" {
        "domain/src/account.rs": "if printable && domain_ok && local_ok {" => "if printable && domain_ok && (local_ok || true) {";
    }
    "email-length" {
        "domain/src/account.rs": "if text.len() > EMAIL_MAX_BYTES {" => "if text.len() > 2 * EMAIL_MAX_BYTES {";
    }
    "email-fold" {
        "domain/src/account.rs": "fold(&self.0)" => "self.0.clone()";
    }
    "email-exact" {
        "domain/src/account.rs": "fold(&self.0)" => r#"fold(&self.0).replace('é', "e").replace('\u{430}', "a")"#;
    }
    "email-unique" {
        "application/src/accounts.rs": "let _turn = self.turns.take(email.key()).await;" => "let _ = &self.turns;";
        "application/src/accounts.rs": "            .is_some()\n" => "            .is_some_and(|_| false)\n";
        "../migrations/src/m20261123_000001_initial/sqlite.sql": "    CONSTRAINT users_email_unique UNIQUE (email_key),\n" => "";
    }
    "username-alphabet" {
        "domain/src/account.rs": "text.bytes().all(alphabet) {" => "(text.bytes().all(alphabet) || true) {";
    }
    "username-fold" {
        "domain/src/account.rs": "self.0.to_ascii_lowercase()" => "self.0.clone()";
    }
    // An account that is not there is told of.
    "sign-in-alike" {
        "application/src/accounts.rs": "        let stored = found.as_ref().map(|c| c.password.clone());\n" => "        if found.is_none() {\n            return Err(AppError::InvalidRefreshToken);\n        }\n        let stored = found.as_ref().map(|c| c.password.clone());\n";
    }
    "sign-in-one-name" {
        "http/src/accounts.rs": r#"let named = !fields.has_value("email") && "# => "let named = ";
    }
    "grant-types" {
        "http/src/sessions.rs": r#"None | Some("password") => {"# => r#"None | Some("password" | "client_credentials" | "authorization_code") => {"#;
    }
    "form-once" {
        "http/src/sessions.rs": "twice.push(*known);" => "let _ = known;";
    }
    "deletion" {
        "persistence/src/accounts.rs": "    users::Entity::delete_of(owner).exec(tx).await?;\n" => "";
    }
}
