//! The judge: an expectation held against an exchange.
//!
//! There is one judge for every plan, so that "200" and "FEATURE_DISABLED" mean the same in a check, an
//! acceptance case and a stress run.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::number::{is_same, order};
use super::outcome::{Outcome, Severity, Why, line};
use crate::exchange::{Exchange, FailureClass, Response};
use crate::plan::{Dialect, Expect, JsonPath};
use crate::stats::histogram::ms;

/// Holds `expect` against `exchange`, one outcome a condition, in the order of the grammar.
///
/// A failed exchange breaks the whole expectation once. In an expectation of severity `Warn` a
/// place that is not in the body leaves its condition unjudged; in one of severity `Fail` it is
/// broken, since the answer is not what the plan says it is.
#[must_use]
pub fn judge(expect: &Expect, severity: Severity, dialect: &Dialect, exchange: &Exchange) -> Vec<Outcome> {
    let response = match &exchange.result {
        Ok(response) => response,
        Err(failure) => return vec![Outcome::Broken(severity, failure.into())],
    };
    let body = response.parse_json();
    let status = judge_status(expect, severity, dialect, response, body.as_ref().ok());
    let met = status == Outcome::Met;
    let mut outcomes = vec![status];
    if !met {
        return outcomes;
    }
    outcomes.extend(judge_envelope(expect, severity, exchange, response));
    outcomes.extend(judge_lacking(expect, severity, response, &body));
    if !expect.needs_json() {
        return outcomes;
    }
    match &body {
        Ok(body) => outcomes.extend(judge_body(expect, severity, dialect, body)),
        Err(why) => outcomes.push(Outcome::Broken(severity, not_json(response, why))),
    }
    outcomes
}

/// Whether every condition is met.
#[must_use]
pub fn matches(expect: &Expect, dialect: &Dialect, exchange: &Exchange) -> bool {
    judge(expect, Severity::Fail, dialect, exchange)
        .iter()
        .all(|outcome| *outcome == Outcome::Met)
}

fn not_json(response: &Response, why: &serde_json::Error) -> Why {
    let kind = response.header("content-type").unwrap_or("no content type");
    let detail = if response.body.is_empty() {
        "empty body".to_owned()
    } else {
        format!("body is not JSON ({}): {why}", line(kind))
    };
    Why::Failed {
        class: FailureClass::BadBody,
        detail: format!("{} with {detail}", response.status),
    }
}

fn judge_status(
    expect: &Expect,
    severity: Severity,
    dialect: &Dialect,
    response: &Response,
    body: Option<&Value>,
) -> Outcome {
    let got = response.status;
    let accepted = match &expect.status {
        Some(set) => set.contains(got),
        // A warning that says nothing of the status leaves it to `expect`.
        None => severity == Severity::Warn || (200..300).contains(&got),
    };
    if accepted {
        return Outcome::Met;
    }
    let expected = expect
        .status
        .as_ref()
        .map_or_else(|| "2xx".to_owned(), ToString::to_string);
    let code = body.and_then(|body| dialect.code(body));
    Outcome::Broken(severity, Why::Status { expected, got, code })
}

/// Headers, text and latency: what needs no JSON.
fn judge_envelope(expect: &Expect, severity: Severity, exchange: &Exchange, response: &Response) -> Vec<Outcome> {
    let broken = |detail: String| broken_body(severity, detail);
    let mut outcomes = Vec::new();
    for (name, wanted) in &expect.headers {
        outcomes.push(match response.header(name) {
            Some(value) if value == wanted => Outcome::Met,
            Some(value) => broken(format!("header {name} is {}, expected {}", line(value), line(wanted))),
            None => broken(format!("the answer has no header {name}")),
        });
    }
    if let Some(text) = &expect.contains {
        let found = response.text().contains(text.as_str());
        outcomes.push(if found {
            Outcome::Met
        } else {
            broken(format!("the body does not contain {:?}", line(text)))
        });
    }
    if let Some(most) = expect.within_ms {
        let took = exchange.timings.total_us;
        let met = took <= most.saturating_mul(1000);
        let detail = || format!("answered in {}, expected within {most}ms", ms(took));
        outcomes.push(if met {
            Outcome::Met
        } else {
            Outcome::Broken(severity, Why::Limit { detail: detail() })
        });
    }
    outcomes
}

