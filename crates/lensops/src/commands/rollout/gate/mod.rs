//! `lensops gate`: the decision over a window of checks, tenant by tenant, from the store or from files.

mod asked;
mod backtest;
mod files;
mod judged;
mod print;
mod reading;

pub use asked::{Asked, Form};
pub use judged::{Gated, gate, is_virtual};
pub use print::print;

use jiff::Timestamp;
use lensops_core::duration::parse_span;

use crate::commands::context::{known_tenants, monitor_plan, open_history};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::config::Settings;

/// Decides over the window of a lens that ends at the time that is asked, or `now` where no end is given, and
/// prints it.
///
/// # Errors
/// A window that makes no sense or is not over, a plan that is not valid, or history that cannot be read.
pub async fn run(settings: &Settings, asked: &Asked<'_>, now: Timestamp) -> Result<Exit> {
    if let Some(history) = asked.history {
        return files::run(settings, asked, history);
    }
    let plan = monitor_plan(settings, load(settings, &Which::Lens(asked.lens))?)?.plan;
    let span = parse_span(asked.window)?;
    let plan = known_tenants(settings, vec![plan]).await?.swap_remove(0);
    let history = open_history(settings).await?;
    let at = asked.at.unwrap_or(now);
    if at > now {
        return Err(Error::usage(format!("--at {at} is not there yet: the gate looks back")));
    }
    if asked.backtest {
        return backtest::store(&history, &plan, span, at, asked.form).await;
    }
    let gated = gate(&history, &plan, span, at, now).await?;
    Ok(print(&plan, &gated, asked.window, asked.form))
}
