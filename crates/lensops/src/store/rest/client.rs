//! Supabase's REST interface as sink and history.
//!
//! Requests are built here as data and sent by whoever is given. A delivery is two bulk inserts,
//! checks then events, each ignoring ids that are there: one that was cut off between the two is made
//! again.

use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::exchange::{Base, Method, PreparedRequest, Response, Sender};
use lensops_core::ident::LensId;
use lensops_core::secret::Secret;
use serde_json::Value;
use uuid::Uuid;

use super::answer::{inserted, refusal};
use super::rows::{check_row, event_rows, stored};
use crate::store::{Entry, Exported, History, Sink, SinkError, StoreError, StoredCheck, with_events};

const CHECKS: &str = "pms_health_checks";
const EVENTS: &str = "pms_health_events";

/// Rows asked for at once.
const PAGE: usize = 1000;

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

    pub(in crate::store) async fn page(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Exported>, StoreError> {
        let after = after.unwrap_or_default();
        let checks = self
            .select(&format!("{CHECKS}?id=gt.{after}&order=id&limit={limit}"))
            .await?;
        let ids: Vec<String> = checks.iter().map(|check| check.id.to_string()).collect();
        let mut events = Vec::new();
        while !checks.is_empty() {
            let tail = format!(
                "{EVENTS}?check_id=in.({})&order=created_at,id&limit={PAGE}&offset={}",
                ids.join(","),
                events.len()
            );
            let rows = self.rows(&tail).await?;
            if rows.is_empty() {
                break;
            }
            let event = |row: &Value| {
                let check = row["check_id"].as_str()?.parse().ok()?;
                Some((check, row["level"].as_str()?.to_owned(), row["detail_json"].clone()))
            };
            let read: Option<Vec<_>> = rows.iter().map(event).collect();
            let unlike = || StoreError::Elsewhere("it answers with something other than events".to_owned());
            events.extend(read.ok_or_else(unlike)?);
        }
        Ok(with_events(checks, events))
    }
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
        let mut latest = Vec::with_capacity(pairs.len());
        for (tenant, lens) in pairs {
            let tail =
                format!("{CHECKS}?yacht_id=eq.{tenant}&lens_id=eq.{lens}&order=observed_at.desc,id.desc&limit=1");
            latest.extend(self.select(&tail).await?);
        }
        Ok(latest)
    }

    async fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<StoredCheck>, StoreError> {
        let mut checks = Vec::new();
        loop {
            let tail = format!(
                "{CHECKS}?yacht_id=eq.{tenant}&lens_id=eq.{lens}&observed_at=gt.{}&observed_at=lte.{until}\
                 &order=observed_at,id&limit={PAGE}&offset={}",
                from.max(Timestamp::UNIX_EPOCH),
                checks.len()
            );
            let page = self.select(&tail).await?;
            // The server may send fewer than it was asked for: only an empty page is the end.
            if page.is_empty() {
                return Ok(checks);
            }
            checks.extend(page);
        }
    }
}
