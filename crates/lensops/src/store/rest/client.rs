//! Supabase's REST interface as sink and history.
//!
//! Requests are built here as data and sent by whoever is given. A delivery is two bulk inserts,
//! checks then events, each ignoring ids that are there: one that was cut off between the two is made
//! again.

use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use lensops_core::exchange::{Base, Method, PreparedRequest, Response, Sender};
use lensops_core::ident::LensId;
use lensops_core::secret::Secret;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use uuid::Uuid;

use super::answer::{inserted, refusal};
use super::paging::{Ascending, PAGE, in_time};
use super::rows::{check_row, event_rows, stored};
use crate::store::{
    Entry, Exported, History, Sink, SinkError, StoreError, StoredCheck, Trace, with_annulled, with_events,
};

const CHECKS: &str = "pms_health_checks";
const EVENTS: &str = "pms_health_events";

/// `notes->reached`, percent-encoded.
const REACHED: &str = "notes-%3Ereached";

/// Questions asked at the same time.
const AT_ONCE: usize = 8;

/// What an insert asks the server to send back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned {
    /// Nothing: 201 with an empty body.
    Minimal,
    /// The rows that were inserted.
    Representation,
}

/// The REST interface of a Supabase project.
#[derive(Clone)]
pub struct Rest<S> {
    sender: S,
    base: Base,
    key: Secret,
    returned: Returned,
}

impl<S: Sender> Rest<S> {
    /// The interface at `base`, opened with the service `key`.
    pub fn new(sender: S, base: Base, key: Secret) -> Self {
        Self {
            sender,
            base,
            key,
            returned: Returned::Minimal,
        }
    }

    /// The same, asking inserts for `returned`.
    #[must_use]
    pub fn returning(mut self, returned: Returned) -> Self {
        self.returned = returned;
        self
    }

    pub(in crate::store) fn request(&self, method: Method, tail: &str) -> PreparedRequest {
        PreparedRequest::new(self.base.clone(), method, &format!("/rest/v1/{tail}"))
            .header("apikey", self.key.expose())
            .bearer(&self.key)
            .header("Accept", "application/json")
    }

    fn insert_request(&self, table: &str, rows: &[String]) -> PreparedRequest {
        let returned = match self.returned {
            Returned::Minimal => "minimal",
            Returned::Representation => "representation",
        };
        let mut request = self
            .request(Method::Post, &format!("{table}?on_conflict=id"))
            .header("Prefer", format!("resolution=ignore-duplicates,return={returned}"))
            .header("Content-Type", "application/json");
        request.body = Some(format!("[{}]", rows.join(",")));
        request
    }

    pub(in crate::store) async fn answer(&self, request: PreparedRequest) -> Result<Response, SinkError> {
        let exchange = self.sender.send(Arc::new(request)).await;
        exchange
            .result
            .map_err(|failure| SinkError::later(format!("{} - {}", failure.class.as_str(), failure.detail)))
    }

    /// Inserts `rows`. A server that says "duplicate" in spite of being asked to ignore them is
    /// given the rows one by one: one that is there is where it belongs.
    async fn insert(&self, table: &str, rows: &[String]) -> Result<(), SinkError> {
        if rows.is_empty() {
            return Ok(());
        }
        let refusal = match inserted(&self.answer(self.insert_request(table, rows)).await?) {
            Ok(()) => return Ok(()),
            Err(refusal) => refusal,
        };
        if !refusal.duplicate {
            return Err(refusal.error);
        }
        for row in rows {
            let request = self.insert_request(table, std::slice::from_ref(row));
            match inserted(&self.answer(request).await?) {
                Err(refusal) if !refusal.duplicate => return Err(refusal.error),
                _ => {}
            }
        }
        Ok(())
    }

    async fn select(&self, tail: &str) -> Result<Vec<StoredCheck>, StoreError> {
        let rows = self.rows(tail).await?;
        let checks: Option<Vec<_>> = rows.iter().map(stored).collect();
        checks.ok_or_else(|| StoreError::Elsewhere("it answers with something other than checks".to_owned()))
    }

    pub(in crate::store) async fn rows(&self, tail: &str) -> Result<Vec<Value>, StoreError> {
        let response = self
            .answer(self.request(Method::Get, tail))
            .await
            .map_err(|error| StoreError::Elsewhere(error.to_string()))?;
        if let Err(refusal) = refusal(&response) {
            return Err(StoreError::Elsewhere(refusal.error.to_string()));
        }
        match response.json() {
            Some(Value::Array(rows)) => Ok(rows),
            _ => Err(StoreError::Elsewhere(format!("{} without rows", response.status))),
        }
    }

