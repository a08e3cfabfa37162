//! `lensops migrate`: on a plain PostgreSQL, on a Supabase-shaped one, twice, and over the old schema.

use lensops::store::postgres::migrate::{check, migrate, script};
use lensops_sandbox::Dialect;
use serde_json::Value;

use crate::harness::{Project, sandbox};
use crate::pg::Database;

const OLD: &str = include_str!("old_migration.sql");

/// Defect 20: the migration failed when it was run twice.
#[tokio::test]
async fn defect_20_the_migration_runs_twice() {
    let database = Database::empty().await;
    for round in 1..=3 {
        migrate(&database.secret(), &[])
            .await
            .unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert_eq!(
            check(&database.secret(), &[]).await.unwrap(),
            Vec::<String>::new(),
            "round {round}"
        );
    }
}

#[tokio::test]
async fn over_the_old_migration_every_row_stays_and_the_schema_is_the_new_one() {
    let database = Database::migrated().await;
    drop(database);
    let database = Database::empty().await;
    database.run(OLD).await;
    let before = check(&database.secret(), &[]).await.unwrap();
    assert!(
        before
            .iter()
            .any(|finding| finding.contains("privileges of service_role on pms_health_checks: DELETE, INSERT")),
        "{before:#?}"
    );
    for _ in 0..2 {
        migrate(&database.secret(), &[]).await.unwrap();
    }
    assert_eq!(check(&database.secret(), &[]).await.unwrap(), Vec::<String>::new());
    assert_eq!(database.number("SELECT count(*) FROM pms_health_checks").await, 50);
    assert_eq!(database.number("SELECT count(*) FROM pms_health_events").await, 50);
    let doubled =
        "SELECT count(*) FROM pg_indexes WHERE tablename = 'pms_health_events' AND indexdef LIKE '%(check_id)'";
    assert_eq!(database.number(doubled).await, 1);
    let latest = "SELECT count(*) FROM get_latest_health_check('53fbdf09-b709-509d-aad0-3a6f50239a5d', 'faults') WHERE id IS NOT NULL";
    assert_eq!(database.number(latest).await, 1);
}

#[tokio::test]
async fn on_a_supabase_shaped_database_what_exists_is_used_as_it_is() {
    // The roles are the server's: another database makes them.
    drop(Database::migrated().await);
    let database = Database::empty().await;
    database
        .run(
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role; \
             ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role; \
             CREATE TABLE yacht_registry (id uuid PRIMARY KEY, plan text); \
             INSERT INTO yacht_registry VALUES ('53fbdf09-b709-509d-aad0-3a6f50239a5d', 'gold'); \
             CREATE FUNCTION get_user_yacht_id() RETURNS uuid LANGUAGE sql STABLE \
             AS $$ SELECT '53fbdf09-b709-509d-aad0-3a6f50239a5d'::uuid $$;",
        )
        .await;
    let unknown = uuid::Uuid::from_u128(7);
    assert_eq!(
        migrate(&database.secret(), &[unknown]).await.unwrap(),
        0,
        "the registry is not lensops' own"
    );
    assert_eq!(check(&database.secret(), &[]).await.unwrap(), Vec::<String>::new());
    assert_eq!(
        database
            .number("SELECT count(*) FROM yacht_registry WHERE plan = 'gold'")
            .await,
        1
    );
    let kept = "SELECT count(*) FROM pg_proc WHERE proname = 'get_user_yacht_id' AND prosrc LIKE '%53fbdf09%'";
    assert_eq!(database.number(kept).await, 1);
    let anon = "SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace \
                AND p.proname <> 'get_user_yacht_id' AND has_function_privilege('anon', p.oid, 'EXECUTE')";
    assert_eq!(
        database.number(anon).await,
        0,
        "default privileges gave anon a function"
    );
}

#[tokio::test]
async fn a_plain_database_gets_the_tenants_that_the_project_names() {
    let database = Database::empty().await;
    let tenants = [uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2)];
    assert_eq!(migrate(&database.secret(), &tenants).await.unwrap(), 2);
    assert_eq!(migrate(&database.secret(), &tenants).await.unwrap(), 0);
}

