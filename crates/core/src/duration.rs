//! Lengths of time as people write them.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// How often a lens is checked: whole seconds, 1 s to 24 h. Written `30s`, `15m` or `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Every {
    seconds: u32,
}

crate::text_form::text_form!(
    Every,
    "interval",
    "^[0-9]+[smhd]$",
    "whole seconds, 1 s to 24 h: 30s, 15m or 1h"
);

/// A duration that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a valid duration: {rule}")]
pub struct DurationError {
    given: String,
    rule: &'static str,
}

impl Every {
    /// The default of the product: 15 minutes.
    pub const QUARTER_HOUR: Self = Self { seconds: 900 };

    /// The interval in milliseconds.
    #[must_use]
    pub fn as_ms(self) -> i64 {
        i64::from(self.seconds) * 1000
    }

    /// The interval in whole minutes, at least 1, as `HEALTH_CHECK_INTERVAL_MINUTES` carries it.
    #[must_use]
    pub fn minutes(self) -> u32 {
        (self.seconds / 60).max(1)
    }

    /// For people: `15 minutes`, `1 minute`, `30 seconds`.
    #[must_use]
    pub fn tell(self) -> String {
        let (count, unit) = if self.seconds.is_multiple_of(60) {
            (self.seconds / 60, "minute")
        } else {
            (self.seconds, "second")
        };
        format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
    }
}

/// Parses `90s`, `15m`, `24h` or `7d`.
///
/// # Errors
/// When the number or the unit is missing, or the span is zero or beyond ten years.
pub fn parse_span(text: &str) -> Result<SignedDuration, DurationError> {
    let refuse = || DurationError {
        given: text.to_owned(),
        rule: "write a whole number and s, m, h or d, such as 15m",
    };
    let unit_at = text
        .len()
        .checked_sub(1)
        .filter(|at| text.is_char_boundary(*at))
        .ok_or_else(refuse)?;
    let (number, unit) = text.split_at(unit_at);
    let number: i64 = number.parse().map_err(|_| refuse())?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(refuse()),
    };
    match number.checked_mul(seconds) {
        Some(total) if (1..=315_360_000).contains(&total) => Ok(SignedDuration::from_secs(total)),
        _ => Err(refuse()),
    }
}

impl FromStr for Every {
    type Err = DurationError;
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let seconds = parse_span(text)?.as_secs();
        match u32::try_from(seconds) {
            Ok(seconds) if (1..=86_400).contains(&seconds) => Ok(Self { seconds }),
            _ => Err(DurationError {
                given: text.to_owned(),
                rule: "an interval is 1s to 24h",
            }),
        }
    }
}

impl TryFrom<String> for Every {
    type Error = DurationError;
    fn try_from(text: String) -> Result<Self, DurationError> {
        text.parse()
    }
}

impl From<Every> for String {
    fn from(every: Every) -> String {
        every.to_string()
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            s if s.is_multiple_of(3_600) => write!(f, "{}h", s / 3_600),
            s if s.is_multiple_of(60) => write!(f, "{}m", s / 60),
            s => write!(f, "{s}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_read_and_written_alike() {
        for text in ["30s", "15m", "1h", "24h"] {
            assert_eq!(text.parse::<Every>().unwrap().to_string(), text);
        }
        for bad in ["", "m", "15", "0m", "-1m", "25h", "1.5h", "15 m", "é"] {
            assert!(bad.parse::<Every>().is_err(), "{bad:?}");
        }
        assert_eq!(Every::QUARTER_HOUR.tell(), "15 minutes");
    }
}
