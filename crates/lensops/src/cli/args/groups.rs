//! Commands that have commands of their own.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use lensops_core::alert::Rule;
use lensops_core::evidence::signature::PublicKey;
use lensops_core::ident::{LensId, parse_uuid};
use lensops_core::lens::parse_tenant;
use uuid::Uuid;

use crate::commands::generate;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AlertsCommand {
    /// Show active alerts, notified receivers and every attempt; exit 1 when an error or worse is active, 4
    /// when less is or a message has not arrived
    List {
        /// How many of the latest messages to show
        #[arg(long, default_value_t = 10)]
        trail: u32,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Send a test message to every receiver, and that it is over; exit 1 when one does not take it
    Test {
        /// Only this receiver
        #[arg(long, value_name = "NAME")]
        receiver: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Silence a lens, a tenant or a rule for a while; what is still active then is reported
    Silence {
        /// The lens
        #[arg(required_unless_present_any = ["rule", "tenant"])]
        lens: Option<LensId>,
        /// The rule
        #[arg(long)]
        rule: Option<Rule>,
        /// The tenant
        #[arg(long, value_name = "NAME", value_parser = parse_tenant)]
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
pub(in crate::cli) enum PhaseCommand {
    /// Show the phase of a lens, or of all, and what it still needs
    Status {
        /// The lens; all of them if you name none
        lens: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Go on to the next phase where the needs of this one hold; exit 1 refused, 3 could not judge
    Promote {
        #[command(flatten)]
        who: WhoArgs,
        /// Go on although needs do not hold; needs --reason and stays marked
        #[arg(long = "override", requires = "reason")]
        overriding: bool,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Hold a lens in its phase until it is released
    Hold {
        #[command(flatten)]
        who: WhoArgs,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End a hold
    Release {
        #[command(flatten)]
        who: WhoArgs,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct WhoArgs {
    /// The lens
    pub(in crate::cli) lens: String,
    /// Who [default: the user of this shell]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) by: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ExportCommand {
    /// Print a systemd unit of the worker
    Systemd {
        /// The program [default: this one]
        #[arg(long, value_name = "FILE")]
        program: Option<PathBuf>,
        /// The worker's --listen address [default: none]
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Print alerting rules for Prometheus, over the worker's metrics
    PrometheusRules,
    /// Print a dashboard for Grafana, over the worker's metrics
    Grafana,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TemplatesCommand {
    /// Write a built-in template set into a folder; name it as `template_set` in lensops.yml
    Eject {
        /// The built-in set: action-router or http
        #[arg(long, default_value = generate::templates::BUILT_IN, value_parser = generate::templates::BUILT_INS)]
        set: String,
        /// The folder
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum FleetCommand {
    /// Show machines, pairs, lateness and parked pairs; exit 4 when something needs a look
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make the plans and tenants of this folder those of all machines
    Publish {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Check parked pairs again
    Unpark {
        /// The key that `fleet status` prints; all of them if you name none
        key: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ProvidersCommand {
    /// Name the flag services that lensops knows by a definition
    List,
    /// Print the definition of one, to read it or to begin one of your own with
    Show {
        /// Its name
        name: String,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OutboxCommand {
    /// Show waiting and parked checks; exit 4 when checks wait, 1 when some are parked
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Deliver waiting checks now
    Flush {
        /// Retry parked checks too, which the store refused for good
        #[arg(long)]
        parked: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print undelivered checks as JSON Lines
    Export,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum EvidenceCommand {
    /// Verify that a run is unchanged, and whose it is
    Verify {
        /// The run's folder
        dir: PathBuf,
        /// The public key that must have signed it, instead of the trusted keys of lensops.yml
        #[arg(long, value_name = "HEX")]
        key: Option<PublicKey>,
        /// The head of a later run, kept elsewhere: the run must be in one chain with it
        #[arg(long, value_name = "HASH")]
        expect_head: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List every run: whether it is unchanged, and whose it is
    List {
        /// The head of a later run, kept elsewhere: runs must be in one chain with it
        #[arg(long, value_name = "HASH")]
        expect_head: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the manifest of a run in words
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
    /// Make a private key, in a file outside the repository that only you can read
    Keygen {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}