#[tokio::test]
async fn the_command_prints_checks_and_migrates_and_never_shows_the_password() {
    drop(Database::migrated().await);
    let database = Database::empty().await;
    let mut project = Project::empty();
    let printed = project.run("migrate --print").expect(0).out;
    assert_eq!(printed, script());
    project.run("migrate").expect(2);
    project.env.insert("DATABASE_URL".to_owned(), database.url.clone());
    let missing = project.run("migrate --check").expect(1).out;
    assert!(missing.contains("table pms_health_checks is missing"), "{missing}");
    project.run("migrate").expect(0);
    project.run("migrate --check").expect(0);
    let wrong = database.url.replace("made-up-test-password", "made-up-wrong-password");
    let refused = project.run(&format!("migrate --database-url {wrong}"));
    assert!(
        refused.err.contains("28P01 - password authentication failed"),
        "{}",
        refused.err
    );
    assert!(
        !refused.err.contains("made-up-wrong-password") && refused.code == 3,
        "{}",
        refused.err
    );
    let uncompared = project
        .run(&format!("migrate --check --json --database-url {wrong}"))
        .expect(3)
        .out;
    assert!(uncompared.contains("\"unjudged\": \"28P01 - "), "{uncompared}");
    let other = project.run("migrate --store rest").expect(2).err;
    assert!(other.contains("migrate is for PostgreSQL"), "{other}");
    // What --print prints is what the command does.
    database.run(&printed).await;
    assert_eq!(check(&database.secret(), &[]).await.unwrap(), Vec::<String>::new());
}

