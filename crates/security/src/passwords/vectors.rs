//! Hashes made by another program: passlib 1.7.4 on bcrypt 4.0.1 (Python), in the first table by
//! `bcrypt_sha256.using(rounds=…, salt="…").hash(password)` (once without `salt`), in the second by
//! `bcrypt.using(rounds=…, ident="2a"|"2b"|"2y").hash(password)`.

/// `$bcrypt-sha256$`, version 2.
pub(super) const HMAC_SHA256: &[(&str, &str)] = &[
    (
        "",
        "$bcrypt-sha256$v=2,t=2b,r=4$n79VH.0Q2TMWmt3Oqt9uku$OCcex9ilTIPh5Byenoa0hw8nirQ8h5W",
    ),
    (
        "",
        "$bcrypt-sha256$v=2,t=2b,r=10$n79VH.0Q2TMWmt3Oqt9uku$RRflSK7/zeeyQST8BnkfM41IC2.rPZ.",
    ),
    (
        "correct horse battery staple",
        "$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstuu$h8GCYhBqatMGV8VIjRD4nhRxM87r3yu",
    ),
    (
        "correct horse battery staple",
        "$bcrypt-sha256$v=2,t=2b,r=10$abcdefghijklmnopqrstuu$hH/eQWpkiqerhGFfkrFhtKRohIBsm8i",
    ),
    (
        "correct horse battery staple",
        "$bcrypt-sha256$v=2,t=2b,r=12$12oDtiJIWzRiX1XgbisEUu$X8HUaveUFMW8bGe.QJR6V1Yu27tLxdW",
    ),
    (
        "pässwörd 密码 🔑",
        "$bcrypt-sha256$v=2,t=2b,r=5$WQyP1FVYwzx1vVE8nE6Iee$Q.TtN5ZMsIVPj9aIfrg4Wn8kcqKww0G",
    ),
    (
        concat!(
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        ),
        "$bcrypt-sha256$v=2,t=2b,r=5$/0.Aa9Zz/0.Aa9Zz/0.AaO$TicsCV4BcsnL3OZ2rpxBkgOMpf4yovu",
    ),
    (
        "a\u{a0}b\tc",
        "$bcrypt-sha256$v=2,t=2b,r=5$......................$L.K991IjpJhOzYOOJfPv0A4DZ4YR5lO",
    ),
    (
        "01234567890123456789012345678901234567890123456789012345678901234567890123456789",
        "$bcrypt-sha256$v=2,t=2b,r=5$KRrKL0AkYQ3f0H0u2mWZG.$V2k9ejGL67p.0DZtXB0gwLiK/PAGiYq",
    ),
];

/// Plain bcrypt.
pub(super) const PLAIN: &[(&str, &str)] = &[
    (
        "correct horse battery staple",
        "$2a$04$SlP6P7jZAIgQuq6.rpezYOuVXzGqUWUi3miCPdVWDOl0CHu.1kgC2",
    ),
    (
        "pässwörd 密码 🔑",
        "$2a$04$d2z9fckLn208gUlxRPx4mOBstl4bMy93xzlER8u6RgI9F..43GBG2",
    ),
    (
        "correct horse battery staple",
        "$2b$04$xTaVfqVFRjYSdZD5vLpwA.gqk8JmVYRxan4R0M8HG5Is/56R6SV3e",
    ),
    (
        "pässwörd 密码 🔑",
        "$2b$04$pSYEtpna.ezX7JeBOSc69e5Di2ZlZ/zEsO0goTETrOqVQyQA3h0jy",
    ),
    (
        "correct horse battery staple",
        "$2y$04$XrFp3LF68OxkyExVZtpMXe/7t6h0R5fsP2UUgVy4LS1zPbHHKIsym",
    ),
    (
        "pässwörd 密码 🔑",
        "$2y$04$AL9poVJ0n3SLgfXqDChzzOpbgp40UtHfOYHAWTjsDK4ff6p5dHkgq",
    ),
    ("", "$2b$04$OCSAcL1QWsiB2WepuzVISO4/ddorY4IQZs2u3rTJBHPEuXYyXaABS"),
];
