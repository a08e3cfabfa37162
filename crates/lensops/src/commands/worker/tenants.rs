//! The tenants of the worker, read again each interval from their source.
//!
//! An answer that cannot be used (an error, something other than ids, an empty list) changes nothing: the
//! last good list stays, across a restart too. The same failure is logged once.

use std::collections::BTreeSet;

use lensops_core::exchange::Sender;
use lensops_core::redaction::Redactor;
use uuid::Uuid;

use crate::store::{Journal, TenantSource};

/// Watches the tenants.
pub struct TenantWatch<S> {
    source: TenantSource<S>,
    journal: Journal,
    redactor: Redactor,
    known: Vec<Uuid>,
    /// What was said of the last failure.
    failing: Option<String>,
}

impl<S: Sender> TenantWatch<S> {
    /// Watches `source`; until it answers, the tenants that `journal` last knew are good.
    pub async fn new(source: TenantSource<S>, journal: Journal, redactor: Redactor) -> Self {
        let known = journal.tenants().await.unwrap_or_else(|error| {
            tracing::error!("❌ The tenants last known could not be read: {error}");
            Vec::new()
        });
        Self {
            source,
            journal,
            redactor,
            known,
            failing: None,
        }
    }

    /// The tenants as last known; none where none were ever known.
    #[must_use]
    pub fn known(&self) -> &[Uuid] {
        &self.known
    }

    /// Reads the tenants. Whether others are known now.
    pub async fn look(&mut self) -> bool {
        let found = match self.source.read().await {
            Ok(found) => found,
            Err(error) => {
                self.failed(&error.to_string());
                return false;
            }
        };
        if self.failing.take().is_some() {
            tracing::info!("✅ The tenants can be read again: {} of them", found.len());
        }
        if found == self.known {
            return false;
        }
        self.tell_change(&found);
        if let Err(error) = self.journal.put_tenants(found.clone()).await {
            tracing::error!("❌ The tenants could not be kept for the next start: {error}");
        }
        self.known = found;
        true
    }

    fn failed(&mut self, why: &str) {
        let why = self.redactor.text(why).as_str().to_owned();
        if self.failing.as_deref() == Some(&*why) {
            return;
        }
        let going_on = match self.known.len() {
            0 => "none is known yet, so nothing is checked".to_owned(),
            count => format!("going on with the {count} last known"),
        };
        tracing::error!("❌ The tenants cannot be read: {why}; {going_on}");
        self.failing = Some(why);
    }

    fn tell_change(&self, found: &[Uuid]) {
        let (old, new): (BTreeSet<_>, BTreeSet<_>) = (self.known.iter().collect(), found.iter().collect());
        tracing::info!(
            "Tenants: {} in all, {} added, {} removed",
            new.len(),
            new.difference(&old).count(),
            old.difference(&new).count()
        );
    }
}
