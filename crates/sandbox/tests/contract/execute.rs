//! Execute: order, signatures, tenants, entities, audit.

use std::collections::BTreeSet;

use hyper::Method;
use lensops_sandbox::{ACTIONS_JSON, Dialect, test_entities};
use serde_json::{Map, Value, json};

use crate::client::{ALL, Answer, Tenant, send, signature};

/// A request to make a work order from the faults lens's first entity.
fn work_order(tenant: &Tenant, signature: Value) -> Value {
    json!({
        "action": "create_work_order_from_fault",
        "context": { "yacht_id": tenant.north() },
        "payload": {
            "yacht_id": tenant.north(), "fault_id": tenant.entity("faults"),
            "override_duplicate": true, "signature": signature,
        },
    })
}

fn without(mut body: Value, pointer: &str, field: &str) -> Value {
    let parent = body.pointer_mut(pointer).and_then(Value::as_object_mut);
    parent.expect("an object").remove(field).expect("the field is there");
    body
}

fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    *body.pointer_mut(pointer).expect("the field is there") = value;
    body
}

#[tokio::test]
async fn the_signed_flow_ends_as_each_dialect_says() {
    for dialect in ALL {
        let tenant = Tenant::start(dialect).await;
        let crew_denied = match dialect {
            Dialect::Documented => "invalid_signer_role",
            Dialect::DeployedA | Dialect::DeployedB => "FORBIDDEN",
        };
        let none = without(work_order(&tenant, Value::Null), "/payload", "signature");
        let invalid = work_order(&tenant, json!({ "invalid": "structure" }));
        for (case, user, body, status, code) in [
            ("missing", "captain", none, 400, "signature_required"),
            ("invalid", "captain", invalid, 400, "invalid_signature"),
            (
                "crew",
                "crew",
                work_order(&tenant, signature(tenant.user("crew"), "crew")),
                403,
                crew_denied,
            ),
        ] {
            let answer = tenant.execute(tenant.user(user), body).await;
            assert_eq!(
                (answer.status, tenant.code(&answer).as_str()),
                (status, code),
                "{dialect} {case}"
            );
        }
        assert!(tenant.sandbox.audit().is_empty(), "rejections leave no row");
        for (user, role) in [("captain", "captain"), ("hod", "manager")] {
            let body = work_order(&tenant, signature(tenant.user(user), role));
            let answer = tenant.execute(tenant.user(user), body).await;
            assert_eq!(answer.status, 200, "{dialect} {user}: {answer:?}");
            assert_eq!(answer.at("/status"), "success");
            assert_eq!(answer.at("/action"), "create_work_order_from_fault");
            assert!(
                tenant.produced(&answer, "work_order_id").is_string(),
                "{dialect} {user}"
            );
        }
    }
}

