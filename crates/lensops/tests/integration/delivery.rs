//! What happens to checks while a store fails: they wait, and arrive once.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use lensops::commands::worker::delivery::{Delivery, Step};
use lensops::http::Client;
use lensops::store::{Returned, Store};
use lensops_core::redaction::Redactor;
use lensops_sandbox::{Act, Answer, Dialect, Faults, Rule};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::bridge;
use crate::fixture::{
    Fixture, Kind, NORTH, Proxy, SOUTH, Spoil, check, check_of, delivery, journal, kept, over_postgres, postgres, rest,
    tenants_entered,
};
use crate::harness::sandbox;
use crate::pg::Database;

/// What forty checks with their events look like once they are there.
fn forty() -> BTreeMap<Uuid, usize> {
    (0..40).map(|n| (check(n).id, 2)).collect()
}

fn down() -> Faults {
    Faults {
        store_down: true,
        ..Faults::default()
    }
}

fn status(code: u16, header: Option<(&str, &str)>) -> Faults {
    let headers = header
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let answer = Answer {
        code,
        body: None,
        headers,
    };
    Faults {
        rules: vec![Rule::new(Act::Status(answer)).on("/rest/")],
        ..Faults::default()
    }
}

/// Something that is no store answers an insert with a success of its own.
fn taken(code: u16) -> Faults {
    let answer = Answer {
        code,
        body: (code != 204).then(|| "<html>Welcome</html>".into()),
        headers: BTreeMap::new(),
    };
    Faults {
        rules: vec![Rule::new(Act::Status(answer)).on("/rest/")],
        ..Faults::default()
    }
}

/// Defect 6: the store answered 500, the row was lost and never sent again.
#[tokio::test]
async fn defect_6_a_store_that_fails_loses_no_row_whatever_it_answers() {
    let refused = |set: fn(&mut Faults)| {
        let mut faults = Faults::default();
        set(&mut faults);
        faults
    };
    for (case, faults) in [
        ("500", status(500, None)),
        ("502", status(502, None)),
        ("503", down()),
        ("401", status(401, None)),
        ("403", refused(|faults| faults.store_forbidden = true)),
        ("404", refused(|faults| faults.store_missing_table = true)),
        ("429", status(429, Some(("Retry-After", "1")))),
        // Not the store at all: a portal's page, a proxy that takes everything.
        ("200 of a page", taken(200)),
        ("201 of a page", taken(201)),
        ("204", taken(204)),
        (
            "connection reset",
            Faults {
                rules: vec![Rule::new(Act::Reset).on("/rest/")],
                ..Faults::default()
            },
        ),
        (
            "refused connections",
            refused(|faults| faults.refuse_connections = true),
        ),
        // These carry the insert out and spoil the answer.
        (
            "closed after the insert",
            Faults {
                rules: vec![Rule::new(Act::Close).on("/rest/").times(2)],
                ..Faults::default()
            },
        ),
    ] {
        let fixture = Fixture::new(Kind::RestMinimal).await;
        let stand_in = fixture.sandbox.as_ref().unwrap();
        stand_in.set_faults(faults);
        fixture.record((0..40).map(check)).await;
        let flushed = fixture.deliver().await;
        assert!(!flushed.complete && flushed.parked == 0, "{case}: {flushed:?}");
        assert_eq!(fixture.journal.outbox().await.unwrap().waiting, 40, "{case}");
        stand_in.set_faults(Faults::default());
        assert!(fixture.deliver().await.complete, "{case}");
        assert_eq!(fixture.kept().await, forty(), "{case}");
    }
}

#[tokio::test]
async fn events_that_failed_after_their_check_follow_it() {
    let fixture = Fixture::new(Kind::RestRepresentation).await;
    let stand_in = fixture.sandbox.as_ref().unwrap();
    let answer = Answer {
        code: 500,
        body: None,
        headers: BTreeMap::new(),
    };
    let rule = Rule::new(Act::Status(answer)).on("/rest/v1/pms_health_events").times(1);
    stand_in.set_faults(Faults {
        rules: vec![rule],
        ..Faults::default()
    });
    fixture.record((0..40).map(check)).await;
    assert!(!fixture.deliver().await.complete);
    assert_eq!(fixture.kept().await.values().sum::<usize>(), 0, "checks alone");
    assert!(fixture.deliver().await.complete);
    assert_eq!(fixture.kept().await, forty());
}

#[tokio::test]
async fn a_store_that_asks_to_be_left_alone_is() {
    let fixture = Fixture::new(Kind::RestMinimal).await;
    fixture
        .sandbox
        .as_ref()
        .unwrap()
        .set_faults(status(429, Some(("Retry-After", "120"))));
    fixture.record([check(0)]).await;
    let step = delivery(&fixture.journal, fixture.store.clone()).step().await.unwrap();
    assert!(
        matches!(step, Step::Wait(wait) if wait >= Duration::from_secs(120)),
        "{step:?}"
    );
}

