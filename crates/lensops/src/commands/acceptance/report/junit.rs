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
        let mut all = std::time::Duration::ZERO;
        for case in &self.cases {
            let status = match &case.result {
                CaseResult::Passed { .. } => TestCaseStatus::success(),
                CaseResult::Failed { why } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                    status.set_type("failed").set_message(characters(why.as_str()));
                    status
                }
                // Neither passed nor failed: an error is what CI services show as such.
                CaseResult::Unjudged { reason } => {
                    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
                    status
                        .set_type("unjudged")
                        .set_message(characters(&format!("unjudged: {reason}")));
                    status
                }
                CaseResult::Skipped { reason } => {
                    let mut status = TestCaseStatus::skipped();
                    status.set_message(characters(reason.as_str()));
                    status
                }
            };
            let mut test = TestCase::new(characters(&case.heading()), status);
            test.set_classname(format!("lensops.{}.{}", self.kind, self.lens));
            let took: u64 = case
                .transcripts
                .iter()
                .map(|transcript| transcript.timings.total_us)
                .sum();
            let took = std::time::Duration::from_micros(took);
            all += took;
            test.set_time(took);
            let exchanges = case
                .transcripts
                .iter()
                .map(|transcript| format!("{}\n\n{}", transcript.request, transcript.response));
            test.set_system_out(characters(&exchanges.collect::<Vec<_>>().join("\n\n")));
            suite.add_test_case(test);
        }
        suite.set_time(all);
        // As the schemas of Surefire and Jenkins have it: without a zone, in UTC.
        let ended = self.finished_at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
        suite.extra.insert("timestamp".into(), ended.as_str().into());
        let mut report = quick_junit::Report::new(format!("lensops {}", self.kind));
        report.add_test_suite(suite);
        let text = report
            .to_string()
            .map_err(Error::system)
            .context("JUnit cannot be written")?;
        Ok(for_jenkins(text))
    }
}

/// The schema of Jenkins counts what was skipped in each suite, and knows no such attribute of all of them together.
fn for_jenkins(mut junit: String) -> String {
    let root = junit
        .find("<testsuites")
        .and_then(|at| Some(at..at + junit.get(at..)?.find('>')?));
    let skipped = root.and_then(|root| {
        let at = root.start + junit.get(root)?.find(" skipped=\"")?;
        let value = at + " skipped=\"".len();
        Some(at..=value + junit.get(value..)?.find('"')?)
    });
    if let Some(skipped) = skipped {
        junit.replace_range(skipped, "");
    }
    junit
}

/// `text` with what is no character of XML replaced: one of them, and no reader takes the file.
fn characters(text: &str) -> String {
    let is_one = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..);
    text.chars().map(|c| if is_one(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::{characters, for_jenkins};

    #[test]
    fn e6_only_suites_count_what_was_skipped() {
        let junit =
            |all| format!("<?xml?>\n<testsuites name=\"a\"{all} tests=\"1\">\n<testsuite skipped=\"1\"/></testsuites>");
        assert_eq!(for_jenkins(junit(" skipped=\"12\"")), junit(""));
        assert_eq!(for_jenkins(junit("")), junit(""));
    }

    #[test]
    fn e6_what_is_no_character_of_xml_is_replaced() {
        assert_eq!(
            characters("a\u{fffe}b\u{ffff}\0\u{1}\t\u{1f600}"),
            "a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}\t\u{1f600}"
        );
    }
}
