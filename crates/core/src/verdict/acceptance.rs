//! Acceptance cases and the verdict over them.

use schemars::JsonSchema;
use serde::Serialize;

use super::Verdict;
use crate::redaction::{Redacted, Transcript};

/// What a case came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "result")]
pub enum CaseResult {
    /// As expected; the text says what: `200 + work_order created: ID`.
    Passed {
        /// What came.
        told: Redacted,
    },
    /// Not as expected.
    Failed {
        /// Why.
        why: Redacted,
    },
    /// It could not be told.
    Unjudged {
        /// Why not.
        reason: Redacted,
    },
    /// Left out on purpose.
    Skipped {
        /// Why.
        reason: Redacted,
    },
}

/// Which part of a run a case belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Before the scenarios.
    Setup,
    /// A scenario.
    Test,
    /// After the scenarios.
    Teardown,
    /// The master flag proving itself.
    Flag,
}

impl Phase {
    /// As in a case's line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Setup => "Setup",
            Self::Test => "Test",
            Self::Teardown => "Teardown",
            Self::Flag => "Flag",
        }
    }
}

/// A look into the database: the statement as the plan writes it, and what it returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DatabaseProof {
    /// What it proves.
    pub name: String,
    /// The statement, its variables not filled in.
    pub sql: String,
    /// Rows before the case; `None` where it could not be asked then.
    pub before: Option<u64>,
    /// Rows after the case.
    pub after: u64,
    /// Why that is not as expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broken: Option<String>,
}

/// One case of an acceptance run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Case {
    /// Which part of the run it belongs to.
    pub phase: Phase,
    /// Its number within its part, from 1.
    pub number: usize,
    /// Its name.
    pub name: String,
    /// Whether it belongs to the signed flow.
    pub signed_flow: bool,
    /// What it came to.
    #[serde(flatten)]
    pub result: CaseResult,
    /// What the database says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<DatabaseProof>,
    /// Postconditions that were not looked at, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proofs_skipped: Vec<String>,
    /// The exchanges, one a step that was sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub transcripts: Vec<Transcript>,
    /// Whether the API answered.
    pub answered: bool,
}

impl Case {
    /// `Test 1: Missing signature`.
    #[must_use]
    pub fn heading(&self) -> String {
        format!("{} {}: {}", self.phase.word(), self.number, self.name)
    }

    /// `[PASS] Test 1: Missing signature: 400 signature_required`.
    #[must_use]
    pub fn line(&self) -> String {
        let (mark, told) = match &self.result {
            CaseResult::Passed { told } => ("PASS", told),
            CaseResult::Failed { why } => ("FAIL", why),
            CaseResult::Unjudged { reason } => ("UNJUDGED", reason),
            CaseResult::Skipped { reason } => ("SKIP", reason),
        };
        // What a server answered must not begin a line of its own, nor steer a terminal.
        let line = format!("[{mark}] {}: {told}", self.heading());
        line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    }
}

/// How many cases came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Unjudged.
    pub unjudged: usize,
    /// Skipped.
    pub skipped: usize,
}

/// Counts `cases`.
#[must_use]
pub fn count(cases: &[Case]) -> Counts {
    let mut counts = Counts::default();
    for case in cases {
        match case.result {
            CaseResult::Passed { .. } => counts.passed += 1,
            CaseResult::Failed { .. } => counts.failed += 1,
            CaseResult::Unjudged { .. } => counts.unjudged += 1,
            CaseResult::Skipped { .. } => counts.skipped += 1,
        }
    }
    counts
}

