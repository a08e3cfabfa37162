//! Load shapes: how many requests leave when.
//!
//! A shape says either how many connections ask without pause (*closed*: a slow server slows the
//! load down) or when requests leave whatever the server does (*open*: a slow server gets no
//! relief, and what waits is measured). A burst is all at once.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::PlanError;
use crate::duration::Span;

/// The most requests a burst may hold, and the most connections of any shape: each takes a socket.
pub const LARGEST_BURST: u32 = 10_000;

/// The most requests a second an open shape may ask for.
pub const HIGHEST_RATE: f64 = 1_000_000.0;

/// The longest a shape may last: its time series is kept in memory, one row a second.
pub const LONGEST: Duration = Duration::from_secs(6 * 3_600);

/// Connections of an open shape that says nothing of them.
pub const USUAL_CONNECTIONS: u32 = 100;

/// A load shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// This many requests at once, each on a connection of its own.
    Burst(u32),
    /// Connections that each send their next request when the answer is there.
    Closed(Closed),
    /// Requests that leave at a rate, whatever the server does.
    Open(Open),
    /// Open load whose rate moves in a straight line from stage to stage, from nothing on.
    Stages(Vec<Stage>),
}

/// A closed shape; it ends after a time or after a number of requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// How many connections.
    pub connections: u32,
    /// For how long.
    #[serde(default, rename = "for", skip_serializing_if = "Option::is_none")]
    pub duration: Option<Span>,
    /// How many requests in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

/// An open shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Requests a second.
    pub rate: f64,
    /// For how long.
    #[serde(rename = "for")]
    pub duration: Span,
    /// How they are spread over time.
    #[serde(default, skip_serializing_if = "is_constant")]
    pub arrivals: Arrival,
    /// How many connections carry them; a request waits, and its time runs, while all are busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
}

/// How the requests of an open shape are spread over time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// Evenly.
    #[default]
    Constant,
    /// As independent callers come: exponential gaps.
    Poisson,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_constant(arrivals: &Arrival) -> bool {
    *arrivals == Arrival::Constant
}

/// One ramp.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The rate at its end, in requests a second.
    pub rate: f64,
    /// How long it takes.
    #[serde(rename = "for")]
    pub duration: Span,
}

impl Load {
    /// How many connections it opens.
    #[must_use]
    pub fn connections(&self) -> u32 {
        match self {
            Self::Burst(size) => *size,
            Self::Closed(closed) => closed.connections,
            Self::Open(open) => open.connections.unwrap_or(USUAL_CONNECTIONS),
            Self::Stages(_) => USUAL_CONNECTIONS,
        }
    }

