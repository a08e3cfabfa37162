//! The job that tells a receiver what waits for it. The queue runs no two of one receiver at once.

use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check_job::Given;
use super::shared::Shared;
use crate::alert::{Receiver, Refusal};
use crate::commands::worker::clock::Clock as _;
use crate::commands::worker::notifier::back_off;
use crate::store::fleet::{NOTIFY, NoticeStep};
use crate::store::{Due, Ended};

/// The longest that one job tells: then another machine may.
const TELL_FOR: Duration = Duration::from_secs(20);

/// How soon a job is looked at again that another machine is to take.
const ELSEWHERE: SignedDuration = SignedDuration::from_secs(2);

/// The task, whatever its payload is.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Notify(Value);

impl TaskHandler for Notify {
    const IDENTIFIER: &'static str = NOTIFY;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(Given(shared)) = context.get_ext::<Given>().cloned() else {
            return Err("the worker is not set up".to_owned());
        };
        let name = self.0.get("receiver").and_then(Value::as_str).unwrap_or_default();
        // A job that names nobody has nobody to tell: what waits for a receiver has a job of its own.
        if name.is_empty() {
            return Ok(());
        }
        match shared.receivers.iter().find(|receiver| receiver.name == name) {
            Some(receiver) => tell(&shared, receiver).await,
            None => {
                // Another machine may know it, and is asked sooner than this one again.
                tracing::warn!("⚠️ Alert receiver {name} is not known here: set it on every machine");
                later(&shared, name, ELSEWHERE).await
            }
        }
    }
}

async fn tell(shared: &Shared, receiver: &Receiver) -> Result<(), String> {
    let began = tokio::time::Instant::now();
    let failed = |error: crate::store::StoreError| {
        shared.suspect.notify_one();
        shared.redactor.text(&error.to_string()).as_str().to_owned()
    };
    while began.elapsed() < TELL_FOR {
        let stopping = shared.stop.is_cancelled();
        let step = shared
            .fleet
            .next_notice(&receiver.name, &shared.redactor, stopping)
            .await;
        match step.map_err(failed)? {
            // A job that looks again is there where it is needed.
            NoticeStep::Idle | NoticeStep::Until(_) => return Ok(()),
            NoticeStep::Send(due) => {
                let ended = send(shared, receiver, &due).await;
                let waits = matches!(ended, Ended::Later { .. });
                let kept = shared.fleet.notice_ended(&receiver.name, due.seq, &ended).await;
                kept.map_err(failed)?;
                if waits {
                    return Ok(());
                }
            }
        }
    }
    later(shared, &receiver.name, SignedDuration::ZERO).await
}

/// Another job looks again.
async fn later(shared: &Shared, receiver: &str, wait: SignedDuration) -> Result<(), String> {
    let added = shared.fleet.notify_at(receiver, shared.clock.now() + wait).await;
    added.map_err(|error| shared.redactor.text(&error.to_string()).as_str().to_owned())
}

async fn send(shared: &Shared, receiver: &Receiver, due: &Due) -> Ended {
    let now = shared.clock.now();
    let sent = receiver.send(&shared.teller, &due.told, due.perhaps_again, now).await;
    let said = sent.as_ref().err().map(ToString::to_string);
    let said = shared.redactor.text(&said.unwrap_or_default());
    match sent {
        Ok(()) => Ended::Delivered,
        Err(Refusal::Never(_)) => {
            tracing::error!(
                "❌ Alert receiver {} will never take {}: {said}",
                receiver.name,
                due.told.id
            );
            Ended::Refused(said)
        }
        Err(Refusal::Later { after, unsure, .. }) => {
            tracing::error!(
                "❌ Alert receiver {} did not take a message: {said}; it waits and is tried again",
                receiver.name
            );
            let wait = back_off(3, fastrand::f64()).max(after.unwrap_or_default());
            let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::from_mins(5));
            Ended::Later {
                from: now + wait,
                said,
                unsure,
            }
        }
    }
}
