//! W10: a REST store, or a cache before it, that answers every question with the same rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use lensops::store::{History as _, Rest, Store, TenantSource};
use lensops_core::exchange::{Base, Exchange, PreparedRequest, Sender};
use lensops_core::secret::Secret;
use serde_json::{Value, json};

use crate::fixture::{NORTH, answered, check};

/// Answers `rows`, whatever was asked.
#[derive(Clone)]
struct Repeating {
    rows: Value,
    asked: Arc<AtomicUsize>,
}

impl Sender for Repeating {
    async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
        self.asked.fetch_add(1, Ordering::SeqCst);
        answered(request, 200, Vec::new(), &self.rows.to_string())
    }
}

/// Takes every question and answers none.
#[derive(Clone)]
struct Silent;

impl Sender for Silent {
    async fn send(&self, _: Arc<PreparedRequest>) -> Exchange {
        std::future::pending().await
    }
}

fn rest<S: Sender>(sender: S) -> Rest<S> {
    Rest::new(sender, Base::parse("http://127.0.0.1").unwrap(), Secret::new("made-up"))
}

#[tokio::test]
async fn w10_a_store_that_ignores_the_page_asked_for_is_an_error_and_not_a_loop() {
    let row = |n: i64| {
        let check = check(n);
        json!({"id": check.id, "yacht_id": NORTH, "lens_id": "faults", "status": "healthy", "p95_latency_ms": 1,
            "error_rate_percent": 0, "sample_size": 21, "observed_at": check.observed_at, "notes": {}})
    };
    let asked = Arc::<AtomicUsize>::default();
    let sender = Repeating {
        rows: json!([row(0), row(1)]),
        asked: asked.clone(),
    };
    let store = Store::Rest(rest(sender.clone()));
    let (lens, from, until) = ("faults".parse().unwrap(), Timestamp::UNIX_EPOCH, check(9).observed_at);
    let window = store.between(NORTH, &lens, from, until).await.map(|_| ());
    let page = store.page(Some(check(5).id), 10).await.map(|_| ());
    let tenants = TenantSource::Rest(rest(sender)).read().await.map(|_| ());
    for (what, result) in [("window", window), ("page", page), ("tenants", tenants)] {
        let error = result.expect_err(what).to_string();
        assert!(
            error.contains("it sends rows again that it has sent"),
            "{what}: {error}"
        );
    }
    assert!(asked.load(Ordering::SeqCst) < 8);
}

#[tokio::test(start_paused = true)]
async fn w10_every_question_over_rest_has_a_deadline() {
    let store = Store::Rest(rest(Silent));
    let (lens, from, until) = ("faults".parse().unwrap(), Timestamp::UNIX_EPOCH, check(9).observed_at);
    let window = store.between(NORTH, &lens, from, until).await.map(|_| ());
    let latest = store.latest(&[(NORTH, lens)]).await.map(|_| ());
    let page = store.page(None, 10).await.map(|_| ());
    for (what, result) in [("window", window), ("latest", latest), ("page", page)] {
        let error = result.expect_err(what).to_string();
        assert!(error.contains("no whole answer within 60 s"), "{what}: {error}");
    }
}
