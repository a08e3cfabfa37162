//! Supabase's REST interface as sink and history.

mod answer;
mod client;
pub(in crate::store) mod paging;
mod rows;

pub use client::{Rest, Returned};
