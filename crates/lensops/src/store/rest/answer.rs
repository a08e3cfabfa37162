//! Answers of the REST interface: whether rows were taken, and what a refusal means.
//!
//! An insert's answer is read by its status alone unless rows were asked for: without
//! `return=representation` a 201 has an empty body, which is not JSON.

use std::fmt::Write as _;
use std::time::Duration;

use hyper::StatusCode;
use lensops_core::exchange::Response;
use serde_json::Value;

use crate::store::SinkError;

/// Why an answer is not a success.
pub(super) struct Refusal {
    /// The server has a row with this id already.
    pub(super) duplicate: bool,
    pub(super) error: SinkError,
}

/// Whether rows that were sent are there. Something else than PostgREST, a proxy's or a portal's
/// page say, also answers 200: a check that it "took" would be gone. An insert is 201, or 200 with
/// the headers of one where nothing was new; its body is empty or rows.
pub(super) fn inserted(response: &Response) -> Result<(), Refusal> {
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
pub(super) fn refusal(response: &Response) -> Result<(), Refusal> {
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
