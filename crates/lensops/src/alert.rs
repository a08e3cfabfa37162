//! Receivers of alerts: Slack, PagerDuty, any webhook.
//!
//! Builds the request, sends it and reads the answer: taken, later, or never. Their addresses and
//! keys are secrets: none of them is in an error, a log line or `Debug`. Whether a message is sent
//! again, and when, is not decided here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::alert::{Notification, pagerduty_body, slack_body, webhook_body};
use lensops_core::crypto::hmac::sign;
use lensops_core::exchange::{Base, Method, PreparedRequest, Response, Sender};
use lensops_core::secret::Secret;

/// The longest wait that a receiver may ask for.
const LONGEST_ASKED: u64 = 3600;

/// The most of a receiver's answer that is told, in characters.
const TOLD: usize = 120;

/// An address that is as secret as a password.
#[derive(Clone)]
pub struct Address {
    base: Base,
    target: String,
}

/// An address that is none. The text is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no http:// or https:// address without user and fragment")]
pub struct AddressError;

impl Address {
    /// Reads an address, which may have a path and a query.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let text = text.trim();
        let host_at = text.find("://").ok_or(AddressError)? + 3;
        let path_at = text[host_at..].find(['/', '?']).map_or(text.len(), |at| host_at + at);
        let (origin, path) = text.split_at(path_at);
        if path.contains('#') || path.chars().any(|c| !c.is_ascii_graphic()) {
            return Err(AddressError);
        }
        let base = Base::parse(origin).map_err(|_| AddressError)?;
        let target = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self { base, target })
    }

    fn post(&self) -> PreparedRequest {
        let mut request = PreparedRequest::new(self.base.clone(), Method::Post, "/");
        request.target.clone_from(&self.target);
        request.header("Connection", "close")
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Address(…)")
    }
}

/// What a receiver speaks, with what it needs.
#[derive(Debug, Clone)]
pub enum Speaks {
    /// An incoming webhook of Slack.
    Slack(Address),
    /// The Events API v2 of PagerDuty, with its routing key.
    Pagerduty(Address, Secret),
    /// Any webhook, with the secret that signs what it gets.
    Webhook(Address, Secret),
}

/// One who is told.
#[derive(Debug, Clone)]
pub struct Receiver {
    /// Its name in rules and in the trail.
    pub name: String,
    /// What it speaks.
    pub speaks: Speaks,
}

/// Why a receiver did not take a message. It may echo a secret: redact it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It may take it later.
    #[error("{what}")]
    Later {
        /// What came of it.
        what: String,
        /// How long it asked to be left alone, where it did.
        after: Option<Duration>,
        /// It may have it all the same: the connection broke, or the time ran out, after it was sent.
        unsure: bool,
    },
    /// It will never take this message.
    #[error("{0}")]
    Never(String),
}

impl Receiver {
    /// The request that carries `told`, sent at `now`. Slack can put nothing aside that it has had:
    /// a message that it may have had (`perhaps_again`) says so there.
    #[must_use]
    pub fn request(&self, told: &Notification, perhaps_again: bool, now: Timestamp) -> PreparedRequest {
        match &self.speaks {
            Speaks::Slack(address) => address.post().json(&slack_body(told, perhaps_again)),
            Speaks::Pagerduty(address, key) => address.post().json(&pagerduty_body(told, key.expose())),
            Speaks::Webhook(address, secret) => {
                let request = address.post().json(&webhook_body(told));
                let signature = sign(
                    secret.expose(),
                    now.as_second(),
                    request.body.as_deref().unwrap_or_default(),
                );
                request
                    .header("Idempotency-Key", told.id.to_string())
                    .header("X-Lensops-Timestamp", now.as_second().to_string())
                    .header("X-Lensops-Signature", format!("v1={signature}"))
            }
        }
    }

    /// Sends `told`. `Ok` means that the receiver says it has it.
    ///
    /// # Errors
    /// Why it has not, and whether it may later.
    pub async fn send<S: Sender>(
        &self,
        sender: &S,
        told: &Notification,
        perhaps_again: bool,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let exchange = sender.send(Arc::new(self.request(told, perhaps_again, now))).await;
        match exchange.result {
            Ok(response) => self.judge(&response, now),
            Err(failure) => Err(Refusal::Later {
                what: format!("{} ({})", failure.detail, failure.class.as_str()),
                after: None,
                // What was never sent, the receiver does not have.
                unsure: exchange.timings.send_us.is_some(),
            }),
        }
    }

