//! Database proofs: rows counted before and after a case.

use lensops_core::plan::Vars;
use lensops_core::plan::acceptance::Scenario;
use lensops_core::plan::sql::expand_sql;
use lensops_core::verdict::acceptance::{Case, CaseResult, DatabaseProof};

use super::captures::Progress;
use super::run::Acceptance;
use super::step::Ended;

impl Acceptance {
    /// Rows of each proof; `None` for one that speaks of what is not known yet, and for all of
    /// them without a database.
    pub(super) async fn counts(&self, scenario: &Scenario, vars: &Vars) -> Result<Vec<Option<u64>>, String> {
        let Some(database) = &self.database else {
            return Ok(vec![None; scenario.then.len()]);
        };
        let expanded: Vec<Option<String>> = scenario
            .then
            .iter()
            .map(|proof| expand_sql(&proof.sql, vars).ok())
            .collect();
        let statements: Vec<String> = expanded.iter().flatten().cloned().collect();
        if statements.is_empty() {
            return Ok(vec![None; expanded.len()]);
        }
        let mut counts = database.count(&statements).await?.into_iter();
        Ok(expanded
            .iter()
            .map(|statement| statement.as_ref().and_then(|_| counts.next()))
            .collect())
    }

    /// Looks into the database after a case that passed: a proof that is broken fails it.
    pub(super) async fn prove(
        &self,
        scenario: &Scenario,
        before: &[Option<u64>],
        progress: &Progress,
        case: &mut Case,
    ) {
        if self.database.is_none() {
            case.proofs_skipped = scenario
                .then
                .iter()
                .map(|_| "STAGING_DB_URL is not set".to_owned())
                .collect();
            return;
        }
        let after = match self.counts(scenario, &progress.last).await {
            Ok(after) => after,
            Err(reason) => {
                case.proofs_skipped = vec![reason.clone(); scenario.then.len()];
                case.result = self.result(Ended::Unjudged(reason));
                return;
            }
        };
        for ((proof, before), after) in scenario.then.iter().zip(before).zip(after) {
            let Some(after) = after else {
                let reason = match expand_sql(&proof.sql, &progress.last) {
                    Err(error) => format!("{}: {}", proof.name, self.unprepared(&error)),
                    Ok(_) => format!("{}: the database gave no answer", proof.name),
                };
                if matches!(case.result, CaseResult::Passed { .. }) {
                    case.result = self.result(Ended::Unjudged(reason.clone()));
                }
                case.proofs_skipped.push(reason);
                continue;
            };
            let broken = proof.expect.broken(*before, after);
            if let (Some(why), CaseResult::Passed { .. }) = (&broken, &case.result) {
                case.result = self.result(Ended::Failed(format!("{}: {why}", proof.name)));
            }
            let (name, sql) = (proof.name.clone(), proof.sql.clone());
            case.proofs.push(DatabaseProof {
                name,
                sql,
                before: *before,
                after,
                broken,
            });
        }
    }
}
