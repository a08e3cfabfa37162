//! The background tasks of `lensops worker`: notifiers, the watchdog, and the pages of `--listen`.

use std::net::SocketAddr;
use std::sync::Arc;

use lensops_core::alert::RuleBook;
use lensops_core::redaction::Redactor;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::clock::SystemClock;
use super::health::Health;
use super::notifier::{Gathering, Notifier};
use super::watchdog::Watchdog;
use crate::alert::Receiver;
use crate::commands::error::{Context as _, Error, Result};
use crate::config::Settings;
use crate::http::Client;
use crate::listen::serve;
use crate::store::{Alerting, Journal};

/// The time that a receiver has for an answer.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(10);

/// The background tasks of a worker, settled before anything starts.
pub(crate) struct Background {
    book: RuleBook,
    receivers: Vec<Receiver>,
    redactor: Redactor,
    limit: u64,
    listener: Option<TcpListener>,
}

/// The background tasks, running.
pub(crate) struct Running {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

/// Takes the address of `--listen` and says where it is: port 0 takes a free one.
///
/// # Errors
/// When it cannot be had.
pub(crate) async fn open_listener(listen: Option<SocketAddr>) -> Result<Option<TcpListener>> {
    let Some(address) = listen else { return Ok(None) };
    let listener = TcpListener::bind(address)
        .await
        .map_err(Error::invalid)
        .with_context(|| format!("--listen {address} cannot be had: choose another address or port"))?;
    tracing::info!("Listening on http://{}", listener.local_addr().map_err(Error::system)?);
    Ok(Some(listener))
}

impl Background {
    /// Settles rules and receivers.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub(crate) fn of(settings: &Settings, listener: Option<TcpListener>) -> Result<Self> {
        let receivers = settings.receivers()?;
        Ok(Self {
            book: settings.rule_book(&receivers)?,
            receivers,
            redactor: settings.redactor(),
            limit: settings.journal_limit()?,
            listener,
        })
    }

    /// Starts all of it.
    pub(crate) fn start(
        self,
        journal: &Journal,
        health: &Arc<Health>,
        trouble: Option<watch::Receiver<Option<String>>>,
    ) -> Running {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        if self.receivers.is_empty() {
            tracing::warn!("⚠️ Alerts are kept and told to nobody: no receiver is set (lensops alerts test)");
        }
        journal.alert_with(Alerting {
            book: self.book,
            redactor: self.redactor.clone(),
        });
        for receiver in self.receivers {
            let notifier = Notifier {
                clock: SystemClock,
                sender: Client::new(RECEIVER_TIMEOUT),
                journal: journal.clone(),
                receiver,
                redactor: self.redactor.clone(),
                failures: 0,
                gathering: Gathering::default(),
            };
            tasks.spawn(notifier.run(stop.clone()));
        }
        let watchdog = Arc::new(Watchdog {
            clock: SystemClock,
            journal: journal.clone(),
            health: health.clone(),
            trouble,
            redactor: self.redactor,
            limit: self.limit,
        });
        tasks.spawn(watchdog.clone().run(stop.clone()));
        if let Some(listener) = self.listener {
            tasks.spawn(serve(listener, watchdog, stop.clone()));
        }
        Running { tasks, stop }
    }
}

impl Running {
    /// Lets messages that are under way arrive, until `deadline` or for a second.
    pub(crate) async fn stop(mut self, deadline: Instant) {
        self.stop.cancel();
        let deadline = deadline.max(Instant::now() + Duration::from_secs(1));
        let all = async { while self.tasks.join_next().await.is_some() {} };
        // What is cut off was written down as begun, and is sent again.
        tokio::time::timeout_at(deadline, all).await.ok();
        self.tasks.shutdown().await;
    }
}
