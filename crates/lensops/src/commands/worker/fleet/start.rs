//! Puts a worker of a fleet together, and runs it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::crypto::digest::sha256_hex;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::beginner::Beginner;
use super::clock::FleetClock;
use super::keeper::Keeper;
use super::link::{Link, Watch, until_up};
use super::pairs::{Own, Pairs, own_plans, to_publish};
use super::recorder::{Recorder, Rules, States};
use super::shared::{Hosts, RanPairs, Shared};
use super::{alone, queue};
use crate::commands::context::{open_journal, open_store};
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::exit::Exit;
use crate::commands::signal::stop_on_signal;
use crate::commands::worker::GRACE;
use crate::commands::worker::background::{Background, open_listener};
use crate::commands::worker::clock::Clock as _;
use crate::commands::worker::configuration::Configuration;
use crate::commands::worker::delivery::Delivery;
use crate::commands::worker::flush::last_flush;
use crate::commands::worker::hangup::Hangup;
use crate::commands::worker::health::Health;
use crate::commands::worker::reload::Reloader;
use crate::commands::worker::scheduler_stats::Pulse;
use crate::commands::worker::sole::{Sole, introduce};
use crate::config::{Settings, StoreChoice};
use crate::http::Client;
use crate::log::redact_libraries;
use crate::store::fleet::{Fleet, Machine, PublishedPlan};
use crate::store::{Alerting, Journal};

/// Connections to the database that this worker holds at most, besides the one that delivers the journal.
const CONNECTIONS: u32 = 8;

/// The time that a receiver has for an answer.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a worker of the fleet on the database of `settings` until it is told to stop.
///
/// # Errors
/// A store that is not PostgreSQL, a plan or a setting that is not valid, a journal that cannot be opened, or a database
/// that was not migrated.
pub(in crate::commands::worker) async fn run(settings: &Settings, listen: Option<SocketAddr>) -> Result<Exit> {
    let StoreChoice::Postgres(url) = settings.store()? else {
        return Err(Error::usage(
            "--fleet needs a PostgreSQL store: set DATABASE_URL, or take away `store:` or `schedule: fleet` of lensops.yml",
        ));
    };
    let hangup = Hangup::catch();
    if settings.project.schedule.is_none() {
        tracing::warn!(
            "⚠️ `schedule: fleet` is not in lensops.yml: `lensops alerts` and `lensops doctor` do not know of the fleet"
        );
    }
    redact_libraries(settings.redactor());
    let (settings, own) = own_plans(settings)?;
    let configuration = Configuration::of(&settings, own.iter().map(|own| own.monitor.clone()).collect());
    let background = Background::of(&settings, open_listener(listen).await?)?;
    let journal = open_journal(&settings).await?;
    let _sole = Sole::take(&settings)?;
    let (stop, health) = (
        stop_on_signal(),
        Health::new(settings.project.metrics.unwrap_or_default().tenant_label),
    );
    health.share();
    let fleet = Fleet::new(&url, CONNECTIONS)?;
    let shared = share(&settings, fleet, &journal, health.clone(), stop.clone())?;
    let (link, linked) = watch::channel(Link::Away(shared.clock.now(), "it was not asked yet".to_owned()));
    let trouble = watch::Sender::new(None);
    let background = background.start(&journal, &health, Some(trouble.subscribe()));
    let checked = CancellationToken::new();
    let delivery = Delivery::new(
        journal.clone(),
        shared.store.clone(),
        settings.redactor(),
        settings.journal_limit()?,
    );
    let delivering = tokio::spawn(delivery.run(checked.clone()));
    let (changes, changed) = mpsc::channel(8);
    let reloader = Reloader::new(configuration, journal.clone(), shared.store.clone(), changes).await?;
    let tenants = reloader.tenants();
    let watching = Watch {
        shared: shared.clone(),
        machine: machine(&shared, &settings, &own, tenants.as_deref()),
        link,
        trouble,
    };
    let watched = CancellationToken::new();
    let watching = tokio::spawn(watching.run(watched.clone()));
    let keeper = Keeper {
        shared: shared.clone(),
        settings,
        own,
        changes: changed,
        link: linked.clone(),
        told: HashMap::new(),
        cleared: None,
    };
    let reloading = tokio::spawn(reloader.run(hangup, stop.clone()));
    let worked = work(&shared, keeper, tenants.as_deref(), linked, &stop).await;
    // From here on what is left is delivered, and this machine leaves.
    let deadline = Instant::now() + Duration::from_secs(2);
    reloading.abort();
    watched.cancel();
    watching.await.ok();
    let left = async {
        shared.fleet.give_back(&shared.machine).await.ok();
        shared.fleet.bye(&shared.machine).await.ok();
    };
    tokio::time::timeout_at(deadline, left).await.ok();
    checked.cancel();
    let delivery = delivering.await.map_err(Error::system)?;
    last_flush(delivery, &journal, deadline).await?;
    background.stop(deadline).await;
    journal.close().await;
    tracing::info!("Stopped");
    worked.map(|()| Exit::Good)
}

