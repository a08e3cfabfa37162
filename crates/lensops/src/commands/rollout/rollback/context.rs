//! What a rollback or restore works on, and what was asked for.

use std::time::Duration;

use lensops_core::ident::LensId;

use crate::commands::worker::check::Monitor;
use crate::flags::Provider;
use crate::store::{Journal, Store, Switch};

/// What is to be done.
#[derive(Debug)]
pub struct Order {
    /// Off, or on again.
    pub kind: Switch,
    /// Why.
    pub reason: String,
    /// Who.
    pub who: String,
    /// How long the API is looked at.
    pub wait: Duration,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Print JSON.
    pub json: bool,
}

/// What a rollback works on.
pub struct Context<'a, S> {
    /// The lens with its probes.
    pub monitor: &'a Monitor,
    /// Where its flags are kept.
    pub provider: &'a Provider,
    /// Sends requests.
    pub sender: &'a S,
    /// Keeps the record.
    pub journal: &'a Journal,
    /// Where workers of other machines read of it.
    pub store: &'a Store<S>,
}

impl<S> Context<'_, S> {
    pub(super) fn lens(&self) -> &LensId {
        self.monitor.lens()
    }

    /// Prints a step, where no JSON was asked for.
    pub(super) fn say(&self, order: &Order, line: &str) {
        if !order.json {
            say!("{}: {line}", self.lens());
        }
    }
}
