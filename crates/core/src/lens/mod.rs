//! The lens file: the one file a person edits.
//!
//! Parsing refuses unknown and duplicate keys and every name that is not safe; [`Lens::resolve`]
//! fills what a lens leaves to `lensops.yml` and checks what one field says against another.
//! Nothing is invented: what is missing and found nowhere is an error that names its option.

mod definition;
mod endpoint;
mod error;
mod gate_policy;
mod http;
pub mod mute;
mod resolve;
pub mod rollback;
mod sign_in;
mod tenants;
mod user;

pub use definition::{Defaults, Idempotency, Lens, Limits, Overrides, Proof, ReadAction, SignedAction, Slo};
pub use endpoint::{Allow, Burst, Endpoint};
pub use error::{LensError, LensErrors};
pub use gate_policy::{GateFile, Policy};
pub use http::undo_name;
pub(crate) use resolve::check_muted;
pub use resolve::is_placeholder;
pub use sign_in::wrong_sign_in;
pub use tenants::{Tenants, parse_tenant, tenant_id};
pub use user::User;
