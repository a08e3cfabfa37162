//! `lensops migrate`: on a plain PostgreSQL, on a Supabase-shaped one, twice, and over the old schema.

use lensops::store::migrate::{check, migrate, script};

use crate::harness::Project;
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
            check(&database.secret()).await.unwrap(),
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
    let before = check(&database.secret()).await.unwrap();
    assert!(
        before.iter().any(|finding| finding.contains("service_role has DELETE")),
        "{before:#?}"
    );
    for _ in 0..2 {
        migrate(&database.secret(), &[]).await.unwrap();
    }
    assert_eq!(check(&database.secret()).await.unwrap(), Vec::<String>::new());
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
    assert_eq!(check(&database.secret()).await.unwrap(), Vec::<String>::new());
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
        !refused.err.contains("made-up-wrong-password") && refused.code == 2,
        "{}",
        refused.err
    );
    // What --print prints is what the command does.
    database.run(&printed).await;
    assert_eq!(check(&database.secret()).await.unwrap(), Vec::<String>::new());
}
