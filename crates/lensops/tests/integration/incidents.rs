//! W7: an API that is down for 500 lenses of three tenants, and a receiver that takes one message a second.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use lensops::commands::worker::clock::Clock as _;
use lensops::commands::worker::notifier::{Gathering, Notifier, Step};
use lensops_core::exchange::{Exchange, PreparedRequest, Response, Route, Sender, Timings};
use lensops_core::redaction::Redactor;
use lensops_core::verdict::record::{CheckRecord, EventRecord, Level, Status, event_id};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::alerts::{Hands, World};
use crate::fixture::{check_of, start};

const LENSES: usize = 500;
const TENANTS: usize = 3;
const MINUTE: usize = 60;

/// Minutes of the outage, and of what comes after it.
const DOWN: usize = 5;
const UP: usize = 4;

/// Takes one message a second, and answers 429 with `Retry-After` beyond.
#[derive(Clone)]
struct OneASecond {
    clock: Hands,
    taken: Arc<Mutex<Vec<(Timestamp, Value)>>>,
}

impl Sender for OneASecond {
    async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
        let (now, mut taken) = (self.clock.now(), self.taken.lock().unwrap());
        let busy = taken
            .last()
            .is_some_and(|(last, _)| now.duration_since(*last) < SignedDuration::from_secs(1));
        if !busy {
            let body = request.body.as_deref().unwrap_or("null");
            taken.push((now, serde_json::from_str(body).unwrap()));
        }
        let (status, headers) = if busy {
            (429, vec![("Retry-After".to_owned(), "1".to_owned())])
        } else {
            (204, Vec::new())
        };
        let response = Response {
            version: "HTTP/1.1",
            status,
            headers,
            body: Vec::new(),
        };
        Exchange {
            request: request.clone(),
            sent_at: now,
            result: Ok(response),
            timings: Timings::default(),
            route: Route::default(),
        }
    }
}

/// The check of pair `pair` at second `second`.
fn check(pair: usize, second: usize) -> CheckRecord {
    let redactor = Redactor::default();
    let tenant = Uuid::from_u128(1 + (pair % TENANTS) as u128);
    let mut check = check_of(tenant, &format!("lens{}", pair / TENANTS), 0);
    check.id = Uuid::from_u128((second * 10_000 + pair) as u128);
    check.observed_at = start() + SignedDuration::from_secs(i64::try_from(second).unwrap());
    check.status = if second < DOWN * MINUTE {
        Status::Unhealthy
    } else {
        Status::Healthy
    };
    let details = [
        json!({"kind": "broken", "class": "server_5xx", "reason": "List: 500"}),
        json!({"kind": "slo", "figure": "error_rate", "reason": "error rate 100 % above 4 %"}),
    ];
    let events = details.into_iter().zip(0..).map(|(detail, index)| EventRecord {
        id: event_id(check.id, index),
        level: Level::Error,
        detail: redactor.json(detail),
    });
    check.events = if check.status == Status::Unhealthy {
        events.collect()
    } else {
        Vec::new()
    };
    check
}

#[tokio::test]
async fn w7_1500_pairs_that_fail_together_are_told_in_time_and_in_few_messages() {
    let env = [
        ("LENSOPS_WEBHOOK_URL", "http://127.0.0.1:9/hook"),
        ("LENSOPS_WEBHOOK_SECRET", "made-up-webhook-secret"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let world = World::new("", env).await;
    *world.clock.0.lock().unwrap() = start();
    let receiver = OneASecond {
        clock: world.clock.clone(),
        taken: Arc::default(),
    };
    let mut notifier = Notifier {
        clock: world.clock.clone(),
        sender: receiver.clone(),
        journal: world.journal.clone(),
        receiver: world.receivers[0].clone(),
        redactor: world.redactor.clone(),
        failures: 0,
        gathering: Gathering::default(),
    };
    let pairs = LENSES * TENANTS;
    let firing = async || {
        let alerts = world.journal.alerts().await.unwrap();
        alerts
            .iter()
            .filter(|alert| alert.firing && alert.rule.to_string() == "unhealthy")
            .count()
    };
    for second in 0..(DOWN + UP) * MINUTE {
        *world.clock.0.lock().unwrap() = start() + SignedDuration::from_secs(i64::try_from(second).unwrap());
        // Spread over the minute, as the worker does.
        let due = (0..pairs).filter(|pair| pair % MINUTE == second % MINUTE);
        let recorded = due.map(|pair| world.journal.record(check(pair, second)));
        for result in futures_util::future::join_all(recorded).await {
            result.unwrap();
        }
        while notifier.step().await.unwrap() == Step::Done {}
        if second == 3 * MINUTE {
            assert_eq!(firing().await, pairs, "the page shows every pair while it fires");
        }
    }
    assert_eq!(firing().await, 0);
    let taken = receiver.taken.lock().unwrap().clone();
    let told: Vec<String> = taken
        .iter()
        .map(|(at, body)| {
            let second = at.duration_since(start()).as_secs();
            format!("{second:>3} s {}", body["summary"].as_str().unwrap())
        })
        .collect();
    println!("{} messages:\n{}", told.len(), told.join("\n"));
    let second = |index: usize| usize::try_from(taken[index].0.duration_since(start()).as_secs()).unwrap();
    assert!(told.len() <= 20, "{} messages: {told:#?}", told.len());
    assert!(second(0) <= MINUTE, "{told:#?}");
    // One round after the API is back every pair was healthy once.
    let end = taken.len() - 1;
    assert!(second(end) <= (DOWN + 2) * MINUTE + MINUTE, "{told:#?}");
    assert_eq!(taken[end].1["notice"], "resolved", "{told:#?}");
    let first_end = told.iter().position(|text| text.contains("PARTLY OVER")).unwrap_or(end);
    assert!(second(first_end) <= (DOWN + 2) * MINUTE, "{told:#?}");
    let keys: std::collections::BTreeSet<&str> = taken
        .iter()
        .map(|(_, body)| body["dedup_key"].as_str().unwrap())
        .collect();
    assert_eq!(keys.len(), 1, "one incident: {keys:?}");
    let backlog = world.journal.alert_backlog().await.unwrap();
    assert!(backlog.is_empty(), "{backlog:?}");
}
