//! Sessions on both sides.

use errand_application::ports::{Credentials, NextRefresh, Rotation, Start};

use errand_domain::Timestamp;

use super::history::{Event, MOST_SESSIONS};
use super::people::Pair;
use super::world::{Client, Different, World, fine};
use crate::fixtures::digest;

impl World {
    /// When somebody's account last changed, on both sides; now, if there is none.
    async fn as_of(&self, who: Pair) -> Result<(Timestamp, Timestamp), Different> {
        let model = fine(self.model_stores.accounts.find(who.model).await)?;
        let store = fine(self.store.accounts.find(who.store).await)?;
        let time = |found: Option<Credentials>| found.map_or(self.now, |f| f.user.updated_at);
        Ok((time(model), time(store)))
    }

    pub(super) async fn sessions(&mut self, event: &Event) -> Result<(), Different> {
        let (model, store) = (self.model_stores.sessions.clone(), self.store.sessions.clone());
        match *event {
            Event::Start { who } => {
                let (pair, session, incident) = (self.people.get(who), self.session(), self.incident());
                let (model_as_of, store_as_of) = self.as_of(pair).await?;
                let started = model
                    .start(pair.model, model_as_of, &session, MOST_SESSIONS, &incident)
                    .await;
                let also = store
                    .start(pair.store, store_as_of, &session, MOST_SESSIONS, &incident)
                    .await;
                if self.same(started, also)? != Start::Refused {
                    self.remember(who, &session);
                }
                Ok(())
            }
            Event::Rotate {
                session,
                age,
                foreign_family,
                stranger,
            } => self.rotate(session, age, foreign_family, stranger).await,
            Event::Sessions { who } => {
                let (who, now) = (self.people.get(who), self.now);
                self.same(model.list(who.model, now).await, store.list(who.store, now).await)
                    .map(drop)
            }
            Event::End { who, session } => {
                let (who, incident) = (self.people.get(who), self.incident());
                let id = self.clients[session % self.clients.len()].id;
                self.same(
                    model.end(who.model, id, &incident).await,
                    store.end(who.store, id, &incident).await,
                )
                .map(drop)
            }
            Event::EndAll { who } => {
                let (who, incident) = (self.people.get(who), self.incident());
                let living = fine(model.list(who.model, self.now).await)?.len() as u64;
                // Expired ones are still there in the model; a store may have cleaned them up.
                let most = fine(model.end_all(who.model, &incident).await)?;
                let ended = fine(store.end_all(who.store, &incident).await)?;
                if (living..=most).contains(&ended) {
                    Ok(())
                } else {
                    Err(format!(
                        "{living} lived, and the store says that it ended {ended}"
                    ))
                }
            }
            Event::Ended => self.look_at_ended().await,
            _ => Ok(()),
        }
    }

    /// Presents a client's token, `age` before its latest; for its owner or, now and then, for somebody else.
    async fn rotate(
        &mut self,
        client: usize,
        age: usize,
        foreign: bool,
        stranger: Option<usize>,
    ) -> Result<(), Different> {
        let n = self.number();
        let next = NextRefresh {
            token: digest(b't', n),
            salt: digest(b's', n).0,
        };
        let client = client % self.clients.len();
        let incident = self.incident();
        let Client {
            owner,
            id,
            family,
            ref tokens,
        } = self.clients[client];
        let token = *tokens.iter().rev().nth(age).unwrap_or(&digest(b'x', n));
        let pair = self.people.get(stranger.unwrap_or(owner));
        let family = if foreign { digest(b'x', n) } else { family };
        let (model, store) = (&self.model_stores.sessions, &self.store.sessions);
        let rotation = self.same(
            model
                .rotate(pair.model, id, &family, &token, &next, &incident)
                .await,
            store
                .rotate(pair.store, id, &family, &token, &next, &incident)
                .await,
        )?;
        if matches!(rotation, Rotation::Rotated { .. }) {
            self.clients[client].tokens.push(next.token);
        }
        Ok(())
    }

    /// Follows the record of ended sessions: nothing may be missing, and nothing that lives be named.
    pub(super) async fn look_at_ended(&mut self) -> Result<(), Different> {
        let answer = fine(self.store.sessions.ended(Some(self.ended)).await)?;
        self.ended = answer.cursor;
        self.named.extend(answer.sessions);
        let missed: Vec<_> = self.must_be_named.difference(&self.named).collect();
        let living = self.living();
        let wrong: Vec<_> = living.intersection(&self.named).collect();
        if missed.is_empty() && wrong.is_empty() {
            Ok(())
        } else {
            Err(format!(
                "ended and not named: {missed:?}; named and alive: {wrong:?}"
            ))
        }
    }
}
