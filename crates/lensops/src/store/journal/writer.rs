//! The one writer of the journal: it owns the only writing connection and commits what has queued up as
//! one transaction. It knows no table.

use sqlx::error::ErrorKind;
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

    /// Writes every ask of `group`: as one transaction, or where that fails as one each, so that what cannot
    /// be written refuses itself and nothing else.
    async fn write(&mut self, group: &[Ask]) -> Vec<Result<AfterCommit, sqlx::Error>> {
        match self.commit(group).await {
            Ok(after) => after.into_iter().map(Ok).collect(),
            Err(error) if group.len() == 1 => vec![Err(error)],
            Err(_) => {
                let mut each = Vec::with_capacity(group.len());
                for ask in group {
                    let alone = self.commit(std::slice::from_ref(ask)).await;
                    each.push(alone.map(|after| after.into_iter().next().unwrap_or_default()));
                }
                each
            }
        }
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
                    .map_err(|error| error.to_string()),
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

/// Why nothing of a group could be written; `None` where something was, and where what failed broke a rule of
/// the tables: that is the fault of who asked.
fn refusal(written: &[Result<AfterCommit, sqlx::Error>]) -> Option<String> {
    let own = |error: &&sqlx::Error| {
        let said = error.as_database_error();
        said.is_none_or(|said| matches!(said.kind(), ErrorKind::Other))
    };
    if written.iter().any(Result::is_ok) {
        return None;
    }
    let errors = written.iter().filter_map(|result| result.as_ref().err());
    errors.filter(own).map(ToString::to_string).next()
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