    /// # Errors
    /// When the store cannot be read, or sends a check that was not asked for.
    pub(in crate::store) async fn page(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Exported>, StoreError> {
        in_time(async {
            let after = after.unwrap_or_default();
            let checks = self
                .select(&format!("{CHECKS}?id=gt.{after}&order=id&limit={limit}"))
                .await?;
            let mut asked = Ascending::after(after);
            asked.take(checks.into_iter().map(|check| (check.id, check)))?;
            let checks = asked.into_rows();
            let events = self.events_of(&checks).await?;
            Ok(with_events(checks, events))
        })
        .await
    }

    /// The events of `checks`, each with the id of its check, in the order in which they were made.
    async fn events_of(&self, checks: &[StoredCheck]) -> Result<Vec<(Uuid, String, Value)>, StoreError> {
        let ids: Vec<String> = checks.iter().map(|check| check.id.to_string()).collect();
        let mut found: Ascending<Uuid, (String, Uuid, Uuid, String, Value)> = Ascending::new();
        while !checks.is_empty() {
            let tail = format!(
                "{EVENTS}?check_id=in.({})&id=gt.{}&order=id&limit={PAGE}",
                ids.join(","),
                found.last().unwrap_or_default()
            );
            let rows = self.rows(&tail).await?;
            if rows.is_empty() {
                break;
            }
            let event = |row: &Value| {
                let text = |column: &str| row[column].as_str();
                let id: Uuid = text("id")?.parse().ok()?;
                let (made, check) = (text("created_at")?.to_owned(), text("check_id")?.parse().ok()?);
                Some((
                    id,
                    (made, id, check, text("level")?.to_owned(), row["detail_json"].clone()),
                ))
            };
            let read: Option<Vec<_>> = rows.iter().map(event).collect();
            let unlike = || StoreError::Elsewhere("it answers with something other than events".to_owned());
            found.take(read.ok_or_else(unlike)?)?;
        }
        let mut events = found.into_rows();
        events.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        Ok(events
            .into_iter()
            .map(|(_, _, check, level, detail)| (check, level, detail))
            .collect())
    }
}

/// A value of a filter, whatever characters it holds.
fn quoted(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

impl<S: Sender> Sink for Rest<S> {
    async fn deliver(&self, batch: &[Entry]) -> Result<(), SinkError> {
        let checks: Vec<String> = batch.iter().map(check_row).collect();
        self.insert(CHECKS, &checks).await?;
        let events: Vec<String> = batch.iter().flat_map(event_rows).collect();
        self.insert(EVENTS, &events).await
    }
}

impl<S: Sender> History for Rest<S> {
    async fn latest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<StoredCheck>, StoreError> {
        let newest = |(tenant, lens): &(Uuid, LensId)| {
            let tail =
                format!("{CHECKS}?yacht_id=eq.{tenant}&lens_id=eq.{lens}&order=observed_at.desc,id.desc&limit=1");
            async move { self.select(&tail).await }
        };
        let asked = stream::iter(pairs.iter().map(newest)).buffered(AT_ONCE);
        let found: Vec<Vec<StoredCheck>> = in_time(asked.try_collect()).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn shows(&self, tenant: Uuid, lens: &LensId, trace: Trace<'_>) -> Result<bool, StoreError> {
        let condition = match trace {
            Trace::Found(host) => format!("{REACHED}-%3E%3Ehost=eq.{}", quoted(host)),
            Trace::Answered(host) => format!(
                "{REACHED}-%3E%3Ehost=eq.{}&{REACHED}-%3E%3Eanswered=eq.true",
                quoted(host)
            ),
            Trace::LetIn(digest) => format!("{REACHED}-%3E%3Ecredential=eq.{}", quoted(digest)),
            Trace::Unsaid => format!("{REACHED}=is.null&p95_latency_ms=gte.0&status=neq.unhealthy"),
        };
        let tail = format!("{CHECKS}?yacht_id=eq.{tenant}&lens_id=eq.{lens}&{condition}&order=id&limit=1");
        Ok(!in_time(self.rows(&tail)).await?.is_empty())
    }

    async fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<StoredCheck>, StoreError> {
        in_time(async {
            let mut found = Ascending::new();
            let mut filter = format!("observed_at=gt.{}", from.max(Timestamp::UNIX_EPOCH));
            loop {
                let tail = format!(
                    "{CHECKS}?yacht_id=eq.{tenant}&lens_id=eq.{lens}&{filter}&observed_at=lte.{until}\
                     &order=observed_at,id&limit={PAGE}"
                );
                let page = self.select(&tail).await?;
                let of_one_time = filter.starts_with("observed_at=eq.");
                let is_empty = page.is_empty();
                found.take(page.into_iter().map(|check| ((check.observed_at, check.id), check)))?;
                let Some((at, id)) = found.last().filter(|_| of_one_time || !is_empty) else {
                    return Ok(with_annulled(found.into_rows()));
                };
                // What else has the time of the last row, then what is later.
                filter = if of_one_time && is_empty {
                    format!("observed_at=gt.{at}")
                } else {
                    format!("observed_at=eq.{at}&id=gt.{id}")
                };
            }
        })
        .await
    }
}
