//! Whether program, settings and database fit together.

use sea_orm::{DatabaseConnection, DbErr};

use crate::app_role;
use crate::error::Older;
use crate::fence::Fence;
use crate::policies::{self, State};
use crate::steps;
use crate::unfit::Unfit;

/// What a look at the database tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Fit {
    Fits,
    /// Steps of the schema are missing, perhaps all; the rest is judged when they are there.
    Older(Older),
    Unfit(Unfit),
}

/// Looks at the catalogue. A role that could do more than it should is told of: the policies hold it all the same.
pub async fn look(conn: &DatabaseConnection, fence: Fence) -> Result<Fit, DbErr> {
    let state = policies::state(conn).await?;
    // First: who may not read the record of the steps would find none.
    if let Some(closed) = closed(&state) {
        return Ok(Fit::Unfit(Unfit::Powerless(closed)));
    }
    let steps = steps::status(conn).await?;
    let missing = steps.iter().filter(|step| !step.applied).count();
    if missing > 0 {
        return Ok(Fit::Older(Older { missing }));
    }
    let newer = steps.iter().filter(|step| !step.known).count();
    if newer > 0 {
        tracing::warn!(
            newer,
            "the database's schema is newer than this program; later versions only add, so it goes on"
        );
    }
    let fit = judge(&state, fence);
    if fence.is_on() && fit == Fit::Fits {
        let reasons = app_role::might(conn, None).await?.join(", it ");
        if !reasons.is_empty() {
            tracing::warn!(
                "the role in DATABASE_URL could undo row-level security: it {reasons}; use one that \
                 \"errand migrate up --app-role\" prepared"
            );
        }
    }
    Ok(fit)
}

/// What they tell, of a role that may or may not use them.
pub fn judge(state: &[State], fence: Fence) -> Fit {
    if !fence.is_on() {
        // Not whether policies are there, but whether they hold this role: a plain owner is above them.
        return if state.iter().any(|table| table.held) {
            Fit::Unfit(Unfit::Unasked)
        } else {
            Fit::Fits
        };
    }
    if state.iter().any(State::is_bypassed) {
        return Fit::Unfit(Unfit::Bypassed);
    }
    let open: Vec<&str> = state
        .iter()
        .filter(|table| !table.is_guarded())
        .map(|table| table.name.as_str())
        .collect();
    if !open.is_empty() {
        return Fit::Unfit(Unfit::Unguarded(open.join(", ")));
    }
    let strange: Vec<String> = state
        .iter()
        .flat_map(|table| {
            let names = table.strange.iter().cloned().chain(table.open());
            names.map(|name| format!("{name} on {}", table.name))
        })
        .collect();
    if !strange.is_empty() {
        return Fit::Unfit(Unfit::Opened(strange.join(", ")));
    }
    Fit::Fits
}

/// The tables that the role may not use.
fn closed(state: &[State]) -> Option<String> {
    let closed: Vec<&str> = state
        .iter()
        .filter(|table| !table.usable)
        .map(|table| table.name.as_str())
        .collect();
    (!closed.is_empty()).then(|| closed.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(change: impl FnOnce(&mut State), on: bool) -> Fit {
        let mut sessions = State::guarded("sessions");
        change(&mut sessions);
        judge(&[State::guarded("tasks"), sessions], Fence::new(on))
    }

    #[test]
    fn every_way_not_to_fit() {
        assert_eq!(judged(|_| {}, true), Fit::Fits);
        assert_eq!(judged(|_| {}, false), Fit::Unfit(Unfit::Unasked));
        let unguarded = Fit::Unfit(Unfit::Unguarded("sessions".into()));
        assert_eq!(judged(|table| table.forced = false, true), unguarded);
        assert_eq!(judged(|table| table.enabled = false, true), unguarded);
        assert_eq!(
            judged(|table| table.held = false, true),
            Fit::Unfit(Unfit::Bypassed)
        );
        let strange = judged(|table| table.strange = Some("open".into()), true);
        assert_eq!(strange, Fit::Unfit(Unfit::Opened("open on sessions".into())));
        let hollow = judged(|table| table.hollow = Some("errand_owner".into()), true);
        assert_eq!(hollow, unguarded);
        let plain = State {
            enabled: true,
            forced: false,
            held: false,
            ..State::guarded("tasks")
        };
        assert_eq!(judge(&[plain], Fence::new(false)), Fit::Fits);
        let powerless = State {
            usable: false,
            ..State::guarded("tasks")
        };
        assert_eq!(
            closed(&[State::guarded("users"), powerless]),
            Some("tasks".into())
        );
        assert_eq!(closed(&[State::guarded("users")]), None);
    }
}
