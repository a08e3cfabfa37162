//! `lensops demo`: everything, end to end, against the stand-in API on loopback.
//!
//! The week of monitoring is made of real requests, real answers and a virtual clock: each slot of
//! the past seven days is run now, one after the other, and every place that shows such a check
//! says so. Incidents are injected (see `story`), so that all statuses and gate decisions appear. What
//! the demo expects of itself it checks: another decision than expected ends it with exit code 1.

mod api;
mod holes;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod setup;
mod story;
mod week;

use std::io::IsTerminal as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub use api::Api;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::{SignedDuration, Timestamp};
use lensops_core::history::gate::Decision;
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::plan::stress::StressPlan;
use lensops_core::verdict::Verdict;
use lensops_sandbox::{Config, Dialect, Sandbox};
use tokio_util::sync::CancellationToken;
use week::{Week, Weekly};

use crate::commands::acceptance::Acceptance;
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::exit::Exit;
use crate::commands::plans::{Which, load};
use crate::commands::rollout::gate::gate;
use crate::commands::rollout::status;
use crate::commands::serve;
use crate::commands::signal::stop_on_signal;
use crate::commands::stress::{Stress, View};
use crate::commands::worker::Worker;
use crate::commands::worker::check::Monitor;
use crate::commands::worker::clock::SystemClock;
use crate::config::Settings;
use crate::http::{Client, TIMEOUT};
use crate::store::{Alerting, Journal, Store};
use crate::web;

/// Where the dashboard is left open.
const DASHBOARD: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8090);

/// One gate question of the demo and the answer it must get.
struct Question {
    when: &'static str,
    window: &'static str,
    at: Timestamp,
    expected: Decision,
}

/// A number with its noun.
fn counted(count: usize, one: &str, many: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        3 => format!("three {many}"),
        count => format!("{count} {many}"),
    }
}

/// Runs the demo of `api` in `folder`.
///
/// # Errors
/// When the folder cannot be made, or a step cannot run at all.
pub async fn demo(folder: &Path, once: bool, api: Api) -> Result<Exit> {
    let begun = Instant::now();
    setup::make_folder(folder)?;
    let client = Client::new(TIMEOUT);
    let sandbox = lensops_sandbox::serve(Config::loopback(Dialect::Documented))
        .await
        .map_err(Error::system)?;
    say!("1. Sandbox: {} (control: {})", sandbox.url(), sandbox.control_url());
    api.write_project(folder, &sandbox)?;
    let settings = api.settings(folder, &sandbox)?;
    let (lenses, files) = api.generate(&settings)?;
    say!(
        "2. Generate: {} into {}",
        counted(lenses.len(), "lens", "lenses"),
        folder.display()
    );
    say!("   {files} files");

    let mut failed = Vec::new();
    say!(
        "3. Acceptance in {}",
        counted(api.dialects().len(), "dialect", "dialects")
    );
    for dialect in api.dialects() {
        failed.extend(acceptance(api, folder, &client, &lenses, *dialect).await?);
    }
    if api == Api::Http {
        say!("   Holes are planted in the API, one after the other");
        failed.extend(holes::find(folder, &client).await?);
    }
    say!("4. Stress");
    failed.extend(stress(&settings, &lenses).await?);

    let mut monitors = setup::monitors(&settings, &lenses)?;
    monitors.iter_mut().for_each(|monitor| monitor.virtual_clock = true);
    let journal = Journal::open(&settings.journal_path()).await?;
    let week = Week::ending(Timestamp::now());
    let struck = api.struck();
    let others = if lenses.len() > 1 { " and others" } else { "" };
    say!("5. A week of monitoring: real requests under a virtual clock, incidents at {struck}{others}");
    let receivers = settings.receivers()?;
    journal.alert_with(Alerting {
        book: settings.rule_book(&receivers)?,
        redactor: settings.redactor(),
    });
    let weekly = live_week(api, &week, &sandbox, &client, &journal, &monitors).await?;
    say!(
        "   {} checks: {} healthy, {} degraded, {} unhealthy",
        weekly.checks,
        weekly.healthy,
        weekly.degraded,
        weekly.unhealthy
    );
    failed.extend(weekly.absent());
    say!("6. Gate of {struck}");
    failed.extend(ask_gate(struck, &week, &journal, &monitors).await?);
    say!("7. Status");
    let plans: Vec<_> = monitors.iter().map(|monitor| monitor.plan.clone()).collect();
    status::status(&journal, &plans, Timestamp::now(), false).await?;
    summary(struck, folder, &settings, begun, &failed);
    if !failed.is_empty() {
        return Ok(Exit::Bad);
    }
    if once {
        journal.close().await;
        sandbox.stop().await;
        return Ok(Exit::Good);
    }
    let rest = Rest {
        settings,
        lenses,
        plans,
        journal,
        client,
    };
    rest.go_on().await?;
    sandbox.stop().await;
    Ok(Exit::Good)
}

