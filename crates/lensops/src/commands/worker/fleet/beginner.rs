//! Counts the beginnings of checks and reads what was before: whatever has queued up is asked at once.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::store::fleet::{Begun, Fleet, Started};

/// Checks that begin with one question.
const GROUP: usize = 200;

/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(5);

struct Ask {
    started: Started,
    answer: oneshot::Sender<Result<Begun, String>>,
}

/// Takes beginnings.
#[derive(Clone, Debug)]
pub(super) struct Beginner {
    asks: mpsc::Sender<Ask>,
}

impl Beginner {
    /// Starts a task that counts for `machine` until every clone of this is gone.
    pub(super) fn start(fleet: Fleet, machine: String) -> Self {
        let (asks, mut queue) = mpsc::channel::<Ask>(4 * GROUP);
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while queue.recv_many(&mut group, GROUP).await > 0 {
                let (started, answers): (Vec<_>, Vec<_>) = group.drain(..).map(|ask| (ask.started, ask.answer)).unzip();
                let begun = match timeout(PATIENCE, fleet.begin(&started, &machine)).await {
                    Ok(Ok(begun)) => begun.into_iter().map(Ok).collect(),
                    Ok(Err(error)) => vec![Err(error.to_string()); answers.len()],
                    Err(_) => vec![Err(format!("no answer within {} s", PATIENCE.as_secs())); answers.len()],
                };
                for (answer, begun) in answers.into_iter().zip(begun) {
                    answer.send(begun).ok();
                }
            }
        });
        Self { asks }
    }

    /// Counts a beginning.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn begin(&self, started: Started) -> Result<Begun, String> {
        let gone = || "the worker is stopping".to_owned();
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask { started, answer }).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}
