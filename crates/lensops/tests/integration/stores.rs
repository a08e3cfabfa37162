//! One table of cases, each run on every store.

use std::pin::Pin;

use jiff::{SignedDuration, Timestamp};
use lensops::store::{History as _, StoredCheck, Trace};
use lensops_core::ident::LensId;
use lensops_core::lens::mute::MutedWhy;
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{CheckRecord, Status};
use serde_json::json;

use crate::fixture::{Fixture, KINDS, Kind, NORTH, SOUTH, check, check_of, start};

type Case = (
    &'static str,
    for<'a> fn(&'a Fixture) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
);

macro_rules! cases {
    ($($name:ident),* $(,)?) => { [$((stringify!($name), |fixture| Box::pin($name(fixture)))),*] };
}

const CASES: [Case; 12] = cases![
    a_check_arrives_with_its_events_and_reads_back_as_it_was,
    a_check_recorded_or_delivered_twice_is_one_row,
    defect_5_events_are_stored_with_their_check,
    the_latest_check_is_the_newest_of_each_pair_asked_for,
    a_window_leaves_out_its_start_and_has_its_end_oldest_first,
    lenses_and_tenants_do_not_mix,
    what_was_not_measured_stays_absent,
    a_null_character_costs_the_character_and_not_the_check,
    more_checks_than_a_batch_or_a_page_arrive,
    an_export_has_every_check_once_with_its_events,
    v4_what_worked_once_is_found_in_what_was_recorded,
    f7_a_check_that_another_takes_back_reads_as_annulled,
];

#[tokio::test]
async fn every_case_holds_on_every_store() {
    for kind in KINDS {
        for (name, case) in CASES {
            println!("{kind:?}: {name}");
            case(&Fixture::new(kind).await).await;
        }
    }
}

fn stored(check: &CheckRecord) -> StoredCheck {
    StoredCheck {
        id: check.id,
        yacht_id: check.yacht_id,
        lens_id: check.lens_id.clone(),
        status: check.status,
        p95_latency_ms: check.p95_latency_ms,
        error_rate_percent: Some(4.76),
        sample_size: check.sample_size,
        observed_at: check.observed_at,
        notes: check.notes.text().to_value().into(),
    }
}

async fn everything(fixture: &Fixture) -> Vec<StoredCheck> {
    let lens = "faults".parse().unwrap();
    fixture
        .store
        .between(
            NORTH,
            &lens,
            Timestamp::MIN,
            start() + SignedDuration::from_hours(24 * 365),
        )
        .await
        .unwrap()
}

/// Fault V4: an outage is told from a fault of the monitor by what earlier checks reached.
async fn v4_what_worked_once_is_found_in_what_was_recorded(fixture: &Fixture) {
    let lens: LensId = "faults".parse().unwrap();
    let shows = async |trace| fixture.store.shows(NORTH, &lens, trace).await.unwrap();
    let noted = |n, notes| {
        let notes = RecordNotes::of_json(notes, &Redactor::default());
        CheckRecord { notes, ..check(n) }
    };
    let reached = json!({"reached": {"host": "api.example.com", "answered": true, "credential": "0a1b2c3d"}});
    let found = json!({"reached": {"host": "found & silent.example"}});
    fixture.record([noted(2, reached), noted(3, found)]).await;
    fixture.deliver().await;
    for (trace, expected) in [
        (Trace::Found("api.example.com"), true),
        (Trace::Found("found & silent.example"), true),
        (Trace::Found("other.example"), false),
        (Trace::Answered("api.example.com"), true),
        (Trace::Answered("found & silent.example"), false),
        (Trace::LetIn("0a1b2c3d"), true),
        (Trace::LetIn("ffffffff"), false),
        // Each of them says how far it came.
        (Trace::Unsaid, false),
    ] {
        assert_eq!(shows(trace).await, expected, "{trace:?}");
    }
    // Unhealthy, and of an earlier version: it shows nothing. A healthy one does.
    fixture.record([check(5)]).await;
    fixture.deliver().await;
    assert!(!shows(Trace::Unsaid).await);
    fixture.record([check(6)]).await;
    fixture.deliver().await;
    assert!(shows(Trace::Unsaid).await);
}

/// Fault F7: the row stays, and reads as what counts for nothing.
async fn f7_a_check_that_another_takes_back_reads_as_annulled(fixture: &Fixture) {
    let by = json!({"muted": {"why": "annulled", "reason": "wrong address", "annuls": check(2).id}});
    let marker = CheckRecord {
        id: uuid::Uuid::from_u128(check(2).id.as_u128() + 1),
        observed_at: check(2).observed_at + SignedDuration::from_millis(1),
        notes: RecordNotes::of_json(by, &Redactor::default()),
        ..check(2)
    };
    fixture.record([check(1), check(2), marker]).await;
    fixture.deliver().await;
    let read: Vec<_> = everything(fixture)
        .await
        .iter()
        .map(|check| check.notes.read().muted_why())
        .collect();
    assert_eq!(read, [None, Some(MutedWhy::Annulled), Some(MutedWhy::Annulled)]);
}

async fn a_check_arrives_with_its_events_and_reads_back_as_it_was(fixture: &Fixture) {
    fixture.record([check(0)]).await;
    let flushed = fixture.deliver().await;
    assert!(
        flushed.complete && flushed.delivered == 1 && flushed.parked == 0,
        "{flushed:?}"
    );
    assert_eq!(everything(fixture).await, [stored(&check(0))]);
    assert_eq!(fixture.kept().await, [(check(0).id, 2)].into());
    assert_eq!(fixture.journal.outbox().await.unwrap().waiting, 0);
}

