//! The journal: SQLite with a write-ahead log, synchronised on every commit.
//!
//! One writer task owns the only writing connection and commits what has queued up as one
//! transaction: a thousand waiting checks cost one synchronisation, not a thousand. A check and
//! its events are in the same transaction. An id that is there already is left as it is, so that
//! a check recorded twice is one row. With a check goes its entry in the outbox (`outbox`).

pub(crate) mod alert_log;
pub(crate) mod alerts;
pub(crate) mod outbox;
pub(crate) mod rollbacks;
pub(crate) mod silences;

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::ident::LensId;
use lensops_core::verdict::record::{CheckRecord, Status};
use serde_json::Value;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::{History, StoreError, StoredCheck};
use alerts::{AlertWrite, Alerting};
use outbox::{OutboxWrite, apply};
use rollbacks::{Believed, StateWrite};

/// The schema that this version writes.
const SCHEMA: i64 = 7;

/// The steps to it, the first one from an empty file.
const STEPS: [&str; 8] = [
    include_str!("../../../../../migrations/sqlite/0001_journal.sql"),
    include_str!("../../../../../migrations/sqlite/0002_outbox.sql"),
    include_str!("../../../../../migrations/sqlite/0003_rollups.sql"),
    include_str!("../../../../../migrations/sqlite/0004_worker.sql"),
    include_str!("../../../../../migrations/sqlite/0005_alerts.sql"),
    include_str!("../../../../../migrations/sqlite/0006_outbox_trigger.sql"),
    include_str!("../../../../../migrations/sqlite/0007_points.sql"),
    include_str!("../../../../../migrations/sqlite/0008_muted.sql"),
];

/// The most that one transaction commits.
const GROUP: usize = 256;

enum Write {
    Check(Box<CheckRecord>, oneshot::Sender<Result<(), StoreError>>),
    Missed {
        id: Uuid,
        tenant: Uuid,
        lens: LensId,
        due: Timestamp,
        reason: String,
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    Outbox(OutboxWrite, oneshot::Sender<Result<(), StoreError>>),
    Alert(AlertWrite, oneshot::Sender<Result<(), StoreError>>),
    State(StateWrite, oneshot::Sender<Result<(), StoreError>>),
    Close(oneshot::Sender<()>),
}

/// The journal. Clones share one writer.
#[derive(Clone)]
pub struct Journal {
    writes: mpsc::Sender<Write>,
    pub(super) reader: SqlitePool,
    /// Counts committed groups that held a check.
    recorded: watch::Receiver<u64>,
    /// Counts committed groups that told something.
    alerted: watch::Receiver<u64>,
    alerting: Rules,
    /// What is rolled back, as last read.
    pub(super) believed: Believed,
}

/// The rules that checks are folded into; none until they are set.
type Rules = Arc<RwLock<Option<Arc<Alerting>>>>;

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
        let found: i64 = sqlx::query_scalar("PRAGMA user_version")
            .fetch_one(&mut writer)
            .await
            .map_err(failed)?;
        if found > SCHEMA {
            return Err(StoreError::Newer {
                path: shown,
                found,
                known: SCHEMA,
            });
        }
        if found < SCHEMA {
            migrate(&mut writer).await.map_err(failed)?;
        }
        let reader = SqlitePoolOptions::new()
            .max_connections(2)
            .min_connections(0)
            .connect_lazy_with(options.clone().read_only(true).create_if_missing(false));
        let (writes, queue) = mpsc::channel(4 * GROUP);
        let ((tell, recorded), (tell_alerts, alerted)) = (watch::channel(0), watch::channel(0));
        let alerting = Rules::default();
        tokio::spawn(write_groups(writer, queue, [tell, tell_alerts], alerting.clone()));
        Ok(Self {
            writes,
            reader,
            recorded,
            alerted,
            alerting,
            believed: Believed::default(),
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

    /// Hands a change of alerts to the writer and waits until it is on disk.
    pub(super) async fn write_alert(&self, write: AlertWrite) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.writes
            .send(Write::Alert(write, done))
            .await
            .map_err(|_| StoreError::Closed)?;
        written.await.map_err(|_| StoreError::Closed)?
    }

    /// Changes whenever this process has recorded a check.
    #[must_use]
    pub fn recorded(&self) -> watch::Receiver<u64> {
        self.recorded.clone()
    }

    /// Hands a change of the outbox to the writer and waits until it is on disk.
    pub(super) async fn write_outbox(&self, write: OutboxWrite) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.writes
            .send(Write::Outbox(write, done))
            .await
            .map_err(|_| StoreError::Closed)?;
        written.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn write_state(&self, write: StateWrite) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.writes
            .send(Write::State(write, done))
            .await
            .map_err(|_| StoreError::Closed)?;
        written.await.map_err(|_| StoreError::Closed)?
    }