#[tokio::test]
async fn over_rest_the_key_decides_the_role_and_a_strange_tenant_is_parked() {
    let database = tenants_entered().await;
    let (anon, service) = (
        over_postgres(&database, "made-up-anonymous-key").await,
        over_postgres(&database, bridge::SERVICE_KEY).await,
    );
    survives("anonymous key", &database, anon, service.clone(), async || {}).await;
    let (_folder, journal) = journal().await;
    journal
        .record(check_of(Uuid::from_u128(0xBAD), "faults", 1))
        .await
        .unwrap();
    let flushed = delivery(&journal, service.clone()).flush().await.unwrap();
    assert_eq!((flushed.delivered, flushed.parked), (0, 1));
    let reason = &journal.parked(1).await.unwrap()[0].reason;
    assert!(reason.starts_with("409 - Conflict (23503: "), "{reason}");
    assert!(
        reason.contains("its tenant is not in yacht_registry: enter it"),
        "{reason}"
    );
    // A table that is gone is not the rows' fault.
    database.run("DROP TABLE pms_health_events CASCADE").await;
    journal.record(check(50)).await.unwrap();
    let flushed = delivery(&journal, service).flush().await.unwrap();
    assert!(!flushed.complete && flushed.parked == 0, "{flushed:?}");
}

/// Flushes against `before`, which must fail, then against `after`, which must not.
async fn survives(
    case: &str,
    database: &Database,
    before: Store<Client>,
    after: Store<Client>,
    mend: impl AsyncFnOnce(),
) {
    let (_folder, journal) = journal().await;
    for n in 0..40 {
        journal.record(check(n)).await.unwrap();
    }
    let flushed = delivery(&journal, before).flush().await.unwrap();
    assert!(!flushed.complete && flushed.parked == 0, "{case}: {flushed:?}");
    assert_eq!(journal.outbox().await.unwrap().waiting, 40, "{case}");
    mend().await;
    assert!(delivery(&journal, after).flush().await.unwrap().complete, "{case}");
    assert_eq!(kept(database).await, forty(), "{case}");
}

#[tokio::test]
async fn a_database_that_is_down_at_the_start_gets_everything_later() {
    let database = tenants_entered().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (before, after) = (postgres(&database.by_way_of(closed)), postgres(&database.url));
    survives("down", &database, before, after, async || {}).await;
}

