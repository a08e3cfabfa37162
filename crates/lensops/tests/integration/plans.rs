//! Query plans as a signed-in user: no read walks a whole table.

use lensops::store::begin_as;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::fixture::{NORTH, tenants_entered};

#[tokio::test]
async fn no_read_of_a_signed_in_user_scans_a_table() {
    let database = tenants_entered().await;
    // Enough rows for the planner to mind.
    database
        .run(
            "INSERT INTO yacht_registry (id) SELECT gen_random_uuid() FROM generate_series(1, 50); \
             INSERT INTO pms_health_checks (yacht_id, lens_id, status, observed_at) \
                 SELECT y.id, 'lens_' || l, 'degraded', now() - interval '15 minutes' * n \
                 FROM yacht_registry y, generate_series(1, 20) AS l, generate_series(1, 60) AS n; \
             INSERT INTO pms_health_events (check_id, level, detail_json) SELECT id, 'error', '{}' FROM pms_health_checks; \
             INSERT INTO lensops_rollups SELECT y.id, 'lens_' || l, 'hour', now() - interval '1 hour' * n, 4, 0, 0, 84, 0, '' \
                 FROM yacht_registry y, generate_series(1, 20) AS l, generate_series(1, 20) AS n; \
             ANALYZE",
        )
        .await;
    let mut connection = database.connect().await;
    let claims = json!({"app_metadata": {"yacht_id": NORTH}});
    for query in [
        "SELECT * FROM lensops_latest_checks('T')",
        "SELECT * FROM get_latest_health_check('T', 'lens_7')",
        "SELECT * FROM get_health_check_history('T', 'lens_7')",
        "SELECT * FROM get_unhealthy_lenses('T')",
        "SELECT * FROM pms_health_checks WHERE yacht_id = 'T' AND lens_id = 'lens_7' ORDER BY observed_at DESC LIMIT 20",
        "SELECT * FROM pms_health_events WHERE check_id = '10000000-0000-4000-8000-000000000001'",
        "SELECT * FROM lensops_rollups WHERE yacht_id = 'T' AND lens_id = 'lens_7' AND span = 'hour' \
         AND starts_at > now() - interval '7 days'",
    ] {
        let mut transaction = begin_as(&mut connection, &claims).await.unwrap();
        let explain = format!("EXPLAIN (COSTS OFF) {}", query.replace("'T'", &format!("'{NORTH}'")));
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(explain))
            .fetch_all(&mut *transaction)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(!plan.contains("Seq Scan") && plan.contains("Index"), "{query}\n{plan}");
        assert!(
            !plan.contains("Function Scan"),
            "the planner cannot look inside: {query}\n{plan}"
        );
    }
}
