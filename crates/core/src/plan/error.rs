//! Why a plan that parses cannot run.

use crate::ident::nearest;

/// Why a plan that parses cannot run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A list that must not be empty is.
    #[error("the plan has no {0}: there is nothing to run")]
    Empty(&'static str),
    /// Two items share a name.
    #[error("two {what} are named {name:?}")]
    Twice {
        /// What kind of item.
        what: &'static str,
        /// Their name.
        name: String,
    },
    /// A name that points nowhere.
    #[error("{place} names {what} {name:?}, which the plan does not define{}", hint(.name, .known))]
    Unknown {
        /// Where the name stands.
        place: String,
        /// What it should be.
        what: &'static str,
        /// The name.
        name: String,
        /// What is defined.
        known: Vec<String>,
    },
    /// Something that cannot be as it is.
    #[error("{place}: {why}")]
    Invalid {
        /// Where.
        place: String,
        /// Why, and the way out.
        why: String,
    },
}

fn hint(name: &str, known: &[String]) -> String {
    let all: Vec<&str> = known.iter().map(String::as_str).collect();
    match nearest(name, &all) {
        Some(candidate) => format!(" (did you mean {candidate:?}?)"),
        None if known.is_empty() => String::new(),
        None => format!(" (it defines {})", known.join(", ")),
    }
}