    /// Records `check` with its events. When this returns, it is on disk.
    ///
    /// # Errors
    /// When the disk refuses; then nothing of it is recorded.
    pub async fn record(&self, check: CheckRecord) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.writes
            .send(Write::Check(Box::new(check), done))
            .await
            .map_err(|_| StoreError::Closed)?;
        written.await.map_err(|_| StoreError::Closed)?
    }

    /// Records that the slot `id`, due at `due`, has no check, and why.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn record_missed(
        &self,
        id: Uuid,
        tenant: Uuid,
        lens: LensId,
        due: Timestamp,
        reason: &str,
    ) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        let missed = Write::Missed {
            id,
            tenant,
            lens,
            due,
            reason: reason.to_owned(),
            done,
        };
        self.writes.send(missed).await.map_err(|_| StoreError::Closed)?;
        written.await.map_err(|_| StoreError::Closed)?
    }

    /// Waits until everything queued is on disk and the log is written back, then closes. Clones
    /// of this journal can no longer write.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        if self.writes.send(Write::Close(done)).await.is_ok() {
            // A writer that is gone has closed already.
            closed.await.ok();
        }
        self.reader.close().await;
    }

    /// Whether check `id` is recorded.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn holds(&self, id: Uuid) -> Result<bool, StoreError> {
        let found: Option<i64> = sqlx::query_scalar("SELECT 1 FROM pms_health_checks WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.reader)
            .await?;
        Ok(found.is_some())
    }

    /// The slots of one lens of one tenant that were missed, with the reason, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn missed(&self, tenant: Uuid, lens: &LensId) -> Result<Vec<(Timestamp, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT due_at, reason FROM lensops_missed WHERE yacht_id = $1 AND lens_id = $2 ORDER BY due_at",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .fetch_all(&self.reader)
        .await?;
        rows.iter()
            .map(|row| Ok((parsed(row, "due_at")?, row.try_get("reason")?)))
            .collect()
    }

    /// The events of check `id`, in order: level and detail.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn events(&self, id: Uuid) -> Result<Vec<(String, Value)>, StoreError> {
        let rows =
            sqlx::query("SELECT level, detail_json FROM pms_health_events WHERE check_id = $1 ORDER BY created_at, id")
                .bind(id.to_string())
                .fetch_all(&self.reader)
                .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("level")?, json(row, "detail_json")?)))
            .collect()
    }
}

impl History for Journal {
    async fn latest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<StoredCheck>, StoreError> {
        let mut latest = Vec::with_capacity(pairs.len());
        for (tenant, lens) in pairs {
            let row = sqlx::query(
                "SELECT * FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
                 ORDER BY observed_at DESC, id DESC LIMIT 1",
            )
            .bind(tenant.to_string())
            .bind(lens.as_str())
            .fetch_optional(&self.reader)
            .await?;
            latest.extend(row.as_ref().map(stored).transpose()?);
        }
        Ok(latest)
    }

    async fn between(
        &self,
        tenant: Uuid,
        lens: &LensId,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<StoredCheck>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM pms_health_checks WHERE yacht_id = $1 AND lens_id = $2 \
             AND observed_at > $3 AND observed_at <= $4 ORDER BY observed_at, id",
        )
        .bind(tenant.to_string())
        .bind(lens.as_str())
        .bind(time_text(from))
        .bind(time_text(until))
        .fetch_all(&self.reader)
        .await?;
        rows.iter().map(stored).collect()
    }
}

/// RFC 3339 in UTC with milliseconds: sorts as text.
pub(super) fn time_text(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

pub(super) fn decode_error(column: &str, what: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: what.to_string().into(),
    }
}

pub(super) fn parsed<T: FromStr>(row: &SqliteRow, column: &str) -> Result<T, sqlx::Error>
where
    T::Err: std::fmt::Display,
{
    row.try_get::<&str, _>(column)?
        .parse()
        .map_err(|error| decode_error(column, error))
}

pub(super) fn json(row: &SqliteRow, column: &str) -> Result<Value, sqlx::Error> {
    serde_json::from_str(row.try_get(column)?).map_err(|error| decode_error(column, error))
}

pub(super) fn stored(row: &SqliteRow) -> Result<StoredCheck, StoreError> {
    let status: &str = row.try_get("status")?;
    Ok(StoredCheck {
        id: parsed(row, "id")?,
        yacht_id: parsed(row, "yacht_id")?,
        lens_id: parsed(row, "lens_id")?,
        status: Status::parse(status).ok_or_else(|| decode_error("status", status))?,
        p95_latency_ms: row.try_get("p95_latency_ms")?,
        error_rate_percent: row.try_get("error_rate_percent")?,
        sample_size: row.try_get::<Option<i64>, _>("sample_size")?.unwrap_or(0),
        observed_at: parsed(row, "observed_at")?,
        notes: json(row, "notes")?,
    })
}

