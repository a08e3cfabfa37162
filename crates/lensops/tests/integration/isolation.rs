//! Row-level security on a real PostgreSQL: who reads what, and who writes nothing.

use lensops::store::begin_as;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _};
use uuid::Uuid;

use crate::pg::Database;

/// The tenants `acme` and `globex`: a text is kept under a UUID, and scoped as any other.
const A: Uuid = Uuid::from_u128(0x1aae_e8ec_0edc_82fc_8642_16c9_7cad_a842);
const B: Uuid = Uuid::from_u128(0x9ce4_320f_9844_8bc6_a5ec_1949_366f_42ca);

/// Everything that answers with rows, for tenant B.
const READS: [&str; 9] = [
    "SELECT count(*) FROM pms_health_checks WHERE yacht_id = $1",
    "SELECT count(*) FROM pms_health_checks WHERE $1 IS NOT NULL",
    "SELECT count(*) FROM pms_health_events e JOIN pms_health_checks c ON c.id = e.check_id WHERE c.yacht_id = $1",
    "SELECT count(*) FROM pms_health_events WHERE detail_json ->> 'tenant' = $1::text",
    "SELECT count(*) FROM lensops_rollups WHERE yacht_id = $1",
    "SELECT count(*) FROM lensops_tenants WHERE id = $1",
    "SELECT count(*) FROM get_latest_health_check($1, 'faults')",
    "SELECT count(*) FROM get_health_check_history($1, 'faults', 1000)",
    "SELECT count(*) FROM get_unhealthy_lenses($1)",
];

/// A database in which tenants A and B have two unhealthy checks with two events each, and a roll-up.
async fn two_tenants() -> Database {
    let database = Database::migrated().await;
    for tenant in [A, B] {
        database
            .run(&format!(
                "INSERT INTO yacht_registry (id) VALUES ('{tenant}'); \
                 INSERT INTO pms_health_checks (yacht_id, lens_id, status) \
                     SELECT '{tenant}', lens, 'unhealthy' FROM unnest(ARRAY['faults', 'parts']) AS lens; \
                 INSERT INTO pms_health_events (check_id, level, detail_json) \
                     SELECT id, level, jsonb_build_object('tenant', yacht_id) \
                     FROM pms_health_checks, unnest(ARRAY['info', 'error']) AS level WHERE yacht_id = '{tenant}'; \
                 INSERT INTO lensops_rollups VALUES ('{tenant}', 'faults', 'hour', now(), 1, 0, 0, 21, 0, ''); \
                 INSERT INTO lensops_tenants VALUES ('{tenant}', 'name of {tenant}')"
            ))
            .await;
    }
    database
}

async fn count(connection: &mut PgConnection, claims: &Value, read: &'static str, tenant: Uuid) -> Result<i64, String> {
    let mut transaction = begin_as(connection, claims).await.unwrap();
    let counted = sqlx::query_scalar(read).bind(tenant).fetch_one(&mut *transaction).await;
    counted.map_err(|error: sqlx::Error| error.to_string())
}

fn claims(tenant: Uuid) -> Value {
    json!({"role": "authenticated", "app_metadata": {"yacht_id": tenant}})
}

#[tokio::test]
async fn tenant_a_reads_its_own_rows_and_nothing_of_tenant_b() {
    let database = two_tenants().await;
    let mut connection = database.connect().await;
    for (read, own) in READS.into_iter().zip([2, 2, 4, 4, 1, 1, 1, 1, 2]) {
        assert_eq!(
            count(&mut connection, &claims(A), read, A).await,
            Ok(own),
            "own: {read}"
        );
        // The second read asks for every tenant: what it counts must all be A's.
        let of_b = if read.contains("IS NOT NULL") { 2 } else { 0 };
        assert_eq!(
            count(&mut connection, &claims(A), read, B).await,
            Ok(of_b),
            "other's: {read}"
        );
    }
    let latest = "SELECT count(*) FROM lensops_latest_checks($1)";
    assert_eq!(count(&mut connection, &claims(A), latest, A).await, Ok(2));
    assert_eq!(count(&mut connection, &claims(A), latest, B).await, Ok(0));
}

#[tokio::test]
async fn a_forged_absent_or_user_editable_claim_sees_nothing() {
    let database = two_tenants().await;
    let mut connection = database.connect().await;
    for (case, claims) in [
        ("no claims", json!({})),
        ("null", Value::Null),
        ("no tenant", json!({"app_metadata": {}})),
        ("empty tenant", json!({"app_metadata": {"yacht_id": ""}})),
        ("no UUID", json!({"app_metadata": {"yacht_id": "' OR true --"}})),
        ("a list", json!({"app_metadata": {"yacht_id": [A]}})),
        ("user_metadata", json!({"user_metadata": {"yacht_id": A}})),
        ("top level", json!({"yacht_id": A, "sub": A})),
        ("nested elsewhere", json!({"app_metadata": {"claims": {"yacht_id": A}}})),
    ] {
        for read in READS {
            assert_eq!(count(&mut connection, &claims, read, A).await, Ok(0), "{case}: {read}");
        }
    }
}

async fn refused(connection: &mut PgConnection, role: &str, statement: &str) -> String {
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query(AssertSqlSafe(format!("SET LOCAL ROLE {role}")))
        .execute(&mut *transaction)
        .await
        .unwrap();
    let set = sqlx::query("SELECT set_config('request.jwt.claims', $1, true)").bind(claims(A).to_string());
    set.execute(&mut *transaction).await.unwrap();
    match sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await {
        Ok(_) => "allowed".to_owned(),
        Err(error) => error.as_database_error().unwrap().code().unwrap().into_owned(),
    }
}

