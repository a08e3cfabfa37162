//! The tally of a stress target and the verdict over all of them.

use serde::Serialize;

use super::Verdict;
use super::load_generator::Generator;
use super::tally::Tally;
use crate::exchange::FailureClass;
use crate::plan::stress::Thresholds;
use crate::stats::histogram::{Quantile, ms};

/// A verdict with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StressVerdict {
    /// Pass or fail.
    pub verdict: Verdict,
    /// Why, one line.
    pub reason: String,
}

/// Judges all targets together. A run in which nothing answered never passes, and neither does one
/// in which an answer was not the asserted one.
#[must_use]
pub fn judge_stress(tallies: &[Tally], thresholds: &Thresholds) -> StressVerdict {
    judge_load(tallies, thresholds, &Generator::default(), None)
}

/// The same for a load that the generator may have been too slow for, or that was stopped early.
///
/// What a slow generator can cause (long latencies, time-outs, requests unsent) it is not told
/// apart from; what it cannot cause (a 5xx, a wrong answer, a refused connection) fails the run
/// whatever the generator did.
#[must_use]
pub fn judge_load(
    tallies: &[Tally],
    thresholds: &Thresholds,
    generator: &Generator,
    stopped: Option<&str>,
) -> StressVerdict {
    let sum = |figure: fn(&Tally) -> u64| tallies.iter().map(figure).sum::<u64>();
    let (planned, completed) = (sum(|tally| tally.planned), sum(Tally::completed));
    let bottleneck = generator.bottleneck(tallies);
    let mut broken = answers(tallies, thresholds);
    let slow = slowness(tallies, thresholds);
    if let Some(why) = stopped {
        broken.push(why.to_owned());
    }
    if tallies.is_empty() {
        broken.push("no target was loaded".to_owned());
    }
    let (verdict, reason) = match bottleneck {
        None if broken.is_empty() && slow.is_empty() => (
            Verdict::Pass,
            format!("{completed} of {planned} answered as asserted, 0 × 5xx, 0 without an answer"),
        ),
        None => {
            broken.extend(slow);
            (Verdict::Fail, broken.join("; "))
        }
        Some(_) if !broken.is_empty() => (Verdict::Fail, broken.join("; ")),
        // A closed load that met every limit in spite of its generator has met it.
        Some(_) if slow.is_empty() && !generator.open => (
            Verdict::Pass,
            format!("{completed} of {planned} answered as asserted, 0 × 5xx, 0 without an answer"),
        ),
        Some(why) if slow.is_empty() => (
            Verdict::CouldNotJudge,
            format!("the generator was the bottleneck: {why}"),
        ),
        Some(why) => (
            Verdict::CouldNotJudge,
            format!(
                "the generator was the bottleneck: {why}; not to be laid on the server: {}",
                slow.join("; ")
            ),
        ),
    };
    StressVerdict { verdict, reason }
}

/// What no generator can cause: silence, a 5xx, a broken connection, another answer than asserted.
fn answers(tallies: &[Tally], thresholds: &Thresholds) -> Vec<String> {
    let sum = |figure: fn(&Tally) -> u64| tallies.iter().map(figure).sum::<u64>();
    let mut broken = Vec::new();
    if let Some(silent) = tallies
        .iter()
        .find(|tally| tally.completed() < thresholds.min_completed && tally.own_faults == 0)
    {
        broken.push(format!(
            "{}: {} of {} requests were answered",
            silent.name,
            silent.completed(),
            silent.planned
        ));
    }
    let server = sum(Tally::server_errors);
    if server > thresholds.max_5xx {
        broken.push(format!("{server} × 5xx"));
    }
    let refused = sum(|tally| tally.transport_errors() - time_outs(tally));
    if refused > thresholds.max_transport_errors {
        broken.push(format!("{refused} without an answer"));
    }
    let tolerates = |tally: &&Tally| tally.limits.is_some_and(|limits| limits.error_rate_percent.is_some());
    let strict: Vec<&Tally> = tallies.iter().filter(|tally| !tolerates(tally)).collect();
    let wrong: u64 = strict
        .iter()
        .map(|tally| tally.unexpected.saturating_sub(tally.server_errors()))
        .sum();
    if wrong > 0 {
        let first = strict
            .iter()
            .find_map(|tally| tally.first_unexpected.as_deref())
            .unwrap_or("no reason was kept");
        broken.push(format!("{wrong} answered otherwise than asserted (first: {first})"));
    }
    for (tally, limits) in tallies.iter().filter_map(|tally| Some((tally, tally.limits?))) {
        if let (Some(limit), Some(rate)) = (limits.error_rate_percent, tally.error_rate_percent())
            && rate > limit
        {
            broken.push(format!("{}: error rate {rate:.2} % above {limit} %", tally.name));
        }
        if let Some(least) = limits.min_requests.filter(|least| tally.completed() < *least) {
            broken.push(format!(
                "{}: {} answers, at least {least} asked for",
                tally.name,
                tally.completed()
            ));
        }
    }
    broken
}

