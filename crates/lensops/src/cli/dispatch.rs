//! Which command calls what: an arm is a call.

use std::path::PathBuf;

use jiff::Timestamp;
use lensops_core::duration::parse_span;

use super::args::*;
use super::manual;
use crate::commands::acceptance::{self, matrix};
use crate::commands::alerts::{self, Quiet};
use crate::commands::error::{Error, Result};
use crate::commands::exit::Exit;
use crate::commands::generate::{self, NewLens, new_lens, schemas};
use crate::commands::rollout::gate::Form;
use crate::commands::{
    check, check_url, config, doctor, evidence, fleet, rollout, serve, simulate, storage, stress, worker,
};
use crate::config::{Env, Settings, StoreKind};
use crate::http::{Client, TIMEOUT};
use crate::log::{self, LogForm, Stream};
use crate::store::Switch;
use crate::terminal;

/// Runs the command of `cli` with `env` as its environment.
///
/// # Errors
/// Bad usage or configuration, an unreadable file, or what cannot be written.
pub fn dispatch(cli: Cli, env: Env) -> Result<Exit> {
    let person = terminal::output().terminal && cli.log == LogForm::Human;
    let check_form = match &cli.command {
        Command::Check { plan, .. } if plan.json => check::Form::Json,
        _ if person => check::Form::Table,
        _ => check::Form::Lines,
    };
    // A check that is printed as lines is its log.
    let to = if matches!(&cli.command, Command::Check { .. }) && check_form == check::Form::Lines {
        Stream::Output
    } else {
        Stream::Error
    };
    log::start(cli.log, env.get("LOG_LEVEL").map(String::as_str), to).map_err(Error::usage)?;
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
    let runtime = builder.enable_all().build().map_err(Error::system)?;
    let at = At {
        root: cli.root,
        store: cli.store,
        env,
        check_form,
    };
    runtime.block_on(run(cli.command, at))
}

/// Where a command runs.
struct At {
    root: PathBuf,
    store: Option<StoreKind>,
    env: Env,
    check_form: check::Form,
}

impl At {
    /// The settings there, with the address that an option may give.
    fn settings(self, api_url: Option<String>) -> Result<Settings> {
        let what = match (self.root.exists(), self.root.is_dir()) {
            (_, true) => None,
            (true, _) => Some("is a file: name the folder that it lies in"),
            (false, _) => Some("is not there: name the repository's folder"),
        };
        if let Some(what) = what {
            return Err(Error::usage(format!("--root {} {what}", self.root.display())));
        }
        let mut settings = Settings::load(&self.root, self.env)?;
        settings.api_url = api_url;
        settings.store = self.store;
        for name in settings.secrets_with_line_break() {
            complain!("⚠️ {name} ends in a line break: it is removed");
        }
        Ok(settings)
    }
}

