//! A change of the journal, as its writer takes it.

use std::pin::Pin;

use sqlx::SqliteConnection;

/// What a job comes to once it is written.
pub(super) type Written<'a> = Pin<Box<dyn Future<Output = Result<AfterCommit, sqlx::Error>> + Send + 'a>>;

/// A change of the journal. What it writes, and into which tables, is known to the file it comes from
/// and to nobody else; the writer only gives it a transaction.
pub(super) trait WriteJob: Send + Sync {
    /// Writes the change within the transaction that is open on `writer`.
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a>;
}

/// What is to follow once a job is on disk, and never before.
#[derive(Default)]
pub(super) struct AfterCommit {
    /// A check was recorded: whoever follows checks is woken.
    pub(super) recorded: bool,
    /// A message is due: whoever sends them is woken.
    pub(super) alerted: bool,
    /// What is to be logged.
    pub(super) log: Vec<Box<dyn FnOnce() + Send>>,
}

impl AfterCommit {
    /// This and `more`.
    pub(super) fn and(mut self, more: Self) -> Self {
        self.recorded |= more.recorded;
        self.alerted |= more.alerted;
        self.log.extend(more.log);
        self
    }
}
