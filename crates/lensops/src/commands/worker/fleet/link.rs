//! Whether the database can be reached, and what this machine says of itself there.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::shared::Shared;
use crate::commands::worker::clock::Clock as _;
use crate::store::fleet::Machine;

/// How often the database is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How long it may take over an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often this machine says how it stands.
const HELLO_EVERY: Duration = Duration::from_secs(5);

/// Failures in a row from which on the database is away.
const FAILURES: u32 = 2;

/// A difference of clocks from which on it is told.
const AHEAD_MS: i64 = 5_000;

/// Whether the database can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    /// It answers.
    Up,
    /// It was last heard of at this time, and why it is not now.
    Away(Timestamp, String),
}

/// Watches the database.
pub(super) struct Watch {
    pub(super) shared: Arc<Shared>,
    pub(super) machine: Machine,
    pub(super) link: watch::Sender<Link>,
    /// Why the database does not take checks: for the alert of this machine.
    pub(super) trouble: watch::Sender<Option<String>>,
}

impl Watch {
    /// Watches until `stop` is cancelled.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let (mut failures, mut heard) = (0_u32, self.shared.clock.now());
        let mut hello_at = Instant::now();
        let mut seen_others = false;
        loop {
            match self.ask().await {
                Ok(()) => {
                    failures = 0;
                    heard = self.shared.clock.now();
                    self.up(heard);
                }
                Err(why) => {
                    failures += 1;
                    // A worker that has just started has nothing to lose by waiting.
                    if failures >= FAILURES {
                        self.away(heard, &why);
                    }
                }
            }
            if failures == 0 && Instant::now() >= hello_at {
                hello_at = Instant::now() + HELLO_EVERY;
                self.hello(&mut seen_others).await;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ASK_EVERY) => {}
                () = self.shared.suspect.notified() => {}
            }
        }
    }

    async fn ask(&self) -> Result<(), String> {
        let before = Timestamp::now();
        let there = match timeout(PATIENCE, self.shared.fleet.now()).await {
            Ok(Ok(there)) => there,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no answer within {} s", PATIENCE.as_secs())),
        };
        let known = self.shared.clock.ahead_ms();
        self.shared.clock.compare(before, there, Timestamp::now());
        let ahead = self.shared.clock.ahead_ms();
        if ahead.abs() > AHEAD_MS && known.abs() <= AHEAD_MS {
            tracing::warn!(
                "⚠️ This machine's clock differs from the database's by {ahead} ms: slots go by the database's, tokens by this one"
            );
        }
        Ok(())
    }

    fn up(&self, now: Timestamp) {
        let was = self.link.send_replace(Link::Up);
        if let Link::Away(since, _) = was {
            self.shared.joined_ms.store(now.as_millisecond(), Ordering::Relaxed);
            let away = now.duration_since(since).as_secs();
            // The first answer to a worker that starts is no news.
            if self.trouble.borrow().is_some() {
                tracing::info!("✅ The database answers again, after {away} s");
            }
        }
        self.trouble.send_replace(None);
    }

    fn away(&self, heard: Timestamp, why: &str) {
        let why = self.shared.redactor.text(why).as_str().to_owned();
        if *self.link.borrow() == Link::Up {
            tracing::error!(
                "❌ The database does not answer: {why}; this machine goes on with the pairs it checked last"
            );
        }
        let since = match &*self.link.borrow() {
            Link::Away(since, _) => *since,
            Link::Up => heard,
        };
        self.link.send_replace(Link::Away(since, why.clone()));
        self.trouble.send_replace(Some(why));
    }

    async fn hello(&mut self, seen_others: &mut bool) {
        let now = self.shared.clock.now();
        self.shared.health.forget_others(now);
        self.machine.pairs = i64::try_from(self.shared.ran.latest(now).len()).unwrap_or(i64::MAX);
        self.machine.revision = self.shared.pairs().revision;
        self.machine.clock_ms = self.shared.clock.ahead_ms();
        self.machine.late_ms = i64::try_from(self.shared.pulse.take_latest().as_millis()).unwrap_or(i64::MAX);
        self.machine.seen_at = now;
        match self.shared.fleet.hello(&self.machine).await {
            Ok(others) => {
                if let Some(other) = others.iter().find(|other| !other.fleet).filter(|_| !*seen_others) {
                    *seen_others = true;
                    tracing::warn!(
                        "⚠️ A worker without --fleet runs on the same database, on {}: its pairs are checked twice, and recorded once",
                        other.host
                    );
                }
            }
            Err(error) => tracing::debug!("This machine could not say how it stands: {error}"),
        }
    }
}

/// Waits until the database answers; `false` where `stop` came first.
pub(super) async fn until_up(link: &mut watch::Receiver<Link>, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        up = link.wait_for(|link| *link == Link::Up) => up.is_ok(),
    }
}

/// Waits until the database is away; says when it was last heard of.
pub(super) async fn until_away(link: &mut watch::Receiver<Link>) -> Timestamp {
    loop {
        if let Link::Away(since, _) = &*link.borrow_and_update() {
            return *since;
        }
        if link.changed().await.is_err() {
            // Whoever watched has stopped: so does all of it.
            std::future::pending::<()>().await;
        }
    }
}