/// What needs JSON: the error code, the named place, and the places of the plan.
fn judge_body(expect: &Expect, severity: Severity, dialect: &Dialect, body: &Value) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    if let Some(symbol) = &expect.code {
        let (expected, got) = (dialect.spell(symbol), dialect.code(body));
        outcomes.push(if got.as_deref() == Some(expected) {
            Outcome::Met
        } else {
            let expected = expected.to_owned();
            Outcome::Broken(severity, Why::Code { expected, got })
        });
    }
    if let Some(name) = &expect.present {
        // An empty text is no id.
        outcomes.push(if dialect.find(name, body).is_some_and(|value| value != "") {
            Outcome::Met
        } else {
            broken_body(severity, format!("the answer holds no {name}"))
        });
    }
    outcomes.extend(judge_places(expect, severity, body));
    outcomes
}

/// Values at places that the plan gives as JSONPaths.
fn judge_places(expect: &Expect, severity: Severity, body: &Value) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let broken = |detail: String| broken_body(severity, detail);
    if let Some((a, b)) = &expect.equal {
        outcomes.push(match (a.first(body), b.first(body)) {
            (Some(x), Some(y)) if is_same(x, y) => Outcome::Met,
            (Some(x), Some(y)) => broken(format!("{a} is {}, {b} is {}", short(x), short(y))),
            (None, _) => missing(severity, a),
            (_, None) => missing(severity, b),
        });
    }
    let bounds = [
        (&expect.at_least, "at least", Ordering::is_ge as fn(Ordering) -> bool),
        (&expect.at_most, "at most", Ordering::is_le),
    ];
    for (places, word, holds) in bounds {
        for (path, limit) in places {
            outcomes.push(match (path.first(body), limit.number()) {
                (None, _) => missing(severity, path),
                (Some(Value::Number(number)), Some(limit)) if holds(order(number, limit)) => Outcome::Met,
                (Some(value), _) => broken(format!("{path} is {}, expected {word} {limit}", short(value))),
            });
        }
    }
    for (path, wanted) in &expect.is {
        outcomes.push(match path.first(body) {
            None => missing(severity, path),
            Some(value) if is_same(value, wanted) => Outcome::Met,
            // As JSON where only the type tells them apart: `"5"` is no 5.
            Some(value) if short(value) == short(wanted) => broken(format!("{path} is {value}, expected {wanted}")),
            Some(value) => broken(format!("{path} is {}, expected {}", short(value), short(wanted))),
        });
    }
    outcomes.extend(judge_shape(expect, severity, body));
    outcomes
}

/// What a text looks like, what is not there, and how much there is.
fn judge_shape(expect: &Expect, severity: Severity, body: &Value) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let broken = |detail: String| broken_body(severity, detail);
    for (path, pattern) in &expect.matches {
        outcomes.push(match path.first(body) {
            None => missing(severity, path),
            Some(Value::Array(_) | Value::Object(_) | Value::Null) => {
                broken(format!("{path} holds no text, expected one that matches {pattern}"))
            }
            Some(value) if pattern.is_match(&whole(value)) => Outcome::Met,
            Some(value) => broken(format!("{path} is {}, expected a match of {pattern}", short(value))),
        });
    }
    for path in &expect.absent {
        outcomes.push(match path.first(body).filter(|_| !path.is_absent(body)) {
            None => Outcome::Met,
            Some(value) => broken(format!("{path} is {}, expected nothing there", short(value))),
        });
    }
    for (path, wanted) in &expect.count {
        let found = path.count(body);
        let met = wanted
            .number()
            .is_some_and(|wanted| order(&found.into(), wanted).is_eq());
        outcomes.push(if met {
            Outcome::Met
        } else {
            broken(format!("{path} selects {found}, expected {wanted}"))
        });
    }
    outcomes
}