/// What goes on once the demo has told everything: dashboard and worker, until it is told to stop.
struct Rest {
    settings: Settings,
    lenses: Vec<String>,
    plans: Vec<MonitorPlan>,
    journal: Journal,
    client: Client,
}

impl Rest {
    async fn go_on(self) -> Result<()> {
        let stop = stop_on_signal();
        let dashboard = serve::setup(&self.settings, self.journal.clone(), self.plans)?;
        let listener = match serve::listener(DASHBOARD, false).await {
            Ok(listener) => listener,
            // Something else listens there: any other port does.
            Err(_) => serve::listener(SocketAddr::new(DASHBOARD.ip(), 0), false).await?,
        };
        say!("\nDashboard: http://{}/", listener.local_addr().map_err(Error::system)?);
        say!("Sandbox, worker and dashboard go on; Ctrl-C ends them.");
        let pages = tokio::spawn(web::serve(listener, dashboard, stop.clone()));
        let monitors = setup::monitors(&self.settings, &self.lenses)?
            .into_iter()
            .map(Arc::new)
            .collect();
        let store = Store::Sqlite(self.journal.clone());
        Worker::new(SystemClock, self.client, self.journal.clone(), store, monitors)
            .run(stop)
            .await;
        pages.await.map_err(Error::system)?;
        self.journal.close().await;
        Ok(())
    }
}

async fn acceptance(
    api: Api,
    folder: &Path,
    client: &Client,
    lenses: &[String],
    dialect: Dialect,
) -> Result<Vec<String>> {
    // A sandbox of its own: signed actions use entities up, and each dialect wants them fresh.
    let sandbox = lensops_sandbox::serve(Config::loopback(dialect))
        .await
        .map_err(Error::system)?;
    let settings = api.settings(folder, &sandbox)?;
    let mut failed = Vec::new();
    for lens in lenses {
        let loaded = load::<AcceptancePlan>(&settings, &Which::Lens(lens))?;
        let run = Acceptance::new(&settings, loaded, &[], Some(&dialect.to_string()), None)?;
        let accepted = run
            .run(client, fastrand::u64(..), &CancellationToken::new(), |_| {})
            .await;
        say!(
            "   {:<12} {:<14} {}: {}",
            dialect.to_string(),
            lens,
            accepted.verdict.tell(),
            accepted.reason
        );
        if accepted.verdict != Verdict::Pass {
            failed.push(format!(
                "acceptance of {} in dialect {dialect}: {}",
                lens, accepted.reason
            ));
        }
        run.report(accepted, Timestamp::now())
            .write(&settings, run.redactor(), fastrand::u32(..))?;
    }
    sandbox.stop().await;
    Ok(failed)
}

