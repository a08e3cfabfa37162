//! The pages of `--listen`: health, readiness and metrics of a worker.

use jiff::Timestamp;
use lensops_core::alert::Rule;
use serde_json::{Value, json};

use super::clock::Clock;
use super::openmetrics::{CONTENT_TYPE, Metrics};
use super::watchdog::Watchdog;
use crate::listen::{Page, Pages};
use crate::store::{OutboxState, StoreError};

impl<C: Clock> Watchdog<C> {
    /// Why the worker is not ready; nothing where it is.
    async fn reasons(&self, now: Timestamp) -> Vec<Value> {
        let mut reasons = Vec::new();
        match self.journal.outbox().await {
            Err(error) => {
                reasons.push(json!({"what": "journal", "why": self.redactor.text(&error.to_string())}));
            }
            Ok(state) => reasons.extend(self.bounds(&state)),
        }
        if let Some(why) = self.journal.refusing() {
            let why = self.redactor.text(&format!("the journal cannot be written: {why}"));
            reasons.push(json!({"what": "journal", "why": why}));
        }
        if let Some((count, one)) = self.health.overdue(now) {
            let why = format!("{count} without a check for two intervals, such as {one}");
            reasons.push(json!({"what": "schedule", "why": why}));
        }
        reasons
    }

    /// A store that does not answer is no reason as long as the journal has room for what it owes.
    fn bounds(&self, state: &OutboxState) -> Option<Value> {
        let failing = self.trouble.as_ref().and_then(|trouble| trouble.borrow().clone());
        let room = if failing.is_some() {
            self.limit / 5 * 4
        } else {
            self.limit
        };
        // What was delivered is dropped by itself; without a store elsewhere nothing is.
        let owed = self.trouble.is_none() || state.waiting + state.parked == state.checks;
        (state.bytes > room && owed).then(|| {
            let why = failing.map_or_else(String::new, |why| {
                format!(", and the store does not take checks: {why}")
            });
            let why = self.redactor.text(&format!(
                "the journal holds {} of {} bytes{why}",
                state.bytes, self.limit
            ));
            json!({"what": "store", "why": why})
        })
    }

    async fn metrics(&self, now: Timestamp) -> String {
        let mut metrics = Metrics::default();
        metrics.family("lensops_build", "info", "The version that runs");
        metrics.sample("lensops_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
        metrics.family("lensops_ready", "gauge", "1 while /readyz says so");
        metrics.sample("lensops_ready", &[], u8::from(self.reasons(now).await.is_empty()));
        self.health.write(&mut metrics, now);
        if let Some(trouble) = &self.trouble {
            metrics.family(
                "lensops_store_failing",
                "gauge",
                "1 while the store does not take checks",
            );
            metrics.sample("lensops_store_failing", &[], u8::from(trouble.borrow().is_some()));
        }
        let read = self.write_journal(&mut metrics).await;
        metrics.family("lensops_journal_readable", "gauge", "1 while the journal can be read");
        metrics.sample("lensops_journal_readable", &[], u8::from(read.is_ok()));
        metrics.family(
            "lensops_journal_writable",
            "gauge",
            "1 while the journal takes what is recorded",
        );
        metrics.sample(
            "lensops_journal_writable",
            &[],
            u8::from(self.journal.refusing().is_none()),
        );
        metrics.finish()
    }

    async fn write_journal(&self, metrics: &mut Metrics) -> Result<(), StoreError> {
        let (state, alerts, backlog) = (
            self.journal.outbox().await?,
            self.journal.alerts().await?,
            self.journal.alert_backlog().await?,
        );
        metrics.family(
            "lensops_outbox_checks",
            "gauge",
            "Checks that the store elsewhere has not taken",
        );
        for (name, count) in [("waiting", state.waiting), ("parked", state.parked)] {
            // Without a store elsewhere nothing is owed.
            let count = if self.trouble.is_some() { count } else { 0 };
            metrics.sample("lensops_outbox_checks", &[("state", name)], count);
        }
        metrics.family("lensops_journal_bytes", "gauge", "Bytes of the journal in use");
        metrics.sample("lensops_journal_bytes", &[], state.bytes);
        metrics.family(
            "lensops_journal_limit_bytes",
            "gauge",
            "Bytes that it should keep within",
        );
        metrics.sample("lensops_journal_limit_bytes", &[], self.limit);
        metrics.family("lensops_alerts_firing", "gauge", "Alerts that fire, by rule");
        for rule in Rule::ALL {
            let firing = alerts
                .iter()
                .filter(|alert| alert.firing && alert.rule.is(rule))
                .count();
            metrics.sample("lensops_alerts_firing", &[("rule", rule.as_str())], firing);
        }
        metrics.family(
            "lensops_alert_messages",
            "gauge",
            "Messages that a receiver has not taken",
        );
        for (receiver, waiting, refused) in &backlog {
            for (state, count) in [("waiting", waiting), ("refused", refused)] {
                metrics.sample(
                    "lensops_alert_messages",
                    &[("receiver", receiver), ("state", state)],
                    count,
                );
            }
        }
        Ok(())
    }
}

impl<C: Clock> Pages for Watchdog<C> {
    async fn page(&self, path: &str) -> Option<Page> {
        let json = |status, body: &Value| Page {
            status,
            content_type: "application/json",
            body: format!("{body}\n"),
        };
        let now = self.clock.now();
        match path {
            // That this is answered is what it says.
            "/healthz" => Some(json(200, &json!({"status": "ok"}))),
            "/readyz" => {
                let reasons = self.reasons(now).await;
                let (status, word) = if reasons.is_empty() {
                    (200, "ready")
                } else {
                    (503, "not ready")
                };
                Some(json(status, &json!({"status": word, "reasons": reasons})))
            }
            "/metrics" => Some(Page {
                status: 200,
                content_type: CONTENT_TYPE,
                body: self.metrics(now).await,
            }),
            _ => None,
        }
    }
}
