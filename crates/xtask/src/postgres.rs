//! PostgreSQL's server programs for the tests: found, or installed.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use crate::pg_bin;
use crate::run;

/// How one package manager installs the programs.
struct Manager {
    program: &'static str,
    /// Whether it wants to be root.
    root: bool,
    commands: &'static [&'static [&'static str]],
}

const MANAGERS: [Manager; 6] = [
    Manager {
        program: "apt-get",
        root: true,
        commands: &[
            // The package would otherwise create and start a cluster of its own.
            &[
                "sh",
                "-c",
                "cd /etc && mkdir -p postgresql-common && cd postgresql-common && \
                 { [ -e createcluster.conf ] || echo 'create_main_cluster = false' >createcluster.conf; }",
            ],
            &["apt-get", "update"],
            &[
                "env",
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "install",
                "-y",
                "--no-install-recommends",
                "postgresql",
            ],
        ],
    },
    Manager {
        program: "dnf",
        root: true,
        commands: &[&["dnf", "install", "-y", "postgresql-server"]],
    },
    Manager {
        program: "apk",
        root: true,
        commands: &[&["apk", "add", "--no-cache", "postgresql"]],
    },
    Manager {
        program: "pacman",
        root: true,
        commands: &[&["pacman", "-Sy", "--noconfirm", "postgresql"]],
    },
    Manager {
        program: "zypper",
        root: true,
        commands: &[&["zypper", "--non-interactive", "install", "postgresql-server"]],
    },
    Manager {
        program: "brew",
        root: false,
        commands: &[&["brew", "install", "postgresql@17"]],
    },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Privilege {
    Root,
    Sudo,
    None,
}

/// The directory of the programs, after installing them if need be.
/// The error says what is missing and which commands install it.
pub fn ensure() -> Result<PathBuf, run::Failure> {
    let missing = match pg_bin::find() {
        Ok(dir) => return Ok(dir),
        Err(missing) => missing,
    };
    // Whoever names a directory wants that one and no other.
    if env::var_os(pg_bin::VARIABLE).is_some_and(|value| !value.is_empty()) {
        return Err(missing.into());
    }
    let Some(manager) = MANAGERS
        .iter()
        .find(|manager| run::succeeds(manager.program, &["--version"]))
    else {
        return Err(missing.into());
    };
    let plan = plan(manager, privilege())?;
    println!("PostgreSQL's server programs are missing; installing them:");
    for command in plan {
        println!("+ {}", shown(&command));
        if let Some((program, arguments)) = command.split_first() {
            run::stream(Command::new(program).args(arguments))?;
        }
    }
    Ok(pg_bin::find()?)
}

/// The commands to run, or what a human has to run instead.
fn plan(manager: &Manager, privilege: Privilege) -> Result<Vec<Vec<&'static str>>, String> {
    let prefix: &[&str] = match (manager.root, privilege) {
        (true, Privilege::Sudo) => &["sudo", "-n"],
        (true, Privilege::None) => {
            let commands: Vec<_> = manager
                .commands
                .iter()
                .map(|command| format!("  {}", shown(command)))
                .collect();
            return Err(format!(
                "PostgreSQL's server programs (initdb, postgres) are missing, and this user may not install \
                 them. Run as root:\n{}",
                commands.join("\n")
            ));
        }
        (true, Privilege::Root) | (false, _) => &[],
    };
    Ok(manager
        .commands
        .iter()
        .map(|command| [prefix, command].concat())
        .collect())
}

fn privilege() -> Privilege {
    if run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0") {
        Privilege::Root
    } else if run::succeeds("sudo", &["-n", "true"]) {
        Privilege::Sudo
    } else {
        Privilege::None
    }
}

fn shown(command: &[&str]) -> String {
    let quoted = command.iter().map(|word| {
        if word.contains(' ') {
            format!("'{}'", word.replace('\'', r"'\''"))
        } else {
            (*word).to_owned()
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_manager_runs_as_root_or_not_at_all() {
        for manager in &MANAGERS {
            let plain = plan(manager, Privilege::Root).unwrap();
            assert!(
                plain.iter().any(|command| command.contains(&manager.program)),
                "{}",
                manager.program
            );
            let sudo = plan(manager, Privilege::Sudo).unwrap();
            assert_eq!(
                sudo.iter().all(|command| command[..2] == ["sudo", "-n"]),
                manager.root
            );
            match plan(manager, Privilege::None) {
                Ok(commands) => assert!(!manager.root && commands == plain),
                Err(message) => {
                    assert!(manager.root && message.contains(&shown(manager.commands.last().unwrap())));
                }
            }
        }
    }
}