#[tokio::test]
async fn a_request_wrong_in_every_way_is_refused_for_the_first_of_them() {
    // Each row mends what the row before it was refused for.
    let deployed = [
        "UNAUTHORIZED",
        "RLS_DENIED",
        "RLS_DENIED",
        "INVALID_ACTION",
        "FORBIDDEN",
        "MISSING_REQUIRED_FIELD",
        "VALIDATION_FAILED",
        "NOT_FOUND",
        "signature_required",
        "invalid_signature",
        "invalid_signer_role",
        "",
    ];
    let documented = [
        "UNAUTHORIZED",
        "RLS_DENIED",
        "RLS_DENIED",
        "INVALID_ACTION",
        "signature_required",
        "invalid_signature",
        "invalid_signer_role",
        "FORBIDDEN",
        "MISSING_REQUIRED_FIELD",
        "VALIDATION_FAILED",
        "NOT_FOUND",
        "",
    ];
    for dialect in ALL {
        let tenant = Tenant::start(dialect).await;
        let expected = if dialect == Dialect::Documented {
            documented
        } else {
            deployed
        };
        let (mut user, mut body) = ("", json!({ "action": "nope", "context": {}, "payload": {} }));
        for code in expected {
            let target = "/v1/actions/execute";
            let answer = if user.is_empty() {
                send(&tenant.sandbox.url(), Method::POST, target, &[], Some(body.clone())).await
            } else {
                tenant.execute(tenant.user(user), body.clone()).await
            };
            assert_eq!(tenant.code(&answer), code, "{dialect} as {user:?}: {body}");
            match code {
                "UNAUTHORIZED" => user = "crew",
                "RLS_DENIED" if body["context"] == json!({}) => {
                    body["context"]["yacht_id"] = json!("0f0f0f0f-0000-4000-8000-000000000000");
                }
                "RLS_DENIED" => body["context"]["yacht_id"] = tenant.north(),
                "INVALID_ACTION" => body["action"] = json!("create_work_order_from_fault"),
                "FORBIDDEN" => {
                    assert!(answer.body.windows(14).any(|part| part == b"required_roles"));
                    user = "captain";
                }
                "MISSING_REQUIRED_FIELD" => body["payload"]["fault_id"] = json!("no uuid"),
                "VALIDATION_FAILED" => {
                    assert!(answer.body.windows(18).any(|part| part == br#""field":"fault_id""#));
                    body["payload"]["fault_id"] = tenant.user("crew").into();
                }
                "NOT_FOUND" => body["payload"]["fault_id"] = tenant.entity("faults"),
                "signature_required" => body["payload"]["signature"] = json!("text"),
                "invalid_signature" => body["payload"]["signature"] = signature("u", "crew"),
                "invalid_signer_role" => body["payload"]["signature"] = signature("u", "captain"),
                _ => assert_eq!(answer.status, 200),
            }
        }
    }
}

#[tokio::test]
async fn a_body_that_does_not_fit_the_model_is_422_before_anyone_is_asked_who_they_are() {
    for dialect in ALL {
        let tenant = Tenant::start(dialect).await;
        for (target, body) in [
            ("/v1/actions/execute", json!({ "context": {}, "payload": {} })),
            ("/v1/actions/execute", json!({ "action": 1 })),
            ("/v1/actions/execute", json!({ "action": "a", "payload": [] })),
            ("/v1/actions/execute", json!([])),
            ("/v1/actions/suggestions", json!({})),
        ] {
            let base = tenant.sandbox.url();
            let answer = send(&base, Method::POST, target, &[], Some(body.clone())).await;
            assert_eq!(answer.status, 422, "{dialect} {target} {body}");
            assert!(answer.at("/detail").is_array(), "{dialect} {target} {body}");
        }
    }
}

#[tokio::test]
async fn the_tenant_is_the_contexts_else_the_payloads_and_must_be_the_users() {
    let tenant = Tenant::start(Dialect::DeployedA).await;
    let (north, south) = (tenant.north(), tenant.south());
    let south_fault = json!(test_entities(south.as_str().and_then(|id| id.parse().ok()).expect("uuid"), "faults")[0]);
    let north_fault = tenant.entity("faults");
    let stranger = tenant.user_of("users_south", "captain");
    let captain = tenant.user("captain");
    for (case, user, context, payload, fault, code) in [
        ("context", captain, Some(&north), None, &north_fault, ""),
        ("payload", captain, None, Some(&north), &north_fault, ""),
        ("context wins", captain, Some(&south), Some(&north), &south_fault, ""),
        ("neither", captain, None, None, &north_fault, "RLS_DENIED"),
        (
            "south's captain at home",
            stranger,
            Some(&south),
            None,
            &south_fault,
            "",
        ),
        (
            "south's captain in north",
            stranger,
            Some(&north),
            None,
            &north_fault,
            "RLS_DENIED",
        ),
        (
            "north's entity in south",
            captain,
            Some(&south),
            None,
            &north_fault,
            "NOT_FOUND",
        ),
        (
            "south's entity in north",
            captain,
            Some(&north),
            None,
            &south_fault,
            "NOT_FOUND",
        ),
    ] {
        let mut body = json!({
            "action": "view_fault_detail", "context": {}, "payload": { "fault_id": fault },
        });
        for (part, yacht) in [("context", context), ("payload", payload)] {
            if let Some(yacht) = yacht {
                body[part]["yacht_id"] = yacht.clone();
            }
        }
        let answer = tenant.execute(user, body).await;
        assert_eq!(tenant.code(&answer), code, "{case}: {answer:?}");
    }
}

#[tokio::test]
async fn a_second_work_order_needs_an_override_and_each_can_be_read() {
    let tenant = Tenant::start(Dialect::Documented).await;
    let captain = tenant.user("captain");
    let plain = without(
        work_order(&tenant, signature(captain, "captain")),
        "/payload",
        "override_duplicate",
    );
    let first = tenant.execute(captain, plain.clone()).await;
    assert_eq!(first.status, 200);
    let second = tenant.execute(captain, plain).await;
    assert_eq!(
        (second.status, tenant.code(&second).as_str()),
        (409, "DUPLICATE_WO_EXISTS")
    );
    let third = tenant
        .execute(captain, work_order(&tenant, signature(captain, "captain")))
        .await;
    assert_eq!(third.status, 200);
    let ids = [&first, &third].map(|answer| tenant.produced(answer, "work_order_id"));
    assert_ne!(ids[0], ids[1]);
    for id in ids {
        let read = json!({
            "action": "view_work_order_detail", "context": { "yacht_id": tenant.north() },
            "payload": { "work_order_id": id },
        });
        assert_eq!(tenant.execute(captain, read).await.status, 200);
    }
    assert_eq!(tenant.sandbox.audit().len(), 2, "the refused one left no row");
}

#[tokio::test]
async fn supersede_delete_and_decommission_use_their_entity_up() {
    let tenant = Tenant::start(Dialect::DeployedB).await;
    let captain = tenant.user("captain");
    for lens in ["certificates", "documents", "equipment", "parts", "work_orders"] {
        let facts = tenant.lens(lens).clone();
        let key = facts["entity_id_key"].as_str().expect("text").to_owned();
        let mut payload = facts["signed_payload"].clone();
        payload[&key] = tenant.entity(lens);
        payload["signature"] = signature(captain, "captain");
        let body = json!({
            "action": facts["signed_action"], "context": { "yacht_id": tenant.north() },
            "payload": payload,
        });
        let first = tenant.execute(captain, body.clone()).await;
        assert_eq!(first.status, 200, "{lens}: {first:?}");
        let product = format!("{}_id", facts["entity_type"].as_str().expect("text"));
        let id = tenant.produced(&first, &product);
        assert!(id.is_string(), "{lens} answers with {product}");
        assert_eq!(id == tenant.entity(lens), lens == "work_orders", "{lens}");
        let second = tenant.execute(captain, body).await;
        let consumed = facts["consumes_entity"] == true;
        assert_eq!(second.status, if consumed { 404 } else { 200 }, "{lens}");
    }
}

#[tokio::test]
async fn numbers_and_ids_are_validated() {
    let tenant = Tenant::start(Dialect::DeployedA).await;
    let captain = tenant.user("captain");
    let body = json!({
        "action": "adjust_stock_quantity",
        "context": { "yacht_id": tenant.north(), "session_id": "not our business" },
        "payload": {
            "part_id": tenant.entity("parts"), "new_quantity": 7, "reason": "count",
            "signature": signature(captain, "captain"),
        },
    });
    assert_eq!(tenant.execute(captain, body.clone()).await.status, 200);
    for (pointer, field, value) in [
        ("/payload/new_quantity", "new_quantity", json!("seven")),
        ("/payload/part_id", "part_id", json!("7")),
        ("/payload/part_id", "part_id", json!(7)),
    ] {
        let answer = tenant.execute(captain, with(body.clone(), pointer, value)).await;
        assert_eq!(tenant.code(&answer), "VALIDATION_FAILED", "{pointer}");
        assert_eq!(answer.at("/field"), field);
    }
}

/// Whatever an action needs, made up by the name of the field.
fn fields_for(tenant: &Tenant, action: &Value) -> Map<String, Value> {
    let required = action["required_fields"].as_array().expect("a list");
    let lens_of = |key: &str| {
        [
            "faults",
            "certificates",
            "documents",
            "equipment",
            "parts",
            "work_orders",
            "shopping_list",
        ]
        .into_iter()
        .find(|lens| tenant.lens(lens)["entity_id_key"] == key)
    };
    let value = |name: &str| match (name, lens_of(name)) {
        ("yacht_id", _) => tenant.north(),
        ("entity_id", _) => tenant.lens("faults")["test_entities"][1].clone(),
        (_, Some(lens)) => tenant.lens(lens)["test_entities"][1].clone(),
        (name, None) if name.ends_with("_id") => tenant.user("crew").into(),
        (name, None) if name.contains("quantity") || name.starts_with("hours") => json!(1),
        _ => json!("x"),
    };
    let names = required
        .iter()
        .filter_map(Value::as_str)
        .filter(|name| *name != "signature");
    names.map(|name| (name.to_owned(), value(name))).collect()
}

#[tokio::test]
async fn every_action_lets_in_exactly_the_roles_of_the_registry() {
    let registry: Value = serde_json::from_str(ACTIONS_JSON).expect("embedded");
    let users = [
        ("hod", "chief_engineer"),
        ("crew", "crew"),
        ("captain", "captain"),
        ("manager", "manager"),
        ("bosun", "bosun"),
        ("chef", "chef"),
        ("chief_officer", "chief_officer"),
        ("chief_steward", "chief_steward"),
        ("cook", "cook"),
        ("deckhand", "deckhand"),
        ("engineer", "engineer"),
        ("eto", "eto"),
        ("purser", "purser"),
        ("steward", "steward"),
    ];
    for action in registry["actions"].as_array().expect("a list") {
        let tenant = Tenant::start(Dialect::DeployedA).await;
        for (user, role) in users {
            let mut payload = fields_for(&tenant, action);
            payload.insert("override_duplicate".into(), true.into());
            payload.insert("signature".into(), signature(tenant.user(user), "captain"));
            let body = json!({
                "action": action["action_id"], "context": { "yacht_id": tenant.north() },
                "payload": payload,
            });
            let answer: Answer = tenant.execute(tenant.user(user), body).await;
            let allowed = action["allowed_roles"].as_array().expect("a list");
            if !allowed.contains(&json!(role)) {
                let got = (answer.status, tenant.code(&answer));
                assert_eq!(got, (403, "FORBIDDEN".into()), "{role} {action}");
            } else {
                // A consumed entity is gone for the second role.
                assert!([200, 404].contains(&answer.status), "{role} {action} {answer:?}");
            }
        }
        let seen = tenant.sandbox.audit().len();
        assert_eq!(seen == 0, action["variant"] == "READ", "{action} leaves {seen} rows");
    }
}

#[tokio::test]
async fn the_audit_log_keeps_the_signature_of_signed_actions_only() {
    let tenant = Tenant::start(Dialect::DeployedA).await;
    let captain = tenant.user("captain");
    let signed = signature(captain, "captain");
    let made = tenant.execute(captain, work_order(&tenant, signed.clone())).await;
    let note = json!({
        "action": "add_fault_note", "context": { "yacht_id": tenant.north() },
        "payload": { "fault_id": tenant.entity("faults"), "text": "seen", "signature": signed },
    });
    assert_eq!(tenant.execute(captain, note).await.status, 200);
    let read = json!({
        "action": "view_fault_detail", "context": { "yacht_id": tenant.north() },
        "payload": { "fault_id": tenant.entity("faults") },
    });
    assert_eq!(tenant.execute(captain, read).await.status, 200);

    let rows: Vec<Value> = tenant
        .control(Method::GET, "/audit", None)
        .await
        .json()
        .as_array()
        .expect("a list")
        .clone();
    assert_eq!(rows, tenant.sandbox.rows("pms_audit_log"));
    assert_eq!(rows.len(), 2, "the READ left none");
    let columns: BTreeSet<&str> = rows[0].as_object().expect("a row").keys().map(String::as_str).collect();
    let expected = [
        "action",
        "created_at",
        "entity_id",
        "entity_type",
        "new_values",
        "signature",
        "user_id",
        "yacht_id",
    ];
    assert_eq!(columns, BTreeSet::from(expected));
    assert_eq!(rows[0]["signature"], signed, "the whole object");
    assert_eq!(rows[0]["entity_type"], "work_order");
    assert_eq!(rows[0]["entity_id"], made.at("/work_order_id"));
    assert_eq!(rows[0]["user_id"], captain);
    assert_eq!(rows[1]["signature"], json!({}), "unsigned, whatever was sent along");
    assert_eq!(rows[1]["entity_id"], tenant.entity("faults"));
    assert_eq!(rows[1]["new_values"]["text"], "seen");
}
