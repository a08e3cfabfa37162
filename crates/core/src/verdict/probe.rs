//! One probe of a check: its samples folded into a result.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::exchange::{Cause, Exchange, FailureClass, Timings};
use crate::plan::monitor::Probe;
use crate::plan::{Dialect, Expect};
use crate::redaction::{Redactor, Transcript, names_secret};
use crate::verdict::judge::{judge, matches};
use crate::verdict::outcome::{Outcome, Severity, Why};

/// One sample of a probe: all attempts of one request, judged.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What `expect` came to, then, where it was met, what `warn` came to.
    pub outcomes: Vec<Outcome>,
    /// The status of the last attempt.
    pub status: Option<u16>,
    /// The latency of the last attempt, in microseconds.
    pub latency_us: Option<u64>,
    /// The phases of the last attempt.
    pub timings: Timings,
    /// Statuses of 500 and above, of any attempt: a retry never hides one.
    pub server_errors: Vec<u16>,
    /// How the API said that the feature is switched off, where it did: [`Why::Disabled`].
    pub disabled: Option<Why>,
    /// [`Why::RateLimited`], where the last attempt was answered with 429 and the plan expects none.
    pub limited: Option<Why>,
    /// What kept this machine from asking, where something did.
    pub own: Option<Cause>,
    /// How its credential was received; `None` where it sent none, or got no answer.
    pub received: Option<Received>,
    /// Attempts after the first.
    pub retries: u32,
    /// Attempts that were sent again over a new connection, since the server had ended the kept one.
    pub reconnected: u32,
    /// When the server's certificate expires; `None` without TLS.
    pub certificate_expires: Option<Timestamp>,
    /// What of the answer is worth showing.
    pub shown: Option<String>,
    /// The exchange that broke the expectation, redacted.
    pub transcript: Option<Transcript>,
}

impl Sample {
    /// Judges one sample of `probe` from its attempts, oldest first; `None` without an attempt.
    #[must_use]
    pub fn of(probe: &Probe, dialect: &Dialect, attempts: &[Exchange], redactor: &Redactor) -> Option<Self> {
        let last = attempts.last()?;
        let says_off = |try_: &&Exchange| probe.disabled.as_ref().is_some_and(|off| matches(off, dialect, try_));
        let disabled = attempts.iter().find(says_off).and_then(|try_| {
            let code = json_of(try_).and_then(|body| dialect.code(&body));
            let status = try_.status()?;
            Some(Why::Disabled { status, code })
        });
        let mut outcomes = judge(&probe.expect, Severity::Fail, dialect, last);
        let met = outcomes.iter().all(|outcome| *outcome == Outcome::Met);
        if met && let Some(warn) = &probe.warn {
            outcomes.extend(judge(warn, Severity::Warn, dialect, last));
        }
        // What the plan asserts, and what says that the feature is switched off, is no server error.
        let asserted = |try_: &&Exchange| says_off(try_) || matches(&probe.expect, dialect, try_);
        let limited = (last.status() == Some(429) && !met).then(|| Why::RateLimited {
            after_s: retry_after(last),
        });
        let server_errors: Vec<u16> = attempts
            .iter()
            .filter(|try_| !asserted(try_))
            .filter_map(Exchange::status)
            .filter(|code| *code >= 500)
            .collect();
        let worst = attempts
            .iter()
            .find(|try_| try_.status().is_some_and(|code| code >= 500))
            .unwrap_or(last);
        let keep = !met
            || disabled.is_some()
            || !server_errors.is_empty()
            || outcomes.iter().any(|outcome| outcome.broken().is_some());
        Some(Self {
            status: last.status(),
            latency_us: last.latency_us(),
            timings: last.timings,
            disabled,
            limited,
            own: last.result.as_ref().err().and_then(|failure| failure.own),
            received: last
                .status()
                .filter(|_| has_credential(probe, last))
                .map(|status| match status {
                    401 if !met => Received::Refused,
                    _ => Received::LetIn,
                }),
            retries: u32::try_from(attempts.len() - 1).unwrap_or(u32::MAX),
            reconnected: attempts.iter().map(|try_| u32::from(try_.route.reconnected)).sum(),
            certificate_expires: attempts.iter().filter_map(|try_| try_.route.certificate_expires).min(),
            shown: probe.show.as_ref().and_then(|show| show.render(&json_of(last)?)),
            transcript: keep.then(|| Transcript::of(worst, redactor)),
            outcomes,
            server_errors,
        })
    }

