//! Records what ended: whatever has queued up goes into one transaction.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use lensops_core::alert::{Rule, State, Subject};
use lensops_core::ident::LensId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use uuid::Uuid;

use crate::store::Alerting;
use crate::store::fleet::{Ended, Fleet, NotRecorded, Recorded, Told};

/// Jobs that end in one transaction.
const GROUP: usize = 100;

/// How long one transaction may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A transaction that the database gave up is tried again so often.
const TRIES: u32 = 5;

/// Why something was not recorded.
#[derive(Debug)]
pub(super) enum Refused {
    /// The database does not answer, or refuses all.
    Away(String),
    /// It refuses this one for good.
    Row(String),
}

struct Ask {
    ended: Ended,
    answer: oneshot::Sender<Result<(), Refused>>,
}

/// Where the rules of the pairs stand that were checked here last: what a machine that is cut off goes on from.
pub(super) type States = Arc<Mutex<BTreeMap<Subject, BTreeMap<Rule, State>>>>;

/// The rules in force.
pub(super) type Rules = Arc<RwLock<Arc<Alerting>>>;

/// Takes what ended.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    asks: mpsc::Sender<Ask>,
}

impl Recorder {
    /// Starts a task that records until every clone of this is gone. `overrun` is told of slots that were due while a
    /// check ran.
    pub(super) fn start(
        fleet: Fleet,
        rules: Rules,
        states: States,
        overrun: impl Fn(&LensId, &str) + Send + Sync + 'static,
    ) -> Self {
        let (asks, mut queue) = mpsc::channel::<Ask>(4 * GROUP);
        tokio::spawn(async move {
            let mut group = Vec::with_capacity(GROUP);
            while queue.recv_many(&mut group, GROUP).await > 0 {
                let rules = rules.read().unwrap_or_else(PoisonError::into_inner).clone();
                let (ended, answers): (Vec<_>, Vec<_>) = group.drain(..).map(|ask| (ask.ended, ask.answer)).unzip();
                let results = record(&fleet, &rules, &ended, &states, &overrun).await;
                for (answer, result) in answers.into_iter().zip(results) {
                    answer.send(result).ok();
                }
            }
        });
        Self { asks }
    }

    /// Records what ended. When this returns without an error it is committed.
    ///
    /// # Errors
    /// Why it was not recorded.
    pub(super) async fn record(&self, ended: Ended) -> Result<(), Refused> {
        let gone = || Refused::Away("the worker is stopping".to_owned());
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask { ended, answer }).await.map_err(|_| gone())?;
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

/// Records `group`, halving it where a row is refused, until the refused one is alone.
async fn record(
    fleet: &Fleet,
    rules: &Alerting,
    group: &[Ended],
    states: &States,
    overrun: &(impl Fn(&LensId, &str) + Sync),
) -> Vec<Result<(), Refused>> {
    let mut parts: Vec<&[Ended]> = vec![group];
    let mut results = Vec::with_capacity(group.len());
    let mut tries = 0;
    while let Some(part) = parts.pop() {
        let recorded = timeout(PATIENCE, fleet.record(part, Some(rules))).await;
        match recorded {
            Ok(Ok(recorded)) => {
                tell(recorded, part, states, overrun);
                results.extend(part.iter().map(|_| Ok(())));
            }
            Ok(Err(NotRecorded::Again(_))) if tries < TRIES => {
                tries += 1;
                parts.push(part);
            }
            Ok(Err(NotRecorded::Row(_))) if part.len() > 1 => {
                let (earlier, later) = part.split_at(part.len() / 2);
                parts.extend([later, earlier]);
            }
            Ok(Err(NotRecorded::Row(why))) => results.push(Err(Refused::Row(why))),
            Ok(Err(NotRecorded::Away(why) | NotRecorded::Again(why))) => {
                results.extend(part.iter().map(|_| Err(Refused::Away(why.to_string()))));
            }
            Err(_) => {
                let why = format!("no answer within {} s", PATIENCE.as_secs());
                results.extend(part.iter().map(|_| Err(Refused::Away(why.clone()))));
            }
        }
    }
    results
}

fn tell(recorded: Recorded, part: &[Ended], states: &States, overrun: &impl Fn(&LensId, &str)) {
    for check in part.iter().filter_map(|ended| ended.check.as_ref()) {
        if recorded.new.contains(&check.id) {
            tracing::info!(id = %check.id, "✅ Wrote health check to DB: id={}", check.id);
        } else {
            tracing::info!(id = %check.id, "Health check {} is there already, from another machine", check.id);
        }
    }
    recorded.told.into_iter().for_each(log);
    recorded.missed.iter().for_each(|(lens, why)| overrun(lens, why));
    let mut kept = states.lock().unwrap_or_else(PoisonError::into_inner);
    for (subject, states) in recorded.states {
        if states.is_empty() {
            kept.remove(&subject);
        } else {
            kept.insert(subject, states);
        }
    }
}

/// Logs a notice that is committed.
pub(super) fn log(told: Told) {
    let Told { over, key, summary } = told;
    if over {
        tracing::info!(key, "🔔 Alert {summary}");
    } else {
        tracing::warn!(key, "🔔 Alert {summary}");
    }
}

/// The states of `pairs` that are kept, to go on from.
pub(super) fn states_of(states: &States, wanted: impl Fn(Uuid, &LensId) -> bool) -> Vec<(Rule, Subject, State)> {
    let kept = states.lock().unwrap_or_else(PoisonError::into_inner);
    let of = kept.iter().filter(|(subject, _)| match subject {
        Subject::Lens(tenant, lens) => wanted(*tenant, lens),
        Subject::Store => false,
    });
    of.flat_map(|(subject, states)| {
        states
            .iter()
            .map(|(rule, state)| (*rule, subject.clone(), state.clone()))
    })
    .collect()
}
