//! The command line: arguments, and which command they call.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use indexmap::IndexMap;
use jiff::Timestamp;
use lensops_core::evidence::signature::PublicKey;
use lensops_core::exchange::Secret;
use lensops_core::ident::{EnvName, Ident};
use lensops_core::lens::User;
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::plan::stress::StressPlan;
use lensops_core::schedule::{Every, ad_hoc_id, parse_span};
use serde_json::Value;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::{Env, Runtime, Settings, StoreChoice, StoreKind, Target};
use crate::http::{Client, TIMEOUT};
use crate::log::{self, LogForm};
use crate::run::check::{Monitor, overall};
use crate::run::clock::SystemClock;
use crate::run::deliver::Delivery;
use crate::run::generate::{self, Mode, NewLens, parse_payload, parse_user, usual_user};
use crate::run::plans::{Loaded, Plan, Which, lens_paths, load, load_all, load_lens};
use crate::run::retention::retention;
use crate::run::worker::{Worker, tell};
use crate::run::{
    Exit, accept, evidence, exit_of_checks, gate, matrix, migrate, outbox, package, status, stop_on_signal, stress,
    templates,
};
use crate::store::{Journal, Owner, Postgres, Rest, Store};

/// One lens definition becomes monitoring, acceptance, stress tests, evidence and a release gate.
///
/// Exit codes: 0 pass, healthy, proceed · 1 fail, unhealthy, roll back, drift · 2 bad usage,
/// configuration or file · 3 could not judge, not enough data · 4 degraded, investigate.
#[derive(Debug, Parser)]
#[command(name = "lensops", version, max_term_width = 100)]
pub struct Cli {
    /// The repository's folder
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    root: PathBuf,
    /// Form of the log lines
    #[arg(long, global = true, value_enum, default_value = "human")]
    log: LogForm,
    /// Where checks are kept
    #[arg(long, global = true, value_enum)]
    store: Option<StoreKind>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make everything that follows from the lens files, or from a new lens
    Generate(Box<GenerateArgs>),
    /// Check a lens once, print and record it
    Check(PlanArgs),
    /// Check lenses at their slots until told to stop
    Worker {
        /// The lenses; all where none is named
        lenses: Vec<String>,
        /// The API's address
        #[arg(long, value_name = "URL")]
        api_url: Option<String>,
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
        /// The end of the window, RFC 3339; now where it is left out
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
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
    },
    /// Checks that wait for delivery to the store
    #[command(subcommand)]
    Outbox(OutboxCommand),
    /// Print every check of the store with its events, as JSON Lines
    Export,
    /// Roll up the hours and days that are over, then drop checks that are old enough
    Retention {
        /// Age from which checks are dropped
        #[arg(long, default_value = "90d")]
        keep: String,
        /// Change nothing; say what would be dropped
        #[arg(long)]
        dry_run: bool,
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

#[derive(Debug, Subcommand)]
enum TemplatesCommand {
    /// Write the built-in template set into a folder, to be changed and used with --template-dir
    Eject {
        /// The folder
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
enum OutboxCommand {
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
    },
    /// Print what no store has taken, as JSON Lines
    Export,
}

#[derive(Debug, Subcommand)]
enum EvidenceCommand {
    /// Compare a run's folder with its manifest
    Verify {
        /// The run's folder
        dir: PathBuf,
        /// The public key that must have signed it
        #[arg(long, value_name = "HEX")]
        key: Option<PublicKey>,
    },
    /// Print what a run's folder says of itself
    Show {
        /// The run's folder
        dir: PathBuf,
    },
    /// Write the evidence package of a lens from the runs that exist
    Package {
        /// The lens
        lens: String,
    },
    /// Make a private key, in a file outside the repository that only its owner can read
    Keygen {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
struct PlanArgs {
    /// The lens
    #[arg(required_unless_present = "plan", conflicts_with = "plan")]
    lens: Option<String>,
    /// A plan file instead of that of a lens
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The API's address
    #[arg(long, value_name = "URL")]
    api_url: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
struct SandboxArgs {
    /// The API's port; 0 takes a free one
    #[arg(long, default_value_t = 8085)]
    port: u16,
    /// The control port; 0 takes a free one
    #[arg(long, default_value_t = 8086)]
    control_port: u16,
    /// documented, deployed_a or deployed_b
    #[arg(long, default_value = "documented")]
    dialect: String,
    /// Faults at start, as JSON
    #[arg(long, value_name = "JSON")]
    faults: Option<String>,
    /// A flag at start, may be repeated
    #[arg(long = "flag", value_name = "NAME=VALUE")]
    flags: Vec<String>,
}

#[derive(Debug, Args)]
struct GenerateArgs {
    /// Id of a new lens; without it everything is made anew for every lens file
    #[arg(long, requires = "domain", requires = "roles")]
    lens_id: Option<String>,
    /// Its API domain
    #[arg(long, requires = "lens_id")]
    domain: Option<String>,
    /// Its flags, the master flag first
    #[arg(long, value_delimiter = ',', requires = "lens_id")]
    feature_flags: Vec<EnvName>,
    /// The roles that see it
    #[arg(long, value_delimiter = ',', requires = "lens_id")]
    roles: Vec<Ident>,
    /// Its tenants
    #[arg(long, value_delimiter = ',', requires = "lens_id", value_name = "UUID")]
    yacht_id: Vec<Uuid>,
    /// The head of department: a chief_engineer who signs as manager
    #[arg(long, requires = "lens_id", value_name = "UUID")]
    hod_user_id: Option<Uuid>,
    /// A user of role crew
    #[arg(long, requires = "lens_id", value_name = "UUID")]
    crew_user_id: Option<Uuid>,
    /// A user of role captain
    #[arg(long, requires = "lens_id", value_name = "UUID")]
    captain_user_id: Option<Uuid>,
    /// Any other user, may be repeated
    #[arg(long, requires = "lens_id", value_name = "NAME=ROLE:UUID", value_parser = parse_user)]
    user: Vec<(Ident, User)>,
    /// Its signed action; leave it out for a lens without one
    #[arg(long, requires = "lens_id")]
    signed_action: Option<Ident>,
    /// What the signed action creates or changes
    #[arg(long, requires = "lens_id")]
    entity_type: Option<Ident>,
    /// The payload key that names the entity
    #[arg(long, requires = "lens_id")]
    entity_id_key: Option<Ident>,
    /// Its READ action; leave it out for a lens without one
    #[arg(long, requires = "lens_id")]
    read_action: Option<Ident>,
    /// Test entities; one a signer where the signed action consumes it
    #[arg(long, value_delimiter = ',', requires = "lens_id", value_name = "UUID")]
    test_entity_id: Vec<Uuid>,
    /// The users whose signature must be accepted
    #[arg(long, value_delimiter = ',', requires = "lens_id")]
    signers: Vec<Ident>,
    /// The signed action uses its entity up
    #[arg(long, requires = "lens_id")]
    consumes_entity: bool,
    /// What the signed action needs besides tenant, entity and signature, may be repeated
    #[arg(long, requires = "lens_id", value_name = "KEY=VALUE", value_parser = parse_payload)]
    signed_payload: Vec<(Ident, Value)>,
    /// How often it is checked
    #[arg(long, requires = "lens_id", value_name = "15m")]
    interval: Option<Every>,
    /// The repository's folder, as --root
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
    /// Write nothing; print the differences and exit 1 on any
    #[arg(long, conflicts_with = "dry_run")]
    check: bool,
    /// Write nothing; list what would be written
    #[arg(long)]
    dry_run: bool,
    /// Overwrite files that were edited by hand
    #[arg(long)]
    force: bool,
    /// Accept placeholder ids
    #[arg(long)]
    allow_placeholders: bool,
    /// A template set in a folder instead of the built-in one
    #[arg(long, value_name = "DIR")]
    template_dir: Option<PathBuf>,
    /// One worker service for all lenses in render.yaml
    #[arg(long)]
    single_worker: bool,
    /// How the hosting provider runs the worker
    #[arg(long, value_enum)]
    runtime: Option<Runtime>,
}

impl GenerateArgs {
    fn options(&self) -> generate::Options {
        let mode = match (self.check, self.dry_run) {
            (true, _) => Mode::Check,
            (_, true) => Mode::DryRun,
            _ => Mode::Write,
        };
        generate::Options {
            mode,
            force: self.force,
            allow_placeholders: self.allow_placeholders,
            template_dir: self.template_dir.clone(),
            single_worker: self.single_worker,
            runtime: self.runtime,
        }
    }

    fn new_lens(self) -> Option<NewLens> {
        let usual = [
            ("hod", self.hod_user_id),
            ("crew", self.crew_user_id),
            ("captain", self.captain_user_id),
        ];
        let mut users: IndexMap<Ident, User> = usual
            .into_iter()
            .filter_map(|(name, id)| usual_user(name, id?))
            .collect();
        users.extend(self.user);
        Some(NewLens {
            lens_id: self.lens_id?,
            domain: self.domain.unwrap_or_default(),
            feature_flags: self.feature_flags,
            roles: self.roles,
            yacht_ids: self.yacht_id,
            users,
            signed_action: self.signed_action,
            entity_type: self.entity_type,
            entity_id_key: self.entity_id_key,
            read_action: self.read_action,
            test_entities: self.test_entity_id,
            signers: self.signers,
            consumes_entity: self.consumes_entity,
            signed_payload: self.signed_payload.into_iter().collect(),
            interval: self.interval,
        })
    }
}

/// Runs the command of `cli` with `env` as its environment.
///
/// # Errors
/// Bad usage or configuration, an unreadable file, or what cannot be written.
pub fn dispatch(cli: Cli, env: Env) -> Result<Exit> {
    log::start(cli.log, env.get("LOG_LEVEL").map(String::as_str)).map_err(anyhow::Error::msg)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(cli.command, &cli.root, cli.store, env))
}

async fn run(command: Command, root: &Path, store: Option<StoreKind>, env: Env) -> Result<Exit> {
    match command {
        Command::Generate(args) => {
            let root = args.output_dir.clone().unwrap_or_else(|| root.to_owned());
            let (settings, options) = (Settings::load(&root, env)?, args.options());
            generate::generate(&settings, args.new_lens(), &options)
        }
        Command::Check(args) => {
            let settings = settings(root, env, args.api_url.clone(), store)?;
            check(&settings, &args).await
        }
        Command::Worker { lenses, api_url } => worker(&settings(root, env, api_url, store)?, &lenses).await,
        Command::Accept {
            plan,
            dialect,
            registry,
            junit,
            flag_proof,
            flag_tries,
        } => {
            let settings = settings(root, env, plan.api_url.clone(), store)?;
            let run = accept::Acceptance::new(
                &settings,
                loaded::<AcceptancePlan>(&settings, &plan)?,
                dialect.as_deref(),
                registry.as_deref(),
            )?;
            accept::accept(
                &settings,
                &Client::new(TIMEOUT),
                &run,
                &accept::Output {
                    json: plan.json,
                    junit,
                    flag_proof: flag_proof.then_some(flag_tries),
                },
            )
            .await
        }
        Command::Matrix {
            lens,
            registry,
            dialect,
            api_url,
            json,
            junit,
        } => {
            let settings = settings(root, env, api_url, store)?;
            let loaded: Loaded<AcceptancePlan> = match &lens {
                Some(lens) => load(&settings, &Which::Lens(lens))?,
                None => load_all(&settings)?.swap_remove(0),
            };
            let registry = match accept::read_registry(&settings, registry.as_deref())? {
                Some(registry) => registry,
                None if lens.is_some() => {
                    matrix::fetch_registry(&settings, &loaded.plan, &Client::new(TIMEOUT)).await?
                }
                None => bail!(
                    "no action registry: give --registry FILE, `registry:` in lensops.yml, or one lens, whose list is asked for"
                ),
            };
            let lenses = lens_paths(&settings)?
                .into_iter()
                .map(|path| Ok(load_lens(&settings, &path, true)?.0));
            let lenses = lenses.collect::<Result<Vec<_>>>()?;
            let run =
                matrix::RoleMatrix::new(&settings, loaded, registry, lens.is_none(), &lenses, dialect.as_deref())?;
            matrix::matrix(
                &settings,
                &Client::new(TIMEOUT),
                &run,
                &accept::Output {
                    json,
                    junit,
                    flag_proof: None,
                },
            )
            .await
        }
        Command::Stress {
            plan,
            baseline,
            threads,
        } => {
            let settings = settings(root, env, plan.api_url.clone(), store)?;
            let run = stress::Stress::new(&settings, loaded::<StressPlan>(&settings, &plan)?, threads)?;
            stress::stress(&settings, &run, baseline.as_deref(), plan.json).await
        }
        Command::Gate { lens, window, at, json } => {
            let settings = settings(root, env, None, store)?;
            let plan = monitor_plan(&settings, load(&settings, &Which::Lens(&lens))?)?.plan;
            let span = parse_span(&window)?;
            let history = open_history(&settings).await?;
            let gated = gate::gate(&history, &plan, span, at.unwrap_or_else(Timestamp::now)).await?;
            Ok(gate::print(&plan, &gated, &window, json))
        }
        Command::Status { json } => {
            let settings = settings(root, env, None, store)?;
            let plans = load_all(&settings)?
                .into_iter()
                .map(|loaded| Ok(monitor_plan(&settings, loaded)?.plan));
            let plans = plans.collect::<Result<Vec<_>>>()?;
            let history = open_history(&settings).await?;
            status::status(&history, &plans, Timestamp::now(), json).await
        }
        Command::Config { json } => {
            show_config(&Settings::load(root, env)?, json);
            Ok(Exit::Good)
        }
        Command::Migrate { print: true, .. } => Ok(migrate::print()),
        Command::Migrate {
            database_url, check, ..
        } => {
            let settings = Settings::load(root, env)?;
            let url = database_url.map(Secret::new).or_else(|| settings.database_url());
            let Some(url) = url else {
                bail!("DATABASE_URL is not set: give it, or --database-url URL")
            };
            if check {
                return migrate::check(&url).await;
            }
            let plans = load_all::<MonitorPlan>(&settings).unwrap_or_default();
            let mut tenants = settings.defaults().tenants;
            tenants.extend(plans.into_iter().flat_map(|loaded| loaded.plan.tenants));
            migrate::migrate(&url, &tenants).await
        }
        Command::Outbox(command) => outbox(&settings(root, env, None, store)?, command).await,
        Command::Export => {
            let settings = settings(root, env, None, store)?;
            let store = open_history(&settings).await?;
            outbox::export(async |after, limit| store.page(after, limit).await).await
        }
        Command::Retention { keep, dry_run } => {
            let (settings, keep, now) = (settings(root, env, None, store)?, parse_span(&keep)?, Timestamp::now());
            match settings.store()? {
                StoreChoice::Sqlite => retention(&open_journal(&settings).await?, keep, now, dry_run).await,
                StoreChoice::Postgres(url) => retention(&Owner::connect(&url).await?, keep, now, dry_run).await,
                StoreChoice::Rest(..) => {
                    bail!("retention runs as the owner of the tables: set DATABASE_URL and --store postgres")
                }
            }
        }
        Command::Templates(TemplatesCommand::Eject { dir }) => templates::eject(&dir).map(|()| Exit::Good),
        Command::Evidence(command) => match command {
            EvidenceCommand::Verify { dir, key } => evidence::verify(&dir, key.as_ref()),
            EvidenceCommand::Show { dir } => evidence::show(&dir),
            EvidenceCommand::Package { lens } => {
                let settings = Settings::load(root, env)?;
                let plan = monitor_plan(&settings, load(&settings, &Which::Lens(&lens))?)?.plan;
                let history = open_history(&settings).await?;
                let now = Timestamp::now();
                let [day, week] = package::windows()?;
                let day = gate::gate(&history, &plan, day, now).await?;
                let week = gate::gate(&history, &plan, week, now).await?;
                package::package(&settings, &plan.monitor, &package::Gates { day, week }, now)
            }
            EvidenceCommand::Keygen { out } => evidence::keygen(&Settings::load(root, env)?, &out),
        },
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => {
            use crate::run::sandbox::{Options, config, run};
            let SandboxArgs {
                port,
                control_port,
                dialect,
                faults,
                flags,
            } = args;
            run(config(
                &Options {
                    port,
                    control_port,
                    dialect,
                    faults,
                    flags,
                },
                &env,
            )?)
            .await?;
            Ok(Exit::Good)
        }
        #[cfg(feature = "sandbox")]
        Command::Demo { dir, once } => crate::run::demo::demo(&dir, once).await,
    }
}

fn settings(root: &Path, env: Env, api_url: Option<String>, store: Option<StoreKind>) -> Result<Settings> {
    let mut settings = Settings::load(root, env)?;
    settings.api_url = api_url;
    settings.store = store;
    Ok(settings)
}

fn loaded<P: Plan>(settings: &Settings, args: &PlanArgs) -> Result<Loaded<P>> {
    match (&args.plan, &args.lens) {
        (Some(path), _) => load(settings, &Which::File(path)),
        (None, Some(lens)) => load(settings, &Which::Lens(lens)),
        (None, None) => bail!("name a lens, or give --plan FILE"),
    }
}

/// The plan with the interval that the environment may give.
fn monitor_plan(settings: &Settings, mut loaded: Loaded<MonitorPlan>) -> Result<Loaded<MonitorPlan>> {
    if let Some(every) = settings.interval()? {
        loaded.plan.every = every;
    }
    Ok(loaded)
}

/// Puts a monitor together from the settings.
///
/// # Errors
/// A missing address or secret.
pub fn monitor(settings: &Settings, loaded: Loaded<MonitorPlan>) -> Result<Monitor> {
    let loaded = monitor_plan(settings, loaded)?;
    if let Some(warning) = loaded.warning() {
        tracing::warn!("⚠️ {warning}");
    }
    let base = settings.api(Target::Production)?;
    let jwt_secret = settings.jwt_secret(Target::Production);
    if let (None, Some(probe)) = (
        &jwt_secret,
        loaded.plan.probes.iter().find(|probe| probe.user.is_some()),
    ) {
        let name = Settings::jwt_secret_names(Target::Production);
        bail!(
            "{name} is not set: probe {:?} of lens {} runs as a user, whose tokens it signs",
            probe.name,
            loaded.plan.monitor
        );
    }
    Ok(Monitor {
        issuer: settings.issuer(&base),
        base,
        jwt_secret,
        provider: settings.provider()?,
        redactor: settings.redactor(),
        virtual_clock: false,
        plan_origin: loaded.origin,
        plan: loaded.plan,
    })
}

/// Opens the journal. One that is not there yet is empty.
async fn open_journal(settings: &Settings) -> Result<Journal> {
    Ok(Journal::open(&settings.journal_path()).await?)
}

/// The chosen store; nothing is connected to yet.
fn open_store(settings: &Settings, journal: &Journal) -> Result<Store<Client>> {
    Ok(match settings.store()? {
        StoreChoice::Sqlite => Store::Sqlite(journal.clone()),
        StoreChoice::Postgres(url) => Store::Postgres(Postgres::new(&url)?),
        StoreChoice::Rest(base, key) => Store::Rest(Rest::new(Client::new(TIMEOUT), base, key)),
    })
}

/// The chosen store, to be read. Checks that have not arrived there are said: nobody should decide
/// without knowing that they are missing.
async fn open_history(settings: &Settings) -> Result<Store<Client>> {
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    if store.is_elsewhere() {
        let state = journal.outbox().await?;
        if state.waiting + state.parked > 0 {
            let (waiting, parked) = (state.waiting, state.parked);
            eprintln!(
                "⚠️ {waiting} checks wait for the store and {parked} are parked: what follows is without them (`lensops outbox status`)"
            );
        }
    }
    Ok(store)
}

async fn outbox(settings: &Settings, command: OutboxCommand) -> Result<Exit> {
    let journal = open_journal(settings).await?;
    let (store, limit) = (open_store(settings, &journal)?, settings.journal_limit()?);
    let goes_to = store.is_elsewhere().then(|| store.name());
    match command {
        OutboxCommand::Status { json } => outbox::status(&journal, goes_to, limit, json).await,
        OutboxCommand::Flush { .. } if goes_to.is_none() => {
            bail!("there is no store to deliver to: the journal is the store")
        }
        OutboxCommand::Flush { parked } => outbox::flush(&journal, store, settings.redactor(), limit, parked).await,
        OutboxCommand::Export => outbox::export(async |after, limit| journal.page(after, limit, true).await).await,
    }
}

async fn check(settings: &Settings, args: &PlanArgs) -> Result<Exit> {
    let monitor = monitor(settings, loaded(settings, args)?)?;
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    let client = Client::new(TIMEOUT);
    let several = monitor.plan.tenants.len() > 1;
    let (mut results, mut rows) = (Vec::new(), Vec::new());
    for tenant in &monitor.plan.tenants {
        let now = Timestamp::now();
        let id = ad_hoc_id(*tenant, monitor.lens(), now, fastrand::u64(..));
        let before = monitor.before(&journal, &store, *tenant, now).await?;
        let prefix = if several { format!("[{tenant}] ") } else { String::new() };
        tracing::info!(
            "{prefix}Starting health check for lens={} yacht={tenant}",
            monitor.lens()
        );
        let report = monitor.check(&client, *tenant, id, now, now, before).await;
        for (level, line) in &report.lines {
            tell(*level, &format!("{prefix}{line}"));
        }
        journal.record(report.record.clone()).await?;
        if store.is_elsewhere() {
            // What does not arrive now stays in the journal, and is told; the check stands.
            Delivery::new(
                journal.clone(),
                store.clone(),
                settings.redactor(),
                settings.journal_limit()?,
            )
            .flush()
            .await?;
        } else {
            tracing::info!("{prefix}✅ Wrote health check to DB: id={id}");
        }
        let (level, line) = overall(&report, monitor.plan.paused.as_deref());
        tell(level, &format!("{prefix}{line}"));
        rows.push(check_json(&report));
        results.push((report.status, report.judged));
    }
    if args.json {
        println!("{:#}", Value::Array(rows));
    }
    Ok(exit_of_checks(&results))
}

fn check_json(report: &lensops_core::verdict::CheckReport) -> Value {
    let record = &report.record;
    serde_json::json!({
        "id": record.id,
        "lens": record.lens_id,
        "yacht_id": record.yacht_id,
        "status": record.status,
        "judged": report.judged,
        "p95_latency_ms": record.p95_latency_ms,
        "error_rate_percent": record.error_rate_hundredths.map(|hundredths| f64::from(i32::try_from(hundredths).unwrap_or(i32::MAX)) / 100.0),
        "sample_size": record.sample_size,
        "observed_at": record.observed_at,
        "notes": record.notes.to_value(),
        "events": record.events.iter().map(|event| serde_json::json!({"level": event.level, "detail": event.detail.to_value()})).collect::<Vec<_>>(),
    })
}

async fn worker(settings: &Settings, lenses: &[String]) -> Result<Exit> {
    let plans = if lenses.is_empty() {
        load_all(settings)?
    } else {
        lenses
            .iter()
            .map(|lens| load(settings, &Which::Lens(lens)))
            .collect::<Result<Vec<_>>>()?
    };
    let monitors = plans
        .into_iter()
        .map(|plan| monitor(settings, plan).map(Arc::new))
        .collect::<Result<Vec<_>>>()?;
    let journal = open_journal(settings).await?;
    let store = open_store(settings, &journal)?;
    let delivery = Delivery::new(
        journal.clone(),
        store.clone(),
        settings.redactor(),
        settings.journal_limit()?,
    );
    let stop = stop_on_signal();
    let checked = CancellationToken::new();
    let delivering = store
        .is_elsewhere()
        .then(|| tokio::spawn(delivery.run(checked.clone())));
    let deadline = Worker {
        clock: SystemClock,
        sender: Client::new(TIMEOUT),
        journal: journal.clone(),
        store,
        monitors,
    }
    .run(stop)
    .await;
    checked.cancel();
    if let Some(delivering) = delivering {
        last_flush(delivering.await?, &journal, deadline).await?;
    }
    journal.close().await;
    Ok(Exit::Good)
}

/// Delivers what the last checks left, in what is left of the grace.
async fn last_flush(mut delivery: Delivery<Store<Client>>, journal: &Journal, deadline: Instant) -> Result<()> {
    // A check that took the whole grace still gets a try.
    let deadline = deadline.max(Instant::now() + Duration::from_secs(1));
    let flushed = tokio::time::timeout_at(deadline, delivery.flush()).await;
    if !matches!(flushed, Ok(Ok(flushed)) if flushed.complete) {
        let waiting = journal.outbox().await?.waiting;
        tracing::warn!("⚠️ {waiting} checks wait in the journal; they are delivered after the next start");
    }
    Ok(())
}

fn show_config(settings: &Settings, json: bool) {
    let shown = settings.shown();
    if json {
        println!("{:#}", serde_json::json!(shown));
        return;
    }
    let width = shown.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    for setting in shown {
        println!(
            "{:width$}  {}  ({})",
            setting.name,
            setting.value.as_deref().unwrap_or("-"),
            setting.origin
        );
    }
}
