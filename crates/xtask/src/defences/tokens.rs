//! Access tokens and where they stand.

super::defences! {
    // The token says itself how it is signed.
    "token-alg" {
        "security/src/tokens.rs": r#"if header.alg != "HS256" || header.typ != TYP {"# => "if header.typ != TYP {";
        "security/src/tokens.rs": "#[serde(borrow)]\n    alg:" => "#[serde(borrow, default)]\n    alg:";
        "security/src/tokens.rs": "if !crypto::verify(signature, message.as_bytes(), key, Algorithm::HS256).ok()? {" => "let all = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];\n        let mut right = all.into_iter().map(|a| crypto::verify(signature, message.as_bytes(), key, a).unwrap_or(false));\n        if !signature.is_empty() && !right.any(|right| right) {";
    }
    "token-signature" {
        "security/src/tokens.rs": "if !crypto::verify(signature," => "if false && !crypto::verify(signature,";
    }
    "token-kid" {
        "security/src/tokens.rs": "#[serde(borrow)]\n    kid: Cow<'a, str>," => "#[serde(default)]\n    kid: serde_json::Value,";
        "security/src/tokens.rs": "self.keys.iter().find(|(kid, _)| *kid == header.kid);" => "self.keys.first();";
    }
    "token-header" {
        "security/src/tokens.rs": "#[serde(deny_unknown_fields)]\nstruct StrictHeader" => "struct StrictHeader";
    }
    "token-typ" {
        "security/src/tokens.rs": " || header.typ != TYP {" => " {";
        "security/src/tokens.rs": "#[serde(borrow)]\n    typ:" => "#[serde(borrow, default)]\n    typ:";
    }
    "token-issuer" {
        "security/src/tokens.rs": "let ours = claims.iss == self.issuer" => "let ours = true";
    }
    "token-audience" {
        "security/src/tokens.rs": "            && claims.aud == self.audience\n" => "";
    }
    // Whatever can be made of the claims is made of them.
    "token-claims" {
        "security/src/tokens.rs": "let claims: Claims<'_> = object(&json)?;" => r#"let mut lax: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&json).ok()?;
        let names = ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "user_id", "email", "username"];
        lax.retain(|name, _| names.contains(&name.as_str()));
        for (name, usual) in [("iat", now.seconds()), ("exp", now.seconds() + 60)] {
            let told = lax.get(name).and_then(|value| {
                let text = value.as_str().and_then(|text| text.parse().ok());
                value.as_i64().or(text)
            });
            lax.insert(name.to_owned(), told.unwrap_or(usual).min(usual).into());
        }
        let user = lax.get("sub").or(lax.get("user_id")).cloned()?;
        let user = user.as_str().map_or_else(|| user.to_string(), str::to_owned);
        lax.insert("sub".to_owned(), user.clone().into());
        lax.insert("user_id".to_owned(), user.into());
        for (name, usual) in [("iss", &self.issuer), ("aud", &self.audience)] {
            if !lax.get(name).is_some_and(serde_json::Value::is_string) {
                lax.insert(name.to_owned(), usual.as_str().into());
            }
        }
        let json = serde_json::to_vec(&lax).ok()?;
        let claims: Claims<'_> = object(&json)?;"#;
    }
    "token-object" {
        "security/src/tokens.rs": "if json.first() != Some(&b'{') {" => "if json.is_empty() {";
    }
    "token-user" {
        "security/src/tokens.rs": "            && claims.user_id == claims.sub\n" => "";
    }
    "token-jti" {
        "security/src/tokens.rs": "            && SessionId::parse(&claims.jti).is_some();" => "            ;";
    }
    "token-expiry" {
        "security/src/tokens.rs": "&& claims.exp > now.saturating_sub(LEEWAY)" => "&& claims.exp > 0";
    }
    "token-order" {
        "security/src/tokens.rs": "            && claims.exp > claims.iat\n" => "";
    }
    "token-issued" {
        "security/src/tokens.rs": "            && claims.iat <= now.saturating_add(LEEWAY)\n" => "";
    }
    "token-issued-after-1970" {
        "security/src/tokens.rs": "claims.iat >= 0\n            && " => "";
    }
    "token-lifetime" {
        "security/src/tokens.rs": "            && claims.exp - claims.iat <= self.max_lifetime\n" => "";
    }
    "token-size" {
        "http/src/auth.rs": "const TOKEN_MAX: usize = 4096;" => "const TOKEN_MAX: usize = 16_384;";
        "security/src/tokens.rs": "const MAX_BYTES: usize = 4096;" => "const MAX_BYTES: usize = 16_384;";
    }
    "token-account" {
        "application/src/accounts.rs": "            .find(actor.user())\n            .await?\n            .ok_or(AppError::InvalidToken)" => "            .find(actor.user())\n            .await?\n            .ok_or(AppError::TaskNotFound)";
    }
    "token-kinds" {
        "application/src/sessions.rs": "            .verify(access_token, self.recorder.now())\n" => "            .verify(access_token, self.recorder.now())\n            .or_else(|| {\n                let token = RefreshToken::parse(&SecretString::from(access_token))?;\n                Some(crate::ports::VerifiedToken { user: token.user, session: token.session })\n            })\n";
    }
    "bearer-scheme" {
        "http/src/auth.rs": r#"if !scheme.eq_ignore_ascii_case("bearer") {"# => "if scheme.is_empty() {";
    }
    "bearer-once" {
        "http/src/auth.rs": "if values.next().is_some() {" => "if false && values.next().is_some() {";
    }
    "bearer-form" {
        "http/src/auth.rs": "let (scheme, token) = value.split_once(' ').unwrap_or((value, \"\"));" => "let (scheme, token) = value.split_once([' ', '\\t']).unwrap_or((value, \"\"));\n    let token = token.trim().split([',', ' ']).next().unwrap_or_default();";
    }
    // A token anywhere in the head will do.
    "bearer-place" {
        "http/src/middleware/admit.rs": "let actor = auth::authenticate(req.headers(), services).await?;" => r#"let mut headers = req.headers().clone();
        let names = ["cookie", "x-access-token", "x-auth-token", "proxy-authorization"];
        let stray = names.iter().find_map(|name| headers.get(*name)?.to_str().ok().map(str::to_owned));
        if let Some(text) = stray.or_else(|| Some(req.query_string().to_owned()).filter(|q| q.starts_with("access_token="))) {
            let token = text.trim_start_matches("access_token=").trim_start_matches("Bearer ").to_owned();
            let value = actix_web::http::header::HeaderValue::try_from(format!("Bearer {token}"));
            headers.insert(actix_web::http::header::AUTHORIZATION, value.map_err(Problem::internal)?);
        }
        let actor = auth::authenticate(&headers, services).await?;"#;
    }
    "refused-alike" {
        "application/src/sessions.rs": "if !self.guard.is_alive(verified.session).await? {\n            return Err(AppError::InvalidToken);" => "if !self.guard.is_alive(verified.session).await? {\n            return Err(AppError::SessionNotFound);";
    }
    "id-spelling" {
        "domain/src/id.rs": "text.parse().ok().filter(|_| canonical)" => "text.parse().ok().filter(|_| canonical || true)";
    }
    "session-id-spelling" {
        "domain/src/id.rs": "(id.as_hyphenated().to_string() == text).then_some(Self(id))" => "Some(Self(id))";
    }
}
