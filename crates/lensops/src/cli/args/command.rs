//! The commands, as clap reads them and `--help` shows them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use lensops_core::lens::parse_tenant;
use uuid::Uuid;

use super::groups::{
    AlertsCommand, EvidenceCommand, ExportCommand, FleetCommand, OutboxCommand, PhaseCommand, ProvidersCommand,
    TemplatesCommand,
};
use super::lens::{GenerateArgs, LensArgs};
#[cfg(feature = "sandbox")]
use super::shared::SandboxArgs;
use super::shared::{AnswerArgs, FirstArgs, PlanArgs, RollbackArgs};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Generate plans, workflows and documents from the lens files
    Generate(Box<GenerateArgs>),
    /// Check a lens once: print and record the result
    Check {
        #[command(flatten)]
        plan: PlanArgs,
        /// Check this address alone: no files are needed and nothing is recorded; prints the lens to go on from
        #[arg(long, value_name = "URL", conflicts_with_all = ["lens", "plan", "api_url"])]
        url: Option<String>,
        #[command(flatten)]
        answer: AnswerArgs,
        /// Print the check and record nothing: no history, no gate, no alert
        #[arg(long)]
        no_record: bool,
    },
    /// Check every lens for every tenant at its times, until SIGTERM
    Worker {
        /// The lenses; all of them if you name none
        lenses: Vec<String>,
        /// The API's address
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
        /// Serve /healthz, /readyz and /metrics at this address, such as 127.0.0.1:9464
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
        /// Share the timetable with other workers, in the PostgreSQL store; as `schedule: fleet` of lensops.yml
        #[arg(long, conflicts_with = "lenses")]
        fleet: bool,
    },
    /// Run the acceptance plan of a lens and keep the evidence
    Accept {
        #[command(flatten)]
        plan: PlanArgs,
        /// The dialect that the API speaks
        #[arg(long)]
        dialect: Option<String>,
        /// The API's action registry, to skip cases that it does not allow
        #[arg(long, value_name = "FILE")]
        registry: Option<PathBuf>,
        /// Run only this scenario, between setup and teardown; may be repeated
        #[arg(long = "scenario", value_name = "NAME")]
        scenarios: Vec<String>,
        /// Write JUnit, one test case a case
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// Switch the master flag off and on at the provider, verify that the API follows, and restore
        /// what was found
        #[arg(long)]
        flag_proof: bool,
        /// How often to ask the API, every 2 s, until it follows
        #[arg(long, default_value_t = 30, requires = "flag_proof")]
        flag_tries: u32,
    },
    /// Try every action as every role, against the API's registry
    Matrix {
        /// The lens whose actions to try; all actions of the registry if you name none
        lens: Option<String>,
        /// The API's action registry
        #[arg(long, value_name = "FILE")]
        registry: Option<PathBuf>,
        /// The dialect that the API speaks
        #[arg(long)]
        dialect: Option<String>,
        /// The API's address
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        /// Write JUnit, one test case a cell
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
    },
    /// Run the stress plan of a lens and keep the results
    Stress {
        #[command(flatten)]
        plan: PlanArgs,
        /// Compare with the JSON result of an earlier run
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        /// Threads that send requests [default: one per processor]
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
        threads: Option<u32>,
    },
    /// Decide over a window: proceed, investigate or roll back
    Gate {
        /// The lens
        lens: String,
        /// The window, such as 24h or 7d
        #[arg(long, default_value = "7d")]
        window: String,
        /// The end of the window, RFC 3339 [default: now, or the last slot of a file]
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        at: Option<Timestamp>,
        /// Read this file of `lensops export`, or every .jsonl file of this folder, instead of the store
        #[arg(long, value_name = "PATH")]
        history: Option<PathBuf>,
        /// Print what the gate would have said at every hour, beside the recorded incidents
        #[arg(long)]
        backtest: bool,
        /// Print every criterion with its value, its bound and its sample
        #[arg(long)]
        explain: bool,
        /// Print JSON; with --history one line a file, lens and tenant
        #[arg(long, conflicts_with = "explain")]
        json: bool,
        /// Print Markdown, for a pull request
        #[arg(long, conflicts_with_all = ["explain", "json", "backtest"])]
        markdown: bool,
    },
    /// Make histories to try the gate on, or its table of error rates
    Simulate {
        /// The kinds, such as healthy or errors_2; all of them if you name none
        kinds: Vec<String>,
        /// The seed: the same seed makes the same histories
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Histories of each kind [default: 1, with --table 10000]
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        count: Option<u64>,
        /// The folder to write files into
        #[arg(long, default_value = "simulated", value_name = "DIR")]
        out: PathBuf,
        /// The lens they belong to
        #[arg(long, default_value = "simulated")]
        lens: String,
        /// Count what the gate and other policies say of them, asked every hour of a week
        #[arg(long)]
        table: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the state of every lens, worst first
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Serve the dashboard and its read API, until SIGTERM
    Serve {
        /// The address; beyond this machine only over PostgreSQL, where users sign in
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
    /// Show, promote or hold a lens on its way to production
    #[command(subcommand)]
    Phase(PhaseCommand),
    /// Show the flags of a lens at the provider and at the API
    Flags {
        /// The lens
        lens: String,
        /// The API's address
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Switch the master flag off, and verify that the API follows
    Rollback(RollbackArgs),
    /// Switch the master flag on again, and verify that the API follows
    Restore(RollbackArgs),
    /// Take back a check that was made by mistake: kept, but not counted
    Annul {
        /// The check's id
        check: Uuid,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who [default: the user of this shell]
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Note beside a lens what was deployed or changed, for deploy hooks
    Note {
        /// The lens
        lens: String,
        /// What happened, one line
        text: String,
        /// Only for this tenant
        #[arg(long, value_name = "NAME", value_parser = parse_tenant)]
        tenant: Option<Uuid>,
        /// Who [default: the user of this shell]
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Find problems before they hurt, each with its fix
    Doctor {
        /// The API's address
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print every setting with its origin, secrets masked
    Config {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Create or update the tables of a PostgreSQL store
    Migrate {
        /// The database [default: DATABASE_URL]
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Print the SQL instead, for psql
        #[arg(long, conflicts_with = "check")]
        print: bool,
        /// Change nothing; print what is missing, with exit code 1
        #[arg(long)]
        check: bool,
        /// Print JSON
        #[arg(long, conflicts_with = "print")]
        json: bool,
    },
    /// Show the workers of a fleet, or change what they run
    #[command(subcommand)]
    Fleet(FleetCommand),
    /// Show, deliver or print checks that wait for the store
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Print all checks as JSON Lines, or files for systemd and others
    Export {
        #[command(subcommand)]
        what: Option<ExportCommand>,
    },
    /// List, test and silence alerts
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Roll up past hours and days, then drop old checks
    Retention {
        /// Drop checks older than this
        #[arg(long, default_value = "90d")]
        keep: String,
        /// Change nothing; print what would be dropped
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new lens, with what the API lists and what you answer
    New {
        /// The lens id
        #[arg(id = "lens_id", value_name = "LENS")]
        lens_id: String,
        #[command(flatten)]
        lens: Box<LensArgs>,
        #[command(flatten)]
        first: FirstArgs,
        /// The API's address
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write a manual page for every command
    Man {
        /// The folder
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print the JSON Schema of a file or result, or write all of them
    Schema {
        /// Which one: lens, project, monitor-plan, acceptance-plan, stress-plan, manifest, case-results,
        /// stress-results
        #[arg(required_unless_present_any = ["out", "reference"])]
        name: Option<String>,
        /// Write all of them into this folder
        #[arg(long, value_name = "DIR", conflicts_with = "name")]
        out: Option<PathBuf>,
        /// Write a reference page for each into this folder
        #[arg(long, value_name = "DIR", conflicts_with = "name")]
        reference: Option<PathBuf>,
    },
    /// Show the flag services that lensops knows, as definitions to copy
    #[command(subcommand)]
    Providers(ProvidersCommand),
    /// Write the built-in template set into a folder, to change it
    #[command(subcommand)]
    Templates(TemplatesCommand),
    /// Verify, list, show and package runs; make a key
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Serve a stand-in API on loopback
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxArgs),
    /// Show everything against the stand-in API, with a dashboard
    #[cfg(feature = "sandbox")]
    Demo {
        /// The folder to work in; its contents are replaced
        #[arg(long, default_value = "lensops-demo", value_name = "DIR")]
        dir: PathBuf,
        /// End after the summary instead of running until Ctrl-C
        #[arg(long)]
        once: bool,
        /// The kind of API that it shows
        #[arg(long, value_enum, default_value = "action-router")]
        api: crate::commands::demo::Api,
    },
}

/// Reads a time as RFC 3339 writes it.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "a time is written as 2026-01-28T15:00:00Z".to_owned())
}
