//! The rules, what they are about, and how urgent each one is.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::history::page::PageRule;
use crate::ident::LensId;
use crate::named::names;

/// A rule. What each looks at stands in `observe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The status of a check is unhealthy.
    Unhealthy,
    /// P95 over the window of the SLO is above one of its limits.
    P95AboveSlo,
    /// The error rate of a check is above one of its limits.
    ErrorRateAboveSlo,
    /// A 5xx, of any attempt. `503 FEATURE_DISABLED` is a flag that is off and not one of these.
    ServerError,
    /// A flag changed at the provider, or the API went from 503 to 200 or back.
    FlagToggled,
    /// The store elsewhere does not take checks.
    StoreFailing,
    /// Two intervals went by without a check.
    NoCheck,
    /// The server's certificate expires within 14 days; within 3 it is critical.
    CertificateExpires,
    /// The monitor itself cannot ask, and never could.
    CannotJudge,
    /// Checks with errors, or with slow answers, so many of so many.
    XOfY,
    /// Errors that add up.
    Cusum,
    /// Checks without answers in a row.
    Dark,
    /// The error budget burns too fast.
    BurnRate,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Unhealthy,
        Self::P95AboveSlo,
        Self::ErrorRateAboveSlo,
        Self::ServerError,
        Self::FlagToggled,
        Self::StoreFailing,
        Self::NoCheck,
        Self::CertificateExpires,
        Self::CannotJudge,
        Self::XOfY,
        Self::Cusum,
        Self::Dark,
        Self::BurnRate,
    ];

    /// The rule over several checks that this one is; `None` where a check speaks for itself.
    #[must_use]
    pub fn over_checks(self) -> Option<PageRule> {
        match self {
            Self::XOfY => Some(PageRule::XOfY),
            Self::Cusum => Some(PageRule::Cusum),
            Self::Dark => Some(PageRule::Dark),
            Self::BurnRate => Some(PageRule::BurnRate),
            _ => None,
        }
    }

    /// As in files and messages: `p95_above_slo`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unhealthy => "unhealthy",
            Self::P95AboveSlo => "p95_above_slo",
            Self::ErrorRateAboveSlo => "error_rate_above_slo",
            Self::ServerError => "server_error",
            Self::FlagToggled => "flag_toggled",
            Self::StoreFailing => "store_failing",
            Self::NoCheck => "no_check",
            Self::CertificateExpires => "certificate_expires",
            Self::CannotJudge => "cannot_judge",
            Self::XOfY => "x_of_y",
            Self::Cusum => "cusum",
            Self::Dark => "dark",
            Self::BurnRate => "burn_rate",
        }
    }

    /// For people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Unhealthy => "unhealthy",
            Self::P95AboveSlo => "P95 above SLO",
            Self::ErrorRateAboveSlo => "error rate above SLO",
            Self::ServerError => "5xx",
            Self::FlagToggled => "flag toggled",
            Self::StoreFailing => "store write failing",
            Self::NoCheck => "no check for 2 intervals",
            Self::CertificateExpires => "certificate expires",
            Self::CannotJudge => "cannot judge",
            Self::XOfY => "broken in several checks",
            Self::Cusum => "errors add up",
            Self::Dark => "no answers",
            Self::BurnRate => "error budget burns",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rule {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|rule| rule.as_str()).collect();
            format!("{text:?} is no rule: one of {}", names.join(", "))
        })
    }
}

/// How much an alert matters, in the words of PagerDuty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Worth knowing.
    Info,
    /// Worth a look today.
    Warning,
    /// Worth a look now.
    Error,
    /// Wakes people.
    Critical,
}

names!(Urgency {
    Info => "info",
    Warning => "warning",
    Error => "error",
    Critical => "critical",
});

/// What an alert is about: a lens of a tenant, or the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A lens of a tenant.
    Lens(Uuid, LensId),
    /// The store that checks go on to.
    Store,
}

impl Subject {
    /// The tenant, where there is one.
    #[must_use]
    pub fn tenant(&self) -> Option<Uuid> {
        match self {
            Self::Lens(tenant, _) => Some(*tenant),
            Self::Store => None,
        }
    }

    /// The lens, where there is one.
    #[must_use]
    pub fn lens(&self) -> Option<&LensId> {
        match self {
            Self::Lens(_, lens) => Some(lens),
            Self::Store => None,
        }
    }
}

/// The deduplication key of a rule on a subject: the same for every message of one alert, so that a
/// receiver that knows keys puts firing, reminder and resolved together.
#[must_use]
pub fn key(rule: Rule, subject: &Subject) -> String {
    match subject {
        Subject::Lens(tenant, lens) => format!("lensops/{rule}/{tenant}/{lens}"),
        Subject::Store => format!("lensops/{rule}"),
    }
}
