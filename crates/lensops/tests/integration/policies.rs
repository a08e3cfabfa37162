//! What commands decide before they act, without the binary: a store that cannot be asked, checks that
//! have not arrived, a time that is not over, a registry that nobody named.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use lensops::commands::acceptance::matrix;
use lensops::commands::exit::Exit;
use lensops::commands::rollout::{gate, status};
use lensops::commands::storage::retention;
use lensops::config::{Env, Settings, StoreKind};
use lensops::store::Journal;
use tempfile::TempDir;

use crate::fixture::{NORTH, check_of};

/// A database that nobody listens at.
const NOBODY: &str = "postgres://lensops:made-up@127.0.0.1:1/none";

/// A copy of the example's lens and plans.
fn project() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/parts");
    for file in [
        "lenses/parts.yml",
        "tools/ops/monitors/parts_health_worker.yml",
        "tests/ci/parts_signed_flow_acceptance.yml",
    ] {
        let copy = folder.path().join(file);
        std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
        std::fs::copy(example.join(file), copy).unwrap();
    }
    folder
}

fn settings(root: &Path, env: &[(&str, &str)]) -> Settings {
    let env: Env = env
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Settings::load(root, env).unwrap()
}

async fn record_one(settings: &Settings) {
    let journal = Journal::open(&settings.journal_path()).await.unwrap();
    journal.record(check_of(NORTH, "parts", 0)).await.unwrap();
    journal.close().await;
}

#[tokio::test]
async fn retention_drops_nothing_that_has_not_arrived_where_there_is_a_store_to_arrive_at() {
    let folder = project();
    let mut with_store = settings(folder.path(), &[("DATABASE_URL", NOBODY)]);
    with_store.store = Some(StoreKind::Sqlite);
    record_one(&with_store).await;
    let now = Timestamp::now();
    let refused = retention::run(&with_store, "1d", now, false, true)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.starts_with("1 checks of the journal have not arrived"),
        "{refused}"
    );
    let mut alone = settings(folder.path(), &[]);
    alone.store = Some(StoreKind::Sqlite);
    assert_eq!(retention::run(&alone, "1d", now, true, true).await.unwrap(), Exit::Good);
    let unread = retention::run(&alone, "soon", now, true, true)
        .await
        .unwrap_err()
        .to_string();
    assert!(unread.contains("\"soon\" is not a valid duration"), "{unread}");
}

#[tokio::test]
async fn a_status_without_its_store_is_the_journals_and_judges_nothing() {
    let folder = project();
    let settings = settings(folder.path(), &[("DATABASE_URL", NOBODY)]);
    record_one(&settings).await;
    assert_eq!(
        status::run(&settings, Timestamp::now(), true).await.unwrap(),
        Exit::CouldNotJudge
    );
}

#[tokio::test]
async fn a_gate_in_the_future_is_refused_and_one_without_checks_has_not_enough_data() {
    let folder = project();
    let settings = settings(folder.path(), &[]);
    let now = Timestamp::now();
    let later = now + SignedDuration::from_hours(1);
    let asked = |at| gate::Asked {
        lens: "parts",
        window: "7d",
        at,
        history: None,
        backtest: false,
        form: gate::Form::Json,
    };
    let refused = gate::run(&settings, &asked(Some(later)), now)
        .await
        .unwrap_err()
        .to_string();
    assert!(refused.contains("is not there yet"), "{refused}");
    let exit = gate::run(&settings, &asked(Some(now)), now).await.unwrap();
    assert_eq!(exit, Exit::CouldNotJudge);
}

#[tokio::test]
async fn a_matrix_of_all_lenses_needs_a_registry_that_is_named() {
    let folder = project();
    let settings = settings(folder.path(), &[("STAGING_API_URL", "http://127.0.0.1:1")]);
    let asked = matrix::Asked::default();
    let refused = matrix::run(&settings, asked).await.unwrap_err().to_string();
    assert!(
        refused.starts_with("no action registry: give --registry FILE"),
        "{refused}"
    );
}
