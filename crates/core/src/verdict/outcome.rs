//! What an expectation came to: met, broken or unjudged. A broken expectation is a value, not an error.

use std::fmt;

use serde::Serialize;

use crate::exchange::{Failure, FailureClass};
use crate::expect::FEATURE_DISABLED;

/// How much a broken expectation weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It makes a check degraded.
    Warn,
    /// It makes a check unhealthy, a case failed.
    Fail,
}

/// What one expectation came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As expected.
    Met,
    /// Not as expected.
    Broken(Severity, Why),
    /// It could not be told.
    Unjudged(String),
}

impl Outcome {
    /// The reason of a broken expectation.
    #[must_use]
    pub fn broken(&self) -> Option<(Severity, &Why)> {
        match self {
            Self::Broken(severity, why) => Some((*severity, why)),
            _ => None,
        }
    }
}

/// Why an expectation is broken.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Why {
    /// There was no usable answer.
    Failed {
        /// Which kind of failure.
        class: FailureClass,
        /// What the system said.
        detail: String,
    },
    /// The API says the feature is switched off, as the plan's `disabled` describes: no outage.
    Disabled {
        /// The status it said so with.
        status: u16,
        /// The error code that came with it.
        code: Option<String>,
    },
    /// 429 where another status is expected: the probe asks more often than it may.
    RateLimited {
        /// How long the API asks to be left alone, in seconds, where it says so.
        after_s: Option<u64>,
    },
    /// Another status than expected.
    Status {
        /// What was expected.
        expected: String,
        /// What came.
        got: u16,
        /// The error code that came with it.
        code: Option<String>,
    },
    /// Another error code than expected.
    Code {
        /// What was expected, as the dialect spells it.
        expected: String,
        /// What came.
        got: Option<String>,
    },
    /// Something about the body.
    Body {
        /// What, one line.
        detail: String,
    },
    /// Flags that the provider does not have.
    FlagsMissing {
        /// Which.
        flags: Vec<String>,
    },
    /// Flags that are off at the provider.
    FlagsOff {
        /// Which.
        flags: Vec<String>,
    },
    /// A figure beyond its limit.
    Limit {
        /// Which figure, its value and its limit.
        detail: String,
    },
}

impl Why {
    /// What was expected and what was seen instead, where the reason has two sides.
    #[must_use]
    pub fn sides(&self) -> Option<(String, String)> {
        let with_code = |status: u16, code: &Option<String>| match code {
            Some(code) => format!("{status} {}", line(code)),
            None => status.to_string(),
        };
        match self {
            Self::Failed { class, detail } => Some(("an answer".to_owned(), format!("{detail} ({})", class.as_str()))),
            Self::Disabled { status, code } => Some(("the feature is on".to_owned(), with_code(*status, code))),
            Self::Status { expected, got, code } => Some((expected.clone(), with_code(*got, code))),
            Self::Code { expected, got } => {
                let got = got.as_ref().map_or_else(|| "no error code".to_owned(), |got| line(got));
                Some((expected.clone(), got))
            }
            Self::FlagsMissing { flags } => {
                Some(("all flags on".to_owned(), format!("{} not there", flags.join(", "))))
            }
            Self::FlagsOff { flags } => Some(("all flags on".to_owned(), format!("{} off", flags.join(", ")))),
            Self::RateLimited { .. } | Self::Body { .. } | Self::Limit { .. } => None,
        }
    }

    /// The failure class, where the reason is one.
    #[must_use]
    pub fn class(&self) -> Option<FailureClass> {
        match self {
            Self::Failed { class, .. } => Some(*class),
            Self::RateLimited { .. } => Some(FailureClass::RateLimited),
            Self::Status { got, .. } => FailureClass::of_status(*got),
            _ => None,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { class, detail } => write!(f, "{detail} ({})", class.as_str()),
            Self::Disabled {
                status,
                code: Some(code),
            } if code == FEATURE_DISABLED => write!(f, "{status} {code}"),
            Self::Disabled { status, code } => {
                let code = code
                    .as_ref()
                    .map_or_else(String::new, |code| format!(" {}", line(code)));
                write!(f, "{status}{code}: the feature is switched off")
            }
            Self::RateLimited { after_s } => {
                let asked = after_s.map_or_else(String::new, |after| format!(", Retry-After: {after}"));
                write!(
                    f,
                    "429, rate limited{asked}: lower `samples`, or allow this client more requests"
                )
            }
            Self::Status {
                expected,
                got,
                code: Some(code),
            } => write!(f, "Expected {expected}, got {got} {}", line(code)),
            Self::Status {
                expected,
                got,
                code: None,
            } => write!(f, "Expected {expected}, got {got}"),
            Self::Code {
                expected,
                got: Some(got),
            } => write!(f, "Expected {expected}, got {}", line(got)),
            Self::Code { expected, got: None } => write!(f, "Expected {expected}, got no error code"),
            Self::Body { detail } | Self::Limit { detail } => f.write_str(detail),
            Self::FlagsMissing { flags } => write!(f, "{} not there at the provider", flags.join(", ")),
            Self::FlagsOff { flags } => write!(f, "{} off", flags.join(", ")),
        }
    }
}

/// Text of a stranger as one short line.
pub(super) fn line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(120).collect()
}

impl From<&Failure> for Why {
    fn from(failure: &Failure) -> Self {
        Self::Failed {
            class: failure.class,
            detail: failure.detail.clone(),
        }
    }
}
