//! Sessions with a defect.

use async_trait::async_trait;
use errand_application::ports::{
    Ended, EndedCursor, NewSession, NextRefresh, Rotation, SessionStore, Start, StoreError,
};
use errand_domain::event::{EventKind, SecurityEvent};
use errand_domain::session::{Digest, Presented, Session};
use errand_domain::{SessionId, Timestamp, UserId};

use super::{Broken, Defect};

impl Broken {
    /// Whose session it is, whoever asks.
    fn owner_of(&self, id: SessionId) -> Option<UserId> {
        self.model.with(|state| {
            let mut accounts = state.accounts.values();
            accounts.find(|a| a.sessions.contains_key(&id)).map(|a| a.user.id)
        })
    }
}

#[async_trait]
impl SessionStore for Broken {
    async fn start(
        &self,
        owner: UserId,
        account_as_of: Timestamp,
        session: &NewSession,
        most: usize,
        event: &SecurityEvent,
    ) -> Result<Start, StoreError> {
        let recorded = self.model.with(|state| state.ended.len());
        if self.is(Defect::CountsExpiredSessions) {
            return Ok(self.model.with(|state| {
                let Some(account) = state.accounts.get_mut(&owner) else {
                    return Start::Refused;
                };
                account.add_session(session);
                while account.sessions.len() > most {
                    let sessions = account.sessions.values().map(|h| &h.session);
                    let oldest = sessions.min_by_key(|s| (s.created_at, s.id)).unwrap().id;
                    account.sessions.remove(&oldest);
                    state.ended.push(oldest);
                }
                Start::Started {
                    pushed_out: Vec::new(),
                }
            }));
        }
        let now = self
            .model
            .with(|state| state.accounts.get(&owner).map(|a| a.user.updated_at));
        let as_of = now
            .filter(|_| self.is(Defect::StartsUnproven))
            .unwrap_or(account_as_of);
        if self.is(Defect::StartsDisabled) {
            self.model.with(|state| {
                if let Some(account) = state.accounts.get_mut(&owner) {
                    account.disabled_at = None;
                }
            });
        }
        let started = self.model.start(owner, as_of, session, most, event).await?;
        if self.is(Defect::StartsWithoutEvent) {
            self.model.with(|state| {
                if let Some(account) = state.accounts.get_mut(&owner) {
                    account.events.remove(&event.id);
                }
            });
        }
        if self.is(Defect::PushesOutSilently) {
            self.model.with(|state| state.ended.truncate(recorded));
        }
        if self.is(Defect::PushesOutWithoutEvent) {
            self.model.with(|state| {
                for account in state.accounts.values_mut() {
                    account
                        .events
                        .retain(|_, e| e.kind != EventKind::SessionPushedOut);
                }
            });
        }
        Ok(started)
    }

    async fn rotate(
        &self,
        owner: UserId,
        id: SessionId,
        family: &Digest,
        token: &Digest,
        next: &NextRefresh,
        event: &SecurityEvent,
    ) -> Result<Rotation, StoreError> {
        let at = event.at;
        let owner = match self.owner_of(id) {
            Some(right) if self.is(Defect::RotateLeaks) => right,
            _ => owner,
        };
        let before = self.model.with(|state| {
            let account = state.accounts.get(&owner);
            account.and_then(|a| a.sessions.get(&id).cloned())
        });
        if let Some(held) = &before
            && self.is(Defect::RotatesInTwoSteps)
            && held.refresh.judge(family, token, at) == Presented::Current
        {
            tokio::task::yield_now().await;
            return Ok(self.model.with(|state| {
                let account = state.accounts.get_mut(&owner).unwrap();
                let held = account.sessions.get_mut(&id).unwrap();
                held.rotate(next, at);
                Rotation::Rotated {
                    session: held.session.clone(),
                    user: account.user.clone(),
                }
            }));
        }
        let rotation = self.model.rotate(owner, id, family, token, next, event).await?;
        if rotation == Rotation::Reused && self.is(Defect::ReuseLeavesNoEvent) {
            self.model.with(|state| {
                let account = state.accounts.get_mut(&owner).unwrap();
                account.events.remove(&event.id);
            });
        }
        if let (Rotation::Limited { .. }, true) = (&rotation, self.is(Defect::LimitedRefreshIsUnknown)) {
            return Ok(Rotation::Unknown);
        }
        Ok(match (rotation, before) {
            (Rotation::Replayed { session, user, .. }, _) if self.is(Defect::ReplaysNewSalt) => {
                let salt = next.salt;
                Rotation::Replayed { session, user, salt }
            }
            (Rotation::Reused, Some(held)) => {
                self.model.with(|state| {
                    let account = state.accounts.get_mut(&owner).unwrap();
                    if self.is(Defect::ReuseEndsNothing) {
                        account.sessions.insert(id, held);
                        state.ended.pop();
                    } else if self.is(Defect::ReuseEndsEverything) {
                        state.ended.extend(account.end_all());
                    }
                });
                Rotation::Reused
            }
            (rotation, _) => rotation,
        })
    }

    async fn list(&self, owner: UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        let late = at.minus(std::time::Duration::from_micros(1));
        let at = if self.is(Defect::ExpiresLate) { late } else { at };
        let mut sessions = SessionStore::list(&self.model, owner, at).await?;
        if self.is(Defect::ListsSessionsById) {
            sessions.sort_by_key(|s| s.id);
        }
        Ok(sessions)
    }

    async fn end(&self, owner: UserId, id: SessionId, event: &SecurityEvent) -> Result<bool, StoreError> {
        let owner = match self.owner_of(id) {
            Some(right) if self.is(Defect::EndLeaks) => right,
            _ => owner,
        };
        self.model.end(owner, id, event).await
    }

    async fn end_all(&self, owner: UserId, event: &SecurityEvent) -> Result<u64, StoreError> {
        self.model.end_all(owner, event).await
    }

    async fn ended(&self, after: Option<EndedCursor>) -> Result<Ended, StoreError> {
        let mut ended = self.model.ended(after).await?;
        if self.is(Defect::ForgetsOneEnding) {
            ended.cursor.0 += 1;
        }
        Ok(ended)
    }
}
