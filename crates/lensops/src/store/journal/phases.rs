//! The phases of lenses in the journal: steps, one after the other.

use lensops_core::history::phase::{Move, Step};
use lensops_core::ident::LensId;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::{decode_error, parsed, time_text};
use crate::store::StoreError;

/// Records a step where its number is free.
struct PutStep {
    step: Step,
}

impl WriteJob for PutStep {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        let step = &self.step;
        Box::pin(async move {
            sqlx::query(
                "INSERT INTO lensops_phases (lens_id, seq, id, kind, from_phase, to_phase, decided_at, who, reason, overridden, evidence) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
            )
            .bind(step.lens.as_str())
            .bind(i64::from(step.seq))
            .bind(step.id.to_string())
            .bind(step.kind.as_str())
            .bind(step.from.as_str())
            .bind(step.to.as_str())
            .bind(time_text(step.at))
            .bind(&step.who)
            .bind(step.reason.as_deref())
            .bind(serde_json::json!(step.overridden).to_string())
            .bind(serde_json::json!(step.evidence).to_string())
            .execute(writer)
            .await?;
            Ok(AfterCommit::default())
        })
    }
}

fn step(row: &SqliteRow) -> Result<Step, sqlx::Error> {
    let kind: &str = row.try_get("kind")?;
    let list = |column: &str| {
        serde_json::from_str::<Vec<String>>(row.try_get(column)?).map_err(|error| decode_error(column, error))
    };
    Ok(Step {
        id: parsed(row, "id")?,
        lens: parsed(row, "lens_id")?,
        seq: row.try_get("seq")?,
        kind: Move::parse(kind).ok_or_else(|| decode_error("kind", kind))?,
        from: parsed(row, "from_phase")?,
        to: parsed(row, "to_phase")?,
        at: parsed(row, "decided_at")?,
        who: row.try_get("who")?,
        reason: row.try_get("reason")?,
        overridden: list("overridden")?,
        evidence: list("evidence")?,
    })
}

impl Journal {
    /// Records `step`, unless another has taken its number meanwhile: then `false`, and nothing is recorded.
    ///
    /// # Errors
    /// When the journal cannot be written or read.
    pub async fn put_step(&self, step: Step) -> Result<bool, StoreError> {
        let (id, lens) = (step.id, step.lens.clone());
        self.write(PutStep { step }).await?;
        Ok(self.steps(&lens).await?.iter().any(|step| step.id == id))
    }

    /// Every step of `lens`, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn steps(&self, lens: &LensId) -> Result<Vec<Step>, StoreError> {
        let rows = sqlx::query("SELECT * FROM lensops_phases WHERE lens_id = $1 ORDER BY seq")
            .bind(lens.as_str())
            .fetch_all(&self.reader)
            .await?;
        Ok(rows.iter().map(step).collect::<Result<_, _>>()?)
    }
}
