//! `lensops annul`: takes a check back that was made by mistake, by a row of its own (`store::annulment`).

use lensops_core::exchange::Sender;
use lensops_core::verdict::record::CheckRecord;
use serde_json::json;
use uuid::Uuid;

use crate::commands::context::{open_journal, open_store};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::worker::delivery::Delivery;
use crate::config::Settings;
use crate::store::{Journal, Store, StoreError, StoredCheck, annulment};

/// Takes check `id` back for `reason`; `by` says who, the user of this shell where it is `None`.
///
/// # Errors
/// An empty reason, a check that is nowhere, or a journal or store that cannot be read or written.
pub async fn run(settings: &Settings, id: Uuid, reason: &str, by: Option<&str>, as_json: bool) -> Result<Exit> {
    if reason.trim().is_empty() {
        return Err(Error::usage("--reason is empty: say why, for whoever reads the record"));
    }
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    let Some(check) = find(&journal, &store, id).await? else {
        return Err(Error::usage(format!(
            "no check {id} is in {}: `lensops gate` and the dashboard name them",
            store.name()
        )));
    };
    if let Some(other) = check.notes.read().annuls() {
        return Err(Error::usage(format!(
            "{id} is the record that check {other} was annulled"
        )));
    }
    let who = by.map_or_else(|| settings.who(), str::to_owned);
    let record = annulment(&check, reason, &who, &settings.redactor());
    let known = find(&journal, &store, record.id).await?.is_some();
    if !known {
        journal.record(record.clone()).await?;
        if store.is_elsewhere() {
            let limit = settings.journal_limit()?;
            Delivery::new(journal, store, settings.redactor(), limit)
                .flush()
                .await?;
        }
    }
    tell(&check, &record, known, as_json);
    Ok(Exit::Good)
}

/// The check with this id, here or in the store.
async fn find<S: Sender>(journal: &Journal, store: &Store<S>, id: Uuid) -> Result<Option<StoredCheck>, StoreError> {
    let before = Uuid::from_u128(id.as_u128().saturating_sub(1));
    let of = |page: Vec<crate::store::Exported>| page.into_iter().map(|(check, _)| check).find(|check| check.id == id);
    let here = of(journal.page(Some(before), 1, false).await?);
    if here.is_some() || !store.is_elsewhere() {
        return Ok(here);
    }
    Ok(of(store.page(Some(before), 1).await?))
}

fn tell(check: &StoredCheck, record: &CheckRecord, known: bool, as_json: bool) {
    let at = check.observed_at.strftime("%Y-%m-%dT%H:%M:%SZ");
    if as_json {
        let json = json!({"annulled": check.id, "by": record.id, "lens": check.lens_id, "tenant": check.yacht_id, "already": known});
        say!("{json:#}");
    } else if known {
        say!("· Check {} of {} ({at}) was annulled before", check.id, check.lens_id);
    } else {
        say!(
            "✅ Annulled: {} check {} of {} ({at}); it is kept, and gate, figures and charts leave it out",
            check.status.as_str(),
            check.id,
            check.lens_id
        );
    }
}
