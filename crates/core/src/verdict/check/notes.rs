//! What a check notes of its probes and of the circumstances.

use indexmap::IndexMap;

use super::context::CheckContext;
use super::figures::{certificate_expires, samples_us, timed};
use crate::exchange::Cause;
use crate::plan::header::PlanOrigin;
use crate::stats::histogram::{Latencies, Quantile};
use crate::verdict::notes::{CheckNotes, Clock, EndpointNotes, PhaseNotes, UnjudgedNotes, WindowNotes};
use crate::verdict::probe::{ProbeReport, ProbeResult};

/// The notes of the check of `probes`; `window` holds its latencies and the earlier ones.
pub(super) fn notes(
    context: &CheckContext,
    probes: &[ProbeReport],
    window: &Latencies,
    cause: Option<Cause>,
) -> CheckNotes {
    let endpoints = timed(probes).map(|probe| (probe.name.clone(), endpoint_notes(probe)));
    let names = |keep: &dyn Fn(&&ProbeReport) -> bool| {
        let kept = probes.iter().filter(keep);
        kept.map(|probe| probe.name.clone()).collect()
    };
    CheckNotes {
        samples_us: samples_us(probes).collect(),
        endpoints: endpoints.collect(),
        window: Some(WindowNotes {
            p95_us: window.at(Quantile::P95),
            n: window.len(),
        }),
        disabled: names(&|probe| probe.disabled),
        unjudged: UnjudgedNotes {
            probes: names(&|probe| matches!(probe.result, ProbeResult::Unjudged(_))),
            cause: cause.map(Into::into),
        },
        flags: context.flags.iter().cloned().collect::<IndexMap<_, _>>(),
        muted: None,
        clock: context.virtual_clock.then_some(Clock::Virtual),
        plan: (context.plan_origin != PlanOrigin::Generated).then(|| context.plan_origin.into()),
        rollback: None,
        every: Some(context.every),
        slo: Some(context.slo.clone()),
        certificate_expires: certificate_expires(probes),
        reached: None,
    }
}

fn endpoint_notes(probe: &ProbeReport) -> EndpointNotes {
    let window: Latencies = probe.samples_us.iter().copied().collect();
    EndpointNotes {
        n: Some(probe.taken),
        failed: Some(probe.failed),
        retries: Some(probe.retries),
        reconnected: Some(probe.reconnected).filter(|count| *count > 0),
        p50_us: window.at(Quantile::P50),
        p95_us: window.at(Quantile::P95),
        slowest: probe
            .slowest
            .map(PhaseNotes::from)
            .filter(|phases| *phases != PhaseNotes::default()),
        statuses: probe.statuses.clone(),
        failed_at: probe.failed_at.clone(),
        untimed_at: probe.untimed_at.clone(),
    }
}
