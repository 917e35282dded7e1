//! Rows are put together until there are enough for a transaction.

use errand_application::ports::ArrivingTask;

use crate::chunk::Party;
use crate::incoming::Found;

/// So many rows go in one transaction at most, and a user with more goes in several.
const ROWS: usize = 5_000;
/// Several users go together until there are so many rows: a short transaction holds up nobody.
const TOGETHER: usize = 1_000;
/// So much text goes in one transaction.
const BYTES: usize = 2 << 20;
/// What a row takes beside its text.
const ROW_BYTES: usize = 200;

/// Parties that go together.
#[derive(Default)]
pub(crate) struct Chunk {
    pub parties: Vec<Party>,
    rows: usize,
    bytes: usize,
}

impl Chunk {
    /// Whether it can go without another user.
    pub fn is_enough(&self) -> bool {
        self.rows >= TOGETHER || self.bytes >= BYTES
    }

    pub fn begin(&mut self, party: Party) {
        self.rows += 1;
        self.bytes += ROW_BYTES;
        self.parties.push(party);
    }

    /// What is full and has to go before this task, which goes with the next.
    pub fn add(&mut self, (task, row): (ArrivingTask, Found)) -> Option<Self> {
        let party = self.parties.last_mut()?;
        let description = task
            .content
            .description
            .as_ref()
            .map_or(0, |text| text.as_str().len());
        self.rows += 1;
        self.bytes += ROW_BYTES + 3 * (task.content.title.as_str().len() + description);
        let (user, of_user) = (party.user.clone(), party.row.clone());
        party.tasks.push(task);
        party.rows.push(row);
        if self.rows < ROWS && self.bytes < BYTES {
            return None;
        }
        let rest = Self {
            parties: vec![Party {
                user,
                row: of_user,
                tasks: Vec::new(),
                rows: Vec::new(),
                continued: true,
            }],
            rows: 0,
            bytes: 0,
        };
        Some(std::mem::replace(self, rest))
    }
}
