//! `lensops alerts` and `lensops export …`: their arguments, and what they call.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Subcommand;
use jiff::Timestamp;
use lensops_core::alert::Rule;
use lensops_core::duration::parse_span;
use lensops_core::ident::{LensId, nearest};
use uuid::Uuid;

use crate::commands::alerts::{Quiet, list, silence, test, unsilence};
use crate::commands::context::open_journal;
use crate::commands::exit::Exit;
use crate::commands::plans::lens_paths;
use crate::commands::storage::export;
use crate::config::Settings;
use crate::http::{Client, TIMEOUT};

#[derive(Debug, Subcommand)]
pub(super) enum AlertsCommand {
    /// Show what fires, whom it was told and every attempt; exit 1 when an error or worse fires, 4
    /// when less does or a message has not arrived
    List {
        /// The latest messages that are shown
        #[arg(long, default_value_t = 10)]
        trail: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send a test message to every receiver, and its end after it; exit 1 when one does not take it
    Test {
        /// One receiver alone
        #[arg(long, value_name = "NAME")]
        receiver: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell nothing about a lens, a tenant or a rule for a while; what fires still then is told
    Silence {
        /// The lens
        #[arg(required_unless_present_any = ["rule", "tenant"])]
        lens: Option<LensId>,
        /// The rule
        #[arg(long)]
        rule: Option<Rule>,
        /// The tenant
        #[arg(long, value_name = "UUID")]
        tenant: Option<Uuid>,
        /// For how long, such as 2h
        #[arg(long = "for", value_name = "SPAN")]
        lasts: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End a silence
    Unsilence {
        /// Its id
        id: Uuid,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ExportCommand {
    /// Print a systemd unit of the worker
    Systemd {
        /// The program; this one where it is left out
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
        /// The address of --listen; none where it is left out
        #[arg(long, value_name = "ADDR")]
        listen: Option<std::net::SocketAddr>,
    },
    /// Print alerting rules for Prometheus over the figures of --listen
    PrometheusRules,
    /// Print a dashboard for Grafana over the figures of --listen
    Grafana,
}

pub(super) async fn alerts(settings: &Settings, command: AlertsCommand) -> Result<Exit> {
    let now = Timestamp::now();
    let who = || settings.who();
    match command {
        AlertsCommand::List { trail, json } => list(&open_journal(settings).await?, now, trail, json).await,
        AlertsCommand::Test { receiver, json } => {
            let mut receivers = settings.receivers()?;
            if let Some(name) = receiver {
                receivers.retain(|receiver| receiver.name == name);
                if receivers.is_empty() {
                    bail!("there is no receiver {name:?}");
                }
            }
            test(&Client::new(TIMEOUT), &receivers, &settings.redactor(), now, json).await
        }
        AlertsCommand::Silence {
            lens,
            rule,
            tenant,
            lasts,
            reason,
            json,
        } => {
            if let Some(lens) = &lens {
                known_lens(settings, lens)?;
            }
            let quiet = Quiet {
                rule,
                tenant,
                lens,
                lasts: parse_span(&lasts)?,
                who: who(),
                reason,
            };
            silence(&open_journal(settings).await?, quiet, &settings.redactor(), now, json).await
        }
        AlertsCommand::Unsilence { id, json } => unsilence(&open_journal(settings).await?, id, &who(), now, json).await,
    }
}

/// A silence of a lens that is not there would keep nothing quiet.
fn known_lens(settings: &Settings, lens: &LensId) -> Result<()> {
    let paths = lens_paths(settings)?;
    let known: Vec<&str> = paths.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    if known.contains(&lens.as_str()) || known.is_empty() {
        return Ok(());
    }
    let hint = nearest(lens.as_str(), &known).map_or_else(
        || format!("there are {}", known.join(", ")),
        |near| format!("did you mean {near:?}?"),
    );
    bail!("there is no lens {lens}: {hint}")
}

pub(super) fn exported(settings: &Settings, command: &ExportCommand) -> Result<Exit> {
    match command {
        ExportCommand::Systemd { program, listen } => {
            let program = match program {
                Some(program) => program.clone(),
                None => std::env::current_exe()?,
            };
            export::systemd(&program, &settings.root, *listen)
        }
        ExportCommand::PrometheusRules => Ok(export::prometheus_rules()),
        ExportCommand::Grafana => Ok(export::grafana()),
    }
}
