//! `lensops rollback` and `restore`: the master flag of a lens off, or on again, and what the API
//! makes of it.
//!
//! The intent is in the journal before the provider is told, and each step after it, so that a run
//! that was cut off is gone on with by the next one. Doing it twice changes nothing. Whether the API
//! follows is looked at for a while; an API that never says `503 FEATURE_DISABLED` is told apart from
//! one that was seen to follow.

mod propagate;

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::ident::LensId;
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use propagate::News;

use crate::commands::exit::Exit;
use crate::commands::worker::check::{Answered, Monitor};
use crate::flags::{Deploy, FlagProvider as _, Provider, is_on};
use crate::store::{Journal, Progress, Rollback, Store, Switch};

/// The wait between two looks at the API.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is to be done.
#[derive(Debug)]
pub struct Order {
    /// Off, or on again.
    pub kind: Switch,
    /// Why.
    pub reason: String,
    /// Who.
    pub who: String,
    /// How long the API is looked at.
    pub wait: Duration,
    /// Say what would be done, and do nothing.
    pub dry_run: bool,
    /// Print JSON.
    pub json: bool,
    /// What the gate says now.
    pub gate: String,
}

/// What a rollback works on.
pub struct Ground<'a, S> {
    /// The lens with its probes.
    pub monitor: &'a Monitor,
    /// Where its flags are kept.
    pub provider: &'a Provider,
    /// Sends requests.
    pub sender: &'a S,
    /// Keeps the record.
    pub journal: &'a Journal,
    /// Where workers of other machines read of it.
    pub store: &'a Store<S>,
}

/// What the API showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// It follows: 503 after a rollback, answers after a restore.
    Follows,
    /// It answers, and not as if it followed.
    Contradicts,
    /// It does not answer.
    Silent,
    /// The plan has no probe that could tell.
    NoProbe,
}

