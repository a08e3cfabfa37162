//! A batch of checks and events as two statements over arrays.

use std::collections::HashSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::connection::Held;
use super::statement;
use crate::store::Entry;
use crate::store::postgres::jsonb::storable;

#[expect(clippy::cast_possible_truncation, reason = "clamped to the column's type")]
pub(crate) fn narrow(number: i64) -> i32 {
    number.clamp(0, i64::from(i32::MAX)) as i32
}

/// Inserts checks, then the events of those that are new, in one transaction. An id that is there already is left as it is.
pub(crate) async fn insert(connection: &mut Held, batch: &[Entry]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    insert_new(&mut transaction, batch).await?;
    transaction.commit().await
}

/// Inserts checks, and the events of those that are new; says which are. Another machine's check of the same slot may
/// have other events: they are not added to the one that is there.
pub(crate) async fn insert_new(connection: &mut PgConnection, batch: &[Entry]) -> Result<HashSet<Uuid>, sqlx::Error> {
    if batch.is_empty() {
        return Ok(HashSet::new());
    }
    let new = insert_checks(connection, batch).await?;
    insert_events(connection, batch, &new).await?;
    Ok(new)
}

async fn insert_checks(connection: &mut PgConnection, batch: &[Entry]) -> Result<HashSet<Uuid>, sqlx::Error> {
    let column = |of: fn(&Entry) -> &str| batch.iter().map(of).collect::<Vec<&str>>();
    let new: Vec<Uuid> = statement::query_scalar(
        "INSERT INTO public.pms_health_checks \
         (id, yacht_id, lens_id, status, p95_latency_ms, error_rate_percent, sample_size, observed_at, notes) \
         SELECT id, yacht_id, lens_id, status, p95, rate::numeric, samples, at::timestamptz, notes::jsonb \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::float8[], $7::int[], $8::text[], \
                     $9::text[]) AS t (id, yacht_id, lens_id, status, p95, rate, samples, at, notes) \
         ORDER BY id ON CONFLICT (id) DO NOTHING RETURNING id",
    )
    .bind(batch.iter().map(|entry| entry.id).collect::<Vec<Uuid>>())
    .bind(batch.iter().map(|entry| entry.yacht_id).collect::<Vec<Uuid>>())
    .bind(column(|entry| &entry.lens_id))
    .bind(column(|entry| &entry.status))
    .bind(
        batch
            .iter()
            .map(|entry| entry.p95_latency_ms.map(narrow))
            .collect::<Vec<_>>(),
    )
    .bind(batch.iter().map(|entry| entry.error_rate_percent).collect::<Vec<_>>())
    .bind(
        batch
            .iter()
            .map(|entry| entry.sample_size.map(narrow))
            .collect::<Vec<_>>(),
    )
    .bind(column(|entry| &entry.observed_at))
    .bind(
        batch
            .iter()
            .map(|entry| storable(&entry.notes).into_owned())
            .collect::<Vec<_>>(),
    )
    .fetch_all(connection)
    .await?;
    Ok(new.into_iter().collect())
}

async fn insert_events(connection: &mut PgConnection, batch: &[Entry], new: &HashSet<Uuid>) -> Result<(), sqlx::Error> {
    let events = || {
        batch
            .iter()
            .filter(|entry| new.contains(&entry.id))
            .flat_map(|entry| entry.events.iter().map(move |event| (entry.id, event)))
    };
    if events().next().is_none() {
        return Ok(());
    }
    statement::query(
        "INSERT INTO public.pms_health_events (id, check_id, level, detail_json, created_at) \
         SELECT id, check_id, level, detail::jsonb, at::timestamptz \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) \
              AS t (id, check_id, level, detail, at) \
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(events().map(|(_, event)| event.id).collect::<Vec<Uuid>>())
    .bind(events().map(|(check, _)| check).collect::<Vec<Uuid>>())
    .bind(events().map(|(_, event)| event.level.as_str()).collect::<Vec<_>>())
    .bind(
        events()
            .map(|(_, event)| storable(&event.detail).into_owned())
            .collect::<Vec<_>>(),
    )
    .bind(events().map(|(_, event)| event.created_at.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
