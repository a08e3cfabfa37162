//! Feature flags: what a provider says of one, and how a provider is asked, as data.

mod answer;
mod place;
mod service;
mod state;

pub use answer::{Answered, Unreadable};
pub use place::{Place, Step};
pub use service::{FlagService, Follows, ReadFlag, Rule, ServiceValue, SetFlag};
pub use state::{FlagState, Reading, Readings};