async fn run(command: Command, at: At) -> Result<Exit> {
    let now = Timestamp::now();
    match command {
        Command::Generate(args) => {
            let root = args.output_dir.clone().unwrap_or(at.root);
            let (settings, options) = (Settings::load(&root, at.env)?, args.options());
            generate::generate(&settings, args.new_lens(), &options)
        }
        Command::Check {
            plan,
            url,
            answer,
            no_record,
        } => {
            let form = at.check_form;
            if let Some(url) = url {
                return check_url::run(&at.settings(None)?, &answer.of(url), form).await;
            }
            let settings = at.settings(plan.api_url.clone())?;
            check::run(&settings, &plan.which(&settings)?, form, !no_record).await
        }
        Command::Worker {
            lenses,
            api_url,
            listen,
            fleet,
        } => worker::run(&at.settings(api_url)?, &lenses, listen, fleet).await,
        Command::Accept {
            plan,
            dialect,
            registry,
            scenarios,
            junit,
            flag_proof,
            flag_tries,
        } => {
            let asked = acceptance::Asked {
                dialect: dialect.as_deref(),
                registry: registry.as_deref(),
                scenarios: &scenarios,
                junit,
                flag_proof: flag_proof.then_some(flag_tries),
                json: plan.json,
            };
            let settings = at.settings(plan.api_url.clone())?;
            acceptance::run(&settings, &plan.which(&settings)?, asked).await
        }
        Command::Matrix {
            lens,
            registry,
            dialect,
            api_url,
            json,
            junit,
        } => {
            let asked = matrix::Asked {
                lens: lens.as_deref(),
                registry: registry.as_deref(),
                dialect: dialect.as_deref(),
                junit,
                json,
            };
            matrix::run(&at.settings(api_url)?, asked).await
        }
        Command::Stress {
            plan,
            baseline,
            threads,
        } => {
            let settings = at.settings(plan.api_url.clone())?;
            stress::run(
                &settings,
                &plan.which(&settings)?,
                baseline.as_deref(),
                threads,
                plan.json,
            )
            .await
        }
        Command::Gate {
            lens,
            window,
            at: end,
            history,
            backtest,
            explain,
            json,
            markdown,
        } => {
            let asked = rollout::gate::Asked {
                lens: &lens,
                window: &window,
                at: end,
                history: history.as_deref(),
                backtest,
                form: match (explain, json, markdown) {
                    (true, ..) => Form::Explain,
                    (_, true, _) => Form::Json,
                    (_, _, true) => Form::Markdown,
                    _ => Form::Text,
                },
            };
            rollout::gate::run(&at.settings(None)?, &asked, now).await
        }
        Command::Simulate {
            kinds,
            seed,
            count,
            out,
            lens,
            table,
            json,
        } => simulate::run(&simulate::Asked {
            kinds: &kinds,
            seed,
            count: count.unwrap_or(if table { 10_000 } else { 1 }),
            out: &out,
            lens: &lens,
            table,
            json,
        }),
        Command::Status { json } => rollout::status::run(&at.settings(None)?, now, json).await,
        Command::Serve { listen } => serve::run(&at.settings(None)?, listen).await,
        Command::Phase(command) => phase(&at.settings(None)?, command, Timestamp::now()).await,
        Command::Flags { lens, api_url, json } => rollout::flags::run(&at.settings(api_url)?, &lens, json).await,
        Command::Annul {
            check,
            reason,
            by,
            json,
        } => rollout::annul::run(&at.settings(None)?, check, &reason, by.as_deref(), json).await,
        Command::Note {
            lens,
            text,
            tenant,
            by,
            json,
        } => {
            let asked = rollout::note::Asked {
                lens: &lens,
                text: &text,
                tenant,
                by: by.as_deref(),
            };
            rollout::note::run(&at.settings(None)?, &asked, now, json).await
        }
        Command::Rollback(args) => rollback(at, args, Switch::Rollback).await,
        Command::Restore(args) => rollback(at, args, Switch::Restore).await,
        Command::Doctor { api_url, json } => doctor::run(&at.settings(api_url)?, json).await,
        Command::Config { json } => Ok(config::run(&at.settings(None)?, json)),
        Command::Migrate { print: true, .. } => Ok(storage::migrate::print()),
        Command::Migrate {
            database_url,
            check,
            json,
            ..
        } => storage::migrate::run(&at.settings(None)?, database_url, check, json).await,
        Command::Fleet(command) => of_fleet(&at.settings(None)?, command).await,
        Command::Outbox(command) => outbox(&at.settings(None)?, command).await,
        Command::Alerts(command) => alerts(&at.settings(None)?, command, now).await,
        Command::Export { what: Some(what) } => export(&at.settings(None)?, what),
        Command::Export { what: None } => storage::outbox::export_store(&at.settings(None)?).await,
        Command::Retention { keep, dry_run, json } => {
            storage::retention::run(&at.settings(None)?, &keep, now, dry_run, json).await
        }
        Command::New {
            lens_id,
            lens,
            first,
            api_url,
        } => {
            let settings = at.settings(api_url)?;
            if let Some(document) = &first.openapi {
                return new_lens::from_openapi(&settings, &lens_id, document, &first.tag);
            }
            let given = NewLens {
                template_set: first.template_set,
                first_asked: Some(generate::FirstAsked {
                    health: first.health,
                    ..first.answer.of(first.url.unwrap_or_default())
                }),
                ..lens.of(lens_id)
            };
            let options = generate::Options::default();
            new_lens::new_lens(
                &settings,
                &Client::new(TIMEOUT),
                given,
                &options,
                &mut new_lens::Terminal,
            )
            .await
        }
        Command::Completions { shell } => Ok(manual::completions(shell)),
        Command::Man { out } => manual::pages(&out),
        Command::Schema { name, out, reference } => {
            schemas::schemas(name.as_deref(), out.as_deref(), reference.as_deref())
        }
        Command::Providers(ProvidersCommand::List) => {
            rollout::providers::list();
            Ok(Exit::Good)
        }
        Command::Providers(ProvidersCommand::Show { name }) => rollout::providers::show(&name).map(|()| Exit::Good),
        Command::Templates(TemplatesCommand::Eject { set, dir }) => {
            generate::templates::eject(&set, &dir).map(|()| Exit::Good)
        }
        Command::Evidence(command) => evidence(at, command, now).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(args) => {
            let config = crate::commands::demo::sandbox::config(&args.options(), &at.env)?;
            crate::commands::demo::sandbox::run(config).await.map(|()| Exit::Good)
        }
        #[cfg(feature = "sandbox")]
        Command::Demo { dir, once, api } => crate::commands::demo::demo(&dir, once, api).await,
    }
}