/// Joins the fleet and runs its jobs until `stop` is cancelled.
async fn work(
    shared: &Arc<Shared>,
    mut keeper: Keeper,
    tenants: Option<&[Uuid]>,
    mut link: watch::Receiver<Link>,
    stop: &CancellationToken,
) -> Result<()> {
    let slow = tokio::time::sleep(Duration::from_secs(5));
    let told = async {
        slow.await;
        tracing::warn!("⚠️ The database does not answer: this machine has checked no pair yet, and waits for it");
        std::future::pending::<()>().await;
    };
    let up = tokio::select! {
        up = until_up(&mut link, stop) => up,
        () = told => false,
    };
    if !up {
        return Ok(());
    }
    keeper
        .join(tenants)
        .await
        .map_err(Error::from)
        .context("the fleet cannot be joined")?;
    alone::hand_over(shared).await;
    let keeping = tokio::spawn(keeper.run(stop.clone()));
    queue::supervise(shared.clone(), link, stop.clone()).await;
    // A stop that comes while the database is away ends at once; so does whoever keeps the jobs.
    tokio::time::timeout(GRACE, keeping).await.ok();
    Ok(())
}

fn share(
    settings: &Settings,
    fleet: Fleet,
    journal: &Journal,
    health: Arc<Health>,
    stop: CancellationToken,
) -> Result<Arc<Shared>> {
    let receivers = settings.receivers()?;
    let (book, redactor) = (settings.rule_book(&receivers)?, settings.redactor());
    let rules: Rules = Arc::new(RwLock::new(Arc::new(Alerting {
        book,
        redactor: redactor.clone(),
    })));
    let (states, pulse) = (States::default(), Arc::<Pulse>::default());
    let machine = Uuid::new_v4().to_string();
    let overrun = {
        let (pulse, health) = (pulse.clone(), health.clone());
        move |lens: &_, why: &str| {
            pulse.has_missed();
            health.missed(lens, why);
        }
    };
    Ok(Arc::new(Shared {
        beginner: Beginner::start(fleet.clone(), machine.clone()),
        recorder: Recorder::start(fleet.clone(), rules.clone(), states.clone(), overrun),
        store: open_store(settings, journal)?,
        journal: journal.clone(),
        sender: settings.client()?.for_probes(),
        teller: Client::new(RECEIVER_TIMEOUT),
        receivers,
        redactor,
        clock: FleetClock::default(),
        health,
        pulse,
        pairs: RwLock::new(Arc::new(Pairs::default())),
        rules,
        states,
        hosts: Hosts::new(usize::from(settings.project.worker.per_host)),
        ran: RanPairs::default(),
        suspect: Notify::new(),
        stale: Notify::new(),
        stop,
        joined_ms: AtomicI64::new(Timestamp::now().as_millisecond()),
        fleet,
        machine,
    }))
}

/// What this machine says of itself.
fn machine(shared: &Shared, settings: &Settings, own: &[Own], tenants: Option<&[Uuid]>) -> Machine {
    Machine {
        digest: PublishedPlan::digest(&to_publish(own, tenants)),
        environment: environment(settings, own),
        ..introduce(shared.machine.clone(), true, shared.clock.now())
    }
}

/// The digest of where requests go and of the variables that are not secret: machines of one fleet should have the same.
fn environment(settings: &Settings, own: &[Own]) -> String {
    let mut lines: Vec<String> = own
        .iter()
        .map(|own| {
            format!(
                "{} {} {:?}",
                own.monitor.lens(),
                own.monitor.base.authority(),
                own.monitor.plan.every
            )
        })
        .collect();
    lines.push(
        settings
            .receivers()
            .map(|all| all.into_iter().map(|one| one.name).collect::<Vec<_>>().join(" "))
            .unwrap_or_default(),
    );
    sha256_hex(lines.join("\n").as_bytes())
}
