//! What earlier checks of a lens and tenant reached: it tells an outage from a fault of the monitor itself.

use lensops_core::exchange::Sender;
use lensops_core::verdict::own_fault::Worked;
use uuid::Uuid;

use super::check::{ASK_FOR, Monitor};
use crate::store::{Journal, Store, StoreError, StoredCheck, worked};

impl Monitor {
    /// What earlier checks reached. Those at hand say it nearly always; else all that are recorded are asked. A
    /// store that does not answer says nothing against the monitor.
    pub(super) async fn worked<S: Sender>(
        &self,
        journal: &Journal,
        store: &Store<S>,
        tenant: Uuid,
        at_hand: &[StoredCheck],
    ) -> Result<Worked, StoreError> {
        let base = self.base_of(tenant);
        let (host, credential) = (base.host(), self.credential());
        let reached = |check: &StoredCheck| {
            let notes = check.notes.read();
            notes.reached.as_ref().is_some_and(|reached| {
                reached.host == host && reached.answered && (credential.is_none() || reached.credential == credential)
            })
        };
        if at_hand.iter().rev().any(reached) {
            return Ok(Worked::ALL);
        }
        let (pair, credential) = ((tenant, self.lens()), credential.as_deref());
        let here = worked(journal, pair, host, credential).await?;
        if here == Worked::ALL || !store.is_elsewhere() {
            return Ok(here);
        }
        let asked = tokio::time::timeout(ASK_FOR, worked(store, pair, host, credential)).await;
        let there = asked.ok().and_then(Result::ok).unwrap_or_default();
        Ok(Worked {
            found: here.found || there.found,
            answered: here.answered || there.answered,
            let_in: here.let_in || there.let_in,
        })
    }

    /// The digest of what the probes prove who they are with; `None` where they do not.
    pub(super) fn credential(&self) -> Option<String> {
        let secrets = self.plan.env.iter().filter(|(_, source)| source.secret);
        let secrets = secrets.filter_map(|(name, _)| self.environment.get(name)?.as_str());
        self.signing.digest(self.plan.users.values(), secrets)
    }
}
