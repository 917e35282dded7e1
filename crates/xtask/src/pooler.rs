//! PgBouncer for the tests: found, or fetched without touching the system.
//!
//! Older releases of Debian have one that mixes up prepared statements. A newer release's is downloaded by apt,
//! with lists and caches of its own, and unpacked, not installed: it brings its own C library.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, id};

use crate::pooler_bin;
use crate::run;

/// The release whose packages are fetched; its PgBouncer is 1.24, which Neon runs.
const SUITE: &str = "trixie";

/// The program and what of it is newer than other releases have.
const PACKAGES: [&str; 5] = [
    "pgbouncer",
    "libc6",
    "libssl3t64",
    "libevent-2.1-7t64",
    "libcares2",
];

/// How Debian's own sources call a release, whatever the mirror's name.
const SUITES: [&str; 9] = [
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "bullseye",
    "bookworm",
    SUITE,
    "forky",
];

/// Debian's keys, of its package `debian-archive-keyring`; the ones of 2025 sign the release that is fetched.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The program, after fetching it if need be.
/// The error says what is missing and what to do.
pub fn ensure() -> Result<PathBuf, run::Failure> {
    let workspace = run::root();
    let missing = match pooler_bin::find(&workspace) {
        Ok(program) => return Ok(program),
        Err(missing) => missing,
    };
    // Whoever names a program wants that one and no other.
    if std::env::var_os(pooler_bin::VARIABLE).is_some_and(|value| !value.is_empty()) {
        return Err(missing.into());
    }
    let home = workspace.join("target/pooler");
    let work = workspace.join(format!("target/pooler-{}", id()));
    let fetched = fetch(&work).and_then(|()| replace(&work.join("program"), &home));
    // What is left of a failure is in nobody's way.
    drop(fs::remove_dir_all(&work));
    fetched.map_err(|reason| format!("PgBouncer cannot be fetched: {reason}\n{missing}"))?;
    Ok(pooler_bin::find(&workspace)?)
}

/// [`ensure`] for those who can do without: the tests that cannot will fail, and say so themselves.
pub fn for_tests() -> Option<PathBuf> {
    match ensure() {
        Ok(program) => {
            println!("PgBouncer: {}", program.display());
            Some(program)
        }
        Err(failure) => {
            eprintln!("Tests that need PgBouncer will fail: {}", failure.message);
            None
        }
    }
}

/// Downloads, unpacks and assembles the program in the folder `work/program`.
fn fetch(work: &Path) -> Result<(), String> {
    if !run::succeeds("apt-get", &["--version"]) {
        return Err("it is not to be had without apt-get".to_owned());
    }
    println!("PgBouncer is missing; fetching it from Debian's {SUITE}, into the target folder only:");
    let (packages, root) = (work.join("packages"), work.join("root"));
    for dir in [
        "state/lists/partial",
        "cache/archives/partial",
        "none",
        "packages",
        "root",
    ] {
        fs::create_dir_all(work.join(dir)).map_err(|error| format!("{}: {error}", work.display()))?;
    }
    let archive = archive()?;
    let source = format!("deb [signed-by={KEYRING}] {archive} {SUITE} main\n");
    let config = work.join("apt.conf");
    write(&work.join("sources.list"), &source)?;
    write(&config, &settings(work))?;
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.arg("-c").arg(&config).arg("-qq").args(arguments);
        run::stream(command.current_dir(&packages)).map_err(|failure| failure.message)
    };
    apt(&["update"]).map_err(|reason| {
        format!("{reason}; if it is the signature, update the package debian-archive-keyring")
    })?;
    // As whoever runs this, who alone may write here; the packages are checked as they come.
    let download = ["download", "-o", "APT::Sandbox::User=root"];
    apt(&[&download, &PACKAGES[..]].concat())?;
    for package in entries(&packages)? {
        run::stream(Command::new("dpkg-deb").arg("-x").arg(package).arg(&root))
            .map_err(|failure| failure.message)?;
    }
    assemble(&root, &work.join("program"))
}

/// Where this machine's own sources have Debian from: a mirror, maybe, which reaches farther than the original.
fn archive() -> Result<String, String> {
    let listed = run::output(Command::new("apt-get").args(["update", "--print-uris"]))?;
    debian(&listed).ok_or_else(|| "none of apt's sources is an archive of Debian".to_owned())
}

