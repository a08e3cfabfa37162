//! A check as a table for a person at a terminal: the reason first, then each probe with its percentiles.

use super::check::{CheckReport, probe_line};
use super::probe::{ProbeReport, ProbeResult};
use super::record::{Level, Status};
use crate::stats::histogram::{Latencies, Quantile, ms};

/// The longest name that makes its column wider.
const NAME: usize = 32;

/// The lines of `report`, which is of `subject`: `Faults · tenant north`.
///
/// The first says how the check stands, and why where it is not healthy; then a line a probe, and what was found besides.
#[must_use]
pub fn check_table(report: &CheckReport, subject: &str) -> Vec<String> {
    let word = match report.status {
        _ if !report.judged => "could not be judged",
        Status::Healthy => "healthy",
        Status::Degraded => "degraded",
        Status::Unhealthy => "unhealthy",
    };
    let mark = if report.judged { report.status.mark() } else { "❔" };
    let mut lines = vec![format!("{mark} {subject} is {word}{}", reasons(report))];
    let width = report
        .probes
        .iter()
        .map(|probe| probe.name.chars().count())
        .max()
        .unwrap_or(0)
        .clamp(5, NAME);
    lines.push(String::new());
    lines.push(format!(
        "     {:<width$}  {:>8} {:>8} {:>4}  answer",
        "probe", "P50", "P95", "n"
    ));
    lines.extend(report.probes.iter().map(|probe| row(probe, width)));
    // What is no probe's: flags, service level, changes.
    let probes: Vec<String> = report.probes.iter().map(|probe| probe_line(probe).1).collect();
    let besides: Vec<&String> = report
        .lines
        .iter()
        .map(|(_, line)| line)
        .filter(|line| !probes.contains(line))
        .collect();
    if !besides.is_empty() {
        lines.push(String::new());
        lines.extend(besides.into_iter().map(|line| format!("  {line}")));
    }
    lines
}

/// `: List endpoint: Expected 200, got 500 (and 2 more)`; empty where nothing is wrong.
fn reasons(report: &CheckReport) -> String {
    let at = |level: Level| report.lines.iter().filter(move |(of, _)| *of == level);
    let wrong: Vec<&(Level, String)> = at(Level::Error).chain(at(Level::Warning)).collect();
    let Some((_, first)) = wrong.first() else {
        return String::new();
    };
    let first = first.split_once(' ').map_or(first.as_str(), |(_, text)| text);
    match wrong.len() {
        1 => format!(": {first}"),
        more => format!(": {first} (and {} more)", more - 1),
    }
}

fn row(probe: &ProbeReport, width: usize) -> String {
    let (_, line) = probe_line(probe);
    let (mark, told) = line.split_once(' ').unwrap_or(("", line.as_str()));
    let answer = told
        .strip_prefix(&probe.name)
        .and_then(|rest| rest.strip_prefix(": "))
        .unwrap_or(told);
    let latencies: Latencies = probe.samples_us.iter().copied().collect();
    let shown = |quantile| match latencies.at(quantile) {
        Some(us) if probe.timed => ms(us),
        _ => "-".to_owned(),
    };
    let n = if probe.taken == 0 {
        "-".to_owned()
    } else {
        probe.taken.to_string()
    };
    // The median stands in a column of its own.
    let answer = match &probe.result {
        ProbeResult::Healthy if probe.timed => match latencies.at(Quantile::P50).map(ms) {
            Some(median) => answer
                .replace(&format!(", {median})"), ")")
                .replace(&format!(" ({median})"), ""),
            None => answer.to_owned(),
        },
        _ => answer.to_owned(),
    };
    // The warning sign is one column wide and two characters long.
    let gap = if mark == "⚠️" { "  " } else { " " };
    format!(
        "  {mark}{gap}{:<width$}  {:>8} {:>8} {n:>4}  {answer}",
        probe.name,
        shown(Quantile::P50),
        shown(Quantile::P95)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::FailureClass;
    use crate::verdict::check::tests::{GOOD_HEALTH, GOOD_LIST, check_with, context, times};

    fn table(list: (u16, &'static str)) -> String {
        let good = times(7, Ok((200, "{}")));
        let report = check_with(&context(), Ok((200, GOOD_HEALTH)), &times(7, Ok(list)), &good, &good);
        check_table(&report, "Faults").join("\n")
    }

    #[test]
    fn a_healthy_check_is_a_line_and_a_table() {
        insta::assert_snapshot!(table((200, GOOD_LIST)), @r#"
        ✅ Faults is healthy

             probe                      P50      P95    n  answer
          ✅ Service health               -        -    1  healthy (4/4 handlers)
          ❔ Feature flags                -        -    -  not judged: RENDER_API_KEY is not set
          ✅ List endpoint            100ms    100ms    7  200 OK (12 actions)
          ✅ Suggestions endpoint     100ms    100ms    7  200 OK
          ✅ Read action              100ms    100ms    7  200 OK
        "#);
    }

    #[test]
    fn the_reason_stands_in_the_first_line() {
        insta::assert_snapshot!(table((500, "{}")), @r#"
        ❌ Faults is unhealthy: List endpoint: Expected 200, got 500, 7 of 7 samples failed (and 1 more)

             probe                      P50      P95    n  answer
          ✅ Service health               -        -    1  healthy (4/4 handlers)
          ❔ Feature flags                -        -    -  not judged: RENDER_API_KEY is not set
          ❌ List endpoint            100ms    100ms    7  Expected 200, got 500, 7 of 7 samples failed
          ✅ Suggestions endpoint     100ms    100ms    7  200 OK
          ✅ Read action              100ms    100ms    7  200 OK

          ❌ SLO: error rate 33.33 % (7 of 21 samples) above 5%
        "#);
    }

    #[test]
    fn a_check_that_judged_nothing_is_not_called_healthy() {
        let none = times(7, Err(FailureClass::Connectivity));
        let report = check_with(&context(), Err(FailureClass::Connectivity), &none, &none, &none);
        let lines = check_table(&report, "Faults");
        assert!(lines[0].starts_with("❌ Faults is unhealthy: "), "{}", lines[0]);
    }
}
