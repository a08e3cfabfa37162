//! Supabase's REST interface as sink and history.
//!
//! Requests are built here as data and sent by whoever is given. A delivery is two bulk inserts,
//! checks then events, each ignoring ids that are there: cut between the two, it is simply made
//! again. An insert's answer is read by its status alone unless rows were asked for: without
//! `return=representation` a 201 has an empty body, which is no JSON.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use jiff::Timestamp;
use lensops_core::exchange::{Base, Method, PreparedRequest, Response, Sender};
use lensops_core::ident::LensId;
use lensops_core::secret::Secret;
use lensops_core::verdict::record::Status;
use serde_json::Value;
use uuid::Uuid;

use super::postgres::jsonb::storable;
use super::{Entry, Exported, History, Sink, SinkError, StoreError, StoredCheck, with_events};

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

    pub(super) fn request(&self, method: Method, tail: &str) -> PreparedRequest {
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

    pub(super) async fn answer(&self, request: PreparedRequest) -> Result<Response, SinkError> {
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

    pub(super) async fn rows(&self, tail: &str) -> Result<Vec<Value>, StoreError> {
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

    pub(super) async fn page(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Exported>, StoreError> {
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

struct Refusal {
    duplicate: bool,
    error: SinkError,
}

/// Whether rows that were sent are there. Something else than PostgREST, a proxy's or a portal's
/// page say, also answers 200: a check that it "took" would be gone. An insert is 201, or 200 with
/// the headers of one where nothing was new; its body is empty or rows.
fn inserted(response: &Response) -> Result<(), Refusal> {
    refusal(response)?;
    let of_insert = match response.status {
        201 => true,
        200 => response.header("preference-applied").is_some() || response.header("content-range").is_some(),
        _ => false,
    };
    if of_insert && (response.body.is_empty() || matches!(response.json(), Some(Value::Array(_)))) {
        return Ok(());
    }
    Err(Refusal {
        duplicate: false,
        error: SinkError::Denied(format!(
            "{} is no answer of a REST store to an insert: is TENANT_SUPABASE_URL right?",
            response.status
        )),
    })
}

/// What an answer other than a success means.
fn refusal(response: &Response) -> Result<(), Refusal> {
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(());
    }
    let said = response.json().unwrap_or(Value::Null);
    let code = said["code"].as_str().unwrap_or_default();
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    let mut told = format!("{status} - {}", reason.unwrap_or("unknown status"));
    if let (false, Some(message)) = (code.is_empty(), said["message"].as_str()) {
        // Writing to a string cannot fail.
        let _infallible = write!(told, " ({code}: {message})");
    }
    let after = || {
        let seconds = response.header("retry-after").and_then(|text| text.trim().parse().ok());
        seconds.map(Duration::from_secs)
    };
    let error = match status {
        408 | 429 | 500..=599 => SinkError::Later {
            what: told,
            after: after(),
        },
        // Too large: half of it may do.
        413 => SinkError::Row(told),
        400 | 409 | 422 if matches!(code.get(..2), Some("22" | "23" | "44" | "P0")) => SinkError::row(code, told),
        _ => SinkError::Denied(told),
    };
    Err(Refusal {
        duplicate: status == 409 && code == "23505",
        error,
    })
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn number(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

fn check_row(entry: &Entry) -> String {
    format!(
        r#"{{"id":"{}","yacht_id":"{}","lens_id":{},"status":{},"p95_latency_ms":{},"error_rate_percent":{},"sample_size":{},"observed_at":{},"notes":{}}}"#,
        entry.id,
        entry.yacht_id,
        quoted(&entry.lens_id),
        quoted(&entry.status),
        number(entry.p95_latency_ms),
        number(entry.error_rate_percent),
        number(entry.sample_size),
        quoted(&entry.observed_at),
        storable(&entry.notes),
    )
}

fn event_rows(entry: &Entry) -> impl Iterator<Item = String> + '_ {
    entry.events.iter().map(|event| {
        format!(
            r#"{{"id":"{}","check_id":"{}","level":{},"detail_json":{},"created_at":{}}}"#,
            event.id,
            entry.id,
            quoted(&event.level),
            storable(&event.detail),
            quoted(&event.created_at),
        )
    })
}

impl<S: Sender> Sink for Rest<S> {
    async fn deliver(&self, batch: &[Entry]) -> Result<(), SinkError> {
        let checks: Vec<String> = batch.iter().map(check_row).collect();
        self.insert(CHECKS, &checks).await?;
        let events: Vec<String> = batch.iter().flat_map(event_rows).collect();
        self.insert(EVENTS, &events).await
    }
}

fn stored(row: &Value) -> Option<StoredCheck> {
    let text = |name: &str| row[name].as_str();
    Some(StoredCheck {
        id: text("id")?.parse().ok()?,
        yacht_id: text("yacht_id")?.parse().ok()?,
        lens_id: text("lens_id")?.parse().ok()?,
        status: Status::parse(text("status")?)?,
        p95_latency_ms: row["p95_latency_ms"].as_i64(),
        error_rate_percent: row["error_rate_percent"].as_f64(),
        sample_size: row["sample_size"].as_i64().unwrap_or(0),
        observed_at: text("observed_at")?.parse().ok()?,
        notes: row["notes"].clone(),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Response {
            version: "HTTP/1.1",
            status,
            headers: headers.collect(),
            body: body.into(),
        }
    }

    fn class(status: u16, headers: &[(&str, &str)], body: &str) -> (&'static str, String) {
        match inserted(&response(status, headers, body)) {
            Ok(()) => ("taken", String::new()),
            Err(Refusal { error, .. }) => match error {
                SinkError::Later { after: Some(after), .. } => ("later", after.as_secs().to_string()),
                SinkError::Later { what, .. } => ("later", what),
                SinkError::Denied(what) => ("denied", what),
                SinkError::Row(what) => ("row", what),
            },
        }
    }

    /// Defect 5: an empty 201 body was parsed as JSON, and the events after it were never stored.
    #[test]
    fn defect_5_an_empty_201_is_a_success() {
        assert_eq!(class(201, &[], "").0, "taken");
        assert_eq!(class(201, &[], "[]").0, "taken");
    }

    #[test]
    fn a_200_of_something_else_is_no_insert() {
        for (status, headers, body, taken) in [
            (201, &[][..], "", true),
            (201, &[], "[{}]", true),
            (201, &[], "<html>welcome</html>", false),
            (200, &[], "", false),
            (200, &[], "[]", false),
            (200, &[("Content-Range", "*/*")], "", true),
            (200, &[("Preference-Applied", "return=minimal")], "[]", true),
            (204, &[], "", false),
            (202, &[], "", false),
        ] {
            let class = class(status, headers, body).0;
            assert_eq!(
                class,
                if taken { "taken" } else { "denied" },
                "{status} {headers:?} {body}"
            );
        }
    }

    #[test]
    fn every_refusal_has_its_class() {
        for (status, headers, body, expected, told) in [
            (401, &[][..], "", "denied", "401 - Unauthorized"),
            (
                403,
                &[],
                r#"{"code":"42501","message":"permission denied for table x"}"#,
                "denied",
                "403 - Forbidden (42501: permission denied for table x)",
            ),
            (
                404,
                &[],
                r#"{"code":"PGRST205","message":"no x"}"#,
                "denied",
                "404 - Not Found (PGRST205: no x)",
            ),
            (
                409,
                &[],
                r#"{"code":"23503","message":"fk"}"#,
                "row",
                "409 - Conflict (23503: fk)",
            ),
            (
                400,
                &[],
                r#"{"code":"23514","message":"ck"}"#,
                "row",
                "400 - Bad Request (23514: ck)",
            ),
            (
                400,
                &[],
                r#"{"code":"PGRST204","message":"no column"}"#,
                "denied",
                "400 - Bad Request (PGRST204: no column)",
            ),
            (413, &[], "", "row", "413 - Payload Too Large"),
            (429, &[("Retry-After", "7")], "", "later", "7"),
            (503, &[], "<html>", "later", "503 - Service Unavailable"),
            (302, &[], "", "denied", "302 - Found"),
        ] {
            assert_eq!(
                class(status, headers, body),
                (expected, told.to_owned()),
                "{status} {body}"
            );
        }
        assert!(refusal(&response(409, &[], r#"{"code":"23505"}"#)).is_err_and(|refusal| refusal.duplicate));
    }
}
