//! The run as JUnit.

use lensops_core::verdict::acceptance::CaseResult;
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::run_report::Report;
use crate::commands::error::{Context as _, Error, Result};

impl Report {
    /// The run as JUnit: one test case each, the transcript as its output.
    ///
    /// # Errors
    /// When the library cannot write it.
    pub fn junit(&self) -> Result<String> {
        let mut suite = TestSuite::new(format!("{} {}", self.lens, self.kind));
        for case in &self.cases {
            let status = match &case.result {
                CaseResult::Passed { .. } => TestCaseStatus::success(),
                CaseResult::Failed { why } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_message(why.as_str());
                    status
                }
                // Neither passed nor failed: an error is what CI services show as such.
                CaseResult::Unjudged { reason } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                    status.set_message(format!("unjudged: {reason}"));
                    status
                }
                CaseResult::Skipped { reason } => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(reason.as_str());
                    status
                }
            };
            let mut test = TestCase::new(case.heading(), status);
            test.set_classname(format!("lensops.{}.{}", self.kind, self.lens));
            let took: u64 = case
                .transcripts
                .iter()
                .map(|transcript| transcript.timings.total_us)
                .sum();
            test.set_time(std::time::Duration::from_micros(took));
            let exchanges = case
                .transcripts
                .iter()
                .map(|transcript| format!("{}\n\n{}", transcript.request, transcript.response));
            test.set_system_out(exchanges.collect::<Vec<_>>().join("\n\n"));
            suite.add_test_case(test);
        }
        let mut report = quick_junit::Report::new(format!("lensops {}", self.kind));
        report.add_test_suite(suite);
        report
            .to_string()
            .map_err(Error::system)
            .context("JUnit cannot be written")
    }
}
