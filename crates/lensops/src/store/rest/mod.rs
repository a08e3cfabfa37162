//! Supabase's REST interface as sink and history.

mod answer;
mod client;
mod rows;

pub use client::{Rest, Returned};