#[tokio::test]
async fn a_database_that_dies_in_the_middle_of_a_batch_has_the_batch_once() {
    let database = tenants_entered().await;
    let proxy = Proxy::to(database.address(), Spoil::CutMidBatch).await;
    let store = postgres(&database.by_way_of(proxy.port));
    survives("mid-batch", &database, store.clone(), store, async || {
        proxy.set(Spoil::Pass)
    })
    .await;
    assert_eq!(proxy.cuts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_cut_after_the_commit_and_before_the_answer_doubles_nothing() {
    let database = tenants_entered().await;
    let proxy = Proxy::to(database.address(), Spoil::CutAfterCommit).await;
    let store = postgres(&database.by_way_of(proxy.port));
    survives("cut after commit", &database, store.clone(), store, async || {
        assert_eq!(kept(&database).await, forty(), "committed, though nobody was told");
        proxy.set(Spoil::Pass);
    })
    .await;
    assert_eq!(proxy.cuts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_given_up_after_its_time() {
    let database = tenants_entered().await;
    let proxy = Proxy::to(database.address(), Spoil::Stall).await;
    let store = postgres(&database.by_way_of(proxy.port));
    let (_folder, journal) = journal().await;
    journal.record(check(0)).await.unwrap();
    let entries = journal.waiting(10).await.unwrap();
    // From here on waiting costs nothing: the runtime's clock jumps to the next deadline.
    tokio::time::pause();
    let error = lensops::store::Sink::deliver(&store, &entries).await.unwrap_err();
    assert_eq!(error.to_string(), "no answer within 15s");
    tokio::time::resume();
    proxy.set(Spoil::Pass);
    assert!(delivery(&journal, store).flush().await.unwrap().complete);
    assert_eq!(kept(&database).await, [(check(0).id, 2)].into());
}

#[tokio::test]
async fn a_wrong_password_a_missing_table_and_a_missing_grant_lose_nothing() {
    let database = tenants_entered().await;
    let wrong = postgres(&database.url.replace("made-up-test-password", "made-up-wrong-password"));
    survives("wrong password", &database, wrong, postgres(&database.url), async || {}).await;

    let unmigrated = Database::empty().await;
    let store = postgres(&unmigrated.url);
    survives("missing table", &unmigrated, store.clone(), store, async || {
        lensops::store::postgres::migrate::migrate(&unmigrated.secret(), &[NORTH])
            .await
            .unwrap();
    })
    .await;

    let database = tenants_entered().await;
    let user = format!("worker_{}", Uuid::new_v4().simple());
    database
        .run(&format!("CREATE ROLE {user} LOGIN PASSWORD 'made-up-test-password'"))
        .await;
    let store = postgres(&database.url.replace("//postgres:", &format!("//{user}:")));
    survives("missing grant", &database, store.clone(), store, async || {
        database.run(&format!("GRANT service_role TO {user}")).await;
    })
    .await;
}

#[tokio::test]
async fn a_key_revoked_while_running_stops_nothing_but_delivery() {
    let database = tenants_entered().await;
    let user = format!("worker_{}", Uuid::new_v4().simple());
    let create = format!("CREATE ROLE {user} LOGIN PASSWORD 'made-up-test-password' IN ROLE service_role");
    database.run(&create).await;
    let (_folder, journal) = journal().await;
    let mut delivery = delivery(
        &journal,
        postgres(&database.url.replace("//postgres:", &format!("//{user}:"))),
    );
    journal.record(check(0)).await.unwrap();
    assert!(delivery.flush().await.unwrap().complete);
    database.run(&format!("REVOKE service_role FROM {user}")).await;
    for n in 1..40 {
        journal.record(check(n)).await.unwrap();
    }
    assert!(!delivery.flush().await.unwrap().complete);
    database.run(&format!("GRANT service_role TO {user}")).await;
    assert!(delivery.flush().await.unwrap().complete);
    assert_eq!(kept(&database).await, forty());
}

#[tokio::test]
async fn rows_refused_for_good_are_parked_block_nothing_and_can_be_put_back() {
    let database = tenants_entered().await;
    let stranger = Uuid::from_u128(0xBAD);
    let (_folder, journal) = journal().await;
    for n in 0..40 {
        journal.record(check(n)).await.unwrap();
        if n % 10 == 3 {
            journal.record(check_of(stranger, "faults", n)).await.unwrap();
        }
    }
    let mut delivery = delivery(&journal, postgres(&database.url));
    let flushed = delivery.flush().await.unwrap();
    assert_eq!((flushed.delivered, flushed.parked, flushed.complete), (40, 4, true));
    assert_eq!(kept(&database).await, forty());
    let parked = journal.parked(10).await.unwrap();
    assert!(
        parked
            .iter()
            .all(|parked| parked.yacht_id == stranger && parked.reason.starts_with("23503")),
        "{parked:?}"
    );
    database
        .run(&format!("INSERT INTO yacht_registry (id) VALUES ('{stranger}')"))
        .await;
    journal.unpark().await.unwrap();
    assert_eq!(delivery.flush().await.unwrap().delivered, 4);
    assert_eq!(kept(&database).await.len(), 44);
    assert_eq!(journal.outbox().await.unwrap().parked, 0);
}

#[tokio::test]
async fn the_order_of_recording_is_the_order_of_delivery() {
    let stand_in = sandbox(Dialect::Documented).await;
    let (_folder, journal) = journal().await;
    let mut expected = Vec::new();
    for n in (0..700).rev() {
        let check = check_of(if n % 2 == 0 { NORTH } else { SOUTH }, "faults", n);
        expected.push(check.id.to_string());
        journal.record(check).await.unwrap();
    }
    // A refusal in between changes nothing about it.
    let rule = Rule {
        skip: 2,
        ..Rule::new(Act::Close).on("/rest/").times(1)
    };
    stand_in.set_faults(Faults {
        rules: vec![rule],
        ..Faults::default()
    });
    let mut delivery = delivery(&journal, rest(&stand_in, Returned::Minimal));
    assert!(!delivery.flush().await.unwrap().complete);
    assert!(delivery.flush().await.unwrap().complete);
    let rows = stand_in.rows("pms_health_checks");
    let arrived: Vec<_> = rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(arrived, expected);
}

#[tokio::test]
async fn a_journal_over_its_limit_drops_delivered_checks_and_never_others() {
    let database = tenants_entered().await;
    let (_folder, journal) = journal().await;
    for n in 0..300 {
        journal.record(check(n)).await.unwrap();
    }
    delivery(&journal, postgres(&database.url)).flush().await.unwrap();
    for n in 300..400 {
        journal.record(check(n)).await.unwrap();
    }
    let tight = Delivery::new(journal.clone(), postgres(&database.url), Redactor::default(), 1);
    tight.keep_within_limit().await.unwrap();
    let state = journal.outbox().await.unwrap();
    assert_eq!(
        (state.checks, state.waiting),
        (100, 100),
        "the undelivered hundred is all that is left"
    );
    assert_eq!(
        journal
            .waiting(1000)
            .await
            .unwrap()
            .iter()
            .filter(|entry| entry.lens() == "faults")
            .count(),
        100
    );
    let roomy = Delivery::new(
        journal.clone(),
        postgres(&database.url),
        Redactor::default(),
        state.bytes + 1,
    );
    roomy.keep_within_limit().await.unwrap();
    assert_eq!(journal.outbox().await.unwrap().checks, 100);
}

#[tokio::test]
async fn a_delivery_that_runs_takes_what_is_recorded_and_stops_when_told() {
    let fixture = Fixture::new(Kind::Postgres).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(delivery(&fixture.journal, fixture.store.clone()).run(stop.clone()));
    let mut recorded = fixture.journal.recorded();
    fixture.record((0..40).map(check)).await;
    recorded.changed().await.unwrap();
    // No event tells that an entry is closed: poll, with a deadline.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while fixture.journal.outbox().await.unwrap().waiting > 0 {
        assert!(std::time::Instant::now() < deadline, "not delivered in time");
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap();
    assert_eq!(fixture.kept().await, forty());
}
