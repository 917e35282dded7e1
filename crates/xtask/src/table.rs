//! What `specs/002-defence/attacks.md` says.

use std::fs;

use crate::run;

/// An attack of the second table.
#[derive(Debug, PartialEq, Eq)]
pub struct Attack {
    pub group: String,
    pub name: String,
    pub defence: String,
}

/// A defence of the first table.
#[derive(Debug, PartialEq, Eq)]
pub struct Told {
    pub name: String,
    /// Nothing of errand's that could be taken out.
    pub is_a_librarys: bool,
}

/// Both tables.
pub fn read() -> Result<(Vec<Told>, Vec<Attack>), String> {
    let path = run::root().join("specs/002-defence/attacks.md");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> (Vec<Told>, Vec<Attack>) {
    let (mut told, mut attacks) = (Vec::new(), Vec::new());
    let mut group = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("### ") {
            group = Some(name.to_owned());
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let quoted = |n: usize| -> Option<String> {
            let name = cells.get(n)?.strip_prefix('`')?.strip_suffix('`')?;
            Some(name.to_owned())
        };
        match (&group, quoted(1)) {
            (None, Some(name)) => told.push(Told {
                name,
                is_a_librarys: cells
                    .get(3)
                    .is_some_and(|how| how.starts_with("the library's own")),
            }),
            (Some(group), Some(name)) => attacks.extend(quoted(2).map(|defence| Attack {
                group: group.clone(),
                name,
                defence,
            })),
            (_, None) => {}
        }
    }
    (told, attacks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_tables_are_read() {
        let text = "# A\n| defence | where |\n|---|---|\n| `a-b` | x | `cargo xtask mutate a-b` |\n\
                    | `c` | y | the library's own: z |\n## Attacks\n### one\n| attack | defence |\n|---|---|\n\
                    | `it_is` | `a-b` |\n### two\n| `it_was` | `c` |\n";
        let (told, attacks) = parse(text);
        let told: Vec<_> = told.iter().map(|t| (t.name.as_str(), t.is_a_librarys)).collect();
        assert_eq!(told, [("a-b", false), ("c", true)]);
        let attacks: Vec<_> = attacks
            .iter()
            .map(|a| (a.group.as_str(), a.name.as_str(), a.defence.as_str()))
            .collect();
        assert_eq!(attacks, [("one", "it_is", "a-b"), ("two", "it_was", "c")]);
    }
}