/// What a hand may have done to a migrated database: the statement, what the check says, and whether
/// the migration takes it back.
const ALTERED: [(&str, &str, bool); 25] = [
    (
        "DROP POLICY yacht_scoped_health_checks ON pms_health_checks; \
      CREATE POLICY yacht_scoped_health_checks ON pms_health_checks FOR SELECT TO authenticated USING (true)",
        "policy yacht_scoped_health_checks on pms_health_checks: PERMISSIVE FOR SELECT TO authenticated USING true, not",
        true,
    ),
    (
        "ALTER POLICY yacht_scoped_health_events ON pms_health_events TO anon",
        "policy yacht_scoped_health_events",
        true,
    ),
    (
        "CREATE POLICY open_to_all ON pms_health_checks USING (true)",
        "policy open_to_all on pms_health_checks is not of",
        false,
    ),
    (
        "GRANT SELECT (notes) ON pms_health_checks TO anon",
        "privileges of anon on pms_health_checks: SELECT of columns, not none",
        true,
    ),
    (
        "GRANT UPDATE ON pms_health_events TO service_role",
        "privileges of service_role on pms_health_events: INSERT, SELECT, UPDATE, not INSERT, SELECT",
        true,
    ),
    (
        "REVOKE SELECT ON lensops_rollups FROM authenticated",
        "privileges of authenticated on lensops_rollups: none",
        true,
    ),
    (
        "GRANT SELECT ON yacht_registry TO authenticated",
        "privileges of authenticated on yacht_registry are SELECT, not none",
        true,
    ),
    (
        "ALTER FUNCTION get_unhealthy_lenses(uuid) SECURITY DEFINER",
        "function get_unhealthy_lenses(uuid) is not",
        true,
    ),
    (
        "GRANT EXECUTE ON FUNCTION get_latest_health_check(uuid, text) TO anon",
        "privilege of anon on get_latest_health_check(uuid, text): EXECUTE, not none",
        true,
    ),
    (
        "CREATE OR REPLACE FUNCTION get_health_check_history(p_yacht_id uuid, p_lens_id text, p_hours integer DEFAULT 24) \
      RETURNS TABLE (id uuid, status text, p95_latency_ms integer, error_rate_percent numeric, observed_at timestamptz) \
      LANGUAGE sql STABLE AS 'SELECT NULL::uuid, NULL, 0, 0.0, now() WHERE false'",
        "function get_health_check_history(",
        true,
    ),
    (
        "CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM public.pms_health_checks'",
        "function peek() runs with the rights of its owner",
        false,
    ),
    (
        "CREATE VIEW every_check AS SELECT * FROM pms_health_checks; GRANT SELECT ON every_check TO authenticated",
        "view every_check reads health tables with the rights of its owner",
        false,
    ),
    (
        "ALTER TABLE pms_health_checks DROP CONSTRAINT pms_health_checks_status_check",
        "constraint on pms_health_checks: CHECK ((status = ANY",
        true,
    ),
    (
        "ALTER TABLE pms_health_checks DROP CONSTRAINT pms_health_checks_yacht_id_fkey",
        "constraint on pms_health_checks: FOREIGN KEY (yacht_id)",
        true,
    ),
    (
        "ALTER TABLE pms_health_checks DROP CONSTRAINT pms_health_checks_pkey CASCADE",
        "constraint on pms_health_checks: PRIMARY KEY (id) is missing",
        true,
    ),
    (
        "ALTER TABLE lensops_rollups DROP CONSTRAINT lensops_rollups_pkey",
        "constraint on lensops_rollups: PRIMARY KEY",
        true,
    ),
    (
        "ALTER TABLE pms_health_checks ALTER COLUMN lens_id DROP NOT NULL",
        "column pms_health_checks.lens_id: text, not text NOT NULL",
        true,
    ),
    (
        "ALTER TABLE pms_health_events ALTER COLUMN created_at DROP DEFAULT",
        "column pms_health_events.created_at",
        true,
    ),
    (
        "ALTER TABLE pms_health_checks DROP COLUMN sample_size",
        "column pms_health_checks.sample_size is missing",
        true,
    ),
    (
        "DROP INDEX lensops_checks_by_lens; CREATE INDEX lensops_checks_by_lens ON pms_health_checks (lens_id)",
        "index on pms_health_checks: btree (yacht_id, lens_id, observed_at DESC, id DESC) INCLUDE (status, p95_latency_ms) is missing",
        true,
    ),
    (
        "DROP INDEX lensops_events_by_check",
        "index on pms_health_events that begins with check_id is missing",
        true,
    ),
    (
        "ALTER TABLE lensops_rollups DISABLE ROW LEVEL SECURITY",
        "row-level security of lensops_rollups: off, not on",
        true,
    ),
    (
        "CREATE RULE swallow AS ON INSERT TO pms_health_events DO INSTEAD NOTHING",
        "rule swallow on pms_health_events rewrites",
        false,
    ),
    (
        "CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE TRIGGER dropping BEFORE INSERT ON pms_health_checks FOR EACH ROW EXECUTE FUNCTION drop_it()",
        "trigger dropping on pms_health_checks may change or drop",
        false,
    ),
    (
        "CREATE OR REPLACE FUNCTION get_user_yacht_id() RETURNS uuid LANGUAGE sql STABLE \
         AS 'SELECT ''53fbdf09-b709-509d-aad0-3a6f50239a5d''::uuid'",
        "function get_user_yacht_id() is not the migration's",
        false,
    ),
];

#[tokio::test]
async fn whatever_a_hand_altered_is_named_and_what_is_the_migrations_own_is_put_back() {
    let database = Database::migrated().await;
    for (statement, finding, comes_back) in ALTERED {
        database.run(statement).await;
        let findings = check(&database.secret(), &[]).await.unwrap();
        assert!(
            findings.iter().any(|found| found.contains(finding)),
            "{statement}: {findings:#?}"
        );
        migrate(&database.secret(), &[]).await.unwrap();
        let left = check(&database.secret(), &[]).await.unwrap();
        assert_eq!(left.is_empty(), comes_back, "{statement}: {left:#?}");
        if !comes_back {
            database
                .run(
                    "DROP POLICY IF EXISTS open_to_all ON pms_health_checks; DROP FUNCTION IF EXISTS peek(); \
                     DROP VIEW IF EXISTS every_check; DROP RULE IF EXISTS swallow ON pms_health_events; \
                     DROP TRIGGER IF EXISTS dropping ON pms_health_checks",
                )
                .await;
        }
    }
    let kept = "SELECT count(*) FROM pg_namespace WHERE nspname = 'lensops_reference'";
    assert_eq!(database.number(kept).await, 0, "what was compared with stayed");
}

