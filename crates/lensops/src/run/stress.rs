//! `lensops stress`: targets under load, a tally of each, and the verdict.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Result, bail};
use jiff::Timestamp;
use lensops_core::evidence::{Redactor, Transcript};
use lensops_core::exchange::{Base, Exchange, PreparedRequest, Secret};
use lensops_core::outcome::{Outcome, Severity, judge};
use lensops_core::percentile::{Latencies, Quantile, ms};
use lensops_core::plan::prepare::{prepare, vars_of};
use lensops_core::plan::stress::{Load, StressPlan, Target as LoadTarget};
use lensops_core::token::mint;
use lensops_core::verdict::stress::{StressVerdict, Tally, judge_stress};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use super::evidence::{Bundle, Written, fenced};
use super::plans::Loaded;
use super::{Exit, evidence};
use crate::config::{Settings, Target};
use crate::http::{Client, unsent};

/// A stress run, ready to go.
#[derive(Debug)]
pub struct Stress {
    loaded: Loaded<StressPlan>,
    base: Base,
    jwt_secret: Option<Secret>,
    issuer: String,
    redactor: Redactor,
}

impl Stress {
    /// Puts a run together from the settings.
    ///
    /// # Errors
    /// A missing address or secret.
    pub fn new(settings: &Settings, loaded: Loaded<StressPlan>) -> Result<Self> {
        let base = settings.api(Target::Staging)?;
        let jwt_secret = settings.jwt_secret(Target::Staging);
        if jwt_secret.is_none() && loaded.plan.targets.iter().any(|target| target.user.is_some()) {
            bail!(
                "{} is not set: the plan sends requests as users, whose tokens it signs",
                Settings::jwt_secret_names(Target::Staging)
            );
        }
        Ok(Self {
            issuer: settings.issuer(&base),
            redactor: settings.redactor(),
            loaded,
            base,
            jwt_secret,
        })
    }

    /// Loads every target, one after the other.
    ///
    /// # Errors
    /// When a request cannot be made of the plan.
    pub async fn run(&self, client: &Client, mut each: impl FnMut(&Tally)) -> Result<(Vec<Tally>, StressVerdict)> {
        // All requests are made before the first is sent: a plan that cannot run sends nothing.
        let requests = self
            .loaded
            .plan
            .targets
            .iter()
            .map(|target| self.prepare(target))
            .collect::<Result<Vec<_>>>()?;
        let mut tallies = Vec::new();
        for (target, request) in self.loaded.plan.targets.iter().zip(requests) {
            let Load::Burst(size) = target.load;
            let exchanges = burst(client, Arc::new(request), size).await;
            let tally = self.tally(target, &exchanges);
            each(&tally);
            tallies.push(tally);
        }
        let verdict = judge_stress(&tallies, &self.loaded.plan.verdict);
        Ok((tallies, verdict))
    }

    fn prepare(&self, target: &LoadTarget) -> Result<PreparedRequest> {
        let plan = &self.loaded.plan;
        let user = target.user.as_ref().and_then(|name| plan.users.get(name));
        let token = match (user, &self.jwt_secret) {
            (Some(user), Some(secret)) => Some(mint(secret, &self.issuer, user.id, Timestamp::now())?),
            _ => None,
        };
        Ok(prepare(
            &self.base,
            &target.request,
            token.as_ref(),
            &vars_of(&plan.vars, plan.tenants[0]),
        )?)
    }

    fn tally(&self, target: &LoadTarget, exchanges: &[Exchange]) -> Tally {
        let mut tally = Tally {
            name: target.name.clone(),
            planned: exchanges.len() as u64,
            ..Tally::default()
        };
        for exchange in exchanges {
            let label = match &exchange.result {
                Ok(response) => {
                    *tally.statuses.entry(response.status).or_default() += 1;
                    tally.latencies.record(exchange.timings.total_us);
                    let outcomes = judge(&target.expect, Severity::Fail, &self.loaded.plan.answers, exchange);
                    if let Some((_, why)) = outcomes.iter().find_map(Outcome::broken) {
                        tally.unexpected += 1;
                        tally
                            .first_unexpected
                            .get_or_insert_with(|| self.redactor.text(&why.to_string()).as_str().to_owned());
                    }
                    response.status.to_string()
                }
                Err(failure) => {
                    *tally.failures.entry(failure.class).or_default() += 1;
                    failure.class.as_str().to_owned()
                }
            };
            if !tally.transcripts.iter().any(|(known, _)| *known == label) {
                tally
                    .transcripts
                    .push((label, Transcript::of(exchange, &self.redactor)));
            }
        }
        tally
    }

