//! How a rollback becomes known to workers on other machines: by way of the store that they share.
//!
//! The command makes a check of the lens, which is what the API does right afterwards, and puts its
//! record into the check's notes. Checks are delivered, kept and scoped already, so nothing else is
//! needed: a table of its own was rejected, for it would have needed rights, a policy and a second
//! way of delivery. A worker that reads such a check enters the record into its own journal.

use jiff::{SignedDuration, Timestamp};
use lensops_core::exchange::Sender;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::notes::CheckNotes;
use uuid::Uuid;

use super::context::Context;
use crate::commands::error::{Context as _, Result};
use crate::commands::worker::check::Monitor;
use crate::store::{History as _, Journal, Rollback, Store, Switch};

/// How far back a worker looks when it starts.
const AT_START: SignedDuration = SignedDuration::from_hours(7 * 24);

/// How far it looks back again each time: checks arrive late, and clocks differ.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// Records a check that carries `entry`, for the plan's first tenant. Its id; `None` where the plan
/// names no tenant.
///
/// # Errors
/// When the journal refuses.
pub(crate) async fn publish<S: Sender>(ground: &Context<'_, S>, entry: &Rollback, nonce: u64) -> Result<Option<Uuid>> {
    let mut monitor = ground.monitor.clone();
    if entry.kind == Switch::Rollback {
        // The check counts for nothing, and an API that hangs may be why it was rolled back.
        monitor.plan.samples = 1;
    }
    let Some(tenant) = monitor.plan.tenants.first().copied() else {
        return Ok(None);
    };
    let now = Timestamp::now();
    let id = monitor.schedule(tenant).ad_hoc_id(now, nonce);
    let before = monitor.before(ground.journal, ground.store, tenant, now).await?;
    let mut record = monitor
        .check(ground.sender, tenant, id, now, now, before, &|_, _| {})
        .await
        .record;
    let notes = CheckNotes {
        rollback: Some(entry.clone()),
        ..record.notes.read().clone()
    };
    record.notes = RecordNotes::new(&notes, &monitor.redactor);
    ground
        .journal
        .record(record)
        .await
        .context("the rollback could not be told to other machines")?;
    Ok(Some(id))
}

/// Reads what other machines rolled back or restored.
#[derive(Debug, Default)]
pub struct News {
    looked: Option<Timestamp>,
}

impl News {
    /// Enters into `journal` what `store` says of `monitors`' lenses since the last look, and returns
    /// it. What this machine decided later stays in force.
    ///
    /// # Errors
    /// When the store or the journal cannot be read.
    pub async fn look<S: Sender>(
        &mut self,
        monitors: &[&Monitor],
        store: &Store<S>,
        journal: &Journal,
        now: Timestamp,
    ) -> Result<Vec<Rollback>> {
        let back = self.looked.map_or(now - AT_START, |looked| looked - AGAIN);
        let known = journal.rollbacks().await?;
        let mut learnt = Vec::new();
        for monitor in monitors {
            let Some(tenant) = monitor.plan.tenants.first() else {
                continue;
            };
            let checks = store.between(*tenant, monitor.lens(), back, now).await?;
            let told = checks.iter().filter_map(|check| read(check.notes.read(), monitor));
            let Some(latest) = told.max_by_key(|entry| entry.begun_at) else {
                continue;
            };
            let of_lens = known.iter().find(|entry| entry.lens == latest.lens);
            if of_lens.is_none_or(|entry| entry.begun_at < latest.begun_at) {
                journal.put_rollback(latest.clone()).await?;
                learnt.push(latest);
            }
        }
        self.looked = Some(now);
        Ok(learnt)
    }
}

/// The record within `notes`; one of another lens, or one that cannot be read, is none.
fn read(notes: &CheckNotes, monitor: &Monitor) -> Option<Rollback> {
    let entry = notes.rollback.as_ref()?;
    (entry.lens == *monitor.lens() && !entry.is_unfinished()).then(|| entry.clone())
}
