//! The receipt of a run: JSON, one line for each row, sealed by a last line with a SHA-256 over all before it.
//!
//! It is written to `FILE.part`, which a run holds a lock on, and gets its name when it is complete. What is there
//! already under that name is never written over.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::hash::{Hasher, hex};
use crate::incoming::{Finding, SourceKey};
use crate::source::Kind;
use part::{keep_name, lock};

mod part;
#[cfg(test)]
#[cfg(unix)]
mod tests;

/// Of this form.
const FORM: u32 = 1;
/// What each begins with.
const HEAD: &[u8] = b"{\"line\":\"receipt\"";
/// No line is longer: a row in quarantine is cut.
const LINE_MAX: u64 = 16 << 20;

/// Why a receipt cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The operating system says no.
    #[error("{0}: {1}")]
    File(String, io::Error),
    /// Somebody holds the lock.
    #[error("another import is running: it writes {0}")]
    Running(String),
    /// Something of somebody else's is in the place.
    #[error("{0} is nothing that an import left there; move it away, or name another place with --receipt")]
    NotOurs(String),
    /// There is a receipt of this name.
    #[error("{0} is there already, and a receipt is never written over; name another with --receipt")]
    Exists(String),
    /// It was cut off or never completed.
    #[error("{0} is no complete receipt; start the import again, and it will be finished")]
    Incomplete(String),
    /// What the seal says is not so.
    #[error("{0} was changed since it was written: its seal is broken")]
    Broken(String),
    /// Something else.
    #[error("{0} is no receipt of an import (line {1})")]
    Foreign(String, usize),
    /// Of a later version.
    #[error("{0} is of another version of errand")]
    Newer(String),
}

/// What became of rows of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// So many are in the source,
    pub source: u64,
    /// came in with this run,
    pub imported: u64,
    /// were in already,
    pub present: u64,
    /// were in and got what the source has by now,
    pub followed: u64,
    /// stay outside and are kept in the receipt,
    pub quarantined: u64,
    /// could not be done, or would have undone something here.
    pub refused: u64,
    /// Of those that came in so many have another id than at the source.
    pub other_id: u64,
    /// Of those that were in so many are no longer as they are at the source.
    pub behind: u64,
}

impl Tally {
    /// Whether every row of the source is accounted for.
    pub fn is_whole(&self) -> bool {
        self.source == self.imported + self.present + self.followed + self.quarantined + self.refused
    }
}

impl Tally {
    /// Counts a row that is in.
    pub(crate) fn note(&mut self, state: State) {
        match state {
            State::Imported => self.imported += 1,
            State::Present => self.present += 1,
            State::Followed => self.followed += 1,
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // Destructured, so that a new field cannot be forgotten.
        let Self {
            source,
            imported,
            present,
            followed,
            quarantined,
            refused,
            other_id,
            behind,
        } = other;
        self.source += source;
        self.imported += imported;
        self.present += present;
        self.followed += followed;
        self.quarantined += quarantined;
        self.refused += refused;
        self.other_id += other_id;
        self.behind += behind;
    }
}

/// How a row is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// It came with this run.
    Imported,
    /// It was there before.
    Present,
    /// It was there before, and follows the source.
    Followed,
}

impl State {
    pub fn is_followed(self) -> bool {
        self == Self::Followed
    }
}

/// Why something was not done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// It changed at the source and here.
    ChangedHere,
    /// It changed at the source and was deleted here.
    DeletedHere,
    /// Its owner's account is gone.
    OwnerGone,
    /// Another account has the address or the name that it has at the source by now.
    Taken,
    /// The key is that of somebody else who came in before.
    AnotherPerson,
}