    /// Writes the results of a run.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(
        &self,
        settings: &Settings,
        tallies: &[Tally],
        verdict: &StressVerdict,
        finished_at: Timestamp,
        nonce: u32,
    ) -> Result<Written> {
        let lens = &self.loaded.plan.stress;
        let prefix = format!("{}_STRESS_RESULTS", lens.upper());
        let files = vec![
            (
                format!("{prefix}.md"),
                self.redactor.text(&self.markdown(tallies, verdict, finished_at)),
            ),
            (
                format!("{prefix}.json"),
                self.redactor.json_pretty(&self.to_json(tallies, verdict, finished_at)),
            ),
        ];
        let bundle = Bundle {
            kind: "stress",
            lens,
            verdict: verdict.verdict,
            plan_text: &self.loaded.text,
            plan_origin: self.loaded.origin,
            finished_at,
            nonce,
            latest: files.iter().map(|(name, _)| name.clone()).collect(),
            files,
        };
        evidence::write(settings, bundle, &self.redactor)
    }

    fn to_json(&self, tallies: &[Tally], verdict: &StressVerdict, finished_at: Timestamp) -> Value {
        json!({
            "lens": self.loaded.plan.stress,
            "tenant": self.loaded.plan.tenants[0],
            "api": self.base.to_string(),
            "plan": {"path": self.loaded.path.display().to_string(), "origin": self.loaded.origin},
            "finished_at": finished_at.to_string(),
            "verdict": verdict.verdict,
            "reason": verdict.reason,
            "targets": tallies.iter().map(Tally::to_json).collect::<Vec<_>>(),
        })
    }

    fn markdown(&self, tallies: &[Tally], verdict: &StressVerdict, finished_at: Timestamp) -> String {
        let plan = &self.loaded.plan;
        let mut text = format!(
            "# Stress results: {}\n\n{}: {}\n\nAPI `{}`, tenant `{}`, plan `{}` ({}), finished {finished_at}.\n\n",
            plan.stress.title(),
            verdict.verdict.tell(),
            verdict.reason,
            self.base,
            plan.tenants[0],
            self.loaded.path.display(),
            self.loaded.origin,
        );
        text.push_str("| target | load | answered | statuses | without an answer | min | P50 | P95 | P99 | max |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
        for (target, tally) in plan.targets.iter().zip(tallies) {
            let Load::Burst(size) = target.load;
            let latency = |us: Option<u64>| us.map_or_else(|| "n/a".to_owned(), ms);
            let at = |quantile: Quantile| {
                tally
                    .latencies
                    .tell(quantile)
                    .split_once(' ')
                    .map(|(_, figure)| figure.to_owned())
                    .unwrap_or_default()
            };
            // Writing to a String cannot fail.
            let _infallible = writeln!(
                text,
                "| {} | burst of {size} | {} of {} | {} | {} | {} | {} | {} | {} | {} |",
                tally.name,
                tally.completed(),
                tally.planned,
                statuses(tally),
                failures(tally),
                latency(tally.latencies.min()),
                at(Quantile::P50),
                at(Quantile::P95),
                at(Quantile::P99),
                latency(tally.latencies.max()),
            );
        }
        text.push_str("\nLatency is from the start of writing to the last byte, over connections that were open before. Percentiles are nearest rank; `(n=…)` marks a sample too small to support the figure.\n");
        for tally in tallies {
            for (label, transcript) in &tally.transcripts {
                let _infallible = write!(
                    text,
                    "\n## {}: first {label}\n\n{}\n{}",
                    tally.name,
                    fenced(transcript.request.as_str()),
                    fenced(transcript.response.as_str())
                );
            }
        }
        text
    }
}

/// Sends `size` requests at once, each over a connection of its own that is opened before.
async fn burst(client: &Client, request: Arc<PreparedRequest>, size: u32) -> Vec<Exchange> {
    let start = Arc::new(Barrier::new(usize::try_from(size).unwrap_or(1)));
    let mut sent = JoinSet::new();
    for _ in 0..size {
        let (client, request, start) = (client.clone(), request.clone(), start.clone());
        sent.spawn(async move {
            let begun = Instant::now();
            let connection = client.connect(&request.base).await;
            start.wait().await;
            match connection {
                Ok(connection) => client.send_over(connection, request).await.0,
                Err(failure) => unsent(request, failure, begun),
            }
        });
    }
    sent.join_all().await
}

fn statuses(tally: &Tally) -> String {
    let counts: Vec<String> = tally
        .statuses
        .iter()
        .map(|(status, count)| format!("{count} × {status}"))
        .collect();
    if counts.is_empty() {
        "none".to_owned()
    } else {
        counts.join(", ")
    }
}

fn failures(tally: &Tally) -> String {
    let counts: Vec<String> = tally
        .failures
        .iter()
        .map(|(class, count)| format!("{count} × {}", class.as_str()))
        .collect();
    if counts.is_empty() {
        "0".to_owned()
    } else {
        counts.join(", ")
    }
}

/// One line a target.
#[must_use]
pub fn line(tally: &Tally) -> String {
    let figure = |quantile| tally.latencies.tell(quantile);
    let spread = |window: &Latencies| match (window.min(), window.max()) {
        (Some(min), Some(max)) => format!("min {} max {}", ms(min), ms(max)),
        _ => "no answer was timed".to_owned(),
    };
    format!(
        "{}: {} of {} answered ({}), {} without an answer, {} {} {} {}",
        tally.name,
        tally.completed(),
        tally.planned,
        statuses(tally),
        failures(tally),
        figure(Quantile::P50),
        figure(Quantile::P95),
        figure(Quantile::P99),
        spread(&tally.latencies),
    )
}

/// Runs, prints and writes.
///
/// # Errors
/// When a request cannot be made of the plan, or the results cannot be written.
pub async fn stress(settings: &Settings, client: &Client, run: &Stress, as_json: bool) -> Result<Exit> {
    if let Some(warning) = run.loaded.warning() {
        eprintln!("⚠️ {warning}");
    }
    let (tallies, verdict) = run
        .run(client, |tally| {
            if !as_json {
                println!("{}", line(tally));
            }
        })
        .await?;
    let finished_at = Timestamp::now();
    let written = run.write(settings, &tallies, &verdict, finished_at, fastrand::u32(..))?;
    if as_json {
        println!(
            "{}",
            run.redactor.json_pretty(&run.to_json(&tallies, &verdict, finished_at))
        );
    } else {
        println!("{}: {}", verdict.verdict.tell(), verdict.reason);
        println!("Evidence: {}", written.folder.display());
        for path in &written.latest {
            println!("          {}", path.display());
        }
    }
    Ok(verdict.verdict.into())
}
