//! Flags: what the service does with them, and the provider that holds them.

use std::collections::{BTreeMap, BTreeSet};

use hyper::Method;
use lensops_sandbox::{Config, Dialect, Faults};
use serde_json::{Value, json};

use crate::client::{ALL, Answer, Tenant, send, signature};

async fn provider(tenant: &Tenant, method: Method, tail: &str, body: Option<Value>) -> Answer {
    let key = format!("Bearer {}", tenant.sandbox.config().provider_key);
    let target = format!("/v1/services/srv-1/{tail}");
    send(&tenant.sandbox.url(), method, &target, &[("authorization", key)], body).await
}

#[tokio::test]
async fn an_off_flag_is_503_as_documented_and_never_as_deployed() {
    for dialect in ALL {
        for (flag, suggestions_off, signed_off) in [
            ("FAULT_LENS_V1_ENABLED", true, true),
            ("FAULT_LENS_SUGGESTIONS_ENABLED", true, false),
            ("FAULT_LENS_SIGNED_ACTIONS_ENABLED", false, true),
            ("FAULT_LENS_RELATED_ENABLED", false, false),
        ] {
            let tenant = Tenant::with(Config {
                flags: BTreeMap::from([(flag.to_owned(), "false".to_owned())]),
                ..Config::loopback(dialect)
            })
            .await;
            let told = dialect == Dialect::Documented;
            let body = Some(json!({ "domain": "faults" }));
            let url = tenant.sandbox.url();
            let anonymous = send(&url, Method::POST, "/v1/actions/suggestions", &[], body).await;
            let expected = if told && suggestions_off {
                (503, "FEATURE_DISABLED")
            } else {
                (401, "missing_token")
            };
            assert_eq!(
                (anonymous.status, tenant.code(&anonymous).as_str()),
                expected,
                "{dialect} {flag}: before auth"
            );

            let captain = tenant.user("captain");
            let sign = json!({
                "action": "create_work_order_from_fault", "context": { "yacht_id": tenant.north() },
                "payload": { "fault_id": tenant.entity("faults"), "signature": signature(captain, "captain") },
            });
            let signed = tenant.execute(captain, sign).await;
            assert_eq!(
                signed.status,
                if told && signed_off { 503 } else { 200 },
                "{dialect} {flag}"
            );
            let read = json!({
                "action": "view_fault_detail", "context": { "yacht_id": tenant.north() },
                "payload": { "fault_id": tenant.entity("faults") },
            });
            assert_eq!(
                tenant.execute(captain, read).await.status,
                200,
                "{dialect} {flag}: READ never"
            );
            assert_eq!(tenant.list(captain, "domain=faults").await.status, 200, "list never");
            assert_eq!(tenant.suggest(captain, "parts").await.status, 200, "another lens");
        }
    }
}

#[tokio::test]
async fn flags_are_found_only_by_reading_every_page() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let first = provider(&tenant, Method::GET, "env-vars", None).await;
    assert_eq!(first.json().as_array().map(Vec::len), Some(20), "the default page");
    let (mut keys, mut cursor, mut pages) = (BTreeSet::new(), String::new(), 0);
    loop {
        let tail = format!("env-vars?limit=100&cursor={cursor}");
        let page = provider(&tenant, Method::GET, &tail, None).await.json();
        let Some(last) = page.as_array().expect("a list").last() else {
            break;
        };
        cursor = last["cursor"].as_str().expect("text").to_owned();
        pages += 1;
        for item in page.as_array().expect("a list") {
            let key = item["envVar"]["key"].as_str().expect("text");
            assert!(pages > 1 || !key.contains("LENS"), "{key} is on the first page");
            assert!(keys.insert(key.to_owned()), "{key} comes once");
        }
    }
    assert!(pages > 1);
    let flags = tenant.lens("faults")["feature_flags"].as_array().expect("a list");
    assert!(flags.iter().all(|flag| keys.contains(flag.as_str().expect("text"))));
    for limit in ["0", "101", "x"] {
        let refused = provider(&tenant, Method::GET, &format!("env-vars?limit={limit}"), None).await;
        assert_eq!(refused.status, 400, "limit={limit}");
    }
}

#[tokio::test]
async fn a_flag_set_at_the_provider_holds_from_the_next_deploy() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let captain = tenant.user("captain");
    let set = provider(
        &tenant,
        Method::PUT,
        "env-vars/FAULT_LENS_V1_ENABLED",
        Some(json!({ "value": "false" })),
    )
    .await;
    assert_eq!(set.status, 200);
    assert_eq!(tenant.suggest(captain, "faults").await.status, 200, "not deployed yet");
    assert_eq!(provider(&tenant, Method::POST, "deploys", None).await.status, 201);
    assert_eq!(tenant.suggest(captain, "faults").await.status, 503);
    let put = tenant
        .control(
            Method::PUT,
            "/flags/FAULT_LENS_V1_ENABLED",
            Some(json!({ "value": "True" })),
        )
        .await;
    assert_eq!(put.status, 200);
    assert_eq!(
        tenant.suggest(captain, "faults").await.status,
        200,
        "the control port does both"
    );
    let shown = tenant.control(Method::GET, "/flags", None).await;
    assert_eq!(shown.at("/provider/FAULT_LENS_V1_ENABLED"), "True");
    assert_eq!(shown.at("/running/FAULT_LENS_V1_ENABLED"), "True");
}

#[tokio::test]
async fn replacing_all_variables_loses_the_rest() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let only = json!([{ "key": "FAULT_LENS_V1_ENABLED", "value": "true" }]);
    assert_eq!(provider(&tenant, Method::PUT, "env-vars", Some(only)).await.status, 200);
    let page = provider(&tenant, Method::GET, "env-vars", None).await;
    assert_eq!(page.json().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_provider_fails_in_the_ways_providers_do() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let wrong = [("authorization", "Bearer wrong".to_owned())];
    let target = "/v1/services/srv-1/env-vars";
    let refused = send(&tenant.sandbox.url(), Method::GET, target, &wrong, None).await;
    assert_eq!(refused.status, 401);
    let none = Faults::default;
    for (faults, status) in [
        (
            Faults {
                provider_down: true,
                ..none()
            },
            503,
        ),
        (
            Faults {
                provider_rate_limited: true,
                ..none()
            },
            429,
        ),
        (
            Faults {
                provider_garbage: true,
                ..none()
            },
            200,
        ),
    ] {
        tenant.sandbox.set_faults(faults);
        let answer = provider(&tenant, Method::GET, "env-vars", None).await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("retry-after"), (status == 429).then_some("1"));
        let json = serde_json::from_slice::<Value>(&answer.body);
        assert_eq!(json.is_err(), status == 200, "garbage is no JSON");
    }
}