/// The first archive of a release of Debian among what `apt-get update --print-uris` would fetch.
fn debian(listed: &str) -> Option<String> {
    listed.lines().find_map(|line| {
        let address = line.strip_prefix('\'')?.split('\'').next()?;
        let (archive, suite) = address.strip_suffix("/InRelease")?.rsplit_once("/dists/")?;
        SUITES.contains(&suite).then(|| archive.to_owned())
    })
}

/// On top of the system's settings, such as a proxy: folders of its own, and no word of what the system hooks
/// to an update or permits.
fn settings(work: &Path) -> String {
    let work = work.display();
    format!(
        "#clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         APT::Update::Error-Mode \"any\";\n\
         APT::Get::AllowUnauthenticated \"false\";\n\
         Acquire::AllowInsecureRepositories \"false\";\n\
         Acquire::AllowWeakRepositories \"false\";\n\
         Acquire::Languages \"none\";\n\
         Dir::State \"{work}/state\";\n\
         Dir::Cache \"{work}/cache\";\n\
         Dir::Etc::SourceList \"{work}/sources.list\";\n\
         Dir::Etc::SourceParts \"-\";\n\
         Dir::Etc::Preferences \"/dev/null\";\n\
         Dir::Etc::PreferencesParts \"{work}/none\";\n"
    )
}

/// The program, its libraries and their loader in one folder, with a script that starts it.
/// What they want beyond that, the loader finds among the system's.
fn assemble(root: &Path, program: &Path) -> Result<(), String> {
    let said = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    fs::create_dir_all(program).map_err(|error| said(program, error))?;
    let copy = |from: &Path, name: &str| {
        fs::copy(from, program.join(name))
            .map(drop)
            .map_err(|error| said(from, error))
    };
    copy(&root.join("usr/sbin/pgbouncer"), "pgbouncer.bin")?;
    let mut loader = None;
    for dir in entries(&root.join("usr/lib"))? {
        if !name(&dir).contains("-linux-") {
            continue;
        }
        for library in entries(&dir)? {
            let name = name(&library);
            if name.contains(".so") {
                copy(&library, &name)?;
            }
            if name.starts_with("ld") {
                loader = Some(name);
            }
        }
    }
    let loader = loader.ok_or("the C library comes without a loader")?;
    let script = program.join("pgbouncer");
    let start = format!(
        "#!/bin/sh\n\
         here=${{0%/*}}\n\
         exec \"$here/{loader}\" --library-path \"$here\" \"$here/pgbouncer.bin\" \"$@\"\n"
    );
    write(&script, &start)?;
    fs::set_permissions(&script, Permissions::from_mode(0o755)).map_err(|error| said(&script, error))
}

/// Puts the folder in its place in one step; another process may have done so meanwhile.
fn replace(new: &Path, home: &Path) -> Result<(), String> {
    let workspace = run::root();
    if fs::rename(new, home).is_ok() || pooler_bin::find(&workspace).is_ok() {
        return Ok(());
    }
    // What is there does not work.
    fs::remove_dir_all(home)
        .and_then(|()| fs::rename(new, home))
        .map_err(|error| format!("{}: {error}", home.display()))
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, String> {
    fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect())
        .map_err(|error| format!("{}: {error}", dir.display()))
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_is_the_one_that_the_machine_has_debian_from() {
        let listed = "'https://other.example/apt/dists/nodistro/InRelease' other_InRelease 0 \n\
                      'http://mirror.example/debian/dists/bookworm-updates/InRelease' updates_InRelease 0 \n\
                      'http://mirror.example/debian-security/dists/bookworm-security/InRelease' s_InRelease 0 \n\
                      'http://mirror.example/debian/dists/bookworm/InRelease' mirror_InRelease 0 \n\
                      'http://mirror.example/debian/dists/bookworm/main/binary-amd64/Packages.xz' p 0 \n";
        assert_eq!(debian(listed).as_deref(), Some("http://mirror.example/debian"));
        let ubuntu = "'http://mirror.example/ubuntu/dists/noble/InRelease' mirror_InRelease 0 \n";
        assert_eq!(debian(ubuntu), None);
    }

    #[test]
    fn no_setting_of_the_system_lets_unsigned_packages_in() {
        let settings = settings(Path::new("/w"));
        assert!(settings.contains("AllowInsecureRepositories \"false\""));
        assert!(settings.contains("AllowUnauthenticated \"false\""));
        assert!(!settings.contains("trusted"));
    }
}
