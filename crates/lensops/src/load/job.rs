//! One load: where it goes, what it sends, and how much of it when.

use std::time::Duration;

use lensops_core::exchange::Base;
use lensops_core::plan::load_shape::Load;
use lensops_core::plan::request_template::Prebuilt;
use lensops_core::plan::{Dialect, Expect};

use super::renewal::Renewal;
use crate::connect::Connector;

/// A request that is sent again and again.
#[derive(Debug, Clone)]
pub struct LoadTarget {
    /// The request.
    pub prebuilt: Prebuilt,
    /// Its share beside the other targets; at least 1.
    pub weight: u32,
    /// What every answer must be.
    pub expect: Expect,
    /// How the API spells what is expected.
    pub dialect: Dialect,
    /// What takes its place when its credential is refused; `None`: nothing does.
    pub renewal: Option<Renewal>,
}

impl LoadTarget {
    /// The request with the credential that it has now, and whether that is another one than at the start.
    pub(super) fn current(&self) -> (&Prebuilt, bool) {
        let made = self.renewal.as_ref().and_then(Renewal::made);
        made.map_or((&self.prebuilt, false), |made| (made, true))
    }
}

/// One load.
pub struct Job {
    /// Where to.
    pub base: Base,
    /// Who finds the way there.
    pub connector: Connector,
    /// What is sent.
    pub targets: Vec<LoadTarget>,
    /// How much of it when.
    pub load: Load,
    /// How long a request may take, connecting included.
    pub timeout: Duration,
    /// Whether a connection carries one request after the other.
    pub reuse: bool,
    /// How long nothing but failures counts.
    pub warm_up: Duration,
    /// How many threads send; never more than connections.
    pub threads: u32,
    /// Seed of everything random.
    pub seed: u64,
}
