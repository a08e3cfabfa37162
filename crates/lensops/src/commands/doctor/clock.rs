//! The clock, beside those of the API and of the store: tokens and slots stand on it.

use jiff::{SignedDuration, Timestamp};

use super::finding::{Findings, Kind};
use super::subject::Subject;
use crate::config::StoreChoice;

const WARN: SignedDuration = SignedDuration::from_secs(30);
/// From here on tokens may be refused as not yet valid or expired.
const FAIL: SignedDuration = SignedDuration::from_secs(300);

pub(super) async fn look(subject: &Subject<'_>, findings: &mut Findings) {
    let api = api_time(subject).await;
    let store = match subject.settings.store() {
        Ok(StoreChoice::Postgres(url)) => crate::store::dry_run::now(&url)
            .await
            .ok()
            .map(|at| (Timestamp::now(), at)),
        _ => None,
    };
    let mut looked = false;
    for (whose, times) in [("the API", api), ("the database", store)] {
        let Some((here, there)) = times else { continue };
        looked = true;
        let skew = here.duration_since(there).abs();
        let kind = match skew {
            skew if skew >= FAIL => Kind::Error,
            skew if skew >= WARN => Kind::Warning,
            _ => {
                findings.good(format!("this clock and that of {whose} agree"));
                continue;
            }
        };
        let seconds = skew.as_secs();
        let fix = "set this machine's clock by NTP, or that of the other side";
        findings.add(
            kind,
            format!("this clock and that of {whose} differ by {seconds} s"),
            "the clock",
            fix,
        );
    }
    if !looked {
        findings.unjudged(
            "the clock was compared with none: neither the API nor a database told the time",
            "the clock",
            "ask again when one of them answers",
        );
    }
}

/// The time here and the time that the API's answer carries.
async fn api_time(subject: &Subject<'_>) -> Option<(Timestamp, Timestamp)> {
    let monitor = subject.monitors.first()?;
    let probe = monitor.plan.probes.iter().find(|probe| probe.request.is_some())?;
    let tenant = monitor.plan.tenants.first()?;
    let (exchange, _) = monitor
        .ask(&subject.client, probe, *tenant, Timestamp::now())
        .await
        .ok()?;
    let here = Timestamp::now();
    let date = exchange.result.ok()?.header("date")?.to_owned();
    let there = jiff::fmt::rfc2822::parse(&date).ok()?.timestamp();
    Some((here, there))
}
