//! Other workers: a second one on the same journal is refused; one on the same database is told of.

use std::fs::{File, TryLockError};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::commands::error::{Error, Result};
use crate::config::{Settings, StoreChoice};
use crate::store::fleet::{Fleet, Machine};

/// How often a worker says that it is there.
const HELLO_EVERY: Duration = Duration::from_secs(30);

/// How long the database may take over it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The journal is this worker's while this lives. The system lets go of it however the process ends.
pub(super) struct Sole(#[expect(dead_code, reason = "held, not read")] Option<File>);

impl Sole {
    /// Takes the journal of `settings` for this worker. The journal is open already, so that its folder is there.
    ///
    /// # Errors
    /// When another worker has it.
    pub(super) fn take(settings: &Settings) -> Result<Self> {
        let path = settings.journal_path().with_extension("worker.lock");
        let file = match File::options().create(true).append(true).open(&path) {
            Ok(file) => file,
            Err(error) => {
                tracing::debug!("{} cannot be opened: {error}", path.display());
                return Ok(Self(None));
            }
        };
        match file.try_lock() {
            Ok(()) => Ok(Self(Some(file))),
            Err(TryLockError::WouldBlock) => Err(Error::Unanswered(format!(
                "another worker runs on the journal {}: stop it, give this one another folder (LENSOPS_STATE_DIR), or \
                 share the work with `lensops worker --fleet` on PostgreSQL",
                settings.journal_path().display()
            ))),
            // A file system without locks says nothing about other workers.
            Err(TryLockError::Error(error)) => {
                tracing::debug!("{} cannot be locked: {error}", path.display());
                Ok(Self(None))
            }
        }
    }
}

/// The host's name; `unknown` where the system does not say.
pub(super) fn host_name() -> String {
    let read = |path| std::fs::read_to_string(path).ok();
    let name = read("/proc/sys/kernel/hostname").or_else(|| std::env::var("HOSTNAME").ok());
    name.map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// What this process says of itself, before it has checked anything.
pub(super) fn introduce(id: String, fleet: bool, now: Timestamp) -> Machine {
    Machine {
        id,
        host: host_name(),
        pid: i32::try_from(std::process::id()).unwrap_or(0),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        fleet,
        started_at: now,
        seen_at: now,
        digest: String::new(),
        environment: String::new(),
        revision: None,
        pairs: 0,
        late_ms: 0,
        clock_ms: 0,
    }
}

/// Says on the database of `settings` that a worker without a fleet is there, and warns once where another one is, until
/// `stop` is cancelled. Without a PostgreSQL store, or with one that was not migrated since, nobody is told.
pub(super) async fn watch(settings: Settings, stop: CancellationToken) {
    let Ok(StoreChoice::Postgres(url)) = settings.store() else {
        return;
    };
    let machine = introduce(Uuid::new_v4().to_string(), false, Timestamp::now());
    let mut warned = false;
    loop {
        // A connection of its own for a moment: none is held for this.
        if let Ok(fleet) = Fleet::new(&url, 1) {
            let said = tokio::time::timeout(PATIENCE, fleet.hello(&machine)).await;
            if let (Ok(Ok(others)), false) = (said, warned)
                && let Some(other) = others.first()
            {
                warned = true;
                tracing::warn!(
                    "⚠️ Another worker runs on this database, on {} (pid {}): what both check is asked twice and recorded once. \
                     `lensops worker --fleet` shares the work",
                    other.host,
                    other.pid
                );
            }
            fleet.close().await;
        }
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(HELLO_EVERY) => {}
        }
    }
    if let Ok(fleet) = Fleet::new(&url, 1) {
        tokio::time::timeout(Duration::from_secs(1), fleet.bye(&machine.id))
            .await
            .ok();
        fleet.close().await;
    }
}