#[tokio::test]
async fn anon_reads_nothing_authenticated_writes_nothing_and_the_service_role_only_inserts() {
    let database = two_tenants().await;
    let mut connection = database.connect().await;
    let insert = format!("INSERT INTO pms_health_checks (yacht_id, lens_id, status) VALUES ('{A}', 'x', 'healthy')");
    let event = format!(
        "INSERT INTO pms_health_events (check_id, level, detail_json) \
         SELECT id, 'info', '{{}}' FROM pms_health_checks WHERE yacht_id = '{A}' LIMIT 1"
    );
    let ignoring = format!(
        "INSERT INTO pms_health_checks (id, yacht_id, lens_id, status) VALUES (gen_random_uuid(), '{A}', 'x', 'healthy') \
         ON CONFLICT (id) DO NOTHING"
    );
    let upsert = format!(
        "INSERT INTO pms_health_checks (id, yacht_id, lens_id, status) VALUES (gen_random_uuid(), '{A}', 'x', 'healthy') \
         ON CONFLICT (id) DO UPDATE SET status = 'healthy'"
    );
    let denied = "42501";
    // Statement, then what anon, authenticated and service_role get.
    let table = [
        ("SELECT * FROM pms_health_checks", [denied, "allowed", "allowed"]),
        ("SELECT * FROM pms_health_events", [denied, "allowed", "allowed"]),
        ("SELECT * FROM lensops_rollups", [denied, "allowed", "allowed"]),
        ("SELECT * FROM lensops_tenants", [denied, "allowed", "allowed"]),
        (
            "SELECT * FROM get_unhealthy_lenses(gen_random_uuid())",
            [denied, "allowed", "allowed"],
        ),
        (
            "SELECT * FROM get_latest_health_check(gen_random_uuid(), 'x')",
            [denied, "allowed", "allowed"],
        ),
        (
            "SELECT * FROM get_health_check_history(gen_random_uuid(), 'x')",
            [denied, "allowed", "allowed"],
        ),
        (
            "SELECT * FROM lensops_latest_checks(gen_random_uuid())",
            [denied, "allowed", "allowed"],
        ),
        ("SELECT * FROM yacht_registry", [denied, denied, denied]),
        (&insert, [denied, denied, "allowed"]),
        (&event, [denied, denied, "allowed"]),
        (&ignoring, [denied, denied, "allowed"]),
        (&upsert, [denied, denied, denied]),
        ("UPDATE pms_health_checks SET status = 'healthy'", [denied; 3]),
        ("UPDATE pms_health_events SET level = 'info'", [denied; 3]),
        ("DELETE FROM pms_health_checks", [denied; 3]),
        ("DELETE FROM pms_health_events", [denied; 3]),
        ("DELETE FROM lensops_rollups", [denied; 3]),
        ("DELETE FROM lensops_tenants", [denied; 3]),
        ("UPDATE lensops_tenants SET name = 'x'", [denied; 3]),
        ("TRUNCATE pms_health_checks CASCADE", [denied; 3]),
        ("TRUNCATE pms_health_events", [denied; 3]),
        ("DROP TABLE pms_health_events", [denied; 3]),
        ("ALTER TABLE pms_health_checks DISABLE ROW LEVEL SECURITY", [denied; 3]),
    ];
    for (statement, expected) in table {
        for (role, expected) in ["anon", "authenticated", "service_role"].into_iter().zip(expected) {
            assert_eq!(
                refused(&mut connection, role, statement).await,
                expected,
                "{role}: {statement}"
            );
        }
    }
}

#[tokio::test]
async fn role_and_claims_never_reach_the_next_user_of_a_pooled_connection() {
    let database = two_tenants().await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .connect(&database.url)
        .await
        .unwrap();
    let owner: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(&pool)
        .await
        .unwrap();
    for end in ["commit", "rollback", "drop", "error"] {
        let mut connection = pool.acquire().await.unwrap();
        let mut transaction = begin_as(&mut connection, &claims(A)).await.unwrap();
        let read = "SELECT count(*) FROM pms_health_checks";
        let own: i64 = sqlx::query_scalar(read).fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(own, 2, "{end}");
        match end {
            "commit" => transaction.commit().await.unwrap(),
            "rollback" => transaction.rollback().await.unwrap(),
            "drop" => drop(transaction),
            _ => {
                sqlx::query("SELECT 1 / 0")
                    .execute(&mut *transaction)
                    .await
                    .unwrap_err();
                drop(transaction);
            }
        }
        drop(connection);
        let left: (String, Option<String>, Option<Uuid>) = sqlx::query_as(
            "SELECT current_user::text, nullif(current_setting('request.jwt.claims', true), ''), get_user_yacht_id()",
        )
        .fetch_one(&pool)
        .await
        .unwrap();
        assert_eq!(left, (owner.clone(), None, None), "{end}");
        // The next user has claims of its own, or none.
        let mut connection = pool.acquire().await.unwrap();
        assert_eq!(count(&mut connection, &claims(B), READS[0], A).await, Ok(0), "{end}");
        assert_eq!(count(&mut connection, &json!({}), READS[0], A).await, Ok(0), "{end}");
    }
}