    /// How long it lasts; `None` when a count ends it.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        match self {
            Self::Burst(_) => None,
            Self::Closed(closed) => closed.duration.map(Span::get),
            Self::Open(open) => Some(open.duration.get()),
            Self::Stages(stages) => Some(stages.iter().map(|stage| stage.duration.get()).sum()),
        }
    }

    /// Whether requests leave whatever the server does.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_) | Self::Stages(_))
    }

    /// The ramps of an open shape: (rate at start, rate at end, time); none for the others.
    #[must_use]
    pub fn ramps(&self) -> Vec<(f64, f64, Duration)> {
        match self {
            Self::Open(open) => vec![(open.rate, open.rate, open.duration.get())],
            Self::Stages(stages) => {
                let starts = std::iter::once(0.0).chain(stages.iter().map(|stage| stage.rate));
                starts
                    .zip(stages)
                    .map(|(from, stage)| (from, stage.rate, stage.duration.get()))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// For people: `burst of 50`, `200/s for 1m (poisson)`.
    #[must_use]
    pub fn tell(&self) -> String {
        match self {
            Self::Burst(size) => format!("burst of {size}"),
            Self::Closed(closed) => {
                let until = match (closed.duration, closed.count) {
                    (Some(span), _) => format!("for {span}"),
                    (None, count) => format!("{} requests", count.unwrap_or(0)),
                };
                format!("{} connections, {until}", closed.connections)
            }
            Self::Open(open) => {
                let spread = match open.arrivals {
                    Arrival::Constant => "",
                    Arrival::Poisson => " (poisson)",
                };
                format!("{}/s for {}{spread}", open.rate, open.duration)
            }
            Self::Stages(stages) => {
                let ramps: Vec<String> = stages
                    .iter()
                    .map(|stage| format!("{}/s in {}", stage.rate, stage.duration))
                    .collect();
                format!("ramps to {}", ramps.join(", "))
            }
        }
    }

    /// Refuses what could never run.
    ///
    /// # Errors
    /// What is out of its bounds, and which they are.
    pub fn validate(&self, place: &str) -> Result<(), PlanError> {
        let refuse = |why: String| {
            Err(PlanError::Invalid {
                place: place.to_owned(),
                why,
            })
        };
        if let Self::Burst(size) = self
            && !(1..=LARGEST_BURST).contains(size)
        {
            return refuse(format!("a burst is 1 to {LARGEST_BURST} requests"));
        }
        if !(1..=LARGEST_BURST).contains(&self.connections()) {
            return refuse(format!("a load has 1 to {LARGEST_BURST} connections"));
        }
        if let Self::Closed(closed) = self
            && (closed.duration.is_some() == closed.count.is_some() || closed.count == Some(0))
        {
            return refuse("a closed load ends by one of `for` and `count`, and a count is at least 1".to_owned());
        }
        let ramps = self.ramps();
        if self.is_open() {
            let rate_ok = |rate: &f64| rate.is_finite() && (0.0..=HIGHEST_RATE).contains(rate);
            if ramps.iter().any(|(from, to, _)| !rate_ok(from) || !rate_ok(to))
                || ramps.iter().all(|(from, to, _)| from + to <= 0.0)
            {
                return refuse(format!(
                    "a rate is above 0 and at most {HIGHEST_RATE} requests a second"
                ));
            }
        }
        if ramps.iter().any(|(_, _, time)| time.is_zero())
            || self.duration().is_some_and(|time| time.is_zero() || time > LONGEST)
        {
            return refuse("a load lasts longer than nothing and at most 6h".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Load, String> {
        let load: Load = crate::yaml::read("plan.yml", text).map_err(|error| error.to_string())?;
        load.validate("load").map_err(|error| error.to_string())?;
        Ok(load)
    }

    #[test]
    fn each_shape_is_read_and_told() {
        let table = [
            ("burst: 50", "burst of 50"),
            ("closed: {connections: 4, for: 90s}", "4 connections, for 90s"),
            ("closed: {connections: 4, count: 9}", "4 connections, 9 requests"),
            (
                "open: {rate: 200, for: 60s, arrivals: poisson}",
                "200/s for 1m (poisson)",
            ),
            ("open: {rate: 0.5, for: 1h, connections: 9}", "0.5/s for 1h"),
            (
                "stages: [{rate: 10, for: 500ms}, {rate: 0, for: 1s}]",
                "ramps to 10/s in 500ms, 0/s in 1s",
            ),
        ];
        for (text, told) in table {
            assert_eq!(load(text).unwrap().tell(), told, "{text}");
        }
    }

    #[test]
    fn what_could_never_run_is_refused_with_its_bounds() {
        let table = [
            ("burst: 0", "1 to 10000 requests"),
            ("closed: {connections: 4}", "one of `for` and `count`"),
            (
                "closed: {connections: 4, for: 1s, count: 2}",
                "one of `for` and `count`",
            ),
            ("closed: {connections: 0, for: 1s}", "connections"),
            ("closed: {connections: 4, count: 0}", "at least 1"),
            ("open: {rate: 0, for: 1s}", "a rate is above 0"),
            ("open: {rate: -1, for: 1s}", "a rate is above 0"),
            ("open: {rate: .nan, for: 1s}", "a rate is above 0"),
            ("open: {rate: 5, for: 0s}", "longer than nothing"),
            ("open: {rate: 5, for: 7h}", "at most 6h"),
            ("open: {rate: 5, for: 10}", "not a valid duration"),
            ("open: {rate: 5, for: 10 s}", "not a valid duration"),
            ("open: {rate: 5, for: 1s, arrivals: even}", "constant"),
            ("stages: []", "a rate is above 0"),
            ("steady: 5", "burst"),
        ];
        for (text, why) in table {
            let error = load(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
