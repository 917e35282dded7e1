//! Sessions in memory.

use async_trait::async_trait;
use errand_application::ports::{
    Ended, EndedCursor, NewSession, NextRefresh, Rotation, SessionStore, Start, StoreError,
};
use errand_domain::event::SecurityEvent;
use errand_domain::session::{Digest, Presented, RefreshState, Session, expiry};
use errand_domain::{SessionId, Timestamp, UserId};

use super::{Account, Held, Model};

impl Held {
    pub(crate) fn lives(&self, at: Timestamp) -> bool {
        at < self.session.expires_at
    }

    /// Replaces the current token, and the expiry moves.
    pub(crate) fn rotate(&mut self, next: &NextRefresh, at: Timestamp) {
        self.refresh = self.refresh.rotated(next.token, next.salt, at);
        self.session.last_used_at = at;
        self.session.expires_at = expiry(self.session.created_at, at);
    }
}

impl Account {
    /// Keeps a new session.
    pub(crate) fn add_session(&mut self, new: &NewSession) {
        let held = Held {
            session: Session {
                id: new.id,
                owner: self.user.id,
                user_agent: new.user_agent.clone(),
                created_at: new.created_at,
                last_used_at: new.created_at,
                expires_at: expiry(new.created_at, new.created_at),
            },
            refresh: RefreshState {
                generation: 0,
                family: new.family,
                current: new.token,
                previous: None,
                salt: [0; 32],
                rotated_at: new.created_at,
                full_at: None,
            },
        };
        self.sessions.insert(new.id, held);
    }

    /// Starts a session; says which ended for it, beyond `most`.
    pub(crate) fn start(&mut self, new: &NewSession, most: usize) -> Vec<SessionId> {
        self.add_session(new);
        let living = self.living(new.created_at);
        let too_many = living.len().saturating_sub(most);
        let pushed_out: Vec<_> = living.iter().take(too_many).map(|s| s.id).collect();
        for id in &pushed_out {
            self.sessions.remove(id);
        }
        pushed_out
    }

    /// The living sessions, oldest first.
    pub(crate) fn living(&self, at: Timestamp) -> Vec<Session> {
        let held = self.sessions.values().filter(|held| held.lives(at));
        let mut living: Vec<_> = held.map(|held| held.session.clone()).collect();
        living.sort_by_key(|session| (session.created_at, session.id));
        living
    }

    /// Ends every session; says which.
    pub(crate) fn end_all(&mut self) -> Vec<SessionId> {
        std::mem::take(&mut self.sessions).into_keys().collect()
    }
}

#[async_trait]
impl SessionStore for Model {
    async fn start(
        &self,
        owner: UserId,
        account_as_of: Timestamp,
        session: &NewSession,
        most: usize,
        event: &SecurityEvent,
    ) -> Result<Start, StoreError> {
        Ok(self.with(|state| {
            let account = state.accounts.get_mut(&owner);
            let account = account.filter(|a| a.user.updated_at == account_as_of);
            let Some(account) = account.filter(|a| a.disabled_at.is_none()) else {
                return Start::Refused;
            };
            let pushed_out = account.start(session, most);
            account.keep(event);
            for (n, id) in (0..).zip(&pushed_out) {
                account.keep(&event.pushing_out(n, *id));
            }
            state.ended.extend(pushed_out.iter().copied());
            Start::Started { pushed_out }
        }))
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
        Ok(self.with(|state| {
            let account = state.accounts.get_mut(&owner);
            let Some(account) = account.filter(|a| a.disabled_at.is_none()) else {
                return Rotation::Unknown;
            };
            let Some(held) = account.sessions.get_mut(&id).filter(|held| held.lives(at)) else {
                return Rotation::Unknown;
            };
            let user = account.user.clone();
            match held.refresh.judge(family, token, at) {
                Presented::Current => {
                    held.rotate(next, at);
                    let session = held.session.clone();
                    Rotation::Rotated { session, user }
                }
                Presented::Replayed => {
                    held.refresh.full_at = Some(held.refresh.full_after(at));
                    Rotation::Replayed {
                        session: held.session.clone(),
                        user,
                        salt: held.refresh.salt,
                    }
                }
                Presented::Limited { wait } => Rotation::Limited { wait },
                Presented::Reused => {
                    account.sessions.remove(&id);
                    account.keep(event);
                    state.ended.push(id);
                    Rotation::Reused
                }
                Presented::Foreign => Rotation::Unknown,
            }
        }))
    }

    async fn list(&self, owner: UserId, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        Ok(self.with(|state| {
            let account = state.accounts.get(&owner);
            account.map(|a| a.living(at)).unwrap_or_default()
        }))
    }

    async fn end(&self, owner: UserId, id: SessionId, event: &SecurityEvent) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            let Some(account) = state.accounts.get_mut(&owner) else {
                return false;
            };
            if !account.sessions.get(&id).is_some_and(|held| held.lives(event.at)) {
                return false;
            }
            account.sessions.remove(&id);
            account.keep(event);
            state.ended.push(id);
            true
        }))
    }

    async fn end_all(&self, owner: UserId, event: &SecurityEvent) -> Result<u64, StoreError> {
        Ok(self.with(|state| {
            let ended = state.accounts.get_mut(&owner).map(|account| {
                account.keep(event);
                account.end_all()
            });
            let before = state.ended.len();
            state.ended.extend(ended.unwrap_or_default());
            (state.ended.len() - before) as u64
        }))
    }

    async fn ended(&self, after: Option<EndedCursor>) -> Result<Ended, StoreError> {
        Ok(self.with(|state| {
            let behind = after.map_or(0, |cursor| usize::try_from(cursor.0).unwrap_or(0));
            Ended {
                sessions: state.ended.iter().skip(behind).copied().collect(),
                cursor: EndedCursor(i64::try_from(state.ended.len()).unwrap_or(i64::MAX)),
            }
        }))
    }
}