    /// Why the sample failed, if it did: the feature is switched off, or `expect` is broken.
    fn failure(&self) -> Option<&Why> {
        let broken = self.outcomes.iter().filter_map(Outcome::broken);
        let mut broken = broken.filter(|(severity, _)| *severity == Severity::Fail);
        if self.limited.is_some() {
            // What the monitor is not allowed to ask says nothing of the API.
            return None;
        }
        self.disabled.as_ref().or_else(|| broken.next().map(|(_, why)| why))
    }
}

/// Whether the request says who asks: as a user, or by a header of the plan that is called as secrets are.
fn has_credential(probe: &Probe, exchange: &Exchange) -> bool {
    let mut headers = exchange.request.headers.iter();
    probe.user.is_some() || headers.any(|header| names_secret(&header.name))
}

/// How a probe with a credential was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// Some answer was no 401, or a 401 that the plan expects.
    LetIn,
    /// Every answer was a 401 that the plan does not expect.
    Refused,
}

/// How many seconds an answer asks to be left alone, where it says so in seconds.
#[must_use]
pub fn retry_after(exchange: &Exchange) -> Option<u64> {
    let response = exchange.result.as_ref().ok()?;
    response.header("retry-after")?.trim().parse().ok()
}

fn json_of(exchange: &Exchange) -> Option<Value> {
    exchange.result.as_ref().ok()?.json()
}

/// What a probe came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeResult {
    /// As expected.
    Healthy,
    /// `expect` holds, `warn` does not.
    Warned(Why),
    /// Some samples failed: the error rate of the check decides.
    Flaky(Why),
    /// Broken.
    Broken(Why),
    /// It could not be told.
    Unjudged(String),
}

/// One probe of a check.
#[derive(Debug, Clone)]
pub struct ProbeReport {
    /// Its name.
    pub name: String,
    /// Whether an unjudged one makes the check degraded.
    pub required: bool,
    /// Whether its samples count in latency and error rate.
    pub timed: bool,
    /// What it came to.
    pub result: ProbeResult,
    /// Samples taken.
    pub taken: u64,
    /// Samples that failed.
    pub failed: u64,
    /// Which samples failed, by their place.
    pub failed_at: Vec<u64>,
    /// Which samples have no latency that counts, by their place.
    pub untimed_at: Vec<u64>,
    /// Attempts after the first, over all samples.
    pub retries: u64,
    /// Attempts that were sent again over a new connection, over all samples.
    pub reconnected: u64,
    /// When the certificate expires that the samples met; the earliest where there were several.
    pub certificate_expires: Option<Timestamp>,
    /// Why samples were left out that the plan asks for, where some were.
    pub left_out: Option<String>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Latencies in microseconds, in the order taken.
    pub samples_us: Vec<u64>,
    /// The phases of the slowest sample whose latency counts; `None` where there is none.
    pub slowest: Option<Timings>,
    /// What kept this machine from asking, where that was so for every sample.
    pub own: Option<Cause>,
    /// How its credential was received; `None` where it sent none, or got no answer.
    pub received: Option<Received>,
    /// Whether the API said that the feature is switched off.
    pub disabled: bool,
    /// How the plan says that it does: `503 FEATURE_DISABLED`; `None` where it does not say.
    pub off: Option<String>,
    /// What of the first good answer is worth showing.
    pub shown: Option<String>,
    /// The first exchange that broke something.
    pub transcript: Option<Transcript>,
}

impl ProbeReport {
    /// A probe that sent nothing.
    #[must_use]
    pub fn unsent(probe: &Probe, result: ProbeResult) -> Self {
        Self {
            name: probe.name.clone(),
            required: probe.required,
            timed: probe.timed,
            result,
            taken: 0,
            failed: 0,
            failed_at: Vec::new(),
            untimed_at: Vec::new(),
            retries: 0,
            left_out: None,
            reconnected: 0,
            certificate_expires: None,
            statuses: BTreeMap::new(),
            samples_us: Vec::new(),
            slowest: None,
            own: None,
            received: None,
            disabled: false,
            off: probe.disabled.as_ref().map(Expect::tell),
            shown: None,
            transcript: None,
        }
    }

