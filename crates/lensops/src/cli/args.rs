//! Arguments, as clap reads them and `--help` shows them.

mod command;
mod groups;
mod lens;
mod shared;

use std::path::PathBuf;

use clap::Parser;

pub(super) use command::Command;
pub(super) use groups::{AlertsCommand, EvidenceCommand, ExportCommand, OutboxCommand, TemplatesCommand};
pub(super) use shared::RollbackArgs;

use crate::config::StoreKind;
use crate::log::LogForm;

/// One lens definition becomes monitoring, acceptance, stress tests, evidence and a release gate.
///
/// Exit codes: 0 pass, healthy, proceed · 1 fail, unhealthy, roll back, drift · 2 bad usage,
/// configuration or file · 3 could not judge, not enough data · 4 degraded, investigate.
#[derive(Debug, Parser)]
#[command(name = "lensops", version, max_term_width = 100)]
pub struct Cli {
    /// The repository's folder
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    pub(super) root: PathBuf,
    /// Form of the log lines
    #[arg(long, global = true, value_enum, default_value = "human")]
    pub(super) log: LogForm,
    /// Where checks are kept
    #[arg(long, global = true, value_enum)]
    pub(super) store: Option<StoreKind>,
    #[command(subcommand)]
    pub(super) command: Command,
}
