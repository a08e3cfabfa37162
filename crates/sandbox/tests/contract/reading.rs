//! Health, list, suggestions, and who may ask.

use hyper::Method;
use lensops_sandbox::{Dialect, Faults};
use serde_json::json;

use crate::client::{ALL, Tenant, send};

#[tokio::test]
async fn list_and_suggestions_show_what_the_role_may_do() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let list = tenant.list(tenant.user("hod"), "domain=faults&entity_id=x").await;
    assert_eq!(
        (list.status, list.at("/total_count"), list.at("/role")),
        (200, json!(12), json!("chief_engineer"))
    );
    let card = list.at("/actions/0");
    assert_eq!(
        card,
        json!({
            "action_id": "create_work_order_from_fault", "label": "Create Work Order From Fault",
            "variant": "SIGNED",
            "allowed_roles": ["chief_engineer", "chief_officer", "captain", "manager"],
            "required_fields": ["yacht_id", "fault_id", "signature"], "domain": "faults",
        })
    );
    let crew = tenant.list(tenant.user("crew"), "domain=faults&q=photo").await;
    assert_eq!((crew.at("/total_count"), crew.at("/query")), (json!(1), json!("photo")));
    let suggestions = tenant.suggest(tenant.user("hod"), "faults").await;
    assert_eq!(suggestions.status, 200);
    assert_eq!(suggestions.at("/total_count"), json!(12));
    for field in ["/candidates", "/unresolved", "/context"] {
        assert!(suggestions.json().pointer(field).is_some(), "{field}");
    }
    let unknown = tenant.list(tenant.user("hod"), "domain=nope").await;
    assert_eq!((unknown.status, unknown.at("/total_count")), (200, json!(0)));
}

#[tokio::test]
async fn a_user_without_a_role_gets_200_and_nothing() {
    let tenant = Tenant::start(Dialect::DeployedB).await;
    let nobody = "0f0f0f0f-0000-4000-8000-000000000000";
    let list = tenant.list(nobody, "domain=faults").await;
    assert_eq!(
        (list.status, list.at("/total_count"), list.at("/role")),
        (200, json!(0), json!(null))
    );
    let south = tenant.user_of("users_south", "captain");
    let list = tenant.list(south, "domain=faults").await;
    assert_eq!(list.at("/role"), "captain", "a role in south only is a role");
}

#[tokio::test]
async fn tokens_are_refused_with_their_reason() {
    for dialect in ALL {
        let tenant = Tenant::start(dialect).await;
        let user = tenant.user("captain");
        let expired = tenant.mint(&json!({ "aud": "authenticated", "sub": user, "exp": 1 }));
        let other = Tenant::start(dialect).await.token(user);
        for (case, token, code) in [
            ("none", None, "missing_token"),
            ("empty", Some(""), "missing_token"),
            ("another secret", Some(other.as_str()), "invalid_token"),
            ("expired", Some(expired.as_str()), "token_expired"),
        ] {
            let headers: Vec<_> = token
                .map(|token| ("authorization", format!("Bearer {token}")))
                .into_iter()
                .collect();
            let url = tenant.sandbox.url();
            let list = send(&url, Method::GET, "/v1/actions/list?domain=faults", &headers, None).await;
            assert_eq!(
                (list.status, tenant.code(&list).as_str()),
                (401, code),
                "{dialect} {case}"
            );
            let body = json!({ "action": "view_fault_detail", "context": {}, "payload": {} });
            let execute = send(&url, Method::POST, "/v1/actions/execute", &headers, Some(body)).await;
            assert_eq!(
                (execute.status, tenant.code(&execute).as_str()),
                (401, "UNAUTHORIZED"),
                "{dialect} {case}"
            );
        }
        tenant.sandbox.set_faults(Faults {
            stale_jwt_secret: true,
            ..Faults::default()
        });
        let stale = tenant.list(user, "domain=faults").await;
        assert_eq!(tenant.code(&stale), "invalid_token", "{dialect}");
        assert!(String::from_utf8_lossy(&stale.body).contains("Signature verification failed"));
    }
}

#[tokio::test]
async fn health_needs_no_token_and_stays_200_when_degraded() {
    let tenant = Tenant::start(Dialect::DeployedA).await;
    let well = tenant.get("/v1/actions/health").await;
    assert_eq!((well.status, well.at("/status")), (200, json!("healthy")));
    assert_eq!(
        (well.at("/handlers_loaded"), well.at("/total_handlers")),
        (json!(4), json!(4))
    );
    tenant.sandbox.set_faults(Faults {
        missing_handlers: vec!["signed_handlers".into()],
        ..Faults::default()
    });
    let ill = tenant.get("/v1/actions/health").await;
    assert_eq!(
        (ill.status, ill.at("/status"), ill.at("/handlers_loaded")),
        (200, json!("degraded"), json!(3))
    );
}

#[tokio::test]
async fn unknown_routes_and_methods_are_plain_errors_of_the_dialect() {
    for (dialect, pointer, text) in [
        (Dialect::Documented, "/detail", "Not Found"),
        (Dialect::DeployedA, "/error", "Not Found"),
        (Dialect::DeployedB, "/error/message", "Not Found"),
    ] {
        let tenant = Tenant::start(dialect).await;
        let answer = tenant.get("/v1/nope").await;
        assert_eq!((answer.status, answer.at(pointer)), (404, json!(text)), "{dialect}");
        if dialect != Dialect::Documented {
            assert_eq!(
                (answer.at("/status_code"), answer.at("/path")),
                (json!(404), json!("/v1/nope"))
            );
        }
        assert_eq!(tenant.get("/v1/actions/execute").await.status, 405, "{dialect}");
    }
}
