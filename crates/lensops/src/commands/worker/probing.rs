//! One probe of a check, within the time that the check has.

use std::sync::Arc;

use jiff::Timestamp;
use lensops_core::exchange::{Exchange, FailureClass, Sender};
use lensops_core::plan::Vars;
use lensops_core::plan::monitor::Probe;
use lensops_core::verdict::outcome::Why;
use lensops_core::verdict::{ProbeReport, ProbeResult, Sample};
use tokio::time::Instant;

use super::attempt::{Allowance, OUT_OF_TIME, attempt, budget};
use super::check::Monitor;
use crate::flags::is_on;

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
        let variables = match provider.read(sender, at, self.plan.every).await {
            Ok(variables) => variables,
            Err(error) => return unjudged(error.to_string()),
        };
        let state = |flag: &str| (flag.to_owned(), is_on(variables.get(flag).map(String::as_str)));
        let flags: Vec<(String, bool)> = probe.flags.iter().map(|flag| state(flag.as_str())).collect();
        let off: Vec<String> = flags
            .iter()
            .filter(|(_, on)| !on)
            .map(|(flag, _)| flag.clone())
            .collect();
        let result = if off.is_empty() {
            ProbeResult::Healthy
        } else {
            ProbeResult::Broken(Why::FlagsOff { flags: off })
        };
        let mut report = ProbeReport::unsent(probe, result);
        report.shown = Some("enabled".to_owned());
        (report, flags)
    }

    /// Takes the samples of `probe`, as many as the check has time for.
    pub(super) async fn run_probe<S: Sender>(
        &self,
        sender: &S,
        probe: &Probe,
        vars: &Vars,
        now: Timestamp,
        deadline: Instant,
        rng: &mut fastrand::Rng,
    ) -> ProbeReport {
        if Instant::now() >= deadline {
            return ProbeReport::unsent(probe, ProbeResult::Unjudged(OUT_OF_TIME.to_owned()));
        }
        let (request, probe) = match self.prepare(probe, vars, now) {
            Ok((request, probe)) => (Arc::new(request), probe),
            Err(reason) => return ProbeReport::unsent(probe, ProbeResult::Unjudged(reason)),
        };
        let count = if probe.timed { self.plan.samples } else { 1 };
        let (mut samples, mut allowance) = (Vec::new(), Allowance::until(deadline, budget(self.plan.every)));
        let (mut timed_out, mut left_out) = (0, None);
        for taken in 0..count {
            let left = count - taken;
            if timed_out == MOST_TIME_OUTS {
                left_out = Some(format!("{left} more were not sent after {timed_out} time-outs"));
                break;
            }
            let attempts = attempt(sender, &request, &mut allowance, rng).await;
            let Some(sample) = Sample::of(&probe, &self.plan.answers, &attempts, &self.redactor) else {
                left_out = Some(format!("{left} more were not taken: {OUT_OF_TIME}"));
                break;
            };
            timed_out += u32::from(attempts.last().is_some_and(is_time_out));
            samples.push(sample);
        }
        if samples.is_empty() {
            return ProbeReport::unsent(&probe, ProbeResult::Unjudged(OUT_OF_TIME.to_owned()));
        }
        let mut report = ProbeReport::of(&probe, &samples);
        report.left_out = left_out;
        report
    }
}