/// The verdict over `cases` and its reason: how many came to what, and why some were skipped.
///
/// - A failure among answers fails the run, whatever else could not be told.
/// - Where nothing answered there is nothing to blame the feature for: could not judge.
/// - A case that should have been judged and was not (*unjudged*) keeps the run from passing.
/// - A case known beforehand not to run here (*skipped*) changes nothing.
#[must_use]
pub fn judge_cases(cases: &[Case]) -> (Verdict, String) {
    let counts = count(cases);
    // Setup and teardown are no cases: a run that did nothing else did nothing.
    let ran = |case: &&Case| matches!(case.result, CaseResult::Passed { .. } | CaseResult::Failed { .. });
    let ran = cases
        .iter()
        .filter(|case| case.phase == Phase::Test)
        .filter(ran)
        .count();
    let told = format!(
        "{} passed, {} failed, {} unjudged, {} skipped{}",
        counts.passed,
        counts.failed,
        counts.unjudged,
        counts.skipped,
        skip_reasons(cases)
    );
    if counts.failed > 0 && !cases.iter().any(|case| case.answered) {
        return (Verdict::CouldNotJudge, format!("nothing answered ({told})"));
    }
    if counts.failed > 0 {
        return (Verdict::Fail, told);
    }
    if ran == 0 {
        return (Verdict::CouldNotJudge, format!("no case ran ({told})"));
    }
    if counts.unjudged == 0 {
        return (Verdict::Pass, told);
    }
    let unjudged = |of: fn(&Case) -> bool| {
        let mut unjudged = cases
            .iter()
            .filter(|case| matches!(case.result, CaseResult::Unjudged { .. }));
        unjudged.any(of)
    };
    let what = if unjudged(|case| case.signed_flow) {
        "a signed-flow case is unjudged"
    } else if unjudged(|case| case.phase == Phase::Flag) {
        "the flag did not prove itself"
    } else if unjudged(|case| !case.proofs_skipped.is_empty()) {
        "a database proof could not be looked at"
    } else {
        "a case is unjudged"
    };
    (Verdict::CouldNotJudge, format!("{what} ({told})"))
}

/// Why cases were skipped, each reason once with its number: ` (2: no user of role manager)`.
fn skip_reasons(cases: &[Case]) -> String {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for case in cases {
        let CaseResult::Skipped { reason } = &case.result else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| *known == reason.as_str()) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason.as_str(), 1)),
        }
    }
    if reasons.is_empty() {
        return String::new();
    }
    let told: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{count}: {reason}"))
        .collect();
    format!(" ({})", told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redaction::Redactor;

    fn case(result: &str, signed_flow: bool, answered: bool) -> Case {
        let text = Redactor::default().text("x");
        let result = match result {
            "passed" => CaseResult::Passed { told: text },
            "failed" => CaseResult::Failed { why: text },
            "unjudged" => CaseResult::Unjudged { reason: text },
            _ => CaseResult::Skipped { reason: text },
        };
        Case {
            phase: Phase::Test,
            number: 1,
            name: "n".to_owned(),
            signed_flow,
            result,
            proofs: Vec::new(),
            proofs_skipped: Vec::new(),
            transcripts: Vec::new(),
            answered,
        }
    }

    #[test]
    fn every_mixture_has_its_verdict() {
        use Verdict::{CouldNotJudge, Fail, Pass};
        let (pass, fail) = (case("passed", true, true), case("failed", true, true));
        let (silent, skip) = (case("failed", true, false), case("skipped", true, false));
        let (unjudged, unjudged_read) = (case("unjudged", true, false), case("unjudged", false, false));
        let table = [
            ("nothing", vec![], CouldNotJudge),
            ("passed", vec![pass.clone()], Pass),
            ("one failed", vec![pass.clone(), fail.clone()], Fail),
            ("failed beside unjudged", vec![unjudged.clone(), fail], Fail),
            ("passed beside skipped", vec![pass.clone(), skip.clone()], Pass),
            ("only skipped", vec![skip], CouldNotJudge),
            ("signed flow unjudged", vec![pass.clone(), unjudged], CouldNotJudge),
            // Fault V10: what should have been judged and was not is no pass.
            (
                "READ unjudged",
                vec![pass.clone(), unjudged_read.clone()],
                CouldNotJudge,
            ),
            (
                "answered, and the database refused",
                vec![pass.clone(), case("unjudged", false, true)],
                CouldNotJudge,
            ),
            (
                "flag unjudged",
                vec![
                    pass.clone(),
                    Case {
                        phase: Phase::Flag,
                        ..unjudged_read
                    },
                ],
                CouldNotJudge,
            ),
            ("nothing answered", vec![silent.clone(), silent.clone()], CouldNotJudge),
            ("one did not answer", vec![pass, silent], Fail),
        ];
        for (what, cases, verdict) in table {
            assert_eq!(judge_cases(&cases).0, verdict, "{what}");
        }
    }

    #[test]
    fn the_reason_counts_every_answer_and_says_why_cases_were_skipped() {
        let skipped = |why: &str| Case {
            result: CaseResult::Skipped {
                reason: Redactor::default().text(why),
            },
            ..case("skipped", false, false)
        };
        let cases = [
            case("passed", true, true),
            skipped("no user of role manager"),
            skipped("not destructive"),
            skipped("no user of role manager"),
        ];
        assert_eq!(
            judge_cases(&cases).1,
            "1 passed, 0 failed, 0 unjudged, 3 skipped (2: no user of role manager; 1: not destructive)"
        );
    }
}
