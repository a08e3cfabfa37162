//! The journal as an open file: its readers, and the way to its writer.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lensops_core::ident::LensId;
use lensops_core::lens::mute::Paused;
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::{mpsc, oneshot, watch};

use super::alert_rules::{Alerting, Rules};
use super::job::WriteJob;
use super::place::Place;
use super::schema;
use super::writer::{self, Ask, GROUP, Link, Wake};
use crate::store::StoreError;

/// The lenses that are rolled back, and when that was read; `None` before the first read and after a change.
pub(super) type RollbackCache = Arc<Mutex<Option<(Instant, Arc<HashMap<LensId, Paused>>)>>>;

/// The journal. Clones share one writer.
#[derive(Clone)]
pub struct Journal {
    asks: mpsc::Sender<Ask>,
    pub(in crate::store) reader: SqlitePool,
    /// Counts committed groups that held a check.
    recorded: watch::Receiver<u64>,
    /// Counts committed groups that told something.
    alerted: watch::Receiver<u64>,
    /// Why the last group could not be written.
    refusing: watch::Receiver<Option<String>>,
    place: Place,
    pub(super) alerting: Rules,
    /// The lenses that are rolled back, as last read.
    pub(super) rollback_cache: RollbackCache,
}

impl Journal {
    /// Opens the journal at `path`, creating folder and file where they are missing.
    ///
    /// # Errors
    /// When it cannot be created, is no journal, or was written by a newer version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let shown = path.display().to_string();
        let failed = |source| StoreError::Open {
            path: shown.clone(),
            source,
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| failed(sqlx::Error::Io(error)))?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10))
            .foreign_keys(true);
        // Alerts keep what a server answered: for the owner's eyes alone. SQLite gives the files
        // beside it the same mode.
        #[cfg(unix)]
        if !path.exists() {
            use std::os::unix::fs::OpenOptionsExt as _;
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path);
            file.map_err(|error| failed(sqlx::Error::Io(error)))?;
        }
        let mut writer = options.connect().await.map_err(failed)?;
        schema::prepare(&mut writer, &shown).await?;
        let reader = SqlitePoolOptions::new()
            .max_connections(2)
            .min_connections(0)
            .connect_lazy_with(options.clone().read_only(true).create_if_missing(false));
        let (asks, queue) = mpsc::channel(4 * GROUP);
        let ((tell_recorded, recorded), (tell_alerted, alerted)) = (watch::channel(0), watch::channel(0));
        let (tell_refusing, refusing) = watch::channel(None);
        let wake = Wake {
            recorded: tell_recorded,
            alerted: tell_alerted,
            refusing: tell_refusing,
        };
        let place = Place::of(path);
        tokio::spawn(writer::run(Link::new(options, place.clone(), writer), queue, wake));
        Ok(Self {
            asks,
            reader,
            recorded,
            alerted,
            refusing,
            place,
            alerting: Rules::default(),
            rollback_cache: RollbackCache::default(),
        })
    }

    /// From now on every check that is recorded is folded into the alerts of `alerting`.
    pub fn alert_with(&self, alerting: Alerting) {
        *self.alerting.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(alerting));
    }

    /// Changes whenever this process has told something.
    #[must_use]
    pub fn alerted(&self) -> watch::Receiver<u64> {
        self.alerted.clone()
    }

    /// Changes whenever this process has recorded a check.
    #[must_use]
    pub fn recorded(&self) -> watch::Receiver<u64> {
        self.recorded.clone()
    }

    /// Why the journal cannot be written, as of the last try, or because its file is gone; `None` where it can.
    #[must_use]
    pub fn refusing(&self) -> Option<String> {
        let gone = self.place.holds().err().map(|error| error.to_string());
        gone.or_else(|| self.refusing.borrow().clone())
    }

    /// Hands `job` to the writer and waits until it is on disk.
    pub(super) async fn write(&self, job: impl WriteJob + 'static) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.asks
            .send(Ask::Write(Box::new(job), done))
            .await
            .map_err(|_| StoreError::Closed)?;
        written.await.map_err(|_| StoreError::Closed)?
    }

    /// Bytes of the journal in use: pages of its file that are not free. A page that was freed is
    /// used again before the file grows.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn bytes(&self) -> Result<u64, StoreError> {
        let bytes: i64 = sqlx::query_scalar(
            "SELECT (p.page_count - f.freelist_count) * s.page_size \
             FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s",
        )
        .fetch_one(&self.reader)
        .await?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// Waits until everything queued is on disk and the log is written back, then closes. Clones
    /// of this journal can no longer write.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.asks.send(Ask::Close(done)).await.is_ok() {
            // A writer that is gone has closed already.
            closed.await.ok();
        }
        self.reader.close().await;
    }
}
