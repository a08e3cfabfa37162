//! One probe of a check, within the time that the check has.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::{Exchange, FailureClass, Sender};
use lensops_core::flags::FlagState;
use lensops_core::ident::FlagName;
use lensops_core::plan::monitor::Probe;
use lensops_core::verdict::judge::matches;
use lensops_core::verdict::outcome::Why;
use lensops_core::verdict::probe::Received;
use lensops_core::verdict::{ProbeReport, ProbeResult, Sample};
use tokio::time::{Instant, timeout_at};

use super::attempt::{Allowance, OUT_OF_TIME, attempt, budget};
use super::check::Monitor;
use super::turn::Turn;
use crate::auth::{Signed, Unsigned};
use crate::flags::FlagProvider as _;
use crate::http::TIMEOUT;

/// Time-outs after which a probe sends no more samples.
const MOST_TIME_OUTS: u32 = 3;

fn is_time_out(exchange: &Exchange) -> bool {
    let failure = exchange.result.as_ref().err();
    failure.is_some_and(|failure| failure.class == FailureClass::Timeout)
}

impl Monitor {
    /// Reads the flags of `probe` at the provider: its report, and what was read.
    pub(super) async fn run_flag_probe<S: Sender>(
        &self,
        sender: &S,
        probe: &Probe,
        at: Timestamp,
    ) -> (ProbeReport, Vec<(String, bool)>) {
        let unjudged = |reason: String| (ProbeReport::unsent(probe, ProbeResult::Unjudged(reason)), Vec::new());
        let provider = match &self.provider {
            Ok(provider) => provider,
            Err(reason) => return unjudged(reason.clone()),
        };
        let readings = match provider.read(sender, &probe.flags, at, self.plan.every).await {
            Ok(readings) => readings,
            Err(error) => return unjudged(error.to_string()),
        };
        let state = |flag: &FlagName| readings.get(flag).map_or(FlagState::NotThere, |reading| reading.state);
        let those = |wanted: &dyn Fn(FlagState) -> bool| -> Vec<String> {
            let found = probe.flags.iter().filter(|flag| wanted(state(flag)));
            found.map(ToString::to_string).collect()
        };
        let flags = probe.flags.iter().map(|flag| (flag.to_string(), state(flag).is_on()));
        let flags: Vec<(String, bool)> = flags.collect();
        let missing = those(&|state| state == FlagState::NotThere);
        let off = those(&|state| !state.is_on());
        let result = if !missing.is_empty() && !provider.provider().makes_flags() {
            ProbeResult::Broken(Why::FlagsMissing { flags: missing })
        } else if off.is_empty() {
            ProbeResult::Healthy
        } else {
            ProbeResult::Broken(Why::FlagsOff { flags: off })
        };
        let mut report = ProbeReport::unsent(probe, result);
        let partly = those(&|state| state == FlagState::Partly);
        report.shown = Some(if partly.is_empty() {
            "enabled".to_owned()
        } else {
            format!("enabled, for a part of those who ask: {}", partly.join(", "))
        });
        (report, flags)
    }