impl Refusal {
    /// For people.
    pub fn told(self) -> &'static str {
        match self {
            Self::ChangedHere => "changed at the source and in errand; what errand has stays",
            Self::DeletedHere => "changed at the source, and was deleted in errand",
            Self::OwnerGone => "its owner's account was deleted meanwhile",
            Self::Taken => "another account has the address or name that it has at the source by now",
            Self::AnotherPerson => {
                "somebody else came in with this key before: neither the address nor the time of creation is theirs"
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub(crate) enum Line {
    Receipt(Header),
    User {
        key: SourceKey,
        id: i64,
        hash: String,
        password: String,
        state: State,
    },
    Task {
        key: SourceKey,
        user: i64,
        id: i64,
        hash: String,
        state: State,
    },
    Adapted(Finding),
    Quarantined {
        #[serde(skip_serializing_if = "Option::is_none", default)]
        owner: Option<SourceKey>,
        why: Finding,
        row: serde_json::Value,
    },
    Refused {
        table: String,
        key: SourceKey,
        why: Refusal,
    },
    Summary(Box<Summary>),
    Seal {
        sha256: String,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    pub form: u32,
    pub source: String,
    pub place: String,
    pub kind: String,
    pub sha256: Option<String>,
    pub target: String,
    pub import: String,
    pub run: i64,
    pub follow_up: bool,
    pub started: String,
}

impl Header {
    pub fn kind(kind: Kind) -> String {
        match kind {
            Kind::Sqlite => "sqlite".to_owned(),
            Kind::Postgres => "postgresql".to_owned(),
        }
    }

    pub const FORM: u32 = FORM;
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub finished: String,
    pub sha256_after: Option<String>,
    pub users: Tally,
    pub tasks: Tally,
    pub rules: BTreeMap<String, u64>,
    pub live_sessions_not_taken: u64,
    pub users_without_password: u64,
    pub notes: Vec<String>,
}

/// A receipt that is being written.
pub(crate) struct Writer {
    out: BufWriter<File>,
    part: PathBuf,
    file: Option<PathBuf>,
    hasher: Hasher,
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ReceiptError + '_ {
    move |error| ReceiptError::File(path.display().to_string(), error)
}

impl Writer {
    /// Takes `FILE.part`, whoever left it there; what it holds is written anew by the run that goes on. The name
    /// that the receipt gets is given at the end, if it is not that one.
    pub fn create(base: &Path, named: bool) -> Result<Self, ReceiptError> {
        if named && base.exists() {
            return Err(ReceiptError::Exists(base.display().to_string()));
        }
        let mut part = base.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let out = lock(&part)?;
        out.set_len(0).map_err(failed(&part))?;
        Ok(Self {
            out: BufWriter::with_capacity(1 << 16, out),
            part,
            file: named.then(|| base.to_owned()),
            hasher: Hasher::new(),
        })
    }

    pub fn line(&mut self, line: &Line) -> Result<(), ReceiptError> {
        let text = serde_json::to_vec(line).map_err(|error| failed(&self.part)(error.into()))?;
        for bytes in [text.as_slice(), b"\n"] {
            self.hasher.raw(bytes);
            self.out.write_all(bytes).map_err(failed(&self.part))?;
        }
        Ok(())
    }

    /// The tasks of these users that it says came in, by owner and key.
    pub fn tasks_of(&mut self, owners: &HashSet<i64>) -> Result<HashSet<(i64, String)>, ReceiptError> {
        self.out.flush().map_err(failed(&self.part))?;
        let file = File::open(&self.part).map_err(failed(&self.part))?;
        let mut reader = Reader {
            lines: BufReader::with_capacity(1 << 16, file),
            path: self.part.display().to_string(),
            number: 0,
        };
        let mut tasks = HashSet::new();
        while let Some(line) = reader.next()? {
            if let Line::Task { key, user, state, .. } = line
                && state == State::Imported
                && owners.contains(&user)
            {
                tasks.insert((user, key.0));
            }
        }
        Ok(tasks)
    }

    /// Seals it and gives it its name.
    pub fn finish(mut self, name: impl Fn(u32) -> PathBuf) -> Result<PathBuf, ReceiptError> {
        let hasher = std::mem::replace(&mut self.hasher, Hasher::new());
        let sha256 = hex(&hasher.end());
        self.line(&Line::Seal { sha256 })?;
        self.out.flush().map_err(failed(&self.part))?;
        self.out.get_ref().sync_all().map_err(failed(&self.part))?;
        let names: Vec<PathBuf> = match &self.file {
            Some(file) => vec![file.clone()],
            None => (0..100).map(name).collect(),
        };
        for file in names {
            // A link, not a rename: that would write over what is there.
            match std::fs::hard_link(&self.part, &file) {
                Ok(()) => {
                    std::fs::remove_file(&self.part).map_err(failed(&self.part))?;
                    keep_name(&file)?;
                    return Ok(file);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(_) if !file.exists() => {
                    std::fs::rename(&self.part, &file).map_err(failed(&file))?;
                    keep_name(&file)?;
                    return Ok(file);
                }
                Err(error) => return Err(failed(&file)(error)),
            }
        }
        Err(ReceiptError::Exists(self.part.display().to_string()))
    }
}

/// A receipt whose seal holds, from its first line on.
pub(crate) struct Reader {
    lines: BufReader<File>,
    path: String,
    number: usize,
}

impl Reader {
    /// Looks at the seal first: nothing of a receipt that was changed is acted upon.
    pub fn open(path: &Path) -> Result<(Self, Header), ReceiptError> {
        let shown = path.display().to_string();
        let file = File::open(path).map_err(failed(path))?;
        let mut reader = Self {
            lines: BufReader::with_capacity(1 << 16, file),
            path: shown.clone(),
            number: 0,
        };
        let mut hasher = Hasher::new();
        let mut sealed = false;
        loop {
            let mut text = Vec::new();
            reader.read(&mut text)?;
            if text.is_empty() {
                break;
            }
            if sealed {
                return Err(ReceiptError::Broken(shown));
            }
            if text.starts_with(b"{\"line\":\"seal\"") {
                let Line::Seal { sha256 } = reader.parse(&text)? else {
                    return Err(ReceiptError::Broken(shown));
                };
                let hasher = std::mem::replace(&mut hasher, Hasher::new());
                if hex(&hasher.end()) != sha256 {
                    return Err(ReceiptError::Broken(shown));
                }
                sealed = true;
            } else {
                if reader.number == 1 {
                    reader.header(&text)?;
                }
                hasher.raw(&text);
            }
        }
        if !sealed {
            return Err(ReceiptError::Incomplete(shown));
        }
        reader.rewind()?;
        let mut text = Vec::new();
        reader.read(&mut text)?;
        let header = reader.header(&text)?;
        Ok((reader, header))
    }

    /// To the line behind the header.
    pub fn rewind(&mut self) -> Result<(), ReceiptError> {
        self.lines.rewind().map_err(failed(Path::new(&self.path)))?;
        self.number = 0;
        Ok(())
    }

    pub fn next(&mut self) -> Result<Option<Line>, ReceiptError> {
        let mut text = Vec::new();
        self.read(&mut text)?;
        if text.is_empty() {
            return Ok(None);
        }
        self.parse(&text).map(Some)
    }

    fn read(&mut self, text: &mut Vec<u8>) -> Result<(), ReceiptError> {
        let read = io::Read::take(&mut self.lines, LINE_MAX).read_until(b'\n', text);
        read.map_err(failed(Path::new(&self.path)))?;
        self.number += usize::from(!text.is_empty());
        Ok(())
    }

    fn parse(&self, text: &[u8]) -> Result<Line, ReceiptError> {
        serde_json::from_slice(text).map_err(|_| ReceiptError::Foreign(self.path.clone(), self.number))
    }

    fn header(&self, text: &[u8]) -> Result<Header, ReceiptError> {
        match self.parse(text)? {
            Line::Receipt(header) if header.form == FORM => Ok(header),
            Line::Receipt(_) => Err(ReceiptError::Newer(self.path.clone())),
            _ => Err(ReceiptError::Foreign(self.path.clone(), 1)),
        }
    }
}
