//! The store over REST.

use hyper::Method;
use lensops_sandbox::{Dialect, Faults};
use serde_json::{Value, json};

use crate::client::{Answer, Tenant, send};

const ONE: &str = "00000000-0000-4000-8000-000000000001";
const TWO: &str = "00000000-0000-4000-8000-000000000002";

struct Store(Tenant);

impl Store {
    async fn start() -> Self {
        Self(Tenant::start(Dialect::Documented).await)
    }

    async fn call(&self, method: Method, tail: &str, prefer: &str, body: Option<Value>) -> Answer {
        let key = &self.0.sandbox.config().service_key;
        let headers = [
            ("apikey", key.clone()),
            ("authorization", format!("Bearer {key}")),
            ("prefer", prefer.to_owned()),
        ];
        send(
            &self.0.sandbox.url(),
            method,
            &format!("/rest/v1/{tail}"),
            &headers,
            body,
        )
        .await
    }

    fn check(&self, id: &str, status: &str) -> Value {
        json!({
            "id": id, "yacht_id": self.0.north(), "lens_id": "faults", "status": status,
            "p95_latency_ms": 12, "observed_at": "2026-01-28T15:00:00Z",
        })
    }
}

fn code(answer: &Answer) -> String {
    answer.at("/code").as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_insert_answers_201_with_an_empty_body_unless_asked_for_the_rows() {
    let store = Store::start().await;
    let quiet = store
        .call(Method::POST, "pms_health_checks", "", Some(store.check(ONE, "healthy")))
        .await;
    assert_eq!((quiet.status, quiet.body.len()), (201, 0));
    let loud = store
        .call(
            Method::POST,
            "pms_health_checks",
            "return=representation",
            Some(json!([store.check(TWO, "healthy")])),
        )
        .await;
    assert_eq!((loud.status, loud.at("/0/id")), (201, json!(TWO)));
    assert_eq!(store.0.sandbox.rows("pms_health_checks").len(), 2);
    let rows = store.0.control(Method::GET, "/rows/pms_health_checks", None).await;
    assert_eq!(rows.at("/1/id"), TWO);
}

#[tokio::test]
async fn a_repeated_delivery_is_one_row() {
    let store = Store::start().await;
    let row = || Some(store.check(ONE, "healthy"));
    assert_eq!(
        store.call(Method::POST, "pms_health_checks", "", row()).await.status,
        201
    );
    let again = store.call(Method::POST, "pms_health_checks", "", row()).await;
    assert_eq!((again.status, code(&again).as_str()), (409, "23505"));
    let prefer = "resolution=ignore-duplicates, return=minimal";
    let ignored = store
        .call(Method::POST, "pms_health_checks?on_conflict=id", prefer, row())
        .await;
    assert_eq!((ignored.status, ignored.body.len()), (201, 0));
    assert_eq!(store.0.sandbox.rows("pms_health_checks").len(), 1);
}

#[tokio::test]
async fn rows_that_break_the_schema_and_verbs_without_a_grant_are_refused() {
    let store = Store::start().await;
    let event = json!({ "check_id": ONE, "level": "error", "detail_json": {} });
    let mixed = json!([store.check(ONE, "healthy"), { "id": TWO }]);
    let post = Method::POST;
    for (case, method, tail, prefer, body, status, expected) in [
        (
            "status",
            post.clone(),
            "pms_health_checks",
            "",
            store.check(ONE, "fine"),
            400,
            "23514",
        ),
        ("orphan", post.clone(), "pms_health_events", "", event, 409, "23503"),
        (
            "mixed keys",
            post.clone(),
            "pms_health_checks",
            "",
            mixed,
            400,
            "PGRST102",
        ),
        ("table", post.clone(), "pms_health", "", json!({}), 404, "PGRST205"),
        ("function", post.clone(), "rpc/no_such", "", json!({}), 404, "PGRST202"),
        (
            "upsert",
            post,
            "pms_health_checks",
            "resolution=merge-duplicates",
            store.check(ONE, "healthy"),
            403,
            "42501",
        ),
        (
            "delete",
            Method::DELETE,
            "pms_health_checks",
            "",
            json!({}),
            403,
            "42501",
        ),
    ] {
        let answer = store.call(method, tail, prefer, Some(body)).await;
        assert_eq!((answer.status, code(&answer).as_str()), (status, expected), "{case}");
    }
    assert!(store.0.sandbox.rows("pms_health_checks").is_empty());
}

#[tokio::test]
async fn both_keys_must_be_the_service_key() {
    let store = Store::start().await;
    let key = store.0.sandbox.config().service_key.clone();
    let (right, wrong) = (format!("Bearer {key}"), "Bearer wrong".to_owned());
    for headers in [
        vec![],
        vec![("apikey", key.clone())],
        vec![("authorization", right.clone())],
        vec![("apikey", key), ("authorization", wrong)],
        vec![("apikey", "wrong".to_owned()), ("authorization", right)],
    ] {
        let url = store.0.sandbox.url();
        let answer = send(&url, Method::GET, "/rest/v1/pms_health_checks", &headers, None).await;
        assert_eq!(answer.status, 401, "{headers:?}");
    }
}

#[tokio::test]
async fn rows_are_read_back_with_filters_order_and_limit() {
    let store = Store::start().await;
    let rows = json!([store.check(ONE, "healthy"), store.check(TWO, "unhealthy")]);
    store.call(Method::POST, "pms_health_checks", "", Some(rows)).await;
    for (query, ids) in [
        ("", vec![ONE, TWO]),
        ("?status=eq.healthy", vec![ONE]),
        ("?order=id.desc&select=id", vec![TWO, ONE]),
        ("?order=observed_at.desc,id.desc&limit=1", vec![TWO]),
        ("?offset=1", vec![TWO]),
        ("?id=in.(00000000-0000-4000-8000-000000000002)", vec![TWO]),
        (
            "?observed_at=gte.2026-01-28T16:00:00%2B01:00&status=eq.unhealthy",
            vec![TWO],
        ),
        ("?observed_at=lt.2026-01-28T15:00:00Z", vec![]),
    ] {
        let answer = store
            .call(Method::GET, &format!("pms_health_checks{query}"), "", None)
            .await;
        let found = answer.json();
        let found: Vec<&str> = found
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|row| row["id"].as_str())
            .collect();
        assert_eq!(found, ids, "{query}");
    }
    let arguments = json!({ "p_yacht_id": store.0.north(), "p_lens_id": "faults" });
    let latest = store
        .call(Method::POST, "rpc/get_latest_health_check", "", Some(arguments))
        .await;
    assert_eq!((latest.status, latest.json().as_array().map(Vec::len)), (200, Some(1)));
}

#[tokio::test]
async fn the_store_fails_in_the_ways_stores_do() {
    let store = Store::start().await;
    let none = Faults::default;
    for (faults, status, expected) in [
        (
            Faults {
                store_down: true,
                ..none()
            },
            503,
            "PGRST001",
        ),
        (
            Faults {
                store_forbidden: true,
                ..none()
            },
            403,
            "42501",
        ),
        (
            Faults {
                store_missing_table: true,
                ..none()
            },
            404,
            "PGRST205",
        ),
        (none(), 201, ""),
    ] {
        store.0.sandbox.set_faults(faults);
        let answer = store
            .call(Method::POST, "pms_health_checks", "", Some(store.check(ONE, "healthy")))
            .await;
        assert_eq!(answer.status, status);
        assert!(expected.is_empty() || code(&answer) == expected, "{expected}");
    }
}
