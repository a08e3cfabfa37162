//! One load: where it goes, what it sends, and how much of it when.

use std::time::Duration;

use lensops_core::exchange::Base;
use lensops_core::plan::load_shape::Load;
use lensops_core::plan::request_template::Prebuilt;
use lensops_core::plan::{Dialect, Expect};

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
