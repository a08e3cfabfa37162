//! What a rollback or restore tells: what it would do, and what the API showed.

use lensops_core::exchange::Sender;
use serde_json::json;

use super::context::{Context, Order};
use crate::commands::worker::{Answer, Answered, told_off};
use crate::flags::{Deploy, FlagProvider as _};
use crate::store::{Rollback, Switch};

/// What the API showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It follows: 503 after a rollback, answers after a restore.
    Follows,
    /// It answers, and not as if it followed.
    Contradicts,
    /// It does not answer.
    Silent,
    /// The plan has no probe that could tell.
    NoProbe,
}

impl<S: Sender> Context<'_, S> {
    /// Says what would be done.
    pub(super) fn tell_plan(
        &self,
        order: &Order,
        (flag, found): (&str, Option<&str>),
        gate: &str,
        latest: Option<&Rollback>,
    ) {
        let value = if order.kind == Switch::Rollback {
            "false"
        } else {
            "true"
        };
        if order.json {
            let plan = json!({"dry_run": true, "lens": self.lens(), "kind": order.kind, "flag": flag,
                "target": self.provider.name(), "found": found, "value": value, "gate": gate, "latest": latest});
            say!("{plan:#}");
            return;
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
            match self.provider.follows() {
                Deploy::Live => "have it followed without a restart",
                Deploy::Started => "start the service anew",
                Deploy::ByHand => "ask you to restart the service, which reads its flags when it starts",
            },
            order.wait.as_secs()
        );
        say!("The gate says: {gate}");
        if let Some(latest) = latest.filter(|entry| entry.is_unfinished()) {
            say!(
                "A {} by {} was cut off and would be gone on with",
                latest.kind.as_str(),
                latest.who
            );
        }
    }

    /// Says what was done, and what the API made of it.
    pub(super) fn tell(&self, order: &Order, entry: &Rollback, seen: Seen) {
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

/// That the API was seen to be switched off, at which probes, and at which it was not.
fn follows(answers: &[Answer]) -> String {
    let mut told = format!("the API answers {}", told_off(answers));
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

/// What is recorded of what the API showed after `waited` seconds.
pub(super) fn outcome(kind: Switch, seen: Seen, answers: &[Answer], waited: u64) -> String {
    match (kind, seen) {
        (Switch::Rollback, Seen::Follows) => follows(answers),
        (Switch::Restore, Seen::Follows) => format!("the API answers, and not with {}", told_off(answers)),
        (Switch::Rollback, Seen::Contradicts) => format!(
            "after {waited} s the API still answers: it has not started anew, or it never says {}",
            told_off(answers)
        ),
        (Switch::Restore, Seen::Contradicts) => format!("after {waited} s the API does not answer as switched on"),
        (_, Seen::Silent) => format!("after {waited} s the API does not answer at all"),
        (_, Seen::NoProbe) => "no probe of the plan says how a switched-off feature answers".to_owned(),
    }
}
