//! Lengths of time as people write them: a whole number and `ms`, `s`, `m`, `h` or `d`, without a sign.
//!
//! [`Span`] is the one parser. [`Period`] and [`Every`] read the same texts and differ in what they allow.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

const SECOND_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60 * SECOND_MS;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The longest period: ten years.
const LONGEST_MS: u64 = 3_650 * DAY_MS;

/// A text that is not a length of time, or not one of those allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a valid duration: {rule}")]
pub struct DurationError {
    given: String,
    rule: &'static str,
}

impl DurationError {
    fn new(given: &str, rule: &'static str) -> Self {
        let given = given.to_owned();
        Self { given, rule }
    }
}

/// A length of time, zero included: `500ms`, `30s`, `10m`, `1h`, `7d`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    ms: u64,
}

/// A length of time from 1 ms to ten years: how far back, how long, how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(Span);

/// How often a lens is checked: whole seconds, 1 s to 24 h. Written `30s`, `15m` or `1h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Every {
    seconds: u32,
}

crate::text_form::text_form!(
    Span,
    "length of time",
    "^[0-9]+(ms|s|m|h|d)$",
    "a whole number and ms, s, m, h or d, such as 30s"
);
crate::text_form::text_form!(
    Period,
    "span of time",
    "^[0-9]+(ms|s|m|h|d)$",
    "a whole number and ms, s, m, h or d, such as 4h"
);
crate::text_form::text_form!(
    Every,
    "interval",
    "^[0-9]+(ms|s|m|h|d)$",
    "whole seconds, 1 s to 24 h: 30s, 15m or 1h"
);

impl Span {
    /// So many seconds.
    #[must_use]
    pub const fn seconds(seconds: u64) -> Self {
        Self {
            ms: seconds.saturating_mul(SECOND_MS),
        }
    }

    /// The time itself.
    #[must_use]
    pub fn get(self) -> Duration {
        Duration::from_millis(self.ms)
    }
}

impl FromStr for Span {
    type Err = DurationError;
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let refuse = || DurationError::new(text, "write a whole number and ms, s, m, h or d, such as 15m");
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: u64 = number.parse().map_err(|_| refuse())?;
        let unit_ms = match unit {
            "ms" => 1,
            "s" => SECOND_MS,
            "m" => MINUTE_MS,
            "h" => HOUR_MS,
            "d" => DAY_MS,
            _ => return Err(refuse()),
        };
        let ms = number.checked_mul(unit_ms).ok_or_else(refuse)?;
        Ok(Self { ms })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s")];
        let whole = |(size, _): &&(u64, &str)| self.ms > 0 && self.ms.is_multiple_of(*size);
        match units.iter().find(whole) {
            Some((size, unit)) => write!(f, "{}{unit}", self.ms / size),
            None => write!(f, "{}ms", self.ms),
        }
    }
}

impl Period {
    /// This many hours; 0 counts as one.
    #[must_use]
    pub fn hours(hours: u16) -> Self {
        Self(Span {
            ms: u64::from(hours.max(1)) * 3_600_000,
        })
    }

    /// The time itself.
    #[must_use]
    pub fn get(self) -> SignedDuration {
        // At most ten years, which fit.
        SignedDuration::from_millis(i64::try_from(self.0.ms).unwrap_or(i64::MAX))
    }
}

impl FromStr for Period {
    type Err = DurationError;
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let span: Span = text.parse()?;
        if (1..=LONGEST_MS).contains(&span.ms) {
            return Ok(Self(span));
        }
        Err(DurationError::new(text, "write 1ms to 3650d"))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads a [`Period`], such as `90s`, `15m`, `24h` or `7d`.
///
/// # Errors
/// When the text is not a length of time, or the time is zero or beyond ten years.
pub fn parse_span(text: &str) -> Result<SignedDuration, DurationError> {
    text.parse().map(Period::get)
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

impl FromStr for Every {
    type Err = DurationError;
    fn from_str(text: &str) -> Result<Self, DurationError> {
        let span: Span = text.parse()?;
        match u32::try_from(span.ms / SECOND_MS) {
            Ok(seconds @ 1..=86_400) if span.ms.is_multiple_of(SECOND_MS) => Ok(Self { seconds }),
            _ => Err(DurationError::new(text, "an interval is whole seconds, 1s to 24h")),
        }
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Span::seconds(self.seconds.into()).fmt(f)
    }
}

/// Files hold these types as text.
macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = DurationError;
            fn try_from(text: String) -> Result<Self, DurationError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(time: $name) -> String {
                time.to_string()
            }
        }
    )*};
}
as_text!(Span, Period, Every);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_read_and_written_alike() {
        for text in ["30s", "15m", "1h", "24h"] {
            assert_eq!(text.parse::<Every>().unwrap().to_string(), text);
        }
        for bad in ["", "m", "15", "0m", "-1m", "25h", "1.5h", "15 m", "é", "1500ms", "2d"] {
            assert!(bad.parse::<Every>().is_err(), "{bad:?}");
        }
        assert_eq!(Every::QUARTER_HOUR.tell(), "15 minutes");
    }

    /// `parse_span`, the two `Span`s and `Every` read different texts: `500ms` was no window, `1d` no `for`
    /// of a load, and `+5m` a window.
    #[test]
    fn every_length_of_time_is_read_by_one_grammar() {
        for (text, ms) in [
            ("0s", Some(0)),
            ("500ms", Some(500)),
            ("007s", Some(7_000)),
            ("90m", Some(5_400_000)),
            ("24h", Some(86_400_000)),
            ("7d", Some(604_800_000)),
            ("3650d", Some(LONGEST_MS)),
            ("3651d", Some(LONGEST_MS + DAY_MS)),
            ("18446744073709551615ms", Some(u64::MAX)),
            ("18446744073709551615s", None),
            ("18446744073709551616ms", None),
            ("+5m", None),
            ("-5m", None),
            ("5", None),
            ("5 m", None),
            ("5M", None),
            ("5w", None),
            ("1.5h", None),
            ("1h30m", None),
            ("m", None),
            ("", None),
            ("٥m", None),
        ] {
            let span = text.parse::<Span>();
            assert_eq!(span.as_ref().ok().map(|span| span.ms), ms, "{text:?}");
            let period = ms.filter(|ms| (1..=LONGEST_MS).contains(ms));
            let read = text.parse::<Period>().map(Period::get);
            assert_eq!(
                read.as_ref().ok().map(SignedDuration::as_millis),
                period.map(i128::from),
                "{text:?}"
            );
            let interval = ms.filter(|ms| ms % 1_000 == 0 && (1_000..=DAY_MS).contains(ms));
            let every = text.parse::<Every>();
            assert_eq!(
                every.as_ref().ok().map(|every| every.as_ms()),
                interval.map(|ms| i64::try_from(ms).unwrap()),
                "{text:?}"
            );
            if let Err(error) = span {
                let told =
                    format!("{text:?} is not a valid duration: write a whole number and ms, s, m, h or d, such as 15m");
                assert_eq!(error.to_string(), told);
                assert_eq!((read, every), (Err(error.clone()), Err(error)), "{text:?}");
            }
        }
    }

    #[test]
    fn a_length_of_time_is_written_in_its_largest_whole_unit_up_to_hours() {
        for (text, written) in [
            ("0s", "0ms"),
            ("1500ms", "1500ms"),
            ("90s", "90s"),
            ("120s", "2m"),
            ("7d", "168h"),
        ] {
            assert_eq!(text.parse::<Span>().unwrap().to_string(), written);
        }
    }
}
