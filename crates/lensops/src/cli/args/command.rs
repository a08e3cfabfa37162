//! The commands, as clap reads them and `--help` shows them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use uuid::Uuid;

use super::groups::{AlertsCommand, EvidenceCommand, ExportCommand, OutboxCommand, TemplatesCommand};
use super::lens::{GenerateArgs, LensArgs};
#[cfg(feature = "sandbox")]
use super::shared::SandboxArgs;
use super::shared::{PlanArgs, RollbackArgs};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Make everything that follows from the lens files, or from a new lens
    Generate(Box<GenerateArgs>),
    /// Check a lens once, print and record it
    Check {
        #[command(flatten)]
        plan: PlanArgs,
        /// Print the check alone: no history, gate or alert hears of it
        #[arg(long)]
        no_record: bool,
    },
    /// Check lenses at their slots until told to stop
    Worker {
        /// The lenses; all where none is named
        lenses: Vec<String>,
        /// The API's address
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
        /// Serve /healthz, /readyz and /metrics there, such as 127.0.0.1:9464
        #[arg(long, value_name = "ADDR")]
        listen: Option<SocketAddr>,
    },
    /// Run the acceptance plan of a lens and keep the evidence
    Accept {
        #[command(flatten)]
        plan: PlanArgs,
        /// The dialect that the API speaks
        #[arg(long)]
        dialect: Option<String>,
        /// The API's action registry, to leave out cases that it does not let in
        #[arg(long, value_name = "FILE")]
        registry: Option<PathBuf>,
        /// Run the scenario of this name alone, between setup and teardown; may be repeated
        #[arg(long = "scenario", value_name = "NAME")]
        scenarios: Vec<String>,
        /// Write JUnit, one test case a case
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// Switch the master flag off and on at the provider, see that the API follows, and put
        /// back what was found
        #[arg(long)]
        flag_proof: bool,
        /// How often the API is asked, every 2 s, until it follows
        #[arg(long, default_value_t = 30, requires = "flag_proof")]
        flag_tries: u32,
    },
    /// Ask the API for every action as every role, and hold it to its own registry
    Matrix {
        /// The lens whose actions are asked; all of the registry's where none is named
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
    /// Load the API as the stress plan of a lens says and keep the results
    Stress {
        #[command(flatten)]
        plan: PlanArgs,
        /// The JSON result of an earlier run to compare with
        #[arg(long, value_name = "FILE")]
        baseline: Option<PathBuf>,
        /// Threads that send; one a processor where nothing is said
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1024))]
        threads: Option<u32>,
    },
    /// Decide over a window of checks: proceed, investigate or roll back
    Gate {
        /// The lens
        lens: String,
        /// The window, such as 24h or 7d
        #[arg(long, default_value = "7d")]
        window: String,
        /// The end of the window, RFC 3339; now, or the end of a file's last slot, where it is left out
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        at: Option<Timestamp>,
        /// Read this file of `lensops export`, or every .jsonl file of this folder, instead of the store
        #[arg(long, value_name = "PATH")]
        history: Option<PathBuf>,
        /// Say what would have been said at every hour, beside what was recorded in it
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
    /// Make seeded histories, healthy and of every kind of incident, or the gate's table of error rates over them
    Simulate {
        /// The kinds, such as healthy or errors_2; all where none is named
        kinds: Vec<String>,
        /// The seed: the same seed makes the same histories
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Histories of each kind; 1, or 10000 for the table, where it is left out
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        count: Option<u64>,
        /// The folder that files are written into
        #[arg(long, default_value = "simulated", value_name = "DIR")]
        out: PathBuf,
        /// The lens that they are of
        #[arg(long, default_value = "simulated")]
        lens: String,
        /// Count in memory what the gate and other policies say of them, asked every hour of a week
        #[arg(long)]
        table: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show how every lens stands, worst first
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Serve the dashboard and its read API until told to stop
    Serve {
        /// Where; without a sign-in, which PostgreSQL has, on this machine alone
        #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
    },
    /// Show the flags of a lens at the provider, beside what the API does
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
    /// Switch the master flag of a lens off, and see that the API follows
    Rollback(RollbackArgs),
    /// Switch the master flag of a lens on again, and see that the API follows
    Restore(RollbackArgs),
    /// Take back a check that was made by mistake: it is kept, and counts for nothing
    Annul {
        /// The check's id
        check: Uuid,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who; the user of this shell where it is left out
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write down beside a lens what was deployed, changed or tried; for deploy hooks
    Note {
        /// The lens
        lens: String,
        /// What happened, one line
        text: String,
        /// For this tenant alone
        #[arg(long, value_name = "UUID")]
        tenant: Option<Uuid>,
        /// Who; the user of this shell where it is left out
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Find what would bite, each finding with its fix; exit 1 on an error, 4 on warnings
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
    /// Bring the schema of a PostgreSQL store up to date
    Migrate {
        /// The database; `DATABASE_URL` where it is left out
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Print the SQL instead, for psql
        #[arg(long, conflicts_with = "check")]
        print: bool,
        /// Change nothing; say what is missing and exit 1 on anything
        #[arg(long)]
        check: bool,
        /// Print JSON
        #[arg(long, conflicts_with = "print")]
        json: bool,
    },
    /// Checks that wait for delivery to the store
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Print every check of the store with its events, as JSON Lines; or what others run and watch
    /// the worker with
    Export {
        #[command(subcommand)]
        what: Option<ExportCommand>,
    },
    /// What fires, whom it was told, and quiet
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Roll up the hours and days that are over, then drop checks that are old enough
    Retention {
        /// Age from which checks are dropped
        #[arg(long, default_value = "90d")]
        keep: String,
        /// Change nothing; say what would be dropped
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a lens of what the API says of itself, asking at the terminal for the rest
    New {
        /// The lens id
        #[arg(id = "lens_id", value_name = "LENS")]
        lens_id: String,
        #[command(flatten)]
        lens: Box<LensArgs>,
        /// The API's address
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
    },
    /// Print what completes commands and options in a shell
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
    /// Print the JSON Schema of lens, plans and manifest, or write all of them
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
    /// Template sets
    #[command(subcommand)]
    Templates(TemplatesCommand),
    /// Evidence bundles
    #[command(subcommand)]
    Evidence(EvidenceCommand),
    /// Serve the stand-in API on loopback
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxArgs),
    /// Set up and run everything against the stand-in API
    #[cfg(feature = "sandbox")]
    Demo {
        /// The folder to work in; it is made anew
        #[arg(long, default_value = "lensops-demo", value_name = "DIR")]
        dir: PathBuf,
        /// End after the summary instead of going on until Ctrl-C
        #[arg(long)]
        once: bool,
    },
}

/// Reads a time as RFC 3339 writes it.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    text.parse()
        .map_err(|_| "a time is written as 2026-01-28T15:00:00Z".to_owned())
}
