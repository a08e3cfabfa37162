//! Which command calls what.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use lensops_core::duration::parse_span;
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::plan::stress::StressPlan;
use lensops_core::secret::Secret;

use super::alerts::{alerts, exported};
use super::args::*;
use super::doctor::doctor;
use super::rollout::{flags, rollback};
use super::worker::{check, worker};
use crate::commands::acceptance::{self, matrix};
use crate::commands::context::*;
use crate::commands::evidence::{bundle, package, verify};
use crate::commands::exit::Exit;
use crate::commands::generate::{self, new_lens, schemas, templates};
use crate::commands::plans::{Loaded, Which, lens_paths, load, load_all, load_lens};
use crate::commands::rollout::{gate, status};
use crate::commands::signal::stop_on_signal;
use crate::commands::storage::retention::retention;
use crate::commands::storage::{migrate, outbox};
use crate::commands::{serve, stress};
use crate::config::{Env, Settings, StoreChoice, StoreKind};
use crate::http::{Client, TIMEOUT};
use crate::log::{self, Stream};
use crate::store::{Owner, StoreError, Switch};

/// Runs the command of `cli` with `env` as its environment.
///
/// # Errors
/// Bad usage or configuration, an unreadable file, or what cannot be written.
pub fn dispatch(cli: Cli, env: Env) -> Result<Exit> {
    // A check that is not asked for JSON is its lines.
    let to = if matches!(&cli.command, Command::Check(args) if !args.json) {
        Stream::Output
    } else {
        Stream::Error
    };
    log::start(cli.log, env.get("LOG_LEVEL").map(String::as_str), to).map_err(anyhow::Error::msg)?;
    // Those that serve others or load a server want every processor; the rest wait for one answer at
    // a time, and to wake another thread for each would cost more than it brings.
    let mut builder = match &cli.command {
        Command::Worker { .. }
        | Command::Serve { .. }
        | Command::Stress { .. }
        | Command::Sandbox { .. }
        | Command::Demo { .. } => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = builder.enable_all().build()?;
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
        Command::Worker {
            lenses,
            api_url,
            listen,
        } => worker(&settings(root, env, api_url, store)?, &lenses, listen).await,
        Command::Accept {
            plan,
            dialect,
            registry,
            scenarios,
            junit,
            flag_proof,
            flag_tries,
        } => {
            let settings = settings(root, env, plan.api_url.clone(), store)?;
            let run = acceptance::Acceptance::new(
                &settings,
                load::<AcceptancePlan>(&settings, &plan.which()?)?,
                &scenarios,
                dialect.as_deref(),
                registry.as_deref(),
            )?;
            acceptance::accept(
                &settings,
                &Client::new(TIMEOUT),
                &run,
                &acceptance::Output {
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
            let registry = match acceptance::read_registry(&settings, registry.as_deref())? {
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
            let (all, now) = (lens.is_none(), Timestamp::now());
            let run = matrix::RoleMatrix::new(&settings, loaded, registry, all, &lenses, dialect.as_deref(), now)?;
            matrix::matrix(
                &settings,
                &Client::new(TIMEOUT),
                &run,
                &acceptance::Output {
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
            let run = stress::Stress::new(&settings, load::<StressPlan>(&settings, &plan.which()?)?, threads)?;
            stress::stress(&settings, &run, baseline.as_deref(), plan.json).await
        }
        Command::Gate { lens, window, at, json } => {
            let settings = settings(root, env, None, store)?;
            let plan = monitor_plan(&settings, load(&settings, &Which::Lens(&lens))?)?.plan;
            let span = parse_span(&window)?;
            let plan = known_tenants(&settings, vec![plan]).await?.swap_remove(0);
            let history = open_history(&settings).await?;
            let now = Timestamp::now();
            let at = at.unwrap_or(now);
            if at > now {
                bail!("--at {at} is not there yet: the gate looks back");
            }
            let gated = gate::gate(&history, &plan, span, at, now).await?;
            Ok(gate::print(&plan, &gated, &window, json))
        }
        Command::Status { json } => {
            let settings = settings(root, env, None, store)?;
            if let Some(warning) = acceptance::flag_proof::warning(&settings) {
                eprintln!("{warning}");
            }
            let plans = load_all(&settings)?
                .into_iter()
                .map(|loaded| Ok(monitor_plan(&settings, loaded)?.plan));
            let plans = plans.collect::<Result<Vec<_>>>()?;
            let plans = known_tenants(&settings, plans).await?;
            let history = open_history(&settings).await?;
            match status::status(&history, &plans, Timestamp::now(), json).await {
                // The journal has what this machine checked: better than nothing, and said.
                Err(error) if history.is_elsewhere() && is_out_of_reach(&error) => {
                    eprintln!("⚠️ {error:#}; what follows is from the journal of this machine alone");
                    let journal = open_journal(&settings).await?;
                    status::status(&journal, &plans, Timestamp::now(), json).await?;
                    Ok(Exit::CouldNotJudge)
                }
                shown => shown,
            }
        }
        Command::Serve { listen } => {
            let settings = settings(root, env, None, store)?;
            let plans = load_all(&settings)?
                .into_iter()
                .map(|loaded| Ok(monitor_plan(&settings, loaded)?.plan));
            let written = plans.collect::<Result<Vec<_>>>()?;
            let mut plans = known_tenants(&settings, written.clone()).await?;
            // A rollback that is in force now may be over while this serves: it is looked up with each page.
            plans
                .iter_mut()
                .zip(written)
                .for_each(|(plan, written)| plan.paused = written.paused);
            let setup = serve::setup(&settings, open_journal(&settings).await?, plans)?;
            serve::serve(setup, listen, stop_on_signal()).await
        }
        Command::Flags { lens, api_url, json } => flags(&settings(root, env, api_url, store)?, &lens, json).await,
        Command::Rollback(args) => {
            let settings = settings(root, env, args.api_url.clone(), store)?;
            rollback(&settings, &args, Switch::Rollback).await
        }
        Command::Restore(args) => {
            let settings = settings(root, env, args.api_url.clone(), store)?;
            rollback(&settings, &args, Switch::Restore).await
        }
        Command::Doctor { api_url, json } => doctor(&settings(root, env, api_url, store)?, json).await,
        Command::Config { json } => {
            show_config(&Settings::load(root, env)?, json);
            Ok(Exit::Good)
        }
        Command::Migrate { print: true, .. } => Ok(migrate::print()),
        Command::Migrate {
            database_url,
            check,
            json,
            ..
        } => {
            if let Some(StoreKind::Sqlite | StoreKind::Rest) = store {
                bail!("migrate is for PostgreSQL; a Supabase project has one: give its DATABASE_URL")
            }
            let settings = Settings::load(root, env)?;
            let url = database_url.map(Secret::new).or_else(|| settings.database_url());
            let Some(url) = url else {
                bail!("DATABASE_URL is not set: give it, or --database-url URL")
            };
            // The schema does not depend on plans; what is not entered because of them is said.
            let plans = load_all::<MonitorPlan>(&settings).unwrap_or_else(|error| {
                eprintln!("⚠️ no tenant of a plan is looked for in yacht_registry: {error:#}");
                Vec::new()
            });
            let mut tenants = settings.defaults().tenants;
            tenants.extend(plans.into_iter().flat_map(|loaded| loaded.plan.tenants));
            if check {
                return migrate::check(&url, &tenants, json).await;
            }
            migrate::migrate(&url, &tenants, json).await
        }
        Command::Outbox(command) => outbox(&settings(root, env, None, store)?, command).await,
        Command::Alerts(command) => alerts(&settings(root, env, None, store)?, command).await,
        Command::Export { what: Some(what) } => exported(&Settings::load(root, env)?, &what),
        Command::Export { what: None } => {
            let settings = settings(root, env, None, store)?;
            let store = open_history(&settings).await?;
            outbox::export(async |after, limit| store.page(after, limit).await).await
        }
        Command::Retention { keep, dry_run, json } => {
            let (settings, keep, now) = (settings(root, env, None, store)?, parse_span(&keep)?, Timestamp::now());
            match settings.store()? {
                StoreChoice::Sqlite => {
                    let journal = open_journal(&settings).await?;
                    let state = journal.outbox().await?;
                    if settings.names_a_store_elsewhere() && state.waiting + state.parked > 0 {
                        bail!(
                            "{} checks of the journal have not arrived in the store that the environment names: deliver \
                             them first (lensops outbox flush), or unset its variables where the journal is the store",
                            state.waiting + state.parked
                        )
                    }
                    retention(&journal, keep, now, dry_run, json).await
                }
                StoreChoice::Postgres(url) => retention(&Owner::connect(&url).await?, keep, now, dry_run, json).await,
                StoreChoice::Rest(..) => {
                    bail!("retention runs as the owner of the tables: set DATABASE_URL and --store postgres")
                }
            }
        }
        Command::New { lens_id, lens, api_url } => {
            let settings = settings(root, env, api_url, store)?;
            let options = generate::Options::default();
            new_lens::new_lens(
                &settings,
                &Client::new(TIMEOUT),
                lens.of(lens_id),
                &options,
                &mut new_lens::Terminal,
            )
            .await
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut super::command(), "lensops", &mut script);
            say!("{}", String::from_utf8_lossy(&script).trim_end());
            Ok(Exit::Good)
        }
        Command::Man { out } => {
            std::fs::create_dir_all(&out).with_context(|| format!("{} cannot be made", out.display()))?;
            clap_mangen::generate_to(super::command(), &out)
                .with_context(|| format!("{} cannot be written", out.display()))?;
            say!(
                "✅ Created: {} manual pages in {}",
                std::fs::read_dir(&out)?.count(),
                out.display()
            );
            Ok(Exit::Good)
        }
        Command::Schema { name, out, reference } => {
            schemas::schemas(name.as_deref(), out.as_deref(), reference.as_deref())
        }
        Command::Templates(TemplatesCommand::Eject { dir }) => templates::eject(&dir).map(|()| Exit::Good),
        Command::Evidence(command) => match command {
            EvidenceCommand::Verify { dir, key, json } => verify::verify(&dir, key.as_ref(), json),
            EvidenceCommand::Show { dir, json } => verify::show(&dir, json),
            EvidenceCommand::Package { lens } => {
                let settings = Settings::load(root, env)?;
                let plan = monitor_plan(&settings, load(&settings, &Which::Lens(&lens))?)?.plan;
                let history = open_history(&settings).await?;
                let now = Timestamp::now();
                let [day, week] = package::windows()?;
                let day = gate::gate(&history, &plan, day, now, now).await?;
                let week = gate::gate(&history, &plan, week, now, now).await?;
                package::package(&settings, &plan.monitor, &package::Gates { day, week }, now)
            }
            EvidenceCommand::Keygen { out } => bundle::keygen(&Settings::load(root, env)?, &out),
        },
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => {
            use crate::commands::demo::sandbox::{Options, config, run};
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
        Command::Demo { dir, once } => crate::commands::demo::demo(&dir, once).await,
    }
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
        OutboxCommand::Flush { parked, json } => {
            let flush = outbox::Flush { limit, parked, json };
            outbox::flush(&journal, store, settings.redactor(), flush).await
        }
        OutboxCommand::Export => outbox::export(async |after, limit| journal.page(after, limit, true).await).await,
    }
}

fn is_out_of_reach(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::Elsewhere(_)))
}

fn show_config(settings: &Settings, json: bool) {
    let shown = settings.shown();
    if json {
        say!("{:#}", serde_json::json!(shown));
        return;
    }
    let width = shown.iter().map(|setting| setting.name.len()).max().unwrap_or(0);
    for setting in shown {
        say!(
            "{:width$}  {}  ({})",
            setting.name,
            setting.value.as_deref().unwrap_or("-"),
            setting.origin
        );
    }
}