/// What stands nowhere at a place. A refusal may be of any kind; a success is JSON.
fn judge_lacking(
    expect: &Expect,
    severity: Severity,
    response: &Response,
    body: &Result<Value, serde_json::Error>,
) -> Vec<Outcome> {
    let of_place = |(path, unwanted): (&JsonPath, &Value)| match body {
        Ok(body)
            if path
                .values(body)
                .any(|value| is_same(value, unwanted) || whole(value) == whole(unwanted)) =>
        {
            broken_body(
                severity,
                format!("{path} holds {}, expected it nowhere", short(unwanted)),
            )
        }
        Err(why) if (200..300).contains(&response.status) => Outcome::Broken(severity, not_json(response, why)),
        _ => Outcome::Met,
    };
    expect.lacks.iter().map(of_place).collect()
}

/// A place that is not there: unjudged in a warning, broken elsewhere.
fn missing(severity: Severity, path: &JsonPath) -> Outcome {
    let detail = format!("the answer has no {path}");
    match severity {
        Severity::Warn => Outcome::Unjudged(detail),
        Severity::Fail => broken_body(severity, detail),
    }
}

fn broken_body(severity: Severity, detail: String) -> Outcome {
    Outcome::Broken(severity, Why::Body { detail })
}

/// The text of a value, of text without its quotes.
fn whole(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

fn short(value: &Value) -> String {
    line(&whole(value))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::exchange::{Base, Failure, Method, PreparedRequest, Route, Timings};
    use std::sync::Arc;

    /// An exchange that came to `result` in `total_us`.
    pub(crate) fn exchange(result: Result<(u16, &str), FailureClass>, total_us: u64) -> Exchange {
        let request = PreparedRequest::new(Base::parse("http://127.0.0.1:1").unwrap(), Method::Get, "/x");
        Exchange {
            request: Arc::new(request),
            sent_at: jiff::Timestamp::UNIX_EPOCH,
            result: result
                .map(|(status, body)| Response {
                    version: "HTTP/1.1",
                    status,
                    headers: Vec::new(),
                    body: body.into(),
                })
                .map_err(|class| Failure::new(class, "no answer")),
            timings: Timings {
                total_us,
                ..Timings::default()
            },
            route: Route::default(),
        }
    }

    fn dialect() -> Dialect {
        crate::yaml::read(
            "x",
            "paths: {code: [$.error_code, $.error.error_code], id: [$.id]}\ncodes: {denied: FORBIDDEN}",
        )
        .unwrap()
    }

    fn outcomes(expect: &str, severity: Severity, result: Result<(u16, &str), FailureClass>) -> String {
        let expect: Expect = crate::yaml::read("x", expect).unwrap();
        let judged = judge(&expect, severity, &dialect(), &exchange(result, 1));
        judged
            .iter()
            .map(|outcome| match outcome {
                Outcome::Met => "met".to_owned(),
                Outcome::Broken(severity, why) => format!("{severity:?}: {why}"),
                Outcome::Unjudged(reason) => format!("unjudged: {reason}"),
            })
            .collect::<Vec<_>>()
            .join(" | ")
    }

    #[test]
    fn each_condition_has_its_three_answers() {
        use Severity::{Fail, Warn};
        let table = [
            ("{}", Fail, Ok((204, "")), "met"),
            ("{}", Fail, Ok((302, "")), "Fail: Expected 2xx, got 302"),
            ("{}", Warn, Ok((302, "")), "met"),
            (
                "status: 200",
                Fail,
                Ok((404, r#"{"error_code":"NOT_FOUND"}"#)),
                "Fail: Expected 200, got 404 NOT_FOUND",
            ),
            (
                "status: 200",
                Fail,
                Err(FailureClass::Timeout),
                "Fail: no answer (timeout)",
            ),
            (
                "status: 403\ncode: denied",
                Fail,
                Ok((403, r#"{"error":{"error_code":"FORBIDDEN"}}"#)),
                "met | met",
            ),
            (
                "status: 403\ncode: denied",
                Fail,
                Ok((403, r#"{"error_code":"RLS_DENIED"}"#)),
                "met | Fail: Expected FORBIDDEN, got RLS_DENIED",
            ),
            (
                "status: 403\ncode: denied",
                Fail,
                Ok((403, "{}")),
                "met | Fail: Expected FORBIDDEN, got no error code",
            ),
            (
                "at_least: {$.n: 1}",
                Fail,
                Ok((200, r#"{"n":0}"#)),
                "met | Fail: $.n is 0, expected at least 1",
            ),
            (
                "at_least: {$.n: 1}",
                Fail,
                Ok((200, r#"{"n":"many"}"#)),
                "met | Fail: $.n is many, expected at least 1",
            ),
            (
                "at_least: {$.n: 1}",
                Fail,
                Ok((200, "{}")),
                "met | Fail: the answer has no $.n",
            ),
            (
                "at_least: {$.n: 1}",
                Warn,
                Ok((200, "{}")),
                "met | unjudged: the answer has no $.n",
            ),
            (
                "status: [200, 403]\nlacks: {$..id: \"7\"}",
                Fail,
                Ok((200, r#"{"data":[{"id":6},{"id":7}]}"#)),
                "met | Fail: $..id holds 7, expected it nowhere",
            ),
            (
                "status: [200, 403]\nlacks: {$..id: 7}",
                Fail,
                Ok((200, r#"{"data":[{"id":70}]}"#)),
                "met | met",
            ),
            (
                "status: [200, 403]\nlacks: {$..id: 7}",
                Fail,
                Ok((403, "no")),
                "met | met",
            ),
            ("lacks: {$..id: 7}", Fail, Ok((200, "7")), "met | met"),
            (
                "equal: [$.a, $.b]",
                Warn,
                Ok((200, r#"{"a":3,"b":4}"#)),
                "met | Warn: $.a is 3, $.b is 4",
            ),
            (
                "is: {$.s: healthy}",
                Warn,
                Ok((200, r#"{"s":"degraded"}"#)),
                "met | Warn: $.s is degraded, expected healthy",
            ),
            ("is: {$.n: 5.0}", Fail, Ok((200, r#"{"n":5}"#)), "met | met"),
            // Fault V8: no neighbour of a number beyond 2^53 passes for it.
            (
                "at_least: {$.id: 9007199254740993}",
                Fail,
                Ok((200, r#"{"id":9007199254740992}"#)),
                "met | Fail: $.id is 9007199254740992, expected at least 9007199254740993",
            ),
            (
                "equal: [$.a, $.b]",
                Fail,
                Ok((200, r#"{"a":9007199254740992,"b":9007199254740993}"#)),
                "met | Fail: $.a is 9007199254740992, $.b is 9007199254740993",
            ),
            ("equal: [$.a, $.b]", Fail, Ok((200, r#"{"a":3,"b":3.0}"#)), "met | met"),
            (
                "at_most: {$.n: 5}",
                Fail,
                Ok((200, r#"{"n":6}"#)),
                "met | Fail: $.n is 6, expected at most 5",
            ),
            ("at_most: {$.n: 5}", Fail, Ok((200, r#"{"n":5.0}"#)), "met | met"),
            (
                "matches: {$.s: ^(ok|healthy)$}",
                Fail,
                Ok((200, r#"{"s":"ok"}"#)),
                "met | met",
            ),
            (
                "matches: {$.s: ^(ok|healthy)$}",
                Fail,
                Ok((200, r#"{"s":"not ok"}"#)),
                "met | Fail: $.s is not ok, expected a match of ^(ok|healthy)$",
            ),
            ("matches: {$.s: '^2'}", Fail, Ok((200, r#"{"s":20}"#)), "met | met"),
            (
                "matches: {$.s: x}",
                Fail,
                Ok((200, r#"{"s":[]}"#)),
                "met | Fail: $.s holds no text, expected one that matches x",
            ),
            (
                "matches: {$.s: x}",
                Warn,
                Ok((200, "{}")),
                "met | unjudged: the answer has no $.s",
            ),
            ("absent: [$.error]", Fail, Ok((200, r#"{"error":null}"#)), "met | met"),
            (
                "absent: [$.error]",
                Fail,
                Ok((200, r#"{"error":"x"}"#)),
                "met | Fail: $.error is x, expected nothing there",
            ),
            (
                "absent: [\"$[?@ == 'unhealthy']\"]",
                Fail,
                Ok((200, r#"{"status":"unhealthy"}"#)),
                "met | Fail: $[?@ == 'unhealthy'] is unhealthy, expected nothing there",
            ),
            (
                "count: {\"$.items[*]\": 2}",
                Fail,
                Ok((200, r#"{"items":[1,2]}"#)),
                "met | met",
            ),
            (
                "count: {\"$.items[*]\": 0}",
                Fail,
                Ok((200, r#"{"items":[1]}"#)),
                "met | Fail: $.items[*] selects 1, expected 0",
            ),
            (
                "is: {$.n: 5}",
                Fail,
                Ok((200, r#"{"n":"5"}"#)),
                "met | Fail: $.n is \"5\", expected 5",
            ),
            ("present: id", Fail, Ok((200, r#"{"id":"7"}"#)), "met | met"),
            (
                "present: id",
                Fail,
                Ok((200, r#"{"id":""}"#)),
                "met | Fail: the answer holds no id",
            ),
            (
                "is: {$.s: healthy}",
                Fail,
                Ok((200, "<html>")),
                "met | Fail: 200 with body is not JSON (no content type): expected value at line 1 column 1 (bad_body)",
            ),
            (
                "is: {$.s: healthy}",
                Fail,
                Ok((200, "")),
                "met | Fail: 200 with empty body (bad_body)",
            ),
        ];
        for (expect, severity, result, told) in table {
            assert_eq!(outcomes(expect, severity, result), told, "{expect} on {result:?}");
        }
    }

    /// V14: all that was told of any of these was `body is not JSON (application/json)`.
    #[test]
    fn v14_a_body_that_cannot_be_read_is_told_with_the_parsers_reason_and_place() {
        let json = "application/json";
        let table: [(&str, &[u8], Result<&str, &str>); 8] = [
            (json, b"\xef\xbb\xbf{\"s\":\"ok\"}", Ok("ok")),
            (json, b"{\"s\":\"caf\xc3\xa9\"}", Ok("caf\u{e9}")),
            (
                "application/json; charset=ISO-8859-1",
                b"{\"s\":\"caf\xe9\"}",
                Ok("caf\u{e9}"),
            ),
            (
                "application/json;charset=\"latin1\"",
                b"{\"s\":\"caf\xe9\"}",
                Ok("caf\u{e9}"),
            ),
            (
                json,
                b"{\"s\":\"caf\xe9\"}",
                Err("invalid unicode code point at line 1 column 10"),
            ),
            (json, b"{\"s\":\"\\ud800\"}", Err("at line 1 column 13")),
            (json, b"{\"s\":1,}", Err("trailing comma at line 1 column 8")),
            (json, &[b'['; 200], Err("recursion limit exceeded at line 1 column 128")),
        ];
        for (kind, body, expected) in table {
            let response = Response {
                version: "HTTP/1.1",
                status: 200,
                headers: vec![("Content-Type".to_owned(), kind.to_owned())],
                body: body.to_vec(),
            };
            let shown = String::from_utf8_lossy(body);
            match (response.parse_json(), expected) {
                (Ok(got), Ok(text)) => assert_eq!(got["s"], text, "{kind} {shown}"),
                (Err(_), Err(why)) => {
                    let mut exchange = exchange(Ok((200, "")), 1_000);
                    exchange.result = Ok(response);
                    let expect = serde_json::from_str(r#"{"is": {"$.s": "ok"}}"#).unwrap();
                    let outcomes = judge(&expect, Severity::Fail, &Dialect::default(), &exchange);
                    let told = outcomes.last().and_then(Outcome::broken).unwrap().1.to_string();
                    assert!(
                        told.starts_with("200 with body is not JSON (application/json): ") && told.contains(why),
                        "{told}"
                    );
                }
                (got, expected) => panic!("{kind} {shown}: {got:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn a_hostile_error_code_stays_one_short_line() {
        let body = format!(r#"{{"error_code":"x\ny{}"}}"#, "z".repeat(5000));
        let told = outcomes("status: 200", Severity::Fail, Ok((400, &body)));
        assert!(!told.contains('\n') && told.len() < 200, "{told}");
    }
}
