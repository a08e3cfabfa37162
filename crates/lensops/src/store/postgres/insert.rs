//! A batch of checks and events as two statements over arrays.

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

/// Inserts checks, then their events, in one transaction. An id that is there already is left as it is.
pub(crate) async fn insert(connection: &mut Held, batch: &[Entry]) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    insert_checks(&mut transaction, batch).await?;
    insert_events(&mut transaction, batch).await?;
    transaction.commit().await
}

async fn insert_checks(connection: &mut PgConnection, batch: &[Entry]) -> Result<(), sqlx::Error> {
    let column = |of: fn(&Entry) -> &str| batch.iter().map(of).collect::<Vec<&str>>();
    statement::query(
        "INSERT INTO public.pms_health_checks \
         (id, yacht_id, lens_id, status, p95_latency_ms, error_rate_percent, sample_size, observed_at, notes) \
         SELECT id, yacht_id, lens_id, status, p95, rate::numeric, samples, at::timestamptz, notes::jsonb \
         FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::float8[], $7::int[], $8::text[], \
                     $9::text[]) AS t (id, yacht_id, lens_id, status, p95, rate, samples, at, notes) \
         ON CONFLICT (id) DO NOTHING",
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
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_events(connection: &mut PgConnection, batch: &[Entry]) -> Result<(), sqlx::Error> {
    let events = || {
        batch
            .iter()
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