/// Brings the schema up to date, in one transaction: two processes may open the journal at once.
async fn migrate(writer: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    // Read anew: another process may have been faster.
    let found: i64 = sqlx::query_scalar("PRAGMA user_version")
        .fetch_one(&mut *transaction)
        .await?;
    for step in STEPS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        sqlx::raw_sql(*step).execute(&mut *transaction).await?;
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA user_version = {SCHEMA}")))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// Commits what has queued up, until every journal is dropped or one is closed.
async fn write_groups(
    mut writer: SqliteConnection,
    mut queue: mpsc::Receiver<Write>,
    [tell, tell_alerts]: [watch::Sender<u64>; 2],
    alerting: Rules,
) {
    let mut group = Vec::with_capacity(GROUP);
    let mut closing = Vec::new();
    while closing.is_empty() && queue.recv_many(&mut group, GROUP).await > 0 {
        let rules = alerting.read().unwrap_or_else(PoisonError::into_inner).clone();
        let result = write_group(&mut writer, rules.as_deref(), &group)
            .await
            .map_err(|error| error.to_string());
        if result == Ok(true) {
            tell_alerts.send_modify(|groups| *groups += 1);
        }
        let result = result.map(|_| ());
        if result.is_ok() && group.iter().any(|write| matches!(write, Write::Check(..))) {
            tell.send_modify(|groups| *groups += 1);
        }
        for write in group.drain(..) {
            match write {
                // Who asked may have stopped waiting; what was written stays written.
                Write::Check(_, done)
                | Write::Outbox(_, done)
                | Write::State(_, done)
                | Write::Alert(_, done)
                | Write::Missed { done, .. } => {
                    done.send(result.clone().map_err(StoreError::Refused)).ok();
                }
                Write::Close(done) => closing.push(done),
            }
        }
    }
    // An orderly close writes the log back into the database file.
    if let Err(error) = writer.close().await {
        tracing::warn!("the journal was not closed in order: {error}");
    }
    for done in closing {
        done.send(()).ok();
    }
}

/// Commits `group`; says whether an alert was told.
async fn write_group(
    writer: &mut SqliteConnection,
    alerting: Option<&Alerting>,
    group: &[Write],
) -> Result<bool, sqlx::Error> {
    // Immediate: a group that reads before it writes would be refused where another process wrote
    // in between.
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let mut told = false;
    for write in group {
        match write {
            Write::Check(check, _) => {
                let new = write_check(&mut transaction, check).await?;
                if let (true, Some(alerting)) = (new, alerting) {
                    told |= alerts::take_check(&mut transaction, alerting, check).await?;
                }
            }
            Write::Alert(write, _) => told |= alerts::apply(&mut transaction, alerting, write).await?,
            Write::Missed {
                id,
                tenant,
                lens,
                due,
                reason,
                ..
            } => {
                sqlx::query(
                    "INSERT INTO lensops_missed (id, yacht_id, lens_id, due_at, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
                )
                .bind(id.to_string())
                .bind(tenant.to_string())
                .bind(lens.as_str())
                .bind(time_text(*due))
                .bind(reason)
                .execute(&mut *transaction)
                .await?;
            }
            Write::Outbox(write, _) => apply(&mut transaction, write).await?,
            Write::State(write, _) => super::journal::rollbacks::apply(&mut transaction, write).await?,
            Write::Close(_) => {}
        }
    }
    transaction.commit().await?;
    Ok(told)
}

/// Writes `check`; says whether it is new.
async fn write_check(writer: &mut SqliteConnection, check: &CheckRecord) -> Result<bool, sqlx::Error> {
    #[expect(clippy::cast_precision_loss, reason = "hundredths of a percent are at most 10 000")]
    let error_rate = check.error_rate_hundredths.map(|hundredths| hundredths as f64 / 100.0);
    let observed_at = time_text(check.observed_at);
    let inserted = sqlx::query(
        "INSERT INTO pms_health_checks (id, yacht_id, lens_id, status, p95_latency_ms, error_rate_percent, sample_size, observed_at, notes) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING",
    )
    .bind(check.id.to_string())
    .bind(check.yacht_id.to_string())
    .bind(check.lens_id.as_str())
    .bind(check.status.as_str())
    .bind(check.p95_latency_ms)
    .bind(error_rate)
    .bind(check.sample_size)
    .bind(&observed_at)
    .bind(check.notes.as_str())
    .execute(&mut *writer)
    .await?;
    for event in &check.events {
        sqlx::query(
            "INSERT INTO pms_health_events (id, check_id, level, detail_json, created_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING",
        )
        .bind(event.id.to_string())
        .bind(check.id.to_string())
        .bind(event.level.as_str())
        .bind(event.detail.as_str())
        .bind(&observed_at)
        .execute(&mut *writer)
        .await?;
    }
    Ok(inserted.rows_affected() > 0)
}