async fn a_check_recorded_or_delivered_twice_is_one_row(fixture: &Fixture) {
    let mut other = check(0);
    other.status = Status::Unhealthy;
    fixture.record([check(0)]).await;
    let entries = fixture.journal.waiting(10).await.unwrap();
    fixture.deliver().await;
    fixture.record([other]).await;
    assert_eq!(fixture.deliver().await.delivered, 0, "the slot was delivered already");
    lensops::store::Sink::deliver(&fixture.store, &entries).await.unwrap();
    assert_eq!(everything(fixture).await, [stored(&check(0))], "the first one stands");
    assert_eq!(fixture.kept().await, [(check(0).id, 2)].into());
}

/// Defect 5: the empty body of a 201 was parsed as JSON, so events were never stored.
async fn defect_5_events_are_stored_with_their_check(fixture: &Fixture) {
    fixture.record((0..5).map(check)).await;
    fixture.deliver().await;
    assert_eq!(fixture.kept().await, (0..5).map(|n| (check(n).id, 2)).collect());
}

async fn the_latest_check_is_the_newest_of_each_pair_asked_for(fixture: &Fixture) {
    fixture.record([2, 0, 1].map(check)).await;
    fixture
        .record([check_of(SOUTH, "faults", 7), check_of(NORTH, "parts", 5)])
        .await;
    fixture.deliver().await;
    let pairs = [(NORTH, "faults"), (NORTH, "parts"), (NORTH, "crew")].map(|(t, lens)| (t, lens.parse().unwrap()));
    let mut latest = fixture.store.latest(&pairs).await.unwrap();
    latest.sort_by(|a, b| a.lens_id.cmp(&b.lens_id));
    assert_eq!(latest, [stored(&check(2)), stored(&check_of(NORTH, "parts", 5))]);
}

async fn a_window_leaves_out_its_start_and_has_its_end_oldest_first(fixture: &Fixture) {
    fixture.record([3, 1, 0, 2].map(check)).await;
    fixture.deliver().await;
    let lens = "faults".parse().unwrap();
    let (from, until) = (check(0).observed_at, check(2).observed_at);
    let window = fixture.store.between(NORTH, &lens, from, until).await.unwrap();
    assert_eq!(window, [stored(&check(1)), stored(&check(2))]);
}

async fn lenses_and_tenants_do_not_mix(fixture: &Fixture) {
    fixture
        .record([check(0), check_of(SOUTH, "faults", 0), check_of(NORTH, "parts", 0)])
        .await;
    fixture.deliver().await;
    assert_eq!(everything(fixture).await, [stored(&check(0))]);
    assert_eq!(fixture.kept().await.len(), 3);
}

async fn what_was_not_measured_stays_absent(fixture: &Fixture) {
    let mut unmeasured = check(0);
    (unmeasured.p95_latency_ms, unmeasured.error_rate_hundredths) = (None, None);
    unmeasured.events.clear();
    fixture.record([unmeasured]).await;
    fixture.deliver().await;
    let found = &everything(fixture).await[0];
    assert_eq!((found.p95_latency_ms, found.error_rate_percent), (None, None));
    assert_eq!(fixture.kept().await, [(check(0).id, 0)].into());
}

async fn a_null_character_costs_the_character_and_not_the_check(fixture: &Fixture) {
    let mut odd = check(0);
    odd.notes = RecordNotes::of_json(json!({"body": "a\0b"}), &Redactor::default());
    odd.events[0].detail = odd.notes.text().clone();
    fixture.record([odd]).await;
    assert_eq!(fixture.deliver().await.parked, 0);
    let expected = if fixture.kind == Kind::Sqlite {
        "a\0b"
    } else {
        "a\u{fffd}b"
    };
    assert_eq!(everything(fixture).await[0].notes.stored()["body"], expected);
}

async fn more_checks_than_a_batch_or_a_page_arrive(fixture: &Fixture) {
    fixture.record((0..1_203).map(check)).await;
    let flushed = fixture.deliver().await;
    assert!(flushed.complete && flushed.delivered == 1_203, "{flushed:?}");
    let found = everything(fixture).await;
    assert_eq!(found.len(), 1_203);
    assert!(found.is_sorted_by_key(|check| check.observed_at));
    assert!(fixture.kept().await.values().all(|events| *events == 2));
}

async fn an_export_has_every_check_once_with_its_events(fixture: &Fixture) {
    fixture.record((0..25).map(check)).await;
    fixture.deliver().await;
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let page = fixture.store.page(after, 10).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = Some(last.id);
        found.extend(page);
    }
    assert_eq!(
        found.iter().map(|(check, _)| check.clone()).collect::<Vec<_>>(),
        (0..25).map(|n| stored(&check(n))).collect::<Vec<_>>()
    );
    for (_, events) in &found {
        let mut levels: Vec<_> = events.iter().map(|(level, _)| level.as_str()).collect();
        levels.sort_unstable();
        assert_eq!(levels, ["error", "info"]);
        assert!(
            events
                .iter()
                .all(|(_, detail)| detail["text"] == "quote \" and \\ and é"),
            "{events:?}"
        );
    }
}
