//! What verifying a run can find, by kind: who decides on a finding does not read its text.

use std::fmt;

use super::manifest;

/// One thing that is not as the run left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A file holds something else.
    Changed(String),
    /// Only the line ends of a file differ: a checkout that rewrote them, for one.
    LineEnds(String),
    /// A file that the run did not leave.
    Added(String),
    /// A file that the run left is not there.
    Removed(String),
    /// A file has another name.
    Renamed {
        /// The name that the run gave it.
        from: String,
        /// The name that it has now.
        to: String,
    },
    /// The signature is about another manifest: somebody wrote this one anew.
    SignsAnother,
    /// The signature is by another key than the manifest says.
    OtherSigner,
}

impl Finding {
    /// Whether the file holds what the run wrote, line by line.
    #[must_use]
    pub fn is_line_ends(&self) -> bool {
        matches!(self, Self::LineEnds(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (envelope, manifest) = (manifest::ENVELOPE, manifest::FILE);
        match self {
            Self::Changed(name) => write!(f, "{name} was changed"),
            Self::LineEnds(name) => write!(f, "{name}: only line ends differ"),
            Self::Added(name) => write!(f, "{name} was added"),
            Self::Removed(name) => write!(f, "{name} was removed"),
            Self::Renamed { from, to } => write!(f, "{from} was renamed to {to}"),
            Self::SignsAnother => write!(f, "{envelope} signs another {manifest}"),
            Self::OtherSigner => write!(f, "{envelope} was signed by another key than {manifest} says"),
        }
    }
}