async fn rollback(at: At, args: RollbackArgs, kind: Switch) -> Result<Exit> {
    let settings = at.settings(args.api_url.clone())?;
    rollout::rollback::run(&settings, &args.asked(), kind).await
}

async fn phase(settings: &Settings, command: PhaseCommand, now: Timestamp) -> Result<Exit> {
    use rollout::phase::{self, Deciding};
    let deciding = |who: &WhoArgs, reason: Option<String>| Deciding {
        lens: who.lens.clone(),
        who: who.by.clone().unwrap_or_else(|| settings.who()),
        reason,
        now,
        json: who.json,
    };
    match command {
        PhaseCommand::Status { lens, json } => phase::status(settings, lens.as_deref(), now, json).await,
        PhaseCommand::Promote {
            who,
            overriding,
            reason,
        } => phase::promote(settings, &deciding(&who, reason), overriding).await,
        PhaseCommand::Hold { who, reason } => phase::hold(settings, &deciding(&who, Some(reason))).await,
        PhaseCommand::Release { who, reason } => phase::release(settings, &deciding(&who, Some(reason))).await,
    }
}

async fn of_fleet(settings: &Settings, command: FleetCommand) -> Result<Exit> {
    match command {
        FleetCommand::Status { json } => fleet::status(settings, json).await,
        FleetCommand::Publish { json } => fleet::publish(settings, json).await,
        FleetCommand::Unpark { key, json } => fleet::unpark(settings, key.as_deref(), json).await,
    }
}

async fn outbox(settings: &Settings, command: OutboxCommand) -> Result<Exit> {
    match command {
        OutboxCommand::Status { json } => storage::outbox::show(settings, json).await,
        OutboxCommand::Flush { parked, json } => storage::outbox::deliver(settings, parked, json).await,
        OutboxCommand::Export => storage::outbox::export_undelivered(settings).await,
    }
}

fn export(settings: &Settings, command: ExportCommand) -> Result<Exit> {
    match command {
        ExportCommand::Systemd { program, listen } => {
            storage::operations_files::systemd(program, &settings.root, listen)
        }
        ExportCommand::PrometheusRules => Ok(storage::operations_files::prometheus_rules()),
        ExportCommand::Grafana => Ok(storage::operations_files::grafana()),
    }
}

async fn alerts(settings: &Settings, command: AlertsCommand, now: Timestamp) -> Result<Exit> {
    match command {
        AlertsCommand::List { trail, json } => alerts::list_known(settings, now, trail, json).await,
        AlertsCommand::Test { receiver, json } => alerts::test_named(settings, receiver.as_deref(), now, json).await,
        AlertsCommand::Silence {
            lens,
            rule,
            tenant,
            lasts,
            reason,
            json,
        } => {
            let (lasts, who) = (parse_span(&lasts)?, settings.who());
            let quiet = Quiet {
                rule,
                tenant,
                lens,
                lasts,
                who,
                reason,
            };
            alerts::silence_known(settings, quiet, now, json).await
        }
        AlertsCommand::Unsilence { id, json } => {
            alerts::unsilence_known(settings, id, &settings.who(), now, json).await
        }
    }
}

async fn evidence(at: At, command: EvidenceCommand, now: Timestamp) -> Result<Exit> {
    match command {
        EvidenceCommand::Verify {
            dir,
            key,
            expect_head,
            json,
        } => {
            let settings = at.settings(None)?;
            let held = evidence::verify::Held {
                key: key.as_ref(),
                keys: settings.project.evidence.as_ref(),
                head: expect_head.as_deref(),
            };
            evidence::verify::verify(&dir, &held, json)
        }
        EvidenceCommand::List { expect_head, json } => {
            evidence::list::list(&at.settings(None)?, expect_head.as_deref(), json)
        }
        EvidenceCommand::Show { dir, json } => evidence::verify::show(&dir, json),
        EvidenceCommand::Package { lens, expect_head } => {
            evidence::package::run(&at.settings(None)?, &lens, expect_head.as_deref(), now).await
        }
        EvidenceCommand::Keygen { out } => evidence::key::keygen(&at.settings(None)?, &out),
    }
}
