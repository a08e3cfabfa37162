//! The faults a sandbox can be told to have, as JSON.
//!
//! Types only; [`crate::fault_book`] decides which of them befall a request.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::shop::Hole;

/// Longest delay a rule can ask for; more is cut to it.
const LONGEST: Duration = Duration::from_secs(600);

/// Everything that can be wrong with the API at once. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// What befalls single requests, in order of precedence.
    pub rules: Vec<Rule>,
    /// The API's listener is closed (connections are refused) and open connections are cut.
    pub refuse_connections: bool,
    /// Handlers that `GET /v1/actions/health` reports missing.
    pub missing_handlers: Vec<String>,
    /// Health as an older build gives it, without counters.
    pub health_without_counters: bool,
    /// The provider API answers 503.
    pub provider_down: bool,
    /// The provider API answers 429 with `Retry-After: 1`.
    pub provider_rate_limited: bool,
    /// The provider API answers 200 with HTML.
    pub provider_garbage: bool,
    /// The REST store answers 503.
    pub store_down: bool,
    /// The REST store answers 403 with code `42501`.
    pub store_forbidden: bool,
    /// The REST store answers 404 with code `PGRST205`.
    pub store_missing_table: bool,
    /// The API's JWT secret is another one: every token is an `invalid_token`.
    pub stale_jwt_secret: bool,
    /// Holes in the shop.
    pub holes: Vec<Hole>,
}

/// One thing that befalls the requests it selects.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Prefix of the path; `None` selects every path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Method, in any case; `None` selects every method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Domain of the query, of the body, or of the body's action; `None` selects every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Chance that it befalls a selected request, 0.0 to 1.0.
    #[serde(default = "always")]
    pub probability: f64,
    /// How often it may happen; `None` has no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// How many selected requests are left alone first.
    #[serde(default)]
    pub skip: u64,
    /// What happens.
    pub act: Act,
}

fn always() -> f64 {
    1.0
}

impl Rule {
    /// A rule that befalls every request.
    pub fn new(act: Act) -> Self {
        Self {
            path: None,
            method: None,
            domain: None,
            probability: always(),
            times: None,
            skip: 0,
            act,
        }
    }

    /// The same rule for paths that start with `prefix`.
    pub fn on(mut self, prefix: impl Into<String>) -> Self {
        self.path = Some(prefix.into());
        self
    }

    /// The same rule, at most `count` times.
    pub fn times(mut self, count: u64) -> Self {
        self.times = Some(count);
        self
    }
}

/// What befalls a request. Delays (latency, stall) of all its rules add up; then the first other
/// act happens.
///
/// `status`, `non_json` and `redirect_loop` answer in the API's place: nothing is carried out. The
/// others carry the request out and spoil the answer, the case in which a retry could double.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// The answer is late.
    Latency(Latency),
    /// A stall of so many milliseconds opens: this request waits in full, and what the rule
    /// selects while it lasts waits for its end.
    StallMs(f64),
    /// Another answer.
    Status(Answer),
    /// The connection is reset (RST) without an answer.
    Reset,
    /// The connection is closed without an answer.
    Close,
    /// The body ends before `Content-Length`, and the connection is closed.
    Truncate(Truncation),
    /// 200 with an HTML page.
    NonJson,
    /// The status of the answer without its body.
    EmptyBody,
    /// 307 to the same address.
    RedirectLoop,
    /// The body comes byte by byte, so many milliseconds apart.
    TrickleMs(f64),
}

/// How late an answer is, in milliseconds; at most ten minutes.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Latency {
    /// Always the same.
    ConstantMs(f64),
    /// Evenly between the two.
    UniformMs([f64; 2]),
    /// Log-normal.
    LognormalMs(Lognormal),
}

/// A log-normal distribution.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Lognormal {
    /// Median, in milliseconds.
    pub median: f64,
    /// Standard deviation of the logarithm.
    pub sigma: f64,
}

/// An answer given in the API's place.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Status code, 200 to 599.
    pub code: u16,
    /// Body; without one, the plain error of the dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Headers besides `Content-Type`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// Where a body is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Truncation {
    /// Bytes of the body that are sent.
    pub after_bytes: usize,
}

/// A fault that cannot be: said when it arrives, not when it would have struck.
#[derive(Debug, thiserror::Error)]
#[error("rule {rule}: {why}")]
pub struct FaultsError {
    rule: usize,
    why: String,
}

impl Faults {
    /// Looks for values that make no sense: probabilities outside 0 to 1, negative times, status
    /// codes or headers that cannot be sent. Rules are counted from 1.
    ///
    /// # Errors
    /// The first such value.
    pub fn check(&self) -> Result<(), FaultsError> {
        for (at, rule) in self.rules.iter().enumerate() {
            rule.check().map_err(|why| FaultsError { rule: at + 1, why })?;
        }
        Ok(())
    }
}

