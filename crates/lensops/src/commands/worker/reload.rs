//! What a worker works with, kept up to date while it runs: plans and settings read again on SIGHUP,
//! tenants read again each interval.
//!
//! What cannot be used changes nothing: the configuration that works goes on working, and one line
//! says why the other one does not.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use lensops_core::yaml::YamlErrors;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commands::context::{monitor, tenant_source};
use crate::commands::plans::{Which, load, load_all};
use crate::commands::rollout::rollback::News;
use crate::commands::worker::check::Monitor;
use crate::commands::worker::tenants::TenantWatch;
use crate::commands::worker::{Change, announce_rollback};
use crate::config::{ConfigError, Settings};
use crate::http::Client;
use crate::store::{Alerting, Journal, Store};

/// How soon tenants are asked for again while none is known.
const SOON: Duration = Duration::from_secs(30);

/// How often the store is asked what other machines rolled back.
const LEARN_EVERY: Duration = Duration::from_mins(1);

/// The configuration of a worker.
pub(crate) struct Setup {
    settings: Settings,
    pub(crate) monitors: Vec<Arc<Monitor>>,
    /// The lenses named on the command line; none means all there are.
    lenses: Vec<String>,
}

impl Setup {
    /// Reads the plans.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub(crate) fn read(settings: &Settings, lenses: &[String]) -> Result<Self> {
        let plans = if lenses.is_empty() {
            load_all(settings)?
        } else {
            let one = |lens: &String| load(settings, &Which::Lens(lens));
            lenses.iter().map(one).collect::<Result<Vec<_>>>()?
        };
        let monitors = plans.into_iter().map(|plan| monitor(settings, plan));
        let mut monitors = monitors.collect::<Result<Vec<_>>>()?;
        // One service, one reader: what one lens has read of the flags, the others need not. The
        // secrets are the same for all of them too.
        if let Some((first, others)) = monitors.split_first_mut() {
            for monitor in others {
                monitor.provider = first.provider.clone();
                monitor.redactor = first.redactor.clone();
            }
        }
        Ok(Self {
            monitors: monitors.into_iter().map(Arc::new).collect(),
            settings: settings.clone(),
            lenses: lenses.to_vec(),
        })
    }

    pub(crate) fn per_host(&self) -> usize {
        usize::from(self.settings.project.worker.per_host)
    }

    fn read_again(&self) -> Result<Self> {
        let again = Self::read(&self.settings.read_again()?, &self.lenses)?;
        tenant_source(&again.settings)?;
        again.settings.rule_book(&again.settings.receivers()?)?;
        Ok(again)
    }

    /// What `other` has otherwise, for people.
    fn changes_to(&self, other: &Self) -> String {
        let mut told = Vec::new();
        if self.settings.project != other.settings.project {
            told.push("lensops.yml changed".to_owned());
        }
        if self.settings.project.store != other.settings.project.store {
            told.push("another store is taken up by a restart alone".to_owned());
        }
        if self.settings.alerts().receivers != other.settings.alerts().receivers {
            told.push("other alert receivers are taken up by a restart alone".to_owned());
        }
        let of = |setup: &'_ Self, monitor: &Monitor| {
            let found = setup.monitors.iter().find(|known| known.lens() == monitor.lens());
            found.cloned()
        };
        for monitor in &other.monitors {
            match of(self, monitor) {
                None => told.push(format!("lens {} added", monitor.lens())),
                Some(old) if old.plan != monitor.plan => told.push(format!("lens {} changed", monitor.lens())),
                Some(_) => {}
            }
        }
        let gone = self.monitors.iter().filter(|monitor| of(other, monitor).is_none());
        told.extend(gone.map(|monitor| format!("lens {} removed", monitor.lens())));
        if told.is_empty() {
            return "nothing changed".to_owned();
        }
        told.join(", ")
    }
}

/// Keeps the plans, settings and tenants of a running worker up to date.
pub(crate) struct Reloader {
    setup: Setup,
    journal: Journal,
    watch: Option<TenantWatch<Client>>,
    changes: Sender<Change>,
    store: Store<Client>,
    news: News,
    /// Whether the last read of rollbacks failed: logged once.
    rollbacks_unreadable: bool,
}

impl Reloader {
    /// A reloader of `setup`, which sends changes to `changes`. The tenants are read once before this returns.
    ///
    /// # Errors
    /// When tenants are to be read and the chosen store cannot tell.
    pub(crate) async fn new(
        setup: Setup,
        journal: Journal,
        store: Store<Client>,
        changes: Sender<Change>,
    ) -> Result<Self> {
        let mut reloader = Self {
            setup,
            journal,
            watch: None,
            changes,
            store,
            news: News::default(),
            rollbacks_unreadable: false,
        };
        reloader.watch().await?;
        Ok(reloader)
    }

    async fn watch(&mut self) -> Result<()> {
        self.watch = match tenant_source(&self.setup.settings)? {
            None => None,
            Some(source) => {
                let mut watch = TenantWatch::new(source, self.journal.clone(), self.setup.settings.redactor()).await;
                watch.look().await;
                Some(watch)
            }
        };
        Ok(())
    }