impl<S: Sender> Ground<'_, S> {
    fn lens(&self) -> &LensId {
        self.monitor.lens()
    }

    /// Carries `order` out.
    ///
    /// # Errors
    /// When the lens has no flag, the provider cannot be read or set, or the journal refuses.
    pub async fn carry_out(&self, order: &Order, stop: &CancellationToken) -> Result<Exit> {
        let Some(flag) = self.monitor.plan.flags().first().map(ToString::to_string) else {
            bail!("lens {} names no feature flag: there is nothing to switch", self.lens());
        };
        let latest = self.journal.rollbacks().await?;
        let latest = latest.into_iter().find(|entry| entry.lens == *self.lens());
        let unfinished = latest.clone().filter(Rollback::is_unfinished);
        if let Some(other) = unfinished.as_ref().filter(|entry| entry.kind != order.kind) {
            bail!(
                "a {} of lens {} by {} was cut off: finish it first with `lensops {} {} --reason …`",
                other.kind.as_str(),
                self.lens(),
                other.who,
                other.kind.as_str(),
                self.lens()
            );
        }
        let variables = patiently(order, self.provider.read(self.sender)).await;
        let variables = variables.context("nothing was changed: the flags cannot be read")?;
        let found = variables.get(&flag).cloned();
        if order.dry_run {
            return self.tell_plan(order, &flag, found.as_deref(), latest.as_ref());
        }
        let again = latest.filter(|entry| entry.kind == order.kind && !entry.is_unfinished());
        let as_wanted = is_on(found.as_deref()) == (order.kind == Switch::Restore);
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
            (None, _) => self.intend(order, &flag, found).await?,
        };
        if entry.step == Progress::Intended {
            self.switch(order, &mut entry).await?;
        }
        self.look(order, entry, stop).await
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
            gate: order.gate.clone(),
            begun_at: Timestamp::now(),
            ended_at: None,
            outcome: None,
        };
        self.journal.put_rollback(entry.clone()).await?;
        Ok(entry)
    }

    async fn switch(&self, order: &Order, entry: &mut Rollback) -> Result<()> {
        if self.provider.target() != entry.target {
            bail!(
                "the {} that was cut off is of {}: set RENDER_SERVICE_ID, or `flags` of lensops.yml, to it",
                entry.kind.as_str(),
                entry.target
            );
        }
        // What was on may have been written in a way of its own.
        let value = match order.kind {
            Switch::Rollback => "false",
            Switch::Restore => "true",
        };
        if let Err(error) = patiently(order, self.provider.set(self.sender, &entry.flag, value)).await {
            // A provider that did not answer may have done it all the same; one that refused has not.
            if !matches!(error, crate::flags::FlagError::Silent(_)) {
                entry.step = Progress::Abandoned;
                entry.ended_at = Some(Timestamp::now());
                entry.outcome = Some(error.to_string());
                self.journal.put_rollback(entry.clone()).await?;
            }
            return Err(error).with_context(|| format!("{} was not set to {value}", entry.flag));
        }
        self.say(order, &format!("{} is {value} at {}", entry.flag, self.provider.name()));
        match patiently(order, self.provider.deploy(self.sender)).await {
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

    /// Looks at the API until it follows, the wait is over, or somebody interrupts.
    async fn look(&self, order: &Order, mut entry: Rollback, stop: &CancellationToken) -> Result<Exit> {
        let began = Instant::now();
        let (seen, answers) = loop {
            let (seen, answers) = self.ask(order.kind).await;
            let over = began.elapsed() + LOOK_EVERY > order.wait;
            if over || stop.is_cancelled() || matches!(seen, Seen::Follows | Seen::NoProbe) {
                break (seen, answers);
            }
            if !order.json {
                eprintln!("… {} s: the API does not follow yet", began.elapsed().as_secs());
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        };
        let waited = began.elapsed().as_secs();
        let outcome = match (order.kind, seen) {
            (Switch::Rollback, Seen::Follows) => follows(&answers),
            (Switch::Restore, Seen::Follows) => "the API answers, and not with 503 FEATURE_DISABLED".to_owned(),
            (Switch::Rollback, Seen::Contradicts) => format!(
                "after {waited} s the API still answers: it has not started anew, or its dialect never says 503 FEATURE_DISABLED"
            ),
            (Switch::Restore, Seen::Contradicts) => format!("after {waited} s the API does not answer as switched on"),
            (_, Seen::Silent) => format!("after {waited} s the API does not answer at all"),
            (_, Seen::NoProbe) => "no probe of the plan says how a switched-off feature answers".to_owned(),
        };
        entry.step = Progress::Done;
        entry.ended_at = Some(Timestamp::now());
        entry.outcome = Some(outcome);
        self.journal.put_rollback(entry.clone()).await?;
        self.tell(order, &entry, seen);
        // What was done is done and told; that others hear of it later is no failure of it.
        match propagate::publish(self, &entry, fastrand::u64(..)).await {
            Ok(Some(_)) => {}
            Ok(None) => eprintln!("⚠️ The plan names no tenant: no check tells other machines of it"),
            Err(error) => eprintln!(
                "⚠️ Other machines were not told: {}",
                self.monitor.redactor.text(&format!("{error:#}"))
            ),
        }
        // Not seen is neither done nor failed.
        Ok(if seen == Seen::Follows {
            Exit::Good
        } else {
            Exit::CouldNotJudge
        })
    }

    async fn ask(&self, kind: Switch) -> (Seen, Vec<(String, Answered)>) {
        let answers = self.monitor.ask_switched(self.sender, Timestamp::now()).await;
        let any = |wanted: Answered| answers.iter().any(|(_, answered)| *answered == wanted);
        let seen = match kind {
            _ if answers.is_empty() => Seen::NoProbe,
            Switch::Rollback if any(Answered::Disabled) => Seen::Follows,
            Switch::Restore if answers.iter().all(|(_, answered)| *answered == Answered::Good) => Seen::Follows,
            _ if answers.iter().all(|(_, answered)| *answered == Answered::Silent) => Seen::Silent,
            _ => Seen::Contradicts,
        };
        (seen, answers)
    }

    fn say(&self, order: &Order, line: &str) {
        if !order.json {
            say!("{}: {line}", self.lens());
        }
    }

    fn tell_plan(&self, order: &Order, flag: &str, found: Option<&str>, latest: Option<&Rollback>) -> Result<Exit> {
        let value = if order.kind == Switch::Rollback {
            "false"
        } else {
            "true"
        };
        if order.json {
            let plan = json!({"dry_run": true, "lens": self.lens(), "kind": order.kind, "flag": flag,
                "target": self.provider.name(), "found": found, "value": value, "gate": order.gate, "latest": latest});
            say!("{plan:#}");
            return Ok(Exit::Good);
        }
        say!(
            "Would record: {} of {} by {}: {}",
            order.kind.as_str(),
            self.lens(),
            order.who,
            order.reason
        );
        say!(
            "Would set {flag} from {} to {value} at {}",
            found.unwrap_or("(not there)"),
            self.provider.name()
        );
        say!(
            "Would {}, and look at the API for up to {} s",
            match self.provider {
                Provider::Render(_) => "start the service anew",
                Provider::EnvFile(_) => "ask you to restart the service, which reads its flags when it starts",
            },
            order.wait.as_secs()
        );
        say!("The gate says: {}", order.gate);
        if let Some(latest) = latest.filter(|entry| entry.is_unfinished()) {
            say!(
                "A {} by {} was cut off and would be gone on with",
                latest.kind.as_str(),
                latest.who
            );
        }
        Ok(Exit::Good)
    }

    fn tell(&self, order: &Order, entry: &Rollback, seen: Seen) {
        if order.json {
            say!("{:#}", json!(entry));
            return;
        }
        let mark = if seen == Seen::Follows { "✅" } else { "❔" };
        say!(
            "{mark} {}: {}",
            self.lens(),
            entry.outcome.as_deref().unwrap_or_default()
        );
        say!("The gate said: {}", entry.gate);
        let since = entry.begun_at.strftime("%Y-%m-%dT%H:%M:%SZ");
        match order.kind {
            Switch::Rollback => say!(
                "Shown as paused from now on by everything that reads this journal; a worker elsewhere learns of it from the store within a minute. To make it last, put into lenses/{}.yml and generate:\n  paused: {{reason: {}, since: {since}}}",
                self.lens(),
                json!(entry.reason)
            ),
            Switch::Restore if self.monitor.plan.paused.is_some() => {
                say!(
                    "lenses/{}.yml still says `paused`: take it out and generate",
                    self.lens()
                );
            }
            Switch::Restore => say!("No longer shown as paused"),
        }
    }
}

/// What the provider answers to `asked`; while it is waited for, that is said.
async fn patiently<T>(order: &Order, asked: impl Future<Output = T>) -> T {
    let (mut asked, began) = (std::pin::pin!(asked), Instant::now());
    loop {
        tokio::select! {
            answer = &mut asked => return answer,
            () = tokio::time::sleep(LOOK_EVERY) => if !order.json {
                eprintln!("… {} s: the provider is busy or down, and is asked again", began.elapsed().as_secs());
            }
        }
    }
}

/// That the API was seen to be switched off, at which probes, and at which it was not.
fn follows(answers: &[(String, Answered)]) -> String {
    let mut told = "the API answers 503 FEATURE_DISABLED".to_owned();
    if let Some(off) = Answered::Disabled.probes(answers) {
        told += &format!(" ({off})");
    }
    if let Some(on) = Answered::Good.probes(answers) {
        told += &format!("; still answered, so not gated by this flag: {on}");
    }
    for (other, what) in [
        (Answered::Other, "answered with another error"),
        (Answered::Silent, "not answered"),
    ] {
        if let Some(probes) = other.probes(answers) {
            told += &format!("; {what}: {probes}");
        }
    }
    told
}
