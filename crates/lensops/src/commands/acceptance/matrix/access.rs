//! The role matrix of an API without a registry: endpoint × role × tenant, as the lens says who is let in.
//!
//! Each cell is a scenario of the acceptance plan's own kind, so that it is sent, judged and taken back as one.

use jiff::Timestamp;
use lensops_core::exchange::Sender;
use lensops_core::plan::acceptance::{AcceptancePlan, Access, Cell};
use lensops_core::verdict::RunKind;
use lensops_core::verdict::acceptance::{Case, CaseResult, Phase};

use super::table::{Mark, Row, Table};
use crate::commands::acceptance::Accepted;
use crate::commands::acceptance::report::{Output, Report, finish};
use crate::commands::acceptance::run::Acceptance;
use crate::commands::error::Result;
use crate::commands::evidence::bundle;
use crate::commands::exit::Exit;
use crate::commands::plans::Loaded;
use crate::commands::signal::stop_on_signal;
use crate::config::{Destructive, Settings};

/// Cells that are asked at once.
const AT_ONCE: usize = 8;

/// A matrix of endpoints, ready to be asked.
pub struct AccessMatrix {
    run: Acceptance,
    access: Access,
    /// What each cell expects, row by row.
    cells: Vec<Cell>,
    destructive: bool,
    left_out: Vec<String>,
}

impl AccessMatrix {
    /// Puts a matrix together from the `access` of a plan.
    ///
    /// # Errors
    /// A missing address or secret, or an unknown dialect.
    pub fn new(
        settings: &Settings,
        mut loaded: Loaded<AcceptancePlan>,
        access: Access,
        dialect: Option<&str>,
    ) -> Result<Self> {
        let destructive = settings.project.destructive == Some(Destructive::Allowed);
        let plan = &mut loaded.plan;
        let (cells, scenarios): (Vec<Cell>, Vec<_>) = access.cells(&plan.users, destructive).into_iter().unzip();
        let is_made = scenarios.iter().any(|scenario| scenario.skip.is_none());
        (plan.scenarios, plan.parallel) = (scenarios, AT_ONCE);
        if !destructive || !is_made {
            (plan.setup, plan.teardown) = (Vec::new(), Vec::new());
        }
        let left_out = access
            .outsiders
            .is_empty()
            .then(|| "not asked: what users of another tenant see; name them in `outsiders` of lensops.yml".to_owned());
        Ok(Self {
            run: Acceptance::new(settings, loaded, &[], dialect, None)?,
            access,
            cells,
            destructive,
            left_out: left_out.into_iter().collect(),
        })
    }

    /// Asks, prints and writes. Ctrl-C and SIGTERM end the run in order, and what was made is taken back.
    ///
    /// # Errors
    /// When the evidence cannot be written.
    pub async fn ask<S: Sender>(&self, settings: &Settings, sender: &S, output: &Output) -> Result<Exit> {
        if let Some(warning) = self.run.warning() {
            complain!("⚠️ {warning}");
        }
        bundle::ready(settings)?;
        for line in &self.left_out {
            complain!("⚠️ {line}");
        }
        let stop = stop_on_signal();
        let accepted = self.run.run(sender, fastrand::u64(..), &stop, |_| {}).await;
        let table = self.table(&accepted.cases);
        if !output.json {
            say!("{}", table.text().trim_end());
            let failed = |case: &&Case| matches!(case.result, CaseResult::Failed { .. });
            for case in accepted.cases.iter().filter(failed) {
                say!("{}", self.run.redactor().text(&case.line()));
            }
        }
        let mut report = self.report(accepted);
        let page = self.run.redactor().text(&table.html(&report));
        report.pages.push(("html", page));
        finish(settings, self.run.redactor(), &report, output, fastrand::u32(..))
    }

    fn table(&self, cases: &[Case]) -> Table {
        let cells = cases.iter().filter(|case| case.phase == Phase::Test);
        let marks: Vec<Mark> = cells.zip(&self.cells).map(|(case, cell)| mark(case, *cell)).collect();
        let columns = self.access.columns();
        let rows = self.access.endpoints.iter().zip(marks.chunks(columns.len().max(1)));
        let rows = rows.map(|(entry, marks)| Row {
            action: entry.name.to_string(),
            marks: marks.to_vec(),
        });
        Table {
            rows: rows.collect(),
            columns,
            held_to: "the lens",
        }
    }

    fn report(&self, accepted: Accepted) -> Report {
        let mut report = self.run.report(accepted, Timestamp::now());
        report.kind = RunKind::Matrix;
        report.title = format!("Role matrix: {}", report.lens.title());
        if !self.access.outsiders.is_empty() {
            // Nobody says which tenant an outsider is of.
            report.tenants = None;
        }
        let destructive = if self.destructive { "allowed" } else { "forbidden" };
        report.facts.extend([
            ("endpoints", self.access.endpoints.len().to_string()),
            ("roles", self.access.roles.len().to_string()),
            ("destructive", destructive.to_owned()),
        ]);
        if !self.left_out.is_empty() {
            report.facts.push(("left_out", self.left_out.join(" · ")));
        }
        report
    }
}

fn mark(case: &Case, cell: Cell) -> Mark {
    match (&case.result, cell) {
        (CaseResult::Passed { .. }, Cell::LetIn) => Mark::LetIn,
        (CaseResult::Passed { .. }, Cell::Denied) => Mark::Denied,
        (CaseResult::Failed { .. }, _) => Mark::Differs,
        (CaseResult::Unjudged { .. }, _) => Mark::Unjudged,
        (CaseResult::Skipped { .. }, _) => Mark::NotRun,
    }
}
