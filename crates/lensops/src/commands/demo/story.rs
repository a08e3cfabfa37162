//! What happens in the demo's week: an incident at one lens days ago, and in the last 24 h another one that is
//! told, rolled back and overcome, a lens that is rolled back still, and one that is degraded now.
//!
//! It is written in steps of a quarter hour. What it injects into the sandbox is real to the monitor; who rolled
//! back, when and why is recorded as `lensops rollback` records it, at the time of the virtual clock.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lensops_core::alert::{Finding, Rule as Alert, Seen, Subject};
use lensops_core::ident::LensId;
use lensops_sandbox::{Act, Answer, Faults, Rule, Sandbox};
use uuid::Uuid;

use super::api::Api;
use crate::commands::error::{Error, Result};
use crate::store::{Journal, Note, Progress, Rollback, Switch};

/// Quarter hours in the week.
pub(super) const STEPS: i64 = 7 * 96;

/// The step at which the first incident starts: in the middle of the fourth day.
const INCIDENT: i64 = 3 * 96 + 48;

/// Steps with a handler missing, then steps with a 5xx.
const WARNING: i64 = 2;
const OUTAGE: i64 = 3;

/// The step after the first incident.
pub(super) const OVER: i64 = INCIDENT + WARNING + OUTAGE;

/// The step at which the first incident starts.
pub(super) const STARTS: i64 = INCIDENT;

/// The second incident, in steps before the end: it breaks, is rolled back, is repaired, is on again.
const BREAKS: i64 = STEPS - 36;
const ROLLED_BACK: i64 = STEPS - 33;
const REPAIRED: i64 = STEPS - 28;
const RESTORED: i64 = STEPS - 27;

/// The lens that is rolled back still, and since when.
const PAUSED: &str = "equipment";
const PAUSED_FLAG: &str = "EQUIPMENT_LENS_V1_ENABLED";
const PAUSES: i64 = STEPS - 20;

/// The lens that is degraded now, and since when.
const SLOWED: &str = "shopping_list";
const SLOWS: i64 = STEPS - 3;

/// The story, told step by step.
pub(super) struct Story<'a> {
    /// The API that it is of.
    pub(super) api: Api,
    /// The tenant that all checks are made for.
    pub(super) tenant: Uuid,
    pub(super) sandbox: &'a Sandbox,
    pub(super) journal: &'a Journal,
}

fn answers(path: &str, code: u16, domain: Option<&str>) -> Rule {
    let mut rule = Rule::new(Act::Status(Answer {
        code,
        body: None,
        headers: BTreeMap::new(),
    }))
    .on(path);
    rule.domain = domain.map(str::to_owned);
    rule
}

impl Story<'_> {
    /// Does what happens at `step`, which is at `at`, before its checks are made.
    pub(super) async fn step(&self, step: i64, at: Timestamp) -> Result<()> {
        let (second, flag) = self.api.second();
        match step {
            _ if (STARTS..STARTS + WARNING).contains(&step) => self.warn(step),
            _ if step == STARTS + WARNING => self.rules(vec![self.outage(self.api.struck())]),
            BREAKS => {
                self.rules(vec![self.outage(second)]);
                self.note(second, at, "deployed 2.4.0").await?;
            }
            OVER => self.inject(Faults::default()),
            REPAIRED => {
                self.inject(Faults::default());
                self.note(second, at, "deployed 2.4.1: the list leaves archived rows out")
                    .await?;
            }
            // Checks under a virtual clock alert nobody by themselves: what they would have said is said here.
            _ if (BREAKS + 1..ROLLED_BACK).contains(&step) => {
                let reason = "List endpoint: Expected 200, got 500 (under a virtual clock)".to_owned();
                let finding = Finding {
                    reason,
                    response: None,
                    urgency: None,
                };
                self.alert(Seen::Broken(finding), at).await?;
            }
            ROLLED_BACK => {
                let why = "the list answers 500 since the last deploy";
                self.switch(second, flag, Switch::Rollback, at, why).await?;
            }
            RESTORED => {
                let why = "the fix is deployed, the list answers";
                self.switch(second, flag, Switch::Restore, at, why).await?;
            }
            _ if (RESTORED + 1..RESTORED + 4).contains(&step) => self.alert(Seen::Clear, at).await?,
            _ if self.api == Api::ActionRouter => self.others(step, at).await?,
            _ => {}
        }
        Ok(())
    }

    /// What happens at lenses besides the two of the incidents.
    async fn others(&self, step: i64, at: Timestamp) -> Result<()> {
        match step {
            PAUSES => {
                let why = "it doubles rows on import; the fix is in review";
                self.switch(PAUSED, PAUSED_FLAG, Switch::Rollback, at, why).await?;
            }
            SLOWS => self.rules(vec![answers("/v1/actions/suggestions", 429, Some(SLOWED))]),
            _ => {}
        }
        Ok(())
    }

    /// What makes checks degraded: a handler that is missing, or one request of a check that is refused.
    fn warn(&self, step: i64) {
        match self.api {
            Api::ActionRouter if step == STARTS => self.inject(Faults {
                missing_handlers: vec!["suggestions".to_owned()],
                ..Faults::default()
            }),
            Api::ActionRouter => {}
            Api::Http => {
                let mut once = answers("/orders", 422, None);
                once.times = Some(1);
                self.rules(vec![once]);
            }
        }
    }

    /// What makes checks of `lens` unhealthy: its list answers 500.
    fn outage(&self, lens: &str) -> Rule {
        match self.api {
            Api::ActionRouter => answers("/v1/actions/list", 500, Some(lens)),
            Api::Http => answers("/orders", 500, None),
        }
    }

    fn inject(&self, faults: Faults) {
        self.sandbox.set_faults(faults);
    }

    fn rules(&self, rules: Vec<Rule>) {
        self.inject(Faults {
            rules,
            ..Faults::default()
        });
    }

    async fn alert(&self, seen: Seen, at: Timestamp) -> Result<()> {
        let lens: LensId = self.api.second().0.parse().map_err(Error::invalid)?;
        let subject = Subject::Lens(self.tenant, lens);
        Ok(self
            .journal
            .alert_seen(vec![(Alert::Unhealthy, subject, seen)], at)
            .await?)
    }

    /// Writes down what a deploy hook would.
    async fn note(&self, lens: &str, at: Timestamp, text: &str) -> Result<()> {
        let note = Note {
            id: Uuid::new_v4(),
            lens: lens.parse().map_err(Error::invalid)?,
            tenant: None,
            at,
            who: "deploy hook".to_owned(),
            text: text.to_owned(),
        };
        Ok(self.journal.put_note(note).await?)
    }

    /// Switches `flag` in the sandbox, and records it as it is recorded by command.
    async fn switch(&self, lens: &str, flag: &str, kind: Switch, at: Timestamp, why: &str) -> Result<()> {
        let on = kind == Switch::Restore;
        self.sandbox.set_flag(flag, if on { "true" } else { "false" });
        let lens: LensId = lens.parse().map_err(Error::invalid)?;
        let entry = Rollback {
            id: Uuid::new_v4(),
            lens,
            kind,
            step: Progress::Done,
            target: "srv-demo".to_owned(),
            flag: flag.to_owned(),
            found: Some((!on).to_string()),
            who: "demo".to_owned(),
            reason: why.to_owned(),
            gate: if on { "not asked" } else { "roll back" }.to_owned(),
            begun_at: at,
            ended_at: Some(at + SignedDuration::from_secs(20)),
            outcome: Some("the API was seen to follow".to_owned()),
        };
        Ok(self.journal.put_rollback(entry).await?)
    }
}