fn time_outs(tally: &Tally) -> u64 {
    tally.failures.get(&FailureClass::Timeout).copied().unwrap_or(0)
}

/// What a server that is too slow causes, and a generator that is too slow as well.
fn slowness(tallies: &[Tally], thresholds: &Thresholds) -> Vec<String> {
    let sum = |figure: fn(&Tally) -> u64| tallies.iter().map(figure).sum::<u64>();
    let mut slow = Vec::new();
    let late = sum(time_outs);
    if late > thresholds.max_transport_errors {
        slow.push(format!("{late} without an answer in time"));
    }
    let unsent = sum(|tally| tally.unsent);
    if unsent > 0 {
        slow.push(format!(
            "{unsent} never sent: every connection was busy until their time was up"
        ));
    }
    let own: u64 = sum(|tally| tally.own_faults);
    if own > 0 {
        slow.push(format!("{own} could not be sent"));
    }
    for (tally, limits) in tallies.iter().filter_map(|tally| Some((tally, tally.limits?))) {
        for (thousandths, limit) in limits.latencies() {
            let quantile = Quantile::thousandths(thousandths);
            // An empty window was told as silence.
            #[expect(clippy::cast_precision_loss, reason = "microseconds of a latency")]
            let beyond = tally.latencies.at(quantile).filter(|us| *us as f64 / 1000.0 > limit);
            if let Some(us) = beyond {
                slow.push(format!(
                    "{}: {} {} above {limit}ms",
                    tally.name,
                    quantile.label(),
                    ms(us)
                ));
            }
        }
    }
    slow
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::stress::Limits;

    fn tally(statuses: &[(u16, u64)], refused: u64, unexpected: u64) -> Tally {
        Tally {
            name: "/list".to_owned(),
            planned: 50,
            statuses: statuses.iter().copied().collect(),
            failures: (refused > 0)
                .then_some((FailureClass::Connectivity, refused))
                .into_iter()
                .collect(),
            unexpected,
            ..Tally::default()
        }
    }

    /// Defect 13: stress passed when every request was refused, and when every answer was 401.
    #[test]
    fn defect_13_refused_and_unauthorised_runs_fail() {
        use Verdict::{Fail, Pass};
        let table = [
            ("good", vec![tally(&[(200, 50)], 0, 0)], Pass),
            ("all refused", vec![tally(&[], 50, 0)], Fail),
            ("all 401", vec![tally(&[(401, 50)], 0, 50)], Fail),
            ("one 500", vec![tally(&[(200, 49), (500, 1)], 0, 1)], Fail),
            ("one refused", vec![tally(&[(200, 49)], 1, 0)], Fail),
            ("nothing at all", vec![], Fail),
            (
                "one silent target beside a good one",
                vec![tally(&[(200, 50)], 0, 0), tally(&[], 0, 0)],
                Fail,
            ),
        ];
        for (what, tallies, verdict) in table {
            let judged = judge_stress(&tallies, &Thresholds::default());
            assert_eq!(judged.verdict, verdict, "{what}: {}", judged.reason);
        }
    }

    fn limited(limits: Limits, latencies_ms: &[u64]) -> Tally {
        Tally {
            latencies: latencies_ms.iter().map(|ms| ms * 1_000).collect(),
            limits: Some(limits),
            ..tally(&[(200, latencies_ms.len() as u64)], 0, 0)
        }
    }

    /// The three answers: failed, could not judge, and a pass that a slow generator cannot spoil.
    #[test]
    fn a_slow_generator_is_blamed_for_what_it_can_cause_and_for_nothing_else() {
        use Verdict::{CouldNotJudge, Fail, Pass};
        let p95 = Limits {
            p95_ms: Some(100.0),
            ..Limits::default()
        };
        let slow = || limited(p95, &[500; 40]);
        let quick = || limited(p95, &[5; 40]);
        let calm = |open| Generator {
            open,
            busy_percent: Some(40),
        };
        let saturated = |open| Generator {
            open,
            busy_percent: Some(99),
        };
        let late = Tally { late: 4, ..quick() };
        let starved = Tally {
            own_faults: 40,
            ..tally(&[], 0, 0)
        };
        let table = [
            ("slow server", vec![slow()], calm(true), Fail),
            ("slow generator, open", vec![slow()], saturated(true), CouldNotJudge),
            ("slow generator, closed", vec![slow()], saturated(false), CouldNotJudge),
            (
                "limits met under full load, closed",
                vec![quick()],
                saturated(false),
                Pass,
            ),
            (
                "limits met, but the rate was not kept",
                vec![quick()],
                saturated(true),
                CouldNotJudge,
            ),
            ("a tenth left late", vec![late], calm(true), CouldNotJudge),
            ("no socket left", vec![starved], calm(false), CouldNotJudge),
            (
                "a 5xx is no generator's doing",
                vec![slow(), tally(&[(500, 1)], 0, 1)],
                saturated(true),
                Fail,
            ),
            (
                "neither is a refused connection",
                vec![tally(&[(200, 9)], 1, 0)],
                saturated(true),
                Fail,
            ),
        ];
        for (what, tallies, generator, verdict) in table {
            let judged = judge_load(&tallies, &Thresholds::default(), &generator, None);
            assert_eq!(judged.verdict, verdict, "{what}: {}", judged.reason);
        }
    }

    #[test]
    fn each_limit_of_a_target_breaks_with_its_figure() {
        let table = [
            (
                Limits {
                    p50_ms: Some(1.0),
                    ..Limits::default()
                },
                "P50 500ms above 1ms",
            ),
            (
                Limits {
                    p999_ms: Some(400.5),
                    ..Limits::default()
                },
                "P99.9 500ms above 400.5ms",
            ),
            (
                Limits {
                    max_ms: Some(499.0),
                    ..Limits::default()
                },
                "max 500ms above 499ms",
            ),
            (
                Limits {
                    min_requests: Some(41),
                    ..Limits::default()
                },
                "40 answers, at least 41",
            ),
        ];
        for (limits, told) in table {
            let judged = judge_stress(&[limited(limits, &[500; 40])], &Thresholds::default());
            assert_eq!(judged.verdict, Verdict::Fail);
            assert!(judged.reason.contains(told), "{}", judged.reason);
        }
        let tolerant = Limits {
            error_rate_percent: Some(5.0),
            ..Limits::default()
        };
        let mut some_404 = tally(&[(200, 97), (404, 3)], 0, 3);
        some_404.limits = Some(tolerant);
        assert_eq!(
            judge_stress(&[some_404.clone()], &Thresholds::default()).verdict,
            Verdict::Pass
        );
        some_404.unexpected = 6;
        let judged = judge_stress(&[some_404], &Thresholds::default());
        assert!(
            judged.reason.contains("error rate 6.00 % above 5 %"),
            "{}",
            judged.reason
        );
    }
}
