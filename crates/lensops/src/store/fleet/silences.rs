//! Silences of the whole fleet.

use jiff::Timestamp;
use lensops_core::alert::Rule;
use lensops_core::history::schedule::from_ms;
use lensops_core::ident::LensId;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::handle::{Fleet, failed};
use crate::store::postgres::{bound, statement};
use crate::store::{Silence, StoreError};

/// The silences that last beyond `at`.
pub(super) async fn lasting(connection: &mut PgConnection, at: Timestamp) -> Result<Vec<Silence>, sqlx::Error> {
    let rows = statement::query(
        "SELECT id, rule, yacht_id, lens_id, (extract(epoch FROM made_at) * 1000)::bigint AS made_ms, \
         (extract(epoch FROM until) * 1000)::bigint AS until_ms, who, reason FROM public.lensops_silences \
         WHERE ended_at IS NULL AND until > $1::timestamptz ORDER BY made_at, id",
    )
    .bind(bound(at))
    .fetch_all(connection)
    .await?;
    let mut silences = Vec::with_capacity(rows.len());
    for row in &rows {
        let (rule, lens): (&str, &str) = (row.try_get("rule")?, row.try_get("lens_id")?);
        let id: Uuid = row.try_get("id")?;
        // What another version wrote silences nothing here, rather than too much.
        let (Ok(rule), Ok(lens)) = (optional::<Rule>(rule), optional::<LensId>(lens)) else {
            tracing::error!("❌ Silence {id} cannot be read and silences nothing");
            continue;
        };
        silences.push(Silence {
            id,
            rule,
            lens,
            tenant: row.try_get("yacht_id")?,
            made_at: from_ms(row.try_get("made_ms")?),
            until: from_ms(row.try_get("until_ms")?),
            who: row.try_get("who")?,
            reason: row.try_get("reason")?,
        });
    }
    Ok(silences)
}

fn optional<T: std::str::FromStr>(text: &str) -> Result<Option<T>, T::Err> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some),
    }
}

impl Fleet {
    /// The silences that last beyond `at`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn silences(&self, at: Timestamp) -> Result<Vec<Silence>, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let silences = lasting(&mut transaction, at).await?;
            transaction.commit().await?;
            Ok(silences)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }

    /// Makes a silence for all machines.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn silence(&self, silence: &Silence) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            statement::query(
                "INSERT INTO public.lensops_silences (id, rule, yacht_id, lens_id, made_at, until, who, reason) \
                 VALUES ($1, $2, $3, $4, $5::timestamptz, $6::timestamptz, $7, $8)",
            )
            .bind(silence.id)
            .bind(silence.rule.map_or("", Rule::as_str))
            .bind(silence.tenant)
            .bind(silence.lens.as_ref().map_or("", LensId::as_str))
            .bind(bound(silence.made_at))
            .bind(bound(silence.until))
            .bind(&silence.who)
            .bind(&silence.reason)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await
        };
        work.await.map_err(|error| failed(&error))
    }

    /// Ends a silence; whether one was there to be ended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_silence(&self, id: Uuid, at: Timestamp, who: &str) -> Result<bool, StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            let ended = statement::query(
                "UPDATE public.lensops_silences SET ended_at = $2::timestamptz, ended_by = $3 \
                 WHERE id = $1 AND ended_at IS NULL",
            )
            .bind(id)
            .bind(bound(at))
            .bind(who)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(ended.rows_affected() > 0)
        };
        work.await.map_err(|error: sqlx::Error| failed(&error))
    }
}
