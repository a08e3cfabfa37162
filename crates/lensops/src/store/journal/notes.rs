//! Notes beside a lens: what was deployed, changed or tried, by whom and when.

use jiff::Timestamp;
use lensops_core::alert::Notification;
use lensops_core::ident::LensId;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::{parsed, time_text};
use crate::store::StoreError;

/// A note beside a lens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// Its id.
    pub id: Uuid,
    /// The lens.
    pub lens: LensId,
    /// The tenant; every tenant of the lens where none is named.
    pub tenant: Option<Uuid>,
    /// When it was made.
    pub at: Timestamp,
    /// Who made it.
    pub who: String,
    /// What it says, one line.
    pub text: String,
}

/// Records a note.
struct PutNote(Note);

impl WriteJob for PutNote {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            let note = &self.0;
            sqlx::query(
                "INSERT INTO lensops_notes (id, yacht_id, lens_id, made_at, who, text) VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(note.id.to_string())
            .bind(note.tenant.map_or_else(String::new, |tenant| tenant.to_string()))
            .bind(note.lens.as_str())
            .bind(time_text(note.at))
            .bind(&note.who)
            .bind(&note.text)
            .execute(writer)
            .await?;
            Ok(AfterCommit::default())
        })
    }
}

fn note(row: &SqliteRow) -> Result<Note, sqlx::Error> {
    let tenant = match row.try_get::<&str, _>("yacht_id")? {
        "" => None,
        _ => Some(parsed(row, "yacht_id")?),
    };
    Ok(Note {
        id: parsed(row, "id")?,
        lens: parsed(row, "lens_id")?,
        tenant,
        at: parsed(row, "made_at")?,
        who: row.try_get("who")?,
        text: row.try_get("text")?,
    })
}

impl Journal {
    /// Records a note.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn put_note(&self, note: Note) -> Result<(), StoreError> {
        self.write(PutNote(note)).await
    }

    /// The notes beside `lens` for `tenant` that were made after `from`, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn notes_of(&self, lens: &LensId, tenant: Uuid, from: Timestamp) -> Result<Vec<Note>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM lensops_notes WHERE lens_id = $1 AND made_at > $2 AND yacht_id IN ('', $3) ORDER BY made_at, id",
        )
        .bind(lens.as_str())
        .bind(time_text(from))
        .bind(tenant.to_string())
        .fetch_all(&self.reader)
        .await?;
        Ok(rows.iter().map(note).collect::<Result<_, _>>()?)
    }

    /// What alerts said of `lens` for `tenant` after `from`, oldest first; one that cannot be read is left out.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn notices_of(
        &self,
        lens: &LensId,
        tenant: Uuid,
        from: Timestamp,
    ) -> Result<Vec<Notification>, StoreError> {
        let bodies: Vec<String> = sqlx::query_scalar(
            "SELECT body FROM lensops_notifications WHERE told_at > $1 AND json_extract(body, '$.lens') = $2 \
             AND json_extract(body, '$.tenant') = $3 ORDER BY told_at, id LIMIT 500",
        )
        .bind(time_text(from))
        .bind(lens.as_str())
        .bind(tenant.to_string())
        .fetch_all(&self.reader)
        .await?;
        Ok(bodies
            .iter()
            .filter_map(|body| serde_json::from_str(body).ok())
            .collect())
    }
}