    /// Takes the samples of `probe`, as many as the check has time for.
    pub(super) async fn run_probe<S: Sender>(&self, sender: &S, probe: &Probe, turn: &mut Turn) -> ProbeReport {
        let unjudged = |reason: String| ProbeReport::unsent(probe, ProbeResult::Unjudged(reason));
        let signing = timeout_at(
            turn.deadline,
            self.sign(sender, probe, turn.tenant, &turn.vars, turn.now),
        );
        let mut signed = match signing.await {
            Err(_) => return unjudged(OUT_OF_TIME.to_owned()),
            Ok(Err(unsigned)) => return unsigned_report(probe, unsigned),
            Ok(Ok(signed)) => signed,
        };
        if Instant::now() >= turn.deadline {
            return unjudged(OUT_OF_TIME.to_owned());
        }
        let (mut request, filled) = match self.prepare(probe, turn.tenant, &turn.vars, signed.credential.as_ref()) {
            Ok((request, filled)) => (Arc::new(request), filled),
            Err(reason) => return unjudged(reason),
        };
        let count = if filled.timed { self.plan.samples } else { 1 };
        let mut allowance = Allowance::until(turn.deadline, budget(self.plan.every), self.slowest());
        let (mut samples, mut timed_out, mut left_out) = (Vec::new(), 0, None);
        for taken in 0..count {
            let left = count - taken;
            if timed_out == MOST_TIME_OUTS {
                left_out = Some(format!("{left} more were not sent after {timed_out} time-outs"));
                break;
            }
            let mut attempts = attempt(sender, &request, &mut allowance, &mut turn.rng).await;
            if self.is_refused(&filled, &attempts)
                && let Some(renewed) = self.renewed(sender, probe, &signed, turn).await
                && let Ok((again, _)) = self.prepare(probe, turn.tenant, &turn.vars, renewed.credential.as_ref())
            {
                (signed, request) = (renewed, Arc::new(again));
                attempts.extend(attempt(sender, &request, &mut allowance, &mut turn.rng).await);
            }
            let Some(sample) = Sample::of(&filled, &self.plan.answers, &attempts, &self.redactor) else {
                left_out = Some(format!("{left} more were not taken: {OUT_OF_TIME}"));
                break;
            };
            timed_out += u32::from(attempts.last().is_some_and(is_time_out));
            samples.push(sample);
        }
        if samples.is_empty() {
            return ProbeReport::unsent(&filled, ProbeResult::Unjudged(OUT_OF_TIME.to_owned()));
        }
        let mut report = ProbeReport::of(&filled, &samples);
        report.left_out = left_out;
        report
    }

    /// The slowest answer that the plan does not call a failure.
    fn slowest(&self) -> Duration {
        let fail = Duration::try_from_secs_f64(self.plan.slo.p95_ms.fail / 1000.0);
        fail.unwrap_or(TIMEOUT).min(TIMEOUT)
    }

    /// Whether the API does not know any more who asks: a 401 that the plan does not expect.
    fn is_refused(&self, probe: &Probe, attempts: &[Exchange]) -> bool {
        let last = attempts.last().filter(|last| last.status() == Some(401));
        last.is_some_and(|last| !matches(&probe.expect, &self.plan.answers, last))
    }

    /// Another credential in place of a refused one, once a check and user.
    async fn renewed<S: Sender>(&self, sender: &S, probe: &Probe, signed: &Signed, turn: &mut Turn) -> Option<Signed> {
        let user = probe.user.as_ref().filter(|user| !turn.renewed.contains(user))?;
        turn.renewed.push(user.clone());
        let renewing = self.signing.renew(sender, signed, turn.now);
        // One that cannot be had leaves the refusal to be judged.
        timeout_at(turn.deadline, renewing).await.ok()?.ok()?
    }
}

/// The report of a probe that nobody could send: the API's own sign-in is part of the API.
fn unsigned_report(probe: &Probe, unsigned: Unsigned) -> ProbeReport {
    match unsigned {
        Unsigned::Unknown(reason) => ProbeReport::unsent(probe, ProbeResult::Unjudged(reason)),
        Unsigned::Failed(failed) if failed.is_own_host => {
            let is_refusal = failed.is_refusal();
            let why = Why::Failed {
                class: failed.class,
                detail: failed.told,
            };
            let mut report = ProbeReport::unsent(probe, ProbeResult::Broken(why));
            (report.taken, report.failed) = (1, 1);
            (report.failed_at, report.untimed_at) = (vec![0], vec![0]);
            report.statuses.extend(failed.status.map(|status| (status, 1)));
            report.own = failed.own;
            report.received = is_refusal.then_some(Received::Refused);
            report
        }
        Unsigned::Failed(failed) => ProbeReport::unsent(probe, ProbeResult::Unjudged(failed.told)),
    }
}
