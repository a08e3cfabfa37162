//! The one writer of the journal: it owns the only writing connection and commits what has queued up as
//! one transaction. It knows no table.

use sqlx::{Connection, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};

use super::job::{AfterCommit, WriteJob};
use crate::store::StoreError;

/// The most that one transaction commits.
pub(super) const GROUP: usize = 256;

/// What is asked of the writer.
pub(super) enum Ask {
    /// To write a job, and to say once it is on disk.
    Write(Box<dyn WriteJob>, oneshot::Sender<Result<(), StoreError>>),
    /// To write what is queued, and to close.
    Close(oneshot::Sender<()>),
}

/// Whom a committed group wakes.
pub(super) struct Wake {
    /// Counts committed groups that held a check.
    pub(super) recorded: watch::Sender<u64>,
    /// Counts committed groups that told something.
    pub(super) alerted: watch::Sender<u64>,
}

/// Commits what has queued up, until every journal is dropped or one is closed.
pub(super) async fn run(mut writer: SqliteConnection, mut queue: mpsc::Receiver<Ask>, wake: Wake) {
    let mut group = Vec::with_capacity(GROUP);
    let mut closing = Vec::new();
    while closing.is_empty() && queue.recv_many(&mut group, GROUP).await > 0 {
        let committed = commit(&mut writer, &group).await.map_err(|error| error.to_string());
        let result = committed.map(|after| follow(after, &wake));
        for ask in group.drain(..) {
            match ask {
                // Who asked may have stopped waiting; what was written stays written.
                Ask::Write(_, done) => {
                    done.send(result.clone().map_err(StoreError::Refused)).ok();
                }
                Ask::Close(done) => closing.push(done),
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

/// Commits `group` as one transaction; what is to follow, job by job.
async fn commit(writer: &mut SqliteConnection, group: &[Ask]) -> Result<Vec<AfterCommit>, sqlx::Error> {
    // Immediate: a group that reads before it writes would be refused where another process wrote
    // in between.
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let mut after = Vec::with_capacity(group.len());
    for ask in group {
        if let Ask::Write(job, _) = ask {
            after.push(job.write(&mut transaction).await?);
        }
    }
    transaction.commit().await?;
    Ok(after)
}

/// Logs and wakes what a group that is on disk asked for.
fn follow(after: Vec<AfterCommit>, wake: &Wake) {
    if after.iter().any(|job| job.alerted) {
        wake.alerted.send_modify(|groups| *groups += 1);
    }
    if after.iter().any(|job| job.recorded) {
        wake.recorded.send_modify(|groups| *groups += 1);
    }
    after.into_iter().flat_map(|job| job.log).for_each(|log| log());
}
