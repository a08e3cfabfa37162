//! Keeps a running worker up to date: plans and settings are read again on SIGHUP, tenants each
//! interval, and rollbacks of other machines each minute.
//!
//! A configuration that cannot be used changes nothing: the one in force stays, and the log says why.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Change;
use super::check::Monitor;
use super::configuration::Configuration;
use super::hangup::Hangup;
use super::lines::announce_rollback;
use super::tenants::TenantWatch;
use crate::commands::context::tenant_source;
use crate::commands::error::{Error, Result};
use crate::commands::rollout::rollback::News;
use crate::config::ConfigError;
use crate::http::Client;
use crate::store::{Alerting, Journal, Store};

/// How soon tenants are asked for again while none is known.
const SOON: Duration = Duration::from_secs(30);

/// How often the store is asked what other machines rolled back.
const LEARN_EVERY: Duration = Duration::from_mins(1);

/// Keeps the plans, settings and tenants of a running worker up to date.
pub(crate) struct Reloader {
    configuration: Configuration,
    journal: Journal,
    watch: Option<TenantWatch<Client>>,
    changes: Sender<Change>,
    store: Store<Client>,
    news: News,
    /// Whether the last read of rollbacks failed: logged once.
    rollbacks_unreadable: bool,
}

impl Reloader {
    /// A reloader of `configuration`, which sends changes to `changes`. The tenants are read once before this returns.
    ///
    /// # Errors
    /// When tenants are to be read and the chosen store cannot tell.
    pub(crate) async fn new(
        configuration: Configuration,
        journal: Journal,
        store: Store<Client>,
        changes: Sender<Change>,
    ) -> Result<Self> {
        let mut reloader = Self {
            configuration,
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
        self.watch = match tenant_source(&self.configuration.settings)? {
            None => None,
            Some(source) => {
                let mut watch =
                    TenantWatch::new(source, self.journal.clone(), self.configuration.settings.redactor()).await;
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
        let monitors: Vec<&Monitor> = self.configuration.monitors.iter().map(Arc::as_ref).collect();
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
                let text = self.configuration.settings.redactor().text(&error.line());
                tracing::warn!("⚠️ Rollbacks of other machines cannot be read: {text}");
            }
            Err(_) => {}
        }
    }

    fn look_every(&self) -> Duration {
        let shortest = self
            .configuration
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
        let settings = &self.configuration.settings;
        let book = settings
            .receivers()
            .and_then(|receivers| settings.rule_book(&receivers));
        if let Ok(book) = book {
            let redactor = settings.redactor();
            self.journal.alert_with(Alerting { book, redactor });
        }
    }

    async fn reload(&mut self) {
        let new = match self.configuration.read_again() {
            Ok(new) => new,
            Err(error) => {
                let redactor = self.configuration.settings.redactor();
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
        let asks_otherwise = self.configuration.settings.project.worker.tenants != new.settings.project.worker.tenants;
        tracing::info!("Reload: {}", self.configuration.changes_to(&new));
        self.configuration = new;
        self.alert_by_rules();
        if asks_otherwise && let Err(error) = self.watch().await {
            tracing::error!("❌ Reload: {}", error.line());
        }
        self.tell(Change::Monitors {
            monitors: self.configuration.monitors.clone(),
            per_host: self.configuration.per_host(),
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
fn lines_of(error: &Error) -> Vec<String> {
    let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
    match error.root() {
        Error::Yaml(errors) | Error::Config(ConfigError::Yaml(errors)) => {
            errors.0.iter().map(|error| first(error.to_string())).collect()
        }
        _ => vec![first(error.line())],
    }
}
