//! Supabase's REST interface as sink and history.

mod answer;
mod rows;
mod server;

pub use server::{Rest, Returned};
