//! What was found out about a SQLite file, in words.

use errand_persistence::doctor::{SqliteFile, SqliteReport};

use super::line::{Line, schema};

const FILE: &str = "file";
const WRITING: &str = "writing";
const JOURNAL: &str = "journal";
const INTEGRITY: &str = "integrity";
const SCHEMA: &str = "schema";
const RESTORE: &str = "stop errand and restore a backup";

/// With a folder of its own errand makes that too.
pub fn lines(report: SqliteReport, own_folder: bool) -> Vec<Line> {
    let SqliteReport { file, inside } = report;
    let (file, because) = match file {
        SqliteFile::Missing { folder } if folder || own_folder => (
            Line::ok(FILE, "not there yet; the first start makes it"),
            "there is no file yet",
        ),
        SqliteFile::Missing { .. } => (
            Line::fault(FILE, "its folder is not there; make it, or correct DATABASE_URL"),
            "there is no file",
        ),
        SqliteFile::Folder => (
            Line::fault(FILE, "it is a folder; name a file in DATABASE_URL"),
            "there is no file",
        ),
        SqliteFile::Unreachable(kind) => (
            Line::fault(
                FILE,
                format!("it cannot be looked at ({kind}); give errand's user access to its folder"),
            ),
            "the file cannot be looked at",
        ),
        SqliteFile::There { size, open_mode } => (there(size, open_mode), ""),
    };
    let mut lines = vec![file];
    let Some(inside) = inside else {
        lines.extend([WRITING, JOURNAL, INTEGRITY, SCHEMA].map(|what| Line::skip(what, because)));
        return lines;
    };
    // Whoever cannot read it cannot write it, and has been told why.
    let unusable = inside.writable.is_err();
    let failed = |what, fault: &str, todo: &str| {
        if unusable {
            Line::skip(what, "the file cannot be used")
        } else {
            Line::fault(what, format!("{fault}; {todo}"))
        }
    };
    lines.push(match &inside.writable {
        Ok(()) => Line::ok(WRITING, "possible"),
        Err(fault) => Line::fault(
            WRITING,
            format!("{fault}; let errand's user write file and folder, or correct DATABASE_URL"),
        ),
    });
    lines.push(match inside.journal.as_deref() {
        Ok("wal") => Line::ok(JOURNAL, "write-ahead log"),
        Ok(mode) => Line::ok(
            JOURNAL,
            format!("{mode}; the next start turns it to a write-ahead log"),
        ),
        Err(fault) => failed(JOURNAL, fault, RESTORE),
    });
    lines.push(match inside.complaints.as_deref() {
        Ok([]) => Line::ok(INTEGRITY, "a quick check finds nothing"),
        Ok([first, ..]) => Line::fault(INTEGRITY, format!("the file is damaged: {first}; {RESTORE}")),
        Err(fault) => failed(INTEGRITY, fault, RESTORE),
    });
    lines.push(match &inside.schema {
        Ok(steps) => schema(steps, true, true),
        Err(trouble) => failed(SCHEMA, &trouble.to_string(), RESTORE),
    });
    lines
}

fn there(size: u64, open_mode: Option<u32>) -> Line {
    let size = format!("{} KiB", size.div_ceil(1024));
    match open_mode {
        None => Line::ok(FILE, size),
        Some(mode) => Line::warn(
            FILE,
            format!("{size}; others than its owner may use it (mode {mode:03o}): chmod 600"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use errand_persistence::doctor::{Schema, SqliteInside};

    fn told(change: impl FnOnce(&mut SqliteInside)) -> Vec<String> {
        let mut inside = SqliteInside {
            writable: Ok(()),
            journal: Ok("wal".into()),
            complaints: Ok(Vec::new()),
            schema: Ok(Schema::Known(Vec::new())),
        };
        change(&mut inside);
        let report = SqliteReport {
            file: SqliteFile::There {
                size: 4097,
                open_mode: None,
            },
            inside: Some(inside),
        };
        lines(report, false).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_in_a_file() {
        let damaged = told(|inside| inside.complaints = Ok(vec!["page 3 is missing".into(), "more".into()]));
        assert_eq!(damaged[0], "ok    file: 5 KiB");
        assert_eq!(
            damaged[3],
            "fault integrity: the file is damaged: page 3 is missing; stop errand and restore a backup"
        );
        let old = told(|inside| inside.journal = Ok("delete".into()));
        assert_eq!(
            old[2],
            "ok    journal: delete; the next start turns it to a write-ahead log"
        );
        let sick = told(|inside| inside.complaints = Err("disk I/O error".into()));
        assert!(
            sick[3].starts_with("fault integrity: disk I/O error; "),
            "{sick:?}"
        );
        let shut = told(|inside| {
            inside.writable = Err("readonly".into());
            inside.complaints = Err("readonly".into());
        });
        assert!(shut[1].starts_with("fault writing: readonly; "), "{shut:?}");
        assert_eq!(shut[2], "ok    journal: write-ahead log");
        assert_eq!(shut[3], "skip  integrity: because the file cannot be used");
    }
}
