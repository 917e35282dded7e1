//! Following what happens to one's tasks.

/// A place among an owner's changes, from which to go on reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangesPlace {
    /// Up to here every change was told.
    pub seq: i64,
    /// The owner's change counter when the reader began, with nothing.
    pub base: i64,
}

impl ChangesPlace {
    /// Where one begins who has nothing.
    pub fn beginning(counter: i64) -> Self {
        Self {
            seq: 0,
            base: counter,
        }
    }

    /// Whether what follows can still be told, with the owner's change counter as it is now and deletions
    /// forgotten up to `forgotten`. Those from before the reader began are of tasks that it never saw. A place
    /// ahead of the counter is of a database that was put back to an earlier state.
    pub fn is_known(self, counter: i64, forgotten: i64) -> bool {
        let told = self.seq.max(self.base);
        forgotten <= told && told <= counter
    }

    /// The same reader, later.
    #[must_use]
    pub fn at(self, seq: i64) -> Self {
        Self { seq, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_known_until_something_behind_it_is_forgotten() {
        let begun = ChangesPlace::beginning(7);
        assert_eq!(begun, ChangesPlace { seq: 0, base: 7 });
        for (place, counter, forgotten, known) in [
            (begun, 7, 0, true),
            (begun, 7, 7, true),
            (begun, 9, 8, false),
            (begun.at(5), 9, 7, true),
            (begun.at(5), 9, 8, false),
            (begun.at(8), 9, 8, true),
            (begun.at(8), 9, 9, false),
            // The counter has gone back.
            (begun, 6, 0, false),
            (begun.at(5), 6, 0, false),
            (begun.at(10), 9, 0, false),
            (ChangesPlace::beginning(0), 0, 0, true),
        ] {
            let told = place.is_known(counter, forgotten);
            assert_eq!(told, known, "{place:?} {counter} {forgotten}");
        }
    }
}
