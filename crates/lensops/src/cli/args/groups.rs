//! Commands that have commands of their own.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;
use lensops_core::alert::Rule;
use lensops_core::evidence::signature::PublicKey;
use lensops_core::ident::{LensId, parse_uuid};
use uuid::Uuid;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AlertsCommand {
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
        #[arg(long, value_name = "UUID", value_parser = parse_uuid)]
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
        #[arg(value_parser = parse_uuid)]
        id: Uuid,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExportCommand {
    /// Print a systemd unit of the worker
    Systemd {
        /// The program; this one where it is left out
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
        /// The address of --listen; none where it is left out
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Print alerting rules for Prometheus over the figures of --listen
    PrometheusRules,
    /// Print a dashboard for Grafana over the figures of --listen
    Grafana,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TemplatesCommand {
    /// Write the built-in template set into a folder, to be changed and named as `template_set` of lensops.yml
    Eject {
        /// The folder
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OutboxCommand {
    /// Show what waits and what was refused for good; exit 4 when checks wait, 1 when some are parked
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Deliver what waits now
    Flush {
        /// Try again what was refused for good
        #[arg(long)]
        parked: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what no store has taken, as JSON Lines
    Export,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum EvidenceCommand {
    /// Compare a run's folder with its manifest
    Verify {
        /// The run's folder
        dir: PathBuf,
        /// The public key that must have signed it, in place of those that lensops.yml trusts
        #[arg(long, value_name = "HEX")]
        key: Option<PublicKey>,
        /// The head of a later run, kept elsewhere: the run must be in one chain with it
        #[arg(long, value_name = "HASH")]
        expect_head: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List every run: whether it is as it was left, and whose it is
    List {
        /// The head of a later run, kept elsewhere: runs must be in one chain with it
        #[arg(long, value_name = "HASH")]
        expect_head: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what a run's folder says of itself
    Show {
        /// The run's folder
        dir: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the evidence package of a lens from the runs that exist
    Package {
        /// The lens
        lens: String,
        /// The head of a later run, kept elsewhere: runs must be in one chain with it
        #[arg(long, value_name = "HASH")]
        expect_head: Option<String>,
    },
    /// Make a private key, in a file outside the repository that only its owner can read
    Keygen {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}
