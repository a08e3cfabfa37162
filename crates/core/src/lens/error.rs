//! Why a lens does not hold together, and where it says so.

use uuid::Uuid;

use crate::ident::{EntityId, Ident, LensId, nearest};

/// Why a lens does not hold together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LensError {
    /// No tenant in the lens nor in `lensops.yml`.
    #[error("lens {0} has no tenant: give --yacht-id, or `tenants:` in the lens or in lensops.yml")]
    NoTenant(LensId),
    /// Nobody to send requests as.
    #[error("lens {0} has no user: give --hod-user-id, --user NAME=ROLE:ID, or `users:` in the lens or in lensops.yml")]
    NoUser(LensId),
    /// A lens of endpoints without one.
    #[error(
        "lens {0} has no endpoint: write one below `endpoints`, such as {{name: list, get: /orders, allow: [viewer]}}"
    )]
    NoEndpoint(LensId),
    /// A signer that is no user.
    #[error(
        "lens {lens}: signer {signer} is no user{}: give --user {signer}=ROLE:ID, or add it to `users:` in the lens or in lensops.yml",
        meant(signer, known)
    )]
    UnknownSigner {
        /// The lens.
        lens: LensId,
        /// The signer's name.
        signer: Ident,
        /// The users there are.
        known: Vec<String>,
    },
    /// A user's role that is a slip away from one of the lens.
    #[error("lens {lens}: user {user} has role {role}, which `roles` does not name: did you mean {meant}?")]
    MisspeltRole {
        /// The lens.
        lens: LensId,
        /// The user's name.
        user: Ident,
        /// The role.
        role: Ident,
        /// The role that was meant.
        meant: Ident,
        /// Where it stands.
        place: String,
    },
    /// A user's id that is no UUID where those of all others are.
    #[error("lens {lens}: user {user}: {:?} is no UUID, as the ids of the other users are", id.as_str())]
    OddId {
        /// The lens.
        lens: LensId,
        /// The user's name.
        user: Ident,
        /// The id.
        id: EntityId,
        /// Where it stands.
        place: String,
    },
    /// A signed action that nobody signs.
    #[error("lens {0}: signed_action.signers is empty: name the users whose signature must be accepted (--signers)")]
    NoSigner(LensId),
    /// An id that was never replaced.
    #[error("lens {lens}: {field} is the placeholder {id}: give a real id, or --allow-placeholders")]
    Placeholder {
        /// The lens.
        lens: LensId,
        /// Where it stands.
        field: String,
        /// The id.
        id: Uuid,
    },
    /// Limits the wrong way round, or not numbers.
    #[error("lens {lens}: slo.{field} needs 0 <= warn <= fail")]
    Limits {
        /// The lens.
        lens: LensId,
        /// Which limits.
        field: &'static str,
    },
    /// A sample count that cannot be.
    #[error("lens {0}: samples must be 1 to 1000")]
    Samples(LensId),
    /// A pause or a maintenance window that makes no sense.
    #[error("lens {lens}: {why}")]
    Muted {
        /// The lens.
        lens: LensId,
        /// Which of the two.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A user or a way to sign in that cannot be.
    #[error("lens {lens}: {place}: {why}")]
    SignIn {
        /// The lens.
        lens: LensId,
        /// Where it stands.
        place: String,
        /// What is wrong with it.
        why: String,
    },
    /// A payload key that is filled already.
    #[error("lens {lens}: {place} names {key}, which every request carries already: leave it out")]
    Reserved {
        /// The lens.
        lens: LensId,
        /// Where it stands.
        place: &'static str,
        /// The key.
        key: Ident,
    },
    /// Something listed twice.
    #[error("lens {lens}: {field} lists {item} twice")]
    Twice {
        /// The lens.
        lens: LensId,
        /// Which list.
        field: &'static str,
        /// What.
        item: String,
    },
}

fn meant(signer: &Ident, known: &[String]) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    nearest(signer.as_str(), &known).map_or_else(String::new, |near| format!(" (did you mean {near:?}?)"))
}

impl LensError {
    /// Where it stands in the lens file, key by key.
    #[must_use]
    pub fn place(&self) -> Vec<&str> {
        match self {
            Self::NoTenant(_) => vec!["tenants"],
            Self::NoUser(_) => vec!["users"],
            Self::NoEndpoint(_) => vec!["endpoints"],
            Self::UnknownSigner { .. } | Self::NoSigner(_) => vec!["signed_action", "signers"],
            Self::MisspeltRole { place, .. } | Self::OddId { place, .. } | Self::SignIn { place, .. } => {
                place.split('.').collect()
            }
            Self::Placeholder { field, .. } => field.split('.').collect(),
            Self::Limits { field, .. } => vec!["slo", field],
            Self::Samples(_) => vec!["samples"],
            Self::Muted { field, .. } => vec![field],
            Self::Twice { field, .. } => field.split('.').collect(),
            Self::Reserved { place, .. } => place.split('.').collect(),
        }
    }
}

/// Everything about a lens that does not hold together, never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct LensErrors(pub Vec<LensError>);
