//! A probe as one line for people.

use super::outcome::Why;
use super::probe::{ProbeReport, ProbeResult};
use crate::redaction::transcript::reason;
use crate::stats::histogram::{Latencies, Quantile, ms};

/// From when on the time of a probe that is not timed is shown, in microseconds: a slow handshake is in no other.
const SLOW_US: u64 = 1_000_000;

impl ProbeReport {
    /// The probe as one line without its mark.
    #[must_use]
    pub fn line(&self) -> String {
        match &self.left_out {
            Some(why) => format!("{}; {why}", self.told()),
            None => self.told(),
        }
    }

    fn told(&self) -> String {
        let name = &self.name;
        match &self.result {
            ProbeResult::Healthy => format!("{name}: {}", self.good()),
            ProbeResult::Warned(why @ Why::RateLimited { .. }) if self.taken > 1 => {
                let limited = self.statuses.get(&429).copied().unwrap_or(0);
                format!("{name}: {limited} of {} samples: {why}", self.taken)
            }
            ProbeResult::Warned(why @ Why::RateLimited { .. }) => format!("{name}: {why}"),
            ProbeResult::Warned(_) if self.shown.is_some() && !self.timed => {
                format!("{name}: {}", self.good())
            }
            ProbeResult::Warned(why) => format!("{name}: {} ({why})", self.good()),
            ProbeResult::Flaky(why) => format!("{name}: {} of {} samples failed: {why}", self.failed, self.taken),
            ProbeResult::Broken(why @ Why::Disabled { .. }) => format!("{name}: {why}"),
            ProbeResult::Broken(why) if self.taken > 1 => {
                format!("{name}: {why}, {} of {} samples failed", self.failed, self.taken)
            }
            ProbeResult::Broken(why) => format!("{name}: {why}"),
            ProbeResult::Unjudged(reason) => format!("{name}: not judged: {reason}"),
        }
    }

    /// What a good answer was: `200 OK (12 actions, 867ms)`, or what is shown of it alone.
    fn good(&self) -> String {
        let status = self
            .statuses
            .keys()
            .next()
            .map_or_else(String::new, |code| format!("{code} {}", reason(*code)));
        if !self.timed {
            let good = self.shown.clone().unwrap_or(status);
            let slow = self.samples_us.iter().copied().max().filter(|us| *us >= SLOW_US);
            return slow.map_or(good.clone(), |us| format!("{good}, {}", ms(us)));
        }
        let median = self
            .samples_us
            .iter()
            .copied()
            .collect::<Latencies>()
            .at(Quantile::P50)
            .map(ms);
        let again = (self.reconnected > 0).then(|| format!("reconnected {}×", self.reconnected));
        let inside: Vec<String> = self.shown.iter().cloned().chain(median).chain(again).collect();
        format!("{} ({})", status.trim_end(), inside.join(", "))
    }
}