#[tokio::test]
async fn a_tenant_that_the_registry_lacks_is_named() {
    let database = Database::migrated().await;
    let tenant = uuid::Uuid::from_u128(0x77);
    let findings = check(&database.secret(), &[tenant]).await.unwrap();
    let expected =
        format!("tenant {tenant} is not in yacht_registry, so its checks are refused: lensops migrate enters it");
    assert_eq!(findings, [expected]);
    migrate(&database.secret(), &[tenant]).await.unwrap();
    assert_eq!(
        check(&database.secret(), &[tenant]).await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_says_where_checks_are_while_the_store_is_down_and_after() {
    let api = sandbox(Dialect::Documented).await;
    let mut project = Project::with_faults(&api);
    // Nothing listens on port 1.
    project.env.insert(
        "DATABASE_URL".to_owned(),
        "postgres://nobody@127.0.0.1:1/none".to_owned(),
    );
    let delivery = |out: &str| serde_json::from_str::<Value>(out).unwrap()[0]["delivery"].clone();
    assert_eq!(delivery(&project.run("check faults --json").expect(0).out), "waiting");
    let status = project.run("status").expect(3);
    assert!(status.out.contains("✅ Healthy"), "{}", status.out);
    assert!(
        status.err.contains("from the journal of this machine alone"),
        "{}",
        status.err
    );
    for (command, code) in [
        ("gate faults", 3),
        ("export", 3),
        ("migrate --check", 3),
        ("outbox status", 4),
        ("outbox flush", 4),
        ("retention --store sqlite", 2),
    ] {
        project.run(command).expect(code);
    }
    let database = Database::migrated().await;
    project.env.insert("DATABASE_URL".to_owned(), database.url.clone());
    let stranger = project.run("migrate --check").expect(1).out;
    assert!(stranger.contains("is not in yacht_registry"), "{stranger}");
    project.run("outbox flush").expect(1);
    let parked = project.run("outbox status").expect(1).out;
    assert!(parked.contains("lensops outbox flush --parked"), "{parked}");
    assert!(project.run("migrate").expect(0).out.contains("Entered 1 tenant into"));
    project.run("migrate --check").expect(0);
    project.run("outbox flush --parked").expect(0);
    assert_eq!(delivery(&project.run("check faults --json").expect(0).out), "delivered");
    project.run("status").expect(0);
    assert_eq!(project.run("export").expect(0).out.lines().count(), 2);
}

/// The tables of the scripts before lensops, without a registry, and rows of two tenants; a view over a helper
/// function; what else the owner made.
const ORIGINAL: &str = "
    CREATE TABLE pms_health_checks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), yacht_id uuid NOT NULL,
        lens_id text NOT NULL, status text NOT NULL, p95_latency_ms integer, error_rate_percent numeric(5,2),
        sample_size integer, observed_at timestamptz NOT NULL DEFAULT now(), notes jsonb);
    CREATE TABLE pms_health_events (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        check_id uuid NOT NULL REFERENCES pms_health_checks(id) ON DELETE CASCADE, level text NOT NULL,
        detail_json jsonb NOT NULL, created_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO pms_health_checks (yacht_id, lens_id, status)
    SELECT ('00000000-0000-4000-8000-00000000000' || n % 2)::uuid, 'faults', 'unhealthy' FROM generate_series(1, 6) AS n;
    CREATE FUNCTION get_unhealthy_lenses(p_yacht_id uuid)
    RETURNS TABLE (lens_id text, status text, last_observed timestamptz, error_count bigint) LANGUAGE sql
    AS 'SELECT ''old''::text, ''unhealthy''::text, now(), 0::bigint';
    CREATE VIEW worst AS SELECT u.* FROM get_unhealthy_lenses('00000000-0000-4000-8000-000000000000') AS u";

#[tokio::test]
async fn w13_the_tenants_of_rows_that_are_there_are_entered_first() {
    let database = Database::empty().await;
    database.run(ORIGINAL).await;
    let named = [uuid::Uuid::from_u128(0x77)];
    assert_eq!(migrate(&database.secret(), &named).await.unwrap(), 3);
    assert_eq!(check(&database.secret(), &named).await.unwrap(), [""; 0]);
    assert_eq!(database.number("SELECT count(*) FROM pms_health_checks").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn w13_a_registry_of_others_that_lacks_a_tenant_is_a_refusal_that_names_it() {
    let database = Database::empty().await;
    database.run(ORIGINAL).await;
    database.run("CREATE TABLE yacht_registry (id uuid PRIMARY KEY)").await;
    let mut project = Project::empty();
    project.env.insert("DATABASE_URL".to_owned(), database.url.clone());
    let refused = project.run("migrate").expect(3).err;
    for part in [
        "the database refuses the migration, and nothing was changed: 23503 - ",
        "Key (yacht_id)=(00000000-0000-4000-8000-00000000000",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    assert!(!refused.contains("cannot be read"), "{refused}");
}

#[tokio::test]
async fn w14_a_view_over_a_function_stays_and_one_in_the_way_is_named() {
    let database = Database::empty().await;
    database.run(ORIGINAL).await;
    for _ in 0..2 {
        migrate(&database.secret(), &[]).await.unwrap();
    }
    let through_view = "SELECT count(*) FROM worst WHERE lens_id = 'faults'";
    assert_eq!(
        database.number(through_view).await,
        1,
        "the view shows the new function"
    );

    let database = Database::empty().await;
    database.run(OLD).await;
    database
        .run(
            "CREATE VIEW newest AS SELECT * FROM get_latest_health_check(gen_random_uuid(), 'faults'); \
             CREATE MATERIALIZED VIEW kept AS SELECT * FROM get_latest_health_check(gen_random_uuid(), 'faults')",
        )
        .await;
    let refused = migrate(&database.secret(), &[]).await.unwrap_err().to_string();
    let expected = "the database refuses the migration, and nothing was changed: 2BP01 - function \
                    get_latest_health_check(uuid, text) takes or returns something else in this version, and \
                    materialized view kept, view newest stands on it: drop that, migrate, and create it again";
    assert_eq!(refused, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn w15_an_own_function_and_an_own_policy_are_acknowledged_with_a_reason() {
    drop(Database::migrated().await);
    let database = Database::empty().await;
    database.run(ORIGINAL).await;
    database
        .run(
            "CREATE FUNCTION get_user_yacht_id() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT gen_random_uuid()'; \
             CREATE POLICY own_rows ON pms_health_checks FOR SELECT TO PUBLIC USING (false)",
        )
        .await;
    let mut project = Project::empty();
    project.env.insert("DATABASE_URL".to_owned(), database.url.clone());
    project.run("migrate").expect(4);
    let red = project.run("migrate --check").expect(1).out;
    assert_eq!(red.lines().filter(|line| line.starts_with("❌")).count(), 2, "{red}");
    let acknowledged = "migrate:\n  acknowledged:\n    \
        - {object: function get_user_yacht_id(), reason: our issuer signs another claim}\n    \
        - {object: policy own_rows on pms_health_checks, reason: of the reporting team}\n";
    std::fs::write(project.path("lensops.yml"), acknowledged).unwrap();
    let green = project.run("migrate --check").expect(0).out;
    for part in [
        "☑️ acknowledged (our issuer signs another claim): function get_user_yacht_id() is not the migration's",
        "☑️ acknowledged (of the reporting team): policy own_rows on pms_health_checks is not of this migration",
        "✅ The schema is up to date",
    ] {
        assert!(green.contains(part), "{green}");
    }
    project.run("migrate").expect(0);
    let json: Value = serde_json::from_str(&project.run("migrate --check --json").expect(0).out).unwrap();
    assert_eq!(json["acknowledged"][0]["reason"], "of the reporting team");
    // What is no longer there, and what nobody accepted, is said.
    database.run("DROP POLICY own_rows ON pms_health_checks").await;
    let stale = project.run("migrate --check").expect(0).out;
    assert!(
        stale.contains("acknowledges policy own_rows on pms_health_checks, and there is no such finding"),
        "{stale}"
    );
    database
        .run("CREATE POLICY another ON pms_health_checks USING (true)")
        .await;
    project.run("migrate --check").expect(1);
}
