//! Series, batches and requests with a defect.

use errand_application::ports::{StoreError, TaskStore, Work, Worked};
use errand_domain::task::{NewTask, Task};
use errand_domain::{TaskId, Timestamp, UserId};

use super::{Broken, Defect};

impl Broken {
    /// Loses what a completed task gave on, or what became of it.
    pub(super) fn unlink(&self, owner: UserId, id: TaskId) {
        self.model.with(|state| {
            let account = state.accounts.get_mut(&owner)?;
            let given = account.tasks.get_mut(&id)?.handed_on.as_mut()?;
            match self.defect {
                Defect::TakesNothingBack => given.successor = None,
                Defect::TakesBackTheTouched => {
                    let successor = given.successor?;
                    account.tasks.get_mut(&successor)?.version = 1;
                }
                _ => {}
            }
            Some(())
        });
    }

    /// A successor, made before anybody knows whether one is needed.
    pub(super) async fn make_successor(&self, of: &Task, at: Timestamp) {
        tokio::task::yield_now().await;
        let new = NewTask {
            title: of.title.clone(),
            description: None,
            priority: of.priority,
            due: of.due,
            time_zone: None,
            tags: of.tags.clone(),
            recurrence: None,
            completed: false,
        };
        self.model.with(|state| {
            let account = state.accounts.get_mut(&of.owner)?;
            let key = format!("{} {}", of.id, account.last_task);
            Some(account.add_task(&key, &new, at))
        });
    }

    /// Operations that are done together.
    pub(super) async fn work_with_defect(&self, owner: UserId, work: &Work) -> Result<Worked, StoreError> {
        let known = |owner: UserId, work: &Work| {
            self.model.with(|state| {
                let request = work.request.as_ref()?;
                let account = state.accounts.get(&owner)?;
                account.requests.get(&request.key).cloned()
            })
        };
        let mut work = work.clone();
        match self.defect {
            Defect::DoesPartOfABatch => {
                if let Worked::Refused(refused) = self.model.work(owner, &work).await? {
                    let mut rest = work.clone();
                    for (place, _) in refused.iter().rev() {
                        rest.operations.remove(*place);
                    }
                    rest.request = None;
                    self.model.work(owner, &rest).await?;
                    return Ok(Worked::Refused(refused));
                }
            }
            Defect::ForgetsRequests => work.request = None,
            Defect::IgnoresFingerprint => {
                if let (Some((_, fingerprint, _)), Some(request)) = (known(owner, &work), &mut work.request) {
                    request.fingerprint = fingerprint;
                }
            }
            Defect::RemembersRequestsForEver => {
                if let Some((_, _, outcomes)) = known(owner, &work) {
                    let replayed = true;
                    return Ok(Worked::Done { outcomes, replayed });
                }
            }
            Defect::RequestsAreShared => {
                let owners = self
                    .model
                    .with(|state| state.accounts.keys().copied().collect::<Vec<_>>());
                if let Some((_, _, outcomes)) = owners.into_iter().find_map(|owner| known(owner, &work)) {
                    let replayed = true;
                    return Ok(Worked::Done { outcomes, replayed });
                }
            }
            Defect::WorksInTwoSteps => {
                let first = known(owner, &work).is_none();
                tokio::task::yield_now().await;
                if first {
                    work.request = None;
                }
            }
            _ => {}
        }
        self.model.work(owner, &work).await
    }
}
