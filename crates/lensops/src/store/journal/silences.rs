//! Silences: who silenced which alerts, until when and why.

use std::str::FromStr;

use jiff::Timestamp;
use lensops_core::alert::{Rule, Subject};
use lensops_core::ident::LensId;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use uuid::Uuid;

use super::handle::Journal;
use super::job::{AfterCommit, WriteJob, Written};
use super::row::{parsed, time_text};
use crate::store::StoreError;

/// Quiet about a rule, a lens, a tenant, or what all of them match.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Silence {
    /// Its id.
    pub id: Uuid,
    /// The rule; all where none is named.
    pub rule: Option<Rule>,
    /// The tenant; all where none is named.
    pub tenant: Option<Uuid>,
    /// The lens; all where none is named.
    pub lens: Option<LensId>,
    /// When it was made.
    pub made_at: Timestamp,
    /// Until when it lasts.
    pub until: Timestamp,
    /// Who made it.
    pub who: String,
    /// Why.
    pub reason: String,
}

impl Silence {
    pub(in crate::store) fn matches(&self, rule: Rule, subject: &Subject) -> bool {
        self.rule.is_none_or(|own| own == rule)
            && (self.tenant.is_none() || self.tenant == subject.tenant())
            && (self.lens.is_none() || self.lens.as_ref() == subject.lens())
    }
}

/// A change of silences.
enum SilenceWrite {
    Make(Silence),
    /// Ends one, at a time, by somebody.
    End(Uuid, Timestamp, String),
}

impl WriteJob for SilenceWrite {
    fn write<'a>(&'a self, writer: &'a mut SqliteConnection) -> Written<'a> {
        Box::pin(async move {
            match self {
                Self::Make(silence) => put_silence(writer, silence).await?,
                Self::End(id, at, who) => end_silence(writer, *id, *at, who).await?,
            }
            Ok(AfterCommit::default())
        })
    }
}

async fn end_silence(writer: &mut SqliteConnection, id: Uuid, at: Timestamp, who: &str) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE lensops_silences SET ended_at = $2, ended_by = $3 WHERE id = $1 AND ended_at IS NULL")
        .bind(id.to_string())
        .bind(time_text(at))
        .bind(who)
        .execute(writer)
        .await?;
    Ok(())
}

async fn put_silence(writer: &mut SqliteConnection, silence: &Silence) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO lensops_silences (id, rule, yacht_id, lens_id, made_at, until, who, reason) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(silence.id.to_string())
    .bind(silence.rule.map_or("", Rule::as_str))
    .bind(silence.tenant.map_or_else(String::new, |tenant| tenant.to_string()))
    .bind(silence.lens.as_ref().map_or("", LensId::as_str))
    .bind(time_text(silence.made_at))
    .bind(time_text(silence.until))
    .bind(&silence.who)
    .bind(&silence.reason)
    .execute(writer)
    .await?;
    Ok(())
}

/// The silences that last beyond `at`. One that was made after a check began holds for it too.
pub(super) async fn silences<'a>(
    reader: impl sqlx::SqliteExecutor<'a>,
    at: Timestamp,
) -> Result<Vec<Silence>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM lensops_silences WHERE ended_at IS NULL AND until > $1 ORDER BY made_at, id")
        .bind(time_text(at))
        .fetch_all(reader)
        .await?;
    let mut silences = Vec::with_capacity(rows.len());
    for row in &rows {
        // One that a newer version wrote, say. It must not keep checks from being recorded, nor others from
        // being kept: it silences nothing here, and that is said.
        match silence(row) {
            Ok(silence) => silences.push(silence),
            Err(error) => tracing::error!(
                "❌ Silence {} cannot be read and silences nothing: {error}",
                row.try_get::<&str, _>("id").unwrap_or("?")
            ),
        }
    }
    Ok(silences)
}

fn silence(row: &SqliteRow) -> Result<Silence, sqlx::Error> {
    Ok(Silence {
        id: parsed(row, "id")?,
        rule: given(row, "rule")?,
        tenant: given(row, "yacht_id")?,
        lens: given(row, "lens_id")?,
        made_at: parsed(row, "made_at")?,
        until: parsed(row, "until")?,
        who: row.try_get("who")?,
        reason: row.try_get("reason")?,
    })
}

/// What a column holds; `None` where it is empty.
fn given<T: FromStr>(row: &SqliteRow, column: &str) -> Result<Option<T>, sqlx::Error>
where
    T::Err: std::fmt::Display,
{
    match row.try_get::<&str, _>(column)? {
        "" => Ok(None),
        _ => parsed(row, column).map(Some),
    }
}

impl Journal {
    /// The silences in force at `at`.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn silences(&self, at: Timestamp) -> Result<Vec<Silence>, StoreError> {
        Ok(silences(&self.reader, at).await?)
    }

    /// Records a silence.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn silence(&self, silence: Silence) -> Result<(), StoreError> {
        self.write(SilenceWrite::Make(silence)).await
    }

    /// Ends the silence `id`.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn unsilence(&self, id: Uuid, at: Timestamp, who: &str) -> Result<(), StoreError> {
        self.write(SilenceWrite::End(id, at, who.to_owned())).await
    }
}
