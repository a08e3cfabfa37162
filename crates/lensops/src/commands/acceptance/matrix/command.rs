//! Asks the whole matrix, prints its table, and leaves the evidence behind.

use anyhow::Result;
use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::verdict::Verdict;
use lensops_core::verdict::acceptance::{Case, CaseResult, judge_cells};

use super::role_matrix::RoleMatrix;
use super::table::Table;
use crate::commands::acceptance::report::{Output, Report, finish};
use crate::commands::evidence::bundle;
use crate::commands::exit::Exit;
use crate::commands::signal::stop_on_signal;
use crate::config::Settings;

/// Asks, prints and writes. Ctrl-C and SIGTERM end the run in order: cells that were not answered are
/// unjudged, and the evidence is written.
///
/// # Errors
/// When the evidence cannot be written.
pub async fn matrix<S: Sender>(settings: &Settings, sender: &S, run: &RoleMatrix, output: &Output) -> Result<Exit> {
    if let Some(warning) = run.loaded.warning() {
        eprintln!("⚠️ {warning}");
    }
    bundle::ready(settings)?;
    for line in &run.left_out {
        eprintln!("⚠️ {line}");
    }
    let stop = stop_on_signal();
    let (cases, rows) = run.ask(sender, fastrand::u64(..), &stop).await;
    let table = Table {
        columns: run.columns(),
        rows,
    };
    let (mut verdict, mut reason) = judge_cells(&cases);
    if stop.is_cancelled() && verdict == Verdict::Pass {
        // Half a table proves nothing.
        (verdict, reason) = (Verdict::CouldNotJudge, format!("interrupted ({reason})"));
    }
    if !output.json {
        say!("{}", table.text().trim_end());
        for case in cases
            .iter()
            .filter(|case| matches!(case.result, CaseResult::Failed { .. }))
        {
            say!("{}", run.redactor.text(&case.line()));
        }
    }
    let mut report = report(run, cases, verdict, reason);
    let page = run.redactor.text(&table.html(&report));
    report.pages.push(("html", page));
    finish(settings, &run.redactor, &report, output, fastrand::u32(..))
}

/// What the run says of itself.
fn report(run: &RoleMatrix, cases: Vec<Case>, verdict: Verdict, reason: String) -> Report {
    Report {
        kind: "matrix",
        title: format!("Role matrix: {}", run.lens.title()),
        lens: run.lens.clone(),
        // Nobody says which tenant an outsider is of.
        tenants: run.outsiders.is_empty().then(|| run.loaded.plan.tenants.clone()),
        facts: [
            ("api", run.base.to_string()),
            ("dialect", run.dialect_name.clone()),
            ("tenant", run.loaded.plan.tenants[0].to_string()),
            ("actions", run.actions.len().to_string()),
            ("roles", run.roles.len().to_string()),
            (
                "destructive",
                if run.destructive { "allowed" } else { "forbidden" }.to_owned(),
            ),
        ]
        .into_iter()
        .chain((!run.left_out.is_empty()).then(|| ("left_out", run.left_out.join(" · "))))
        .collect(),
        plan_origin: run.loaded.origin,
        plan_text: run.loaded.text.clone(),
        finished_at: Timestamp::now(),
        verdict,
        reason,
        cases,
        pages: Vec::new(),
    }
}
