//! The one writer of the journal: it owns the only writing connection and commits what has queued up as
//! one transaction. It knows no table.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tokio::sync::{mpsc, oneshot, watch};

use super::job::{AfterCommit, WriteJob};
use super::place::Place;
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
    /// Why the last group could not be written.
    pub(super) refusing: watch::Sender<Option<String>>,
}

/// The writing connection, replaced after any failure.
pub(super) struct Link {
    options: SqliteConnectOptions,
    place: Place,
    connection: Option<SqliteConnection>,
}

impl Link {
    /// A link over `connection` to the file at `place`. It is replaced by one of `options`, which finds the
    /// file or fails: a journal that is gone is not made anew behind a running process.
    pub(super) fn new(options: SqliteConnectOptions, place: Place, connection: SqliteConnection) -> Self {
        Self {
            options: options.create_if_missing(false),
            place,
            connection: Some(connection),
        }
    }

    /// Commits `group` as one transaction; what is to follow, ask by ask.
    async fn commit(&mut self, group: &[Ask]) -> Result<Vec<AfterCommit>, sqlx::Error> {
        self.place.holds().map_err(sqlx::Error::Io)?;
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        let committed = commit(&mut connection, group).await;
        if committed.is_ok() {
            self.connection = Some(connection);
        } else {
            // The database ends some transactions by itself (no room, a read or write that failed, no
            // memory), and the library then goes on believing in them. What is said at the end of such a
            // connection does not matter any more.
            connection.close().await.ok();
        }
        committed
    }

    /// Writes every ask of `group`: as one transaction, or where one of them fails as one each, so that what
    /// cannot be written refuses itself and nothing else. Where the journal itself fails, the rest is refused
    /// untried: each of them would wait as long for the same answer.
    async fn write(&mut self, group: &[Ask]) -> Vec<Result<AfterCommit, Failure>> {
        let mut failure = match self.commit(group).await {
            Ok(after) => return after.into_iter().map(Ok).collect(),
            Err(error) => Failure::of(&error),
        };
        let mut each = Vec::with_capacity(group.len());
        for ask in group {
            if failure.of_journal || group.len() == 1 {
                each.push(Err(failure.clone()));
                continue;
            }
            match self.commit(std::slice::from_ref(ask)).await {
                Ok(after) => each.extend(after.into_iter().map(Ok)),
                Err(error) => {
                    let own = Failure::of(&error);
                    each.push(Err(own.clone()));
                    if own.of_journal {
                        failure = own;
                    }
                }
            }
        }
        each
    }
}

/// Writes what has queued up, until every journal is dropped or one is closed.
pub(super) async fn run(mut link: Link, mut queue: mpsc::Receiver<Ask>, wake: Wake) {
    let mut group = Vec::with_capacity(GROUP);
    let mut closing = Vec::new();
    while closing.is_empty() && queue.recv_many(&mut group, GROUP).await > 0 {
        let written = link.write(&group).await;
        wake.refusing.send_replace(refusal(&written));
        let (mut after, mut answers) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for result in written {
            answers.push(
                result
                    .map(|followed| after.push(followed))
                    .map_err(|failure| failure.why),
            );
        }
        follow(after, &wake);
        for (ask, answer) in group.drain(..).zip(answers) {
            match ask {
                // Who asked may have stopped waiting; what was written stays written.
                Ask::Write(_, done) => {
                    done.send(answer.map_err(StoreError::Refused)).ok();
                }
                Ask::Close(done) => closing.push(done),
            }
        }
    }
    // An orderly close writes the log back into the database file.
    if let Some(connection) = link.connection
        && let Err(error) = connection.close().await
    {
        tracing::warn!("the journal was not closed in order: {error}");
    }
    for done in closing {
        done.send(()).ok();
    }
}

/// Commits `group` on `writer`; what is to follow, ask by ask.
async fn commit(writer: &mut SqliteConnection, group: &[Ask]) -> Result<Vec<AfterCommit>, sqlx::Error> {
    // Immediate: a group that reads before it writes would be refused where another process wrote
    // in between.
    let mut transaction = writer.begin_with("BEGIN IMMEDIATE").await?;
    let mut after = Vec::with_capacity(group.len());
    for ask in group {
        after.push(match ask {
            Ask::Write(job, _) => job.write(&mut transaction).await?,
            Ask::Close(_) => AfterCommit::default(),
        });
    }
    transaction.commit().await?;
    Ok(after)
}

/// Why the journal took nothing more of a group; `None` where it failed at none of it.
fn refusal(written: &[Result<AfterCommit, Failure>]) -> Option<String> {
    let mut failures = written.iter().filter_map(|result| result.as_ref().err());
    let of_journal = failures.find(|failure| failure.of_journal);
    of_journal.map(|failure| failure.why.clone())
}

/// Why something was not written.
#[derive(Debug, Clone)]
struct Failure {
    why: String,
    /// Whether the journal failed, and not what was asked of it: it is busy, full, broken or gone.
    of_journal: bool,
}

impl Failure {
    fn of(error: &sqlx::Error) -> Self {
        let of_journal = match error {
            // The result codes of SQLite, without what extends them.
            sqlx::Error::Database(said) => {
                let code = said.code().and_then(|code| code.parse::<u32>().ok());
                // BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
                code.is_some_and(|code| matches!(code & 0xff, 5..=8 | 10 | 11 | 13..=15 | 26))
            }
            sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed => true,
            _ => false,
        };
        Self {
            why: error.to_string(),
            of_journal,
        }
    }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_journal_that_is_busy_or_gone_is_told_from_a_job_that_breaks_a_rule() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("j.db"))
            .create_if_missing(true)
            .busy_timeout(Duration::ZERO);
        let (mut one, mut other) = (options.connect().await.unwrap(), options.connect().await.unwrap());
        sqlx::raw_sql("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
            .execute(&mut one)
            .await
            .unwrap();
        let twice = sqlx::raw_sql("INSERT INTO t VALUES (1)").execute(&mut one).await;
        assert!(!Failure::of(&twice.unwrap_err()).of_journal);
        let unknown = sqlx::raw_sql("INSERT INTO nowhere VALUES (1)").execute(&mut one).await;
        assert!(!Failure::of(&unknown.unwrap_err()).of_journal);
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut one).await.unwrap();
        let busy = sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await;
        assert!(Failure::of(&busy.unwrap_err()).of_journal);
        let gone = Place::of(&folder.path().join("nothing")).holds().unwrap_err();
        assert!(Failure::of(&sqlx::Error::Io(gone)).of_journal);
    }
}
