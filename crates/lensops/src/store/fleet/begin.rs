//! The beginnings of checks: counted before anything is asked, with what earlier checks of the pairs say.

use std::collections::HashMap;

use jiff::Timestamp;
use lensops_core::ident::LensId;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use super::handle::{Fleet, failed};
use crate::store::postgres::{bound, statement, stored};
use crate::store::{StoreError, StoredCheck, with_annulled};

/// A check that is about to begin.
#[derive(Debug, Clone)]
pub struct Started {
    /// The tenant.
    pub tenant: Uuid,
    /// The lens.
    pub lens: LensId,
    /// The id of its slot.
    pub slot: Uuid,
    /// From when on earlier checks are asked for.
    pub from: Timestamp,
}

/// What is known of a pair whose check begins.
#[derive(Debug, Clone, Default)]
pub struct Begun {
    /// Beginnings without an end, this one included.
    pub starts: i32,
    /// Its slot has a check already.
    pub held: bool,
    /// The pair is parked.
    pub parked: bool,
    /// Earlier checks, oldest first.
    pub before: Vec<StoredCheck>,
}

impl Fleet {
    /// Counts the beginnings of a group by `machine`, and says what is known of each, in order.
    ///
    /// # Errors
    /// When the database does not answer; then nothing was counted.
    pub async fn begin(&self, group: &[Started], machine: &str) -> Result<Vec<Begun>, StoreError> {
        self.begin_group(group, machine).await.map_err(|error| failed(&error))
    }

    async fn begin_group(&self, group: &[Started], machine: &str) -> Result<Vec<Begun>, sqlx::Error> {
        let mut transaction = self.gate.begin().await?;
        let known = known(&mut transaction, group).await?;
        let counted: Vec<&Started> = group
            .iter()
            .zip(&known)
            .filter(|(_, known)| !known.held && !known.parked)
            .map(|(started, _)| started)
            .collect();
        let starts = count(&mut transaction, &counted, machine).await?;
        let mut before = earlier(&mut transaction, &counted).await?;
        transaction.commit().await?;
        let mut begun = Vec::with_capacity(group.len());
        for (started, known) in group.iter().zip(known) {
            let pair = (started.tenant, started.lens.to_string());
            begun.push(Begun {
                starts: starts.get(&pair).copied().unwrap_or(0),
                before: with_annulled(before.remove(&pair).unwrap_or_default()),
                ..known
            });
        }
        Ok(begun)
    }

    /// Forgets the beginnings of pairs whose checks were given back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_back(&self, machine: &str) -> Result<(), StoreError> {
        let work = async {
            let mut transaction = self.gate.begin().await?;
            statement::query("DELETE FROM public.lensops_starts WHERE machine = $1")
                .bind(machine)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await
        };
        work.await.map_err(|error| failed(&error))
    }
}

fn pairs(group: &[&Started]) -> (Vec<Uuid>, Vec<String>) {
    group
        .iter()
        .map(|started| (started.tenant, started.lens.to_string()))
        .unzip()
}

async fn known(connection: &mut PgConnection, group: &[Started]) -> Result<Vec<Begun>, sqlx::Error> {
    let all: Vec<&Started> = group.iter().collect();
    let (tenants, lenses) = pairs(&all);
    let rows = statement::query(
        "SELECT EXISTS (SELECT 1 FROM public.pms_health_checks c WHERE c.id = t.slot) AS held, \
                EXISTS (SELECT 1 FROM public.lensops_parked p WHERE p.yacht_id = t.tenant AND p.lens_id = t.lens) AS parked \
         FROM unnest($1::uuid[], $2::text[], $3::uuid[]) WITH ORDINALITY AS t (tenant, lens, slot, place) ORDER BY place",
    )
    .bind(tenants)
    .bind(lenses)
    .bind(group.iter().map(|started| started.slot).collect::<Vec<Uuid>>())
    .fetch_all(connection)
    .await?;
    let begun = |row: &sqlx::postgres::PgRow| {
        Ok(Begun {
            held: row.try_get("held")?,
            parked: row.try_get("parked")?,
            ..Begun::default()
        })
    };
    rows.iter().map(begun).collect()
}

async fn count(
    connection: &mut PgConnection,
    group: &[&Started],
    machine: &str,
) -> Result<HashMap<(Uuid, String), i32>, sqlx::Error> {
    let (tenants, lenses) = pairs(group);
    let rows = statement::query(
        "INSERT INTO public.lensops_starts AS s (yacht_id, lens_id, starts, machine, begun_at) \
         SELECT DISTINCT tenant, lens, 1, $3, clock_timestamp() FROM unnest($1::uuid[], $2::text[]) AS t (tenant, lens) \
         ORDER BY tenant, lens ON CONFLICT (yacht_id, lens_id) DO UPDATE \
         SET starts = s.starts + 1, machine = excluded.machine, begun_at = excluded.begun_at \
         RETURNING yacht_id, lens_id, starts",
    )
    .bind(tenants)
    .bind(lenses)
    .bind(machine)
    .fetch_all(connection)
    .await?;
    let counted = |row: &sqlx::postgres::PgRow| {
        Ok((
            (row.try_get("yacht_id")?, row.try_get("lens_id")?),
            row.try_get("starts")?,
        ))
    };
    rows.iter().map(counted).collect()
}

async fn earlier(
    connection: &mut PgConnection,
    group: &[&Started],
) -> Result<HashMap<(Uuid, String), Vec<StoredCheck>>, sqlx::Error> {
    let (tenants, lenses) = pairs(group);
    let rows = statement::query(
        "SELECT c.id, c.yacht_id, c.lens_id, c.status, c.p95_latency_ms, \
         c.error_rate_percent::float8 AS error_rate_percent, c.sample_size, \
         (extract(epoch FROM c.observed_at) * 1000)::bigint AS observed_ms, c.notes::text AS notes \
         FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t (tenant, lens, since) \
         JOIN public.pms_health_checks c ON c.yacht_id = t.tenant AND c.lens_id = t.lens \
         AND c.observed_at > t.since::timestamptz ORDER BY c.observed_at, c.id",
    )
    .bind(tenants)
    .bind(lenses)
    .bind(group.iter().map(|started| bound(started.from)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut found: HashMap<(Uuid, String), Vec<StoredCheck>> = HashMap::new();
    for row in &rows {
        let check = stored(row)?;
        found
            .entry((check.yacht_id, check.lens_id.to_string()))
            .or_default()
            .push(check);
    }
    Ok(found)
}