impl Rule {
    fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.probability) {
            return Err(format!("probability {} is not in 0 to 1", self.probability));
        }
        let millis: &[f64] = match &self.act {
            Act::Latency(Latency::ConstantMs(ms)) | Act::StallMs(ms) | Act::TrickleMs(ms) => &[*ms],
            Act::Latency(Latency::UniformMs(range)) if range[0] > range[1] => {
                return Err(format!("uniform_ms {range:?} runs backwards"));
            }
            Act::Latency(Latency::UniformMs(range)) => range,
            Act::Latency(Latency::LognormalMs(Lognormal { median, sigma })) => &[*median, *sigma],
            Act::Status(answer) => return answer.check(),
            _ => &[],
        };
        match millis.iter().find(|ms| !(ms.is_finite() && **ms >= 0.0)) {
            Some(wrong) => Err(format!("{wrong} is not a number of 0 or more")),
            None => Ok(()),
        }
    }
}

impl Answer {
    fn check(&self) -> Result<(), String> {
        if !(200..=599).contains(&self.code) {
            return Err(format!("status {} is not in 200 to 599", self.code));
        }
        let bad = self.headers.iter().find(|(name, value)| {
            hyper::header::HeaderName::try_from(name.as_str()).is_err()
                || hyper::header::HeaderValue::try_from(value.as_str()).is_err()
        });
        bad.map_or(Ok(()), |(name, _)| Err(format!("header {name:?} cannot be sent")))
    }
}

impl Latency {
    /// Draws one delay.
    pub(crate) fn draw(&self, random: &mut fastrand::Rng) -> Duration {
        duration(match self {
            Self::ConstantMs(ms) => *ms,
            Self::UniformMs([low, high]) => low + (high - low) * random.f64(),
            Self::LognormalMs(Lognormal { median, sigma }) => median * (sigma * standard_normal(random)).exp(),
        })
    }
}

/// Milliseconds as a time to wait: nothing for what is no time, at most [`LONGEST`].
pub(crate) fn duration(ms: f64) -> Duration {
    let seconds = ms / 1000.0;
    if seconds > LONGEST.as_secs_f64() {
        return LONGEST;
    }
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// One draw of the standard normal distribution (Box and Muller).
fn standard_normal(random: &mut fastrand::Rng) -> f64 {
    // 1 - f64() is in (0, 1]: its logarithm is finite.
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_act_reads_back_from_its_json() {
        for act in [
            json!({"latency": {"constant_ms": 5.0}}),
            json!({"latency": {"uniform_ms": [1.0, 9.0]}}),
            json!({"latency": {"lognormal_ms": {"median": 40.0, "sigma": 0.5}}}),
            json!({"stall_ms": 100.0}),
            json!({"status": {"code": 500, "body": {"a": 1}, "headers": {"retry-after": "1"}}}),
            json!({"status": {"code": 503}}),
            json!("reset"),
            json!("close"),
            json!({"truncate": {"after_bytes": 10}}),
            json!("non_json"),
            json!("empty_body"),
            json!("redirect_loop"),
            json!({"trickle_ms": 2.0}),
        ] {
            let read: Act = serde_json::from_value(act.clone()).expect("reads");
            assert_eq!(serde_json::to_value(&read).expect("writes"), act);
        }
    }

    #[test]
    fn a_misspelt_fault_is_refused_and_not_ignored() {
        for wrong in [
            json!({"stale_jwt": true}),
            json!({"rules": [{"act": "reset", "chance": 0.5}]}),
            json!({"rules": [{"act": "explode"}]}),
            json!({"rules": [{"path": "/"}]}),
        ] {
            assert!(serde_json::from_value::<Faults>(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        for (act, probability, why) in [
            (json!("reset"), 1.5, "rule 1: probability 1.5 is not in 0 to 1"),
            (json!({"stall_ms": -1}), 1.0, "rule 1: -1 is not a number of 0 or more"),
            (
                json!({"latency": {"uniform_ms": [2, 1]}}),
                1.0,
                "rule 1: uniform_ms [2.0, 1.0] runs backwards",
            ),
            (
                json!({"status": {"code": 99}}),
                1.0,
                "rule 1: status 99 is not in 200 to 599",
            ),
            (
                json!({"status": {"code": 500, "headers": {"a b": ""}}}),
                1.0,
                "rule 1: header \"a b\" cannot be sent",
            ),
        ] {
            let faults: Faults =
                serde_json::from_value(json!({"rules": [{"act": act, "probability": probability}]})).expect("reads");
            let error = faults.check().expect_err("makes no sense");
            assert_eq!(error.to_string(), why);
        }
    }

    #[test]
    fn lognormal_latency_has_the_median_it_was_given() {
        let mut random = fastrand::Rng::with_seed(7);
        let latency = Latency::LognormalMs(Lognormal {
            median: 40.0,
            sigma: 0.5,
        });
        let mut drawn: Vec<Duration> = (0..10_001).map(|_| latency.draw(&mut random)).collect();
        drawn.sort();
        let median = drawn[5_000].as_secs_f64() * 1000.0;
        assert!((38.0..42.0).contains(&median), "{median}");
        let p84 = drawn[8_413].as_secs_f64() * 1000.0;
        assert!((62.0..70.0).contains(&p84), "one sigma up is 40·e^0.5: {p84}");
    }

    #[test]
    fn a_delay_is_never_negative_nor_endless() {
        assert_eq!(duration(-5.0), Duration::ZERO);
        assert_eq!(duration(f64::NAN), Duration::ZERO);
        assert_eq!(duration(1e300), LONGEST);
        assert_eq!(duration(1.5), Duration::from_micros(1500));
    }
}