    /// Folds the samples of `probe`; without a sample it is unjudged.
    #[must_use]
    pub fn of(probe: &Probe, samples: &[Sample]) -> Self {
        let mut report = Self::unsent(probe, fold(samples));
        report.taken = samples.len() as u64;
        let places = |of: &dyn Fn(&Sample) -> bool| {
            let found = (0..).zip(samples).filter(|(_, sample)| of(sample));
            found.map(|(place, _)| place).collect::<Vec<u64>>()
        };
        // A 5xx that a retry got past is an error of the API all the same.
        report.failed_at = places(&|sample| sample.failure().is_some() || !sample.server_errors.is_empty());
        report.untimed_at = places(&|sample| sample.limited.is_some() || sample.latency_us.is_none());
        report.failed = report.failed_at.len() as u64;
        report.retries = samples.iter().map(|sample| u64::from(sample.retries)).sum();
        report.reconnected = samples.iter().map(|sample| u64::from(sample.reconnected)).sum();
        report.certificate_expires = samples.iter().filter_map(|sample| sample.certificate_expires).min();
        for status in samples.iter().filter_map(|sample| sample.status) {
            *report.statuses.entry(status).or_default() += 1;
        }
        let counted = samples.iter().filter(|sample| sample.limited.is_none());
        report.samples_us = counted.clone().filter_map(|sample| sample.latency_us).collect();
        let slowest = counted.max_by_key(|sample| sample.latency_us);
        report.slowest = slowest
            .filter(|sample| sample.latency_us.is_some())
            .map(|sample| sample.timings);
        let own = samples.first().and_then(|sample| sample.own);
        report.own = own.filter(|_| samples.iter().all(|sample| sample.own == own));
        let received = || samples.iter().filter_map(|sample| sample.received);
        report.received = received().find(|how| *how == Received::LetIn).or(received().next());
        report.disabled = samples.iter().any(|sample| sample.disabled.is_some());
        report.shown = samples
            .iter()
            .find(|sample| sample.failure().is_none())
            .and_then(|sample| sample.shown.clone());
        report.transcript = samples.iter().find_map(|sample| sample.transcript.clone());
        report
    }
}

fn fold(samples: &[Sample]) -> ProbeResult {
    if samples.is_empty() {
        return ProbeResult::Unjudged("no request was sent".to_owned());
    }
    let failures: Vec<&Why> = samples.iter().filter_map(Sample::failure).collect();
    let server_errors: Vec<u16> = samples
        .iter()
        .flat_map(|sample| sample.server_errors.iter().copied())
        .collect();
    // Any 5xx, also one that a retry got past.
    if let Some(first) = server_errors.first() {
        let told = failures.iter().find(|why| why.class() == Some(FailureClass::Server5xx));
        return ProbeResult::Broken(told.map_or_else(
            || Why::Failed {
                class: FailureClass::Server5xx,
                detail: format!("{first} before a retry answered"),
            },
            |why| (*why).clone(),
        ));
    }
    if let Some(off) = samples.iter().find_map(|sample| sample.disabled.clone()) {
        return ProbeResult::Broken(off);
    }
    let limited: Vec<&Why> = samples.iter().filter_map(|sample| sample.limited.as_ref()).collect();
    match failures.first() {
        Some(why) if failures.len() + limited.len() == samples.len() => return ProbeResult::Broken((*why).clone()),
        Some(why) => return ProbeResult::Flaky((*why).clone()),
        None => {}
    }
    if let Some(why) = limited.first() {
        return ProbeResult::Warned((*why).clone());
    }
    let outcomes = || samples.iter().flat_map(|sample| &sample.outcomes);
    if let Some((_, why)) = outcomes().find_map(Outcome::broken) {
        return ProbeResult::Warned(why.clone());
    }
    match outcomes().find_map(|outcome| match outcome {
        Outcome::Unjudged(reason) => Some(reason.clone()),
        _ => None,
    }) {
        Some(reason) => ProbeResult::Unjudged(reason),
        None => ProbeResult::Healthy,
    }
}
