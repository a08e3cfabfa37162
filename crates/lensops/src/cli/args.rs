//! Arguments, as clap reads them and `--help` shows them.

mod command;
mod groups;
mod lens;
mod shared;

use std::path::PathBuf;

use clap::Parser;

pub(super) use command::Command;
pub(super) use groups::{
    AlertsCommand, EvidenceCommand, ExportCommand, FleetCommand, OutboxCommand, PhaseCommand, ProvidersCommand,
    TemplatesCommand, WhoArgs,
};
pub(super) use shared::RollbackArgs;

use crate::config::StoreKind;
use crate::log::LogForm;
use crate::terminal::Colour;

/// The heading of what every command takes.
const GLOBAL: &str = "Global options";

/// Canary checks, acceptance and stress tests, evidence and a gate from one definition of a feature.
///
/// Exit codes: 0 pass, healthy, proceed · 1 fail, unhealthy, roll back, drift · 2 bad usage,
/// configuration or file · 3 could not judge, not enough data · 4 degraded, investigate.
#[derive(Debug, Parser)]
#[command(name = "lensops", version, max_term_width = 100)]
pub struct Cli {
    /// The project's folder
    #[arg(long, global = true, default_value = ".", value_name = "DIR", help_heading = GLOBAL)]
    pub(super) root: PathBuf,
    /// The form of log lines
    #[arg(long, global = true, value_enum, default_value = "human", help_heading = GLOBAL)]
    pub(super) log: LogForm,
    /// Where checks are kept [default: what lensops.yml or the environment name, else sqlite]
    #[arg(long, global = true, value_enum, help_heading = GLOBAL)]
    pub(super) store: Option<StoreKind>,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", help_heading = GLOBAL)]
    pub color: Colour,
    #[command(subcommand)]
    pub(super) command: Command,
}
