//! The steps of a rollback or restore, each of them in the journal before the next.

use std::time::Duration;

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::flags::{FlagState, Reading};
use lensops_core::ident::FlagName;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::context::{Context, Order};
use super::propagate;
use super::report::{Seen, outcome};
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::exit::Exit;
use crate::commands::worker::{Answer, Answered};
use crate::flags::{Deploy, FlagError, FlagProvider as _};
use crate::store::{Progress, Rollback, Switch};

/// The wait between two looks at the API.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What a record says of the gate until the gate has answered.
const NOT_ASKED: &str = "nothing: it was not asked yet";

impl<S: Sender> Context<'_, S> {
    /// Carries `order` out. `gate` says what the gate says; it is asked for once the flag is switched.
    ///
    /// # Errors
    /// When the lens has no flag, the provider cannot be read or set, or the journal refuses.
    pub async fn carry_out(
        &self,
        order: &Order,
        gate: impl Future<Output = String>,
        stop: &CancellationToken,
    ) -> Result<Exit> {
        let Some(flag) = self.monitor.plan.flags().first().map(|flag| (*flag).clone()) else {
            return Err(Error::usage(format!(
                "lens {} names no feature flag: there is nothing to switch",
                self.lens()
            )));
        };
        let latest = self.journal.rollbacks().await?;
        let latest = latest.into_iter().find(|entry| entry.lens == *self.lens());
        let unfinished = latest.clone().filter(Rollback::is_unfinished);
        if let Some(other) = unfinished.as_ref().filter(|entry| entry.kind != order.kind) {
            return Err(Error::usage(format!(
                "a {} of lens {} by {} was cut off: finish it first with `lensops {} {} --reason …`",
                other.kind.as_str(),
                self.lens(),
                other.who,
                other.kind.as_str(),
                self.lens()
            )));
        }
        let nothing = |what: &str| format!("nothing was changed: {what}");
        if let Some(why) = self.provider.read_only() {
            let error = FlagError::ReadOnly(why);
            return Err(Error::not_switched(nothing("the flag cannot be switched here"), error));
        }
        let readings = patiently(order, self.provider.read(self.sender, std::slice::from_ref(&flag))).await;
        let readings = readings.map_err(|error| Error::not_switched(nothing("the flags cannot be read"), error))?;
        let reading = readings.get(&flag).cloned().unwrap_or(Reading::NOT_THERE);
        if reading.state == FlagState::NotThere && !self.provider.makes_flags() {
            let error = FlagError::NoFlag(flag.to_string());
            return Err(Error::not_switched(nothing("there is no such flag"), error));
        }
        let found = reading.value;
        if order.dry_run {
            self.tell_plan(order, (flag.as_str(), found.as_deref()), &gate.await, latest.as_ref());
            return Ok(Exit::Good);
        }
        let again = latest.filter(|entry| entry.kind == order.kind && !entry.is_unfinished());
        let as_wanted = reading.state.is_on() == (order.kind == Switch::Restore);
        let mut entry = match (unfinished, again) {
            (Some(entry), _) => {
                self.say(
                    order,
                    &format!("going on with what {} began at {}", entry.who, entry.begun_at),
                );
                entry
            }
            (None, Some(entry)) if as_wanted => {
                let (kind, who, at) = (entry.kind.as_str(), &entry.who, entry.begun_at);
                self.say(
                    order,
                    &format!("{flag} is as the {kind} by {who} at {at} left it: nothing to switch"),
                );
                entry
            }
            (None, _) => self.intend(order, flag.as_str(), found).await?,
        };
        if entry.step == Progress::Intended {
            self.switch(order, &mut entry).await?;
        }
        self.look(order, entry, gate, stop).await
    }

    /// Records what is about to be done, before it is done.
    async fn intend(&self, order: &Order, flag: &str, found: Option<String>) -> Result<Rollback> {
        let entry = Rollback {
            id: Uuid::new_v4(),
            lens: self.lens().clone(),
            kind: order.kind,
            step: Progress::Intended,
            target: self.provider.target(),
            flag: flag.to_owned(),
            found,
            who: order.who.clone(),
            reason: self.monitor.redactor.text(&order.reason).as_str().to_owned(),
            gate: NOT_ASKED.to_owned(),
            begun_at: Timestamp::now(),
            ended_at: None,
            outcome: None,
        };
        self.journal.put_rollback(entry.clone()).await?;
        Ok(entry)
    }

    async fn switch(&self, order: &Order, entry: &mut Rollback) -> Result<()> {
        if self.provider.target() != entry.target {
            return Err(Error::usage(format!(
                "the {} that was cut off is of {}: set {} to it",
                entry.kind.as_str(),
                entry.target,
                self.provider.settings()
            )));
        }
        // What was on may have been written in a way of its own.
        let value = match order.kind {
            Switch::Rollback => "false",
            Switch::Restore => "true",
        };
        let flag: FlagName = entry.flag.parse().map_err(Error::invalid)?;
        if let Err(error) = patiently(order, self.provider.set(self.sender, &flag, value)).await {
            // A provider that did not answer may have done it all the same; one that refused has not.
            if !matches!(error, FlagError::Silent(_)) {
                entry.step = Progress::Abandoned;
                entry.ended_at = Some(Timestamp::now());
                entry.outcome = Some(error.to_string());
                self.journal.put_rollback(entry.clone()).await?;
            }
            return Err(Error::not_switched(
                format!("{} was not set to {value}", entry.flag),
                error,
            ));
        }
        self.say(order, &format!("{} is {value} at {}", entry.flag, self.provider.name()));
        match patiently(order, self.provider.deploy(self.sender)).await {
            Ok(Deploy::Live) => self.say(order, "whoever asks for it hears of it without a restart"),
            Ok(Deploy::Started) => self.say(order, "the service starts anew, to read it"),
            Ok(Deploy::ByHand) => self.say(order, "restart the service now: it reads its flags when it starts"),
            Err(error) => {
                let kind = order.kind.as_str();
                return Err(error).with_context(|| {
                    format!(
                        "{} is {value}, but the service could not be deployed: `lensops {kind} {} --reason …` goes on",
                        entry.flag,
                        self.lens()
                    )
                });
            }
        }
        entry.step = Progress::Switched;
        Ok(self.journal.put_rollback(entry.clone()).await?)
    }

    /// Looks at the API, asks the gate meanwhile, and records what came of it.
    async fn look(
        &self,
        order: &Order,
        mut entry: Rollback,
        gate: impl Future<Output = String>,
        stop: &CancellationToken,
    ) -> Result<Exit> {
        let began = Instant::now();
        let watched = self.watch(order, stop);
        let (seen, answers) = if entry.gate == NOT_ASKED {
            let (watched, said) = tokio::join!(watched, gate);
            entry.gate = said;
            watched
        } else {
            watched.await
        };
        let waited = began.elapsed().as_secs();
        let outcome = outcome(order.kind, seen, &answers, waited);
        entry.step = Progress::Done;
        entry.ended_at = Some(Timestamp::now());
        entry.outcome = Some(outcome);
        self.journal.put_rollback(entry.clone()).await?;
        self.tell(order, &entry, seen);
        // What was done is done and told; that others hear of it later is no failure of it.
        match propagate::publish(self, &entry, fastrand::u64(..)).await {
            Ok(Some(_)) => {}
            Ok(None) => complain!("⚠️ The plan names no tenant: no check tells other machines of it"),
            Err(error) => complain!(
                "⚠️ Other machines were not told: {}",
                self.monitor.redactor.text(&error.line())
            ),
        }
        // Not seen is neither done nor failed; where a person has to restart the service, that is what is left to do.
        Ok(match seen {
            Seen::Follows => Exit::Good,
            _ if self.provider.follows() == Deploy::ByHand => Exit::Degraded,
            _ => Exit::CouldNotJudge,
        })
    }

    /// Looks at the API until it follows, the wait is over, or somebody interrupts. A look that the API does not answer
    /// ends with the wait; a short wait has one look.
    async fn watch(&self, order: &Order, stop: &CancellationToken) -> (Seen, Vec<Answer>) {
        let began = Instant::now();
        let until = began + order.wait.max(LOOK_EVERY);
        let mut last = (Seen::Silent, Vec::new());
        loop {
            let Ok(looked) = tokio::time::timeout_at(until, self.ask(order.kind)).await else {
                return last;
            };
            last = looked;
            let over = began.elapsed() + LOOK_EVERY > order.wait;
            if over || stop.is_cancelled() || matches!(last.0, Seen::Follows | Seen::NoProbe) {
                return last;
            }
            if !order.json {
                complain!("… {} s: the API does not follow yet", began.elapsed().as_secs());
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// What the API shows now, probe by probe.
    async fn ask(&self, kind: Switch) -> (Seen, Vec<Answer>) {
        let answers = self.monitor.ask_switched(self.sender, Timestamp::now()).await;
        let any = |wanted: Answered| answers.iter().any(|answer| answer.answered == wanted);
        let seen = match kind {
            _ if answers.is_empty() => Seen::NoProbe,
            Switch::Rollback if any(Answered::Disabled) => Seen::Follows,
            Switch::Restore if answers.iter().all(|answer| answer.answered == Answered::Good) => Seen::Follows,
            _ if answers.iter().all(|answer| answer.answered == Answered::Silent) => Seen::Silent,
            _ => Seen::Contradicts,
        };
        (seen, answers)
    }
}

/// What the provider answers to `asked`; while it is waited for, that is said.
async fn patiently<T>(order: &Order, asked: impl Future<Output = T>) -> T {
    let (mut asked, began) = (std::pin::pin!(asked), Instant::now());
    loop {
        tokio::select! {
            answer = &mut asked => return answer,
            () = tokio::time::sleep(LOOK_EVERY) => if !order.json {
                complain!("… {} s: the provider is busy or down, and is asked again", began.elapsed().as_secs());
            }
        }
    }
}
