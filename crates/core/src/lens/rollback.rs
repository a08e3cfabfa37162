//! A lens that was rolled back or restored by command, as it is recorded and as other machines learn of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ident::LensId;

/// Which way a lens was switched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// Off.
    Rollback,
    /// On again.
    Restore,
}

impl Switch {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Restore => "restore",
        }
    }
}

/// How far a rollback or restore came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It was decided; the provider may or may not have been told.
    Intended,
    /// The provider holds the new value, and the service starts anew where the provider does that.
    Switched,
    /// The API was looked at, or the wait for it is over.
    Done,
    /// The provider refused before anything was changed.
    Abandoned,
}

impl Progress {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intended => "intended",
            Self::Switched => "switched",
            Self::Done => "done",
            Self::Abandoned => "abandoned",
        }
    }

    /// From its stored form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Intended, Self::Switched, Self::Done, Self::Abandoned]
            .into_iter()
            .find(|step| step.as_str() == text)
    }
}

/// A rollback or restore as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Its id.
    pub id: Uuid,
    /// The lens.
    pub lens: LensId,
    /// Which way.
    pub kind: Switch,
    /// How far it came.
    pub step: Progress,
    /// The service or file whose flag it is.
    pub target: String,
    /// The flag.
    pub flag: String,
    /// Its value before; `None`: it was not there.
    pub found: Option<String>,
    /// Who.
    pub who: String,
    /// Why.
    pub reason: String,
    /// What the gate said at the time.
    pub gate: String,
    /// When it was decided.
    pub begun_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// What the API showed.
    pub outcome: Option<String>,
}

impl Rollback {
    /// Whether it was cut off.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        matches!(self.step, Progress::Intended | Progress::Switched)
    }
}