    /// The tenants that a query gave; `None`: each plan has its own.
    pub(crate) fn tenants(&self) -> Option<Vec<Uuid>> {
        self.watch.as_ref().map(|watch| watch.known().to_vec())
    }

    /// Runs until `stop` is cancelled; each `hangup` reads the configuration again.
    pub(crate) async fn run(mut self, mut hangup: Hangup, stop: CancellationToken) {
        let mut looked = Instant::now();
        // At once the first time; a store that does not answer must not hold up the first checks.
        let mut learn_at = looked;
        loop {
            let next = looked + self.look_every();
            tokio::select! {
                () = stop.cancelled() => return,
                () = hangup.recv() => self.reload().await,
                () = tokio::time::sleep_until(learn_at), if self.store.is_elsewhere() => {
                    self.learn().await;
                    learn_at = Instant::now() + LEARN_EVERY;
                }
                () = tokio::time::sleep_until(next), if self.watch.is_some() => {
                    looked = Instant::now();
                    if let Some(watch) = &mut self.watch && watch.look().await {
                        let tenants = watch.known().to_vec();
                        self.tell(Change::Tenants(tenants)).await;
                    }
                }
            }
        }
    }

    /// Learns what other machines rolled back or restored.
    async fn learn(&mut self) {
        if !self.store.is_elsewhere() {
            return;
        }
        let monitors: Vec<&Monitor> = self.setup.monitors.iter().map(Arc::as_ref).collect();
        match self
            .news
            .look(&monitors, &self.store, &self.journal, Timestamp::now())
            .await
        {
            Ok(learnt) => {
                self.rollbacks_unreadable = false;
                learnt.iter().for_each(announce_rollback);
            }
            Err(error) if !self.rollbacks_unreadable => {
                self.rollbacks_unreadable = true;
                let text = self.setup.settings.redactor().text(&format!("{error:#}"));
                tracing::warn!("⚠️ Rollbacks of other machines cannot be read: {text}");
            }
            Err(_) => {}
        }
    }

    fn look_every(&self) -> Duration {
        let shortest = self
            .setup
            .monitors
            .iter()
            .map(|monitor| monitor.plan.every.as_ms())
            .min();
        let every = Duration::from_millis(shortest.unwrap_or(900_000).unsigned_abs());
        match &self.watch {
            Some(watch) if watch.known().is_empty() => every.min(SOON),
            _ => every,
        }
    }

    /// A worker that has ended needs no change.
    async fn tell(&self, change: Change) {
        self.changes.send(change).await.ok();
    }

    /// Takes up the rules of alerts. They were looked at when they were read.
    fn alert_by_rules(&self) {
        let settings = &self.setup.settings;
        let book = settings
            .receivers()
            .and_then(|receivers| settings.rule_book(&receivers));
        if let Ok(book) = book {
            let redactor = settings.redactor();
            self.journal.alert_with(Alerting { book, redactor });
        }
    }

    async fn reload(&mut self) {
        let new = match self.setup.read_again() {
            Ok(new) => new,
            Err(error) => {
                let redactor = self.setup.settings.redactor();
                let lines = lines_of(&error);
                for (left, line) in (0..lines.len()).rev().zip(&lines) {
                    let line = redactor.text(line);
                    let rest = if left == 0 {
                        "; the one that was in force stays in force"
                    } else {
                        ""
                    };
                    tracing::error!("❌ Reload: the configuration was not taken up: {line}{rest}");
                }
                return;
            }
        };
        let asks_otherwise = self.setup.settings.project.worker.tenants != new.settings.project.worker.tenants;
        tracing::info!("Reload: {}", self.setup.changes_to(&new));
        self.setup = new;
        self.alert_by_rules();
        if asks_otherwise && let Err(error) = self.watch().await {
            tracing::error!("❌ Reload: {error:#}");
        }
        self.tell(Change::Monitors {
            monitors: self.setup.monitors.clone(),
            per_host: self.setup.per_host(),
            own_tenants: self.watch.is_none(),
        })
        .await;
        if let Some(tenants) = self.tenants().filter(|_| asks_otherwise) {
            self.tell(Change::Tenants(tenants)).await;
        }
    }
}

/// Every mistake of a file on a line of its own, without the lines around it; of any other error what
/// it says first.
fn lines_of(error: &anyhow::Error) -> Vec<String> {
    let in_settings = || match error.downcast_ref() {
        Some(ConfigError::Yaml(errors)) => Some(errors),
        _ => None,
    };
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    match error.downcast_ref::<YamlErrors>().or_else(in_settings) {
        Some(errors) => errors.0.iter().map(|error| first(error.to_string())).collect(),
        None => vec![first(format!("{error:#}"))],
    }
}

/// SIGHUP. It is caught from the moment this is made.
pub(crate) struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    pub(crate) fn catch() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    async fn recv(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
