//! What is told of a slip, so that it need not be looked for.

use super::*;

#[test]
fn a_name_that_is_nearly_a_setting_is_told_its_right_one() {
    for (written, told) in [
        (
            ("ERRAND_LIMITS__TASKS_PER_USER", "5"),
            "ERRAND_LIMITS__TASKS_PER_USER is not a setting of errand; did you mean ERRAND__LIMITS__TASKS_PER_USER?",
        ),
        // Empty or not.
        (
            ("ERRAND__LIMITS__X", ""),
            "ERRAND__LIMITS__X is not a setting of errand",
        ),
        (
            ("ERRAND_PORT", "8080"),
            "ERRAND_PORT is not a setting of errand; did you mean PORT?",
        ),
        (
            ("ERRAND_COLOUR", "red"),
            "ERRAND_COLOUR is not a setting of errand",
        ),
    ] {
        assert_eq!(load(&[written]).unwrap_err(), [told]);
    }
    let file = TomlFile::new("[limits]\ntask_per_user = 5");
    let told = format!(
        "limits.task_per_user (in {}) is not a setting of errand; did you mean limits.tasks_per_user?",
        file.path().display()
    );
    assert_eq!(file.load(&[]).unwrap_err(), [told]);
}

#[test]
fn of_a_list_each_wrong_entry_is_told() {
    let faults = load(&[
        (
            "ERRAND__LIMITS__EXEMPT_NETWORKS",
            "10.0.0.0/8, 10.0.0.1/8, , hunter22",
        ),
        ("ERRAND__AUTH__JWT_VERIFY_SECRETS", &format!("{SECRET},hunter22")),
    ]);
    let mut faults = faults.unwrap_err();
    faults.sort();
    assert_eq!(
        faults,
        [
            "ERRAND__AUTH__JWT_VERIFY_SECRETS (entry 2) must have at least 32 bytes",
            "ERRAND__LIMITS__EXEMPT_NETWORKS (entry 2) must not have bits of an address behind its prefix: the \
             network is 10.0.0.0/8, the address 10.0.0.1",
            "ERRAND__LIMITS__EXEMPT_NETWORKS (entry 4) must be a network such as 10.0.0.0/8 or 2001:db8::/32, or an \
             address",
        ]
    );
    let file = TomlFile::new("server.trusted_proxies = ['192.0.2.1', 'proxy']");
    let told = format!(
        "server.trusted_proxies (in {}) (entry 2) must",
        file.path().display()
    );
    assert_faults(file.load(&[]), &[&told]);
}

#[test]
fn a_fraction_is_told_what_would_be_right() {
    for (line, told) in [
        ("server.port = 3.5", "must be a whole number from 0 to 65535"),
        ("server.port = 8000.0", "must be a whole number from 0 to 65535"),
        ("database.deadline = 2.5", "must be a time from 1s to 60s"),
        ("auth.issuer = 1.5", "must be in quotes"),
        ("server.trusted_proxies = [10.5]", "must be a list of texts"),
        ("server.port = [1]", "must be one value"),
    ] {
        let file = TomlFile::new(line);
        let (key, _) = line.split_once(' ').unwrap();
        let told = format!("{key} (in {}) {told}", file.path().display());
        assert_faults(file.load(&[]), &[&told]);
    }
}