async fn stress(settings: &Settings, lenses: &[String]) -> Result<Vec<String>> {
    let mut failed = Vec::new();
    for lens in lenses {
        let run = Stress::new(settings, load::<StressPlan>(settings, &Which::Lens(lens))?, None)?;
        let ran = run.run(&mut View::silent(), &CancellationToken::new()).await?;
        let verdict = &ran.verdict;
        run.write(settings, &ran, Timestamp::now(), fastrand::u32(..))?;
        say!("   {:<14} {}: {}", lens, verdict.verdict.tell(), verdict.reason);
        if verdict.verdict != Verdict::Pass {
            failed.push(format!("stress of {}: {}", lens, verdict.reason));
        }
    }
    Ok(failed)
}

async fn live_week(
    api: Api,
    week: &Week,
    sandbox: &Sandbox,
    client: &Client,
    journal: &Journal,
    monitors: &[Monitor],
) -> Result<Weekly> {
    let bar = ProgressBar::new(week.steps());
    let plain = !std::io::stderr().is_terminal();
    if let Ok(style) = ProgressStyle::with_template("   {bar:40} {pos}/{len} quarter hours {elapsed}") {
        bar.set_style(style);
    }
    let weekly = week
        .live(api, sandbox, client, journal, monitors, |step| {
            bar.set_position(step);
            if plain && step % 96 == 0 && step > 0 {
                say!("   day {} of 7", step / 96);
            }
        })
        .await?;
    bar.finish_and_clear();
    Ok(weekly)
}

async fn ask_gate(struck: &str, week: &Week, journal: &Journal, monitors: &[Monitor]) -> Result<Vec<String>> {
    let monitor = monitors
        .iter()
        .find(|monitor| monitor.lens().as_str() == struck)
        .context("the struck lens has no monitor")?;
    let questions = [
        Question {
            when: "before the incident",
            window: "24h",
            at: week.incident_starts(),
            expected: Decision::Proceed,
        },
        Question {
            when: "during the incident",
            window: "24h",
            at: week.incident_ends(),
            expected: Decision::RollBack,
        },
        Question {
            when: "more than 24 h after",
            window: "24h",
            at: week.incident_ends() + SignedDuration::from_hours(25),
            expected: Decision::Proceed,
        },
        Question {
            when: "at the end of the week",
            window: "7d",
            at: week.ends(),
            expected: Decision::RollBack,
        },
    ];
    let mut failed = Vec::new();
    for Question {
        when,
        window,
        at,
        expected,
    } in questions
    {
        let span = lensops_core::duration::parse_span(window)?;
        let gated = gate(journal, &monitor.plan, span, at, Timestamp::now()).await?;
        let reason = gated
            .reports
            .first()
            .map_or("no tenant", |report| report.reason.as_str());
        say!("   {window:>3} {when:<22} {}: {reason}", gated.decision.tell());
        if gated.decision != expected {
            failed.push(format!(
                "gate {window} {when}: {:?}, expected {expected:?}",
                gated.decision
            ));
        }
    }
    say!("   (checks of these windows were made under a virtual clock)");
    Ok(failed)
}

fn summary(struck: &str, folder: &Path, settings: &Settings, begun: Instant, failed: &[String]) {
    let at = folder.display();
    say!(
        "\nDone in {:.1} s. Everything lies in {at}:",
        begun.elapsed().as_secs_f64()
    );
    say!("   lens files       {at}/lenses/");
    say!("   plans            {at}/tools/ops/monitors/, {at}/tests/ci/, {at}/tests/stress/");
    say!("   CI workflows     {at}/.github/workflows/");
    say!("   documents        {at}/docs/pipeline/");
    say!("   evidence         {at}/verification_handoff/phase6/ (latest), {at}/verification_handoff/runs/ (all)");
    say!("   checks           {}", settings.journal_path().display());
    say!("Look further:       lensops --root {at} status");
    say!("                    lensops --root {at} gate {struck} --window 7d");
    for reason in failed {
        say!("❌ {reason}");
    }
}