    fn judge(&self, response: &Response, now: Timestamp) -> Result<(), Refusal> {
        let body = String::from_utf8_lossy(&response.body);
        let later = |what: String| Refusal::Later {
            what,
            after: retry_after(response, now),
            unsure: false,
        };
        match response.status {
            // A proxy or a login page answers 200 as well.
            200..=299 if self.is_taken(&body) => Ok(()),
            status @ 200..=299 => Err(later(format!(
                "answered {status}, but not as a receiver of its kind does: {}",
                line(&body)
            ))),
            // It is about this message, and will be the same next time.
            status @ (400 | 413 | 422) => Err(Refusal::Never(format!("answered {status}: {}", line(&body)))),
            status => Err(later(format!("answered {status}: {}", line(&body)))),
        }
    }

    fn is_taken(&self, body: &str) -> bool {
        match &self.speaks {
            Speaks::Slack(_) => body.trim() == "ok",
            Speaks::Pagerduty(..) => {
                serde_json::from_str::<serde_json::Value>(body).is_ok_and(|answer| answer["status"] == "success")
            }
            Speaks::Webhook(..) => {
                let start: String = body
                    .trim_start()
                    .chars()
                    .take(9)
                    .collect::<String>()
                    .to_ascii_lowercase();
                !start.starts_with("<!doctype") && !start.starts_with("<html")
            }
        }
    }
}

/// `Retry-After`, as seconds or as a date.
fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    let seconds = text.parse::<u64>().ok().or_else(|| {
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
        u64::try_from(at.duration_since(now).as_secs()).ok()
    })?;
    Some(Duration::from_secs(seconds.min(LONGEST_ASKED)))
}

fn line(text: &str) -> String {
    let shown: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if shown.is_empty() {
        return "an empty body".to_owned();
    }
    shown.chars().filter(|c| !c.is_control()).take(TOLD).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str, retry: Option<&str>) -> Response {
        Response {
            version: "HTTP/1.1",
            status,
            headers: retry
                .map(|value| ("Retry-After".to_owned(), value.to_owned()))
                .into_iter()
                .collect(),
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn an_answer_is_taken_later_or_never() {
        let address = || Address::parse("http://127.0.0.1:9/made/up?x=1").unwrap();
        let secret = || Secret::new("made-up");
        let named = |speaks| Receiver {
            name: "x".to_owned(),
            speaks,
        };
        let (slack, pager, hook) = (
            named(Speaks::Slack(address())),
            named(Speaks::Pagerduty(address(), secret())),
            named(Speaks::Webhook(address(), secret())),
        );
        let accepted = r#"{"status":"success","dedup_key":"x"}"#;
        for (case, receiver, status, body, expected) in [
            ("slack ok", &slack, 200, "ok", "taken"),
            ("slack behind a login page", &slack, 200, "<html>", "later"),
            ("slack revoked", &slack, 404, "no_service", "later"),
            ("slack cannot read it", &slack, 400, "invalid_blocks", "never"),
            ("pagerduty accepted", &pager, 202, accepted, "taken"),
            ("pagerduty behind a login page", &pager, 200, "<html>", "later"),
            ("pagerduty invalid", &pager, 400, "{}", "never"),
            ("webhook empty", &hook, 204, "", "taken"),
            ("webhook page", &hook, 200, " <!DOCTYPE html>", "later"),
            ("down", &hook, 500, "", "later"),
            ("busy", &hook, 429, "", "later"),
            ("moved", &hook, 302, "", "later"),
            ("denied", &hook, 403, "", "later"),
        ] {
            let got = match receiver.judge(&answer(status, body, None), Timestamp::UNIX_EPOCH) {
                Ok(()) => "taken",
                Err(Refusal::Later { .. }) => "later",
                Err(Refusal::Never(_)) => "never",
            };
            assert_eq!(got, expected, "{case}");
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_has_an_end() {
        let now: Timestamp = "2026-01-28T15:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("30", Some(30)),
            ("Wed, 28 Jan 2026 15:01:00 GMT", Some(60)),
            ("999999", Some(3600)),
            ("soon", None),
        ] {
            let found = retry_after(&answer(429, "", Some(text)), now);
            assert_eq!(found.map(|wait| wait.as_secs()), expected, "{text}");
        }
    }

    #[test]
    fn no_address_and_no_key_is_shown() {
        let address = Address::parse("https://hooks.example/services/made-up-path?token=made-up").unwrap();
        let receiver = Receiver {
            name: "ops".to_owned(),
            speaks: Speaks::Webhook(address, Secret::new("made-up-key")),
        };
        assert!(!format!("{receiver:?}").contains("made-up"), "{receiver:?}");
        for bad in [
            "hooks.example/x",
            "ftp://x/y",
            "https://user:made-up@x/y",
            "https://x/y#z",
            "https://x/a b",
        ] {
            assert!(
                !Address::parse(bad).unwrap_err().to_string().contains("made-up"),
                "{bad}"
            );
        }
    }
}
