//! The dashboard over HTTP: what it shows, to whom, and what strangers may do to it.

use jiff::{SignedDuration, Timestamp};
use lensops::store::{Board, Journal, Note, Silence};
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use proptest::prelude::{ProptestConfig, Strategy as _, any};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use uuid::Uuid;

use crate::fixture::journal;
use crate::front::{A, B, Front, fresh, plan, status, token, until};
use crate::pg::Database;

pub(crate) async fn embedded(lenses: &[&str]) -> (tempfile::TempDir, Journal, Front) {
    let (folder, journal) = journal().await;
    let mut plans = Vec::new();
    for lens in lenses {
        plans.push(plan(lens, &[A]).await);
    }
    let front = Front::start(Board::Embedded(journal.clone()), journal.clone(), plans).await;
    (folder, journal, front)
}

pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

pub(crate) fn form_key(page: &str) -> &str {
    page.split_once("name=\"form_key\" value=\"")
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap()
}

#[tokio::test]
async fn the_overview_is_worst_first_and_what_is_overdue_is_unknown() {
    let (_folder, journal, front) = embedded(&["faults", "parts", "crew_list"]).await;
    journal.record(fresh(A, "faults", 867)).await.unwrap();
    let mut old = fresh(A, "parts", 100);
    old.observed_at = Timestamp::now() - SignedDuration::from_mins(31);
    journal.record(old).await.unwrap();
    let answer = front.get("/", None).await;
    assert_eq!(status(&answer), 200);
    let at = |text: &str| answer.find(text).unwrap_or_else(|| panic!("no {text}: {answer}"));
    // Never checked and overdue are unknown, and stand above what is healthy.
    assert!(at("data-lens=\"crew_list\"") < at("data-lens=\"parts\""));
    assert!(at("data-lens=\"parts\"") < at("data-lens=\"faults\""));
    assert!(answer.contains("31 min ago") && answer.contains("867 ms of 2 s (n=21)") && answer.contains("4.76 %"));
    assert_eq!(answer.matches("tr class=\"unknown\"").count(), 2);
    assert_eq!(answer.matches("tr class=\"healthy\"").count(), 1);
    let found = front.get("/?q=fau&status=healthy&sort=name", None).await;
    assert!(found.contains("data-lens=\"faults\"") && !found.contains("data-lens=\"parts\""));
    assert!(front.get("/?q=nothing", None).await.contains("Nothing matches"));
}

#[tokio::test]
async fn every_page_has_its_headers_and_a_tag_that_saves_sending_it_again() {
    let (_folder, journal, front) = embedded(&["faults"]).await;
    let check = fresh(A, "faults", 100);
    let check_page = format!("/checks/{}", check.id);
    journal.record(check).await.unwrap();
    for path in [
        "/",
        "/lens/faults",
        "/lens/faults?window=30d",
        &check_page,
        "/alerts",
        "/assets/style.css",
        "/api/v1/lenses",
    ] {
        let answer = front.get(path, None).await;
        assert_eq!(status(&answer), 200, "{path}: {answer}");
        for header in ["default-src 'none'", "nosniff", "no-referrer", "x-frame-options: DENY"] {
            assert!(answer.contains(header), "{path} lacks {header}");
        }
        assert!(
            !answer.contains("style=\"") && !answer.contains("<style") && !answer.contains("unsafe-inline"),
            "{path}"
        );
        assert!(!body(&answer).contains("https://"), "{path} names something elsewhere");
    }
    let style = front.get("/assets/style.css", None).await;
    let tag = style.split_once("etag: ").unwrap().1.split("\r\n").next().unwrap();
    let request = format!(
        "GET /assets/style.css HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nIf-None-Match: {tag}\r\n\r\n"
    );
    let again = front.raw(request.as_bytes()).await;
    assert_eq!((status(&again), body(&again)), (304, ""));
    for path in [
        "/nothing",
        "/lens/none",
        "/lens/..%2f",
        "/checks/x",
        "/runs/run-1/none",
        "/assets/..%2fCargo.toml",
    ] {
        assert_eq!(status(&front.get(path, None).await), 404, "{path}");
    }
    let file = front.get("/runs/run-1/results.json", None).await;
    assert!(file.contains("content-disposition: attachment") && body(&file) == "{}");
}

#[test]
fn nothing_that_is_stored_or_asked_for_becomes_markup() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_folder, journal, front) = runtime.block_on(embedded(&["faults"]));
    let marks = |page: &str| page.matches(['<', '>']).count();
    let show = |text: &str| {
        runtime.block_on(async {
            let mut check = fresh(A, "faults", 100);
            let redactor = Redactor::default();
            check.notes = RecordNotes::of_json(
                json!({"unjudged": [text], "flags": {text: true}, "endpoints": {text: {"n": 1}}}),
                &redactor,
            );
            check.events[0].detail =
                redactor.json(json!({"kind": text, "reason": text, "request": text, "response": text}));
            let id = check.id;
            journal.record(check).await.unwrap();
            let note = Note {
                id: Uuid::new_v4(),
                lens: "faults".parse().unwrap(),
                tenant: None,
                at: Timestamp::now(),
                who: text.to_owned(),
                text: text.to_owned(),
            };
            journal.put_note(note).await.unwrap();
            let asked: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            let mut counts = Vec::new();
            for path in [
                format!("/checks/{id}"),
                "/lens/faults".to_owned(),
                format!("/?q={asked}&sort={asked}&status={asked}"),
            ] {
                let answer = front.get(&path, None).await;
                assert_eq!(status(&answer), 200, "{path}");
                assert!(
                    !answer.contains("<script>") && !answer.contains("<img"),
                    "{path}: {answer}"
                );
                // Rows of the list of checks grow with every case; the other two pages do not.
                if !path.starts_with("/lens") {
                    counts.push(marks(&answer));
                }
            }
            let now = Timestamp::now();
            let silence = Silence {
                id: Uuid::new_v4(),
                rule: None,
                tenant: None,
                lens: None,
                made_at: now,
                until: now + SignedDuration::from_hours(1),
                who: text.to_owned(),
                reason: text.to_owned(),
            };
            let id = silence.id;
            journal.silence(silence).await.unwrap();
            let answer = front.get("/alerts", None).await;
            assert!(answer.contains("zzqx") || !text.contains("zzqx"), "{answer}");
            counts.push(marks(&answer));
            journal.unsilence(id, now, "test").await.unwrap();
            counts
        })
    };
    // The first check has none before it, which the page of the others leads to.
    show("zzqxfirst");
    let harmless = show("zzqxharmless");
    for text in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onclick='x",
        "{{ 7 * 7 }}",
        "<!--",
        "</pre>",
    ] {
        assert_eq!(show(text), harmless, "{text}");
    }
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let hostile = proptest::collection::vec(any::<char>().prop_filter("not blank", |c| !c.is_whitespace()), 1..20)
        .prop_map(|chars| {
            format!(
                "zzqx<\"'&>{}",
                chars.into_iter().filter(|c| !c.is_control()).collect::<String>()
            )
        });
    TestRunner::new(config)
        .run(&hostile, |text| {
            assert_eq!(show(&text), harmless, "{text:?}");
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_page_of_elsewhere_a_long_head_and_a_large_body_are_refused() {
    let (_folder, _journal, front) = embedded(&["faults"]).await;
    let rebound = front
        .raw(b"GET / HTTP/1.1\r\nHost: elsewhere.example\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(status(&rebound), 421);
    let long = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    assert_eq!(status(&front.raw(long.as_bytes()).await), 431);
    let large = format!("form_key=x&reason={}", "x".repeat(40_000));
    assert_eq!(status(&front.post("/alerts/silence", None, &large).await), 413);
    let forged = "POST /alerts/silence HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(status(&front.raw(forged.as_bytes()).await), 403);
    // Who sends half a head, or half a body, and waits is let go; reading ends because the other side
    // closes.
    let half_a_body = "POST /alerts/silence HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nform_key=";
    let (head, body) = tokio::join!(
        front.raw(b"GET / HTTP/1.1\r\nHost: lo"),
        front.raw(half_a_body.as_bytes())
    );
    assert!(!head.contains("200 OK"), "{head}");
    assert_eq!(status(&body), 503, "{body}");
    // Who asks without end is told to wait.
    let mut told = String::new();
    for _ in 0..5_000 {
        told = front.get("/assets/icon-plain.svg", None).await;
        if status(&told) != 200 {
            break;
        }
    }
    assert_eq!(status(&told), 429);
    assert!(told.contains("retry-after: 1"), "{told}");
}

#[tokio::test]
async fn a_silence_needs_the_form_s_key_and_a_reason_and_is_recorded() {
    let (_folder, journal, front) = embedded(&["faults"]).await;
    let page = front.get("/alerts", None).await;
    let key = form_key(&page);
    let form = |key: &str, reason: &str| format!("form_key={key}&lens=faults&tenant=&rule=&lasts=2h&reason={reason}");
    for (case, form, expected) in [
        ("no key", form("", "x"), 403),
        ("another key", form(&"0".repeat(64), "x"), 403),
        ("no reason", form(key, ""), 400),
        ("no such lens", form(key, "x").replace("faults", "parts"), 400),
        ("no span", form(key, "x").replace("2h", "soon"), 400),
    ] {
        assert_eq!(
            status(&front.post("/alerts/silence", None, &form).await),
            expected,
            "{case}"
        );
    }
    assert_eq!(journal.silences(Timestamp::now()).await.unwrap(), []);
    assert_eq!(
        status(&front.post("/alerts/silence", None, &form(key, "planned+work")).await),
        303
    );
    let silences = journal.silences(Timestamp::now()).await.unwrap();
    assert_eq!(silences.len(), 1);
    assert_eq!(
        (silences[0].reason.as_str(), silences[0].who.as_str()),
        ("planned work", "dashboard")
    );
    assert!(front.get("/alerts", None).await.contains("planned work"));
    let end = format!("form_key={key}&id={}", silences[0].id);
    assert_eq!(status(&front.post("/alerts/unsilence", None, &end).await), 303);
    assert_eq!(journal.silences(Timestamp::now()).await.unwrap(), []);
}

#[tokio::test]
async fn checks_are_paged_by_cursor_each_once_and_the_document_describes_them() {
    let (_folder, journal, front) = embedded(&["faults"]).await;
    let mut recorded = Vec::new();
    for n in 0..7 {
        let check = crate::fixture::check_of(A, "faults", n);
        recorded.push(check.id.to_string());
        journal.record(check).await.unwrap();
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let answer = front.get(&format!("/api/v1/checks?limit=3{cursor}"), None).await;
        let page: Value = serde_json::from_str(body(&answer)).unwrap();
        for check in page["checks"].as_array().unwrap() {
            seen.push(check["id"].as_str().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    recorded.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(seen, recorded);
    assert_eq!(status(&front.get("/api/v1/checks?cursor=x", None).await), 400);
    let document = lensops::web::openapi();
    for path in ["lenses", "lenses/{lens}", "checks", "alerts"] {
        let answers = &document["paths"][format!("/api/v1/{path}")]["get"]["responses"];
        let schema = &answers["200"]["content"]["application/json"]["schema"]["$ref"];
        let name = schema.as_str().unwrap().strip_prefix("#/components/schemas/").unwrap();
        assert!(
            document["components"]["schemas"][name]["properties"].is_object(),
            "{path}"
        );
        // What is sent is what the document says.
        let schema = json!({"$ref": schema, "components": document["components"]});
        let answer = front
            .get(&format!("/api/v1/{}", path.replace("{lens}", "faults")), None)
            .await;
        let sent: Value = serde_json::from_str(body(&answer)).unwrap();
        assert!(jsonschema::is_valid(&schema, &sent), "{path}: {sent}");
    }
}

#[tokio::test]
async fn a_new_check_reaches_who_listens() {
    let (_folder, journal, front) = embedded(&["faults"]).await;
    let (mut stream, mut seen) = front.listen(None).await;
    // The watcher knows where it began once it has looked: checks are recorded until one is told.
    let recording = tokio::spawn(async move {
        loop {
            journal.record(fresh(A, "faults", 1)).await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    until(&mut stream, &mut seen, "event: check").await;
    recording.abort();
    until(&mut stream, &mut seen, "\"lens\":\"faults\"").await;
}

/// A database with checks of A and B, and what is B's alone in every field that is shown.
pub(crate) async fn two_tenants() -> Database {
    let database = Database::migrated().await;
    for (tenant, word) in [(A, "onlyofalice"), (B, "onlyofbob")] {
        database
            .run(&format!(
                "INSERT INTO yacht_registry (id) VALUES ('{tenant}'); \
                 INSERT INTO pms_health_checks (yacht_id, lens_id, status, p95_latency_ms, sample_size, notes) \
                     SELECT '{tenant}', lens, 'unhealthy', 100, 21, \
                            jsonb_build_object('unjudged', jsonb_build_array('{word}'), 'flags', jsonb_build_object('{word}', true)) \
                     FROM unnest(ARRAY['faults', '{word}']) AS lens; \
                 INSERT INTO pms_health_events (check_id, level, detail_json) \
                     SELECT id, 'warning', jsonb_build_object('kind', 'transition', 'reason', '{word}', 'response', '{word}') \
                     FROM pms_health_checks WHERE yacht_id = '{tenant}'"
            ))
            .await;
    }
    database
}

pub(crate) async fn signed_in(database: &Database) -> (tempfile::TempDir, Journal, Front) {
    let (folder, journal) = journal().await;
    let plans = vec![
        plan("faults", &[A, B]).await,
        plan("onlyofalice", &[A]).await,
        plan("onlyofbob", &[B]).await,
    ];
    let now = Timestamp::now();
    let beside = |lens: &str, tenant, text: &str| Note {
        id: Uuid::new_v4(),
        lens: lens.parse().unwrap(),
        tenant,
        at: now,
        who: text.to_owned(),
        text: text.to_owned(),
    };
    journal.put_note(beside("faults", Some(B), "onlyofbob")).await.unwrap();
    journal.put_note(beside("onlyofbob", None, "onlyofbob")).await.unwrap();
    for tenant in [Some(B), None] {
        let silence = Silence {
            id: Uuid::new_v4(),
            rule: None,
            tenant,
            lens: None,
            made_at: now,
            until: now + SignedDuration::from_hours(1),
            who: "onlyofbob".to_owned(),
            reason: "onlyofbob".to_owned(),
        };
        journal.silence(silence).await.unwrap();
    }
    let board = Board::database(&database.secret()).unwrap();
    let front = Front::start(board, journal.clone(), plans).await;
    (folder, journal, front)
}

pub(crate) async fn check_id(database: &Database, tenant: Uuid) -> Uuid {
    let mut connection = database.connect().await;
    sqlx::query_scalar("SELECT id FROM pms_health_checks WHERE yacht_id = $1 LIMIT 1")
        .bind(tenant)
        .fetch_one(&mut connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn signed_in_as_tenant_a_no_byte_of_tenant_b_is_sent() {
    let database = two_tenants().await;
    let (_folder, _journal, front) = signed_in(&database).await;
    let (own, other) = (check_id(&database, A).await, check_id(&database, B).await);
    let user = token(A, |claims| claims["app_metadata"]["lensops_role"] = json!("operator"));
    // B has looked before: nothing of that is remembered for A.
    let of_b = front.get("/", Some(&token(B, |_| {}))).await;
    assert!(of_b.contains("onlyofbob") && !of_b.contains("onlyofalice"), "{of_b}");
    let (mut stream, mut sent) = front.listen(Some(&user)).await;
    let mut seen_own = 0;
    for path in [
        "/".to_owned(),
        format!("/?tenant={B}"),
        "/lens/faults?window=30d".to_owned(),
        format!("/lens/faults?tenant={B}"),
        "/lens/onlyofalice".to_owned(),
        "/lens/onlyofbob".to_owned(),
        "/lens/faults/strip".to_owned(),
        "/lens/onlyofalice/strip".to_owned(),
        format!("/lens/faults/strip?tenant={B}"),
        format!("/lens/onlyofbob/strip?tenant={B}"),
        format!("/lens/faults?tenant={B}&from=0&until=1"),
        format!("/lens/onlyofbob?tenant={B}"),
        format!("/checks/{own}"),
        format!("/checks/{other}"),
        "/alerts".to_owned(),
        "/runs/run-1/results.json".to_owned(),
        "/runs/run-of-another/results.json".to_owned(),
        "/runs/run-of-both/results.json".to_owned(),
        "/runs/run-of-nobody-knows/results.json".to_owned(),
        "/api/v1/lenses".to_owned(),
        "/api/v1/lenses/faults".to_owned(),
        "/api/v1/lenses/onlyofbob".to_owned(),
        "/api/v1/checks".to_owned(),
        format!("/api/v1/checks?tenant={B}"),
        "/api/v1/checks?lens=onlyofbob".to_owned(),
        format!("/api/v1/checks?cursor={other}"),
        "/api/v1/checks?cursor=x".to_owned(),
        "/api/v1/alerts".to_owned(),
        "/api/v1/openapi.json".to_owned(),
    ] {
        let answer = front.get(&path, Some(&user)).await;
        // The filter shows what was asked for; nothing else may name B.
        assert!(
            !answer.contains("onlyofbob") && !answer.contains(&B.to_string()),
            "{path}: {answer}"
        );
        assert!(!answer.contains(&other.to_string()), "{path}: {answer}");
        seen_own += usize::from(answer.contains("onlyofalice"));
    }
    assert!(seen_own >= 6, "A sees what is A's: {seen_own}");
    assert_eq!(status(&front.get(&format!("/checks/{other}"), Some(&user)).await), 404);
    // Evidence: what is A's alone is there, the rest is withheld, with why.
    let page = front.get("/lens/faults", Some(&user)).await;
    assert!(
        page.contains("run-1") && !page.contains("run-of-") && page.contains("3 runs are withheld"),
        "{page}"
    );
    for (run, expected) in [
        ("run-1", 200),
        ("run-of-another", 404),
        ("run-of-both", 404),
        ("run-of-nobody-knows", 404),
    ] {
        let answer = front.get(&format!("/runs/{run}/results.json"), Some(&user)).await;
        assert_eq!(status(&answer), expected, "{run}");
    }
    // The stream: B's checks come first, A's after them.
    let insert = |tenant: Uuid| {
        format!("INSERT INTO pms_health_checks (yacht_id, lens_id, status) VALUES ('{tenant}', 'faults', 'healthy')")
    };
    let recording = async {
        loop {
            database.run(&insert(B)).await;
            database.run(&insert(A)).await;
        }
    };
    tokio::select! {
        () = until(&mut stream, &mut sent, "\"lens\":\"faults\"") => {}
        () = recording => {}
    }
    assert!(
        !sent.contains(&B.to_string()) && sent.contains(&A.to_string()),
        "{sent}"
    );
}

#[tokio::test]
async fn without_a_user_s_token_in_time_there_is_a_sign_in_and_nothing_else() {
    let database = two_tenants().await;
    let (_folder, _journal, front) = signed_in(&database).await;
    let expired = token(A, |claims| claims["exp"] = json!(Timestamp::now().as_second() - 1));
    let service = token(A, |claims| claims["role"] = json!("service_role"));
    for (case, token) in [
        ("none", None),
        ("malformed", Some("not.a.token")),
        ("empty", Some("")),
        ("expired", Some(expired.as_str())),
        ("a service's", Some(service.as_str())),
    ] {
        for path in [
            "/",
            "/lens/faults",
            "/alerts",
            "/events",
            "/api/v1/lenses",
            "/api/v1/checks",
            "/api/v1/openapi.json",
        ] {
            let answer = front.get(path, token).await;
            assert_eq!(status(&answer), 401, "{case}: {path}");
            assert!(!answer.to_lowercase().contains("faults"), "{case}: {path}: {answer}");
        }
    }
    let good = token(A, |_| {});
    let entered = front.post("/session", None, &format!("token={good}")).await;
    let cookie = entered.lines().find(|line| line.starts_with("set-cookie:")).unwrap();
    for part in ["HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let request =
        format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: a=b; lensops_session={good}\r\n\r\n");
    assert!(front.raw(request.as_bytes()).await.contains("data-lens=\"faults\""));
    assert_eq!(status(&front.post("/session", None, "token=x").await), 401);
}

#[tokio::test]
async fn only_an_operator_makes_quiet_and_only_about_its_own_tenant() {
    let database = two_tenants().await;
    let (_folder, journal, front) = signed_in(&database).await;
    let user = token(A, |claims| {
        claims["user_metadata"] = json!({"lensops_role": "operator"})
    });
    let operator = token(A, |claims| claims["app_metadata"]["lensops_role"] = json!("operator"));
    let page = front.get("/alerts", Some(&operator)).await;
    let form = |tenant: &str| {
        format!(
            "form_key={}&lens=faults&tenant={tenant}&rule=unhealthy&lasts=1h&reason=ours",
            form_key(&page)
        )
    };
    assert_eq!(
        status(&front.post("/alerts/silence", Some(&user), &form("")).await),
        403
    );
    assert_eq!(
        status(
            &front
                .post("/alerts/silence", Some(&operator), &form(&B.to_string()))
                .await
        ),
        400
    );
    assert_eq!(
        status(&front.post("/alerts/silence", Some(&operator), &form("")).await),
        303
    );
    let made = journal.silences(Timestamp::now()).await.unwrap();
    let made: Vec<_> = made.iter().filter(|silence| silence.reason == "ours").collect();
    assert_eq!(made.len(), 1);
    assert_eq!(
        (made[0].tenant, made[0].who.as_str()),
        (Some(A), "somebody@users.invalid")
    );
}

#[tokio::test]
async fn when_the_store_is_down_or_silent_the_last_known_rows_are_shown_as_such() {
    let database = two_tenants().await;
    // A way to the database that can be cut, or made to swallow everything.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let to = database.address().to_owned();
    let (mode, mode_of) = tokio::sync::watch::channel("open");
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (to, mut mode) = (to.clone(), mode_of.clone());
            tokio::spawn(async move {
                if *mode.borrow() == "open" {
                    let mut far = TcpStream::connect(to).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                        _ = mode.changed() => {}
                    }
                }
                if *mode.borrow() == "silent" {
                    // Nobody answers until the other side gives up.
                    near.read_to_end(&mut Vec::new()).await.ok();
                }
            });
        }
    });
    let (_folder, journal) = journal().await;
    let board = Board::database(&lensops_core::secret::Secret::new(database.by_way_of(port))).unwrap();
    let front = Front::start(board, journal, vec![plan("faults", &[A, B]).await]).await;
    let user = token(A, |_| {});
    let good = front.get("/", Some(&user)).await;
    assert!(
        good.contains("data-lens=\"faults\"") && !good.contains("Not current"),
        "{good}"
    );
    for how in ["silent", "cut"] {
        mode.send(how).unwrap();
        let mut answer = front.get("/", Some(&user)).await;
        while !answer.contains("Not current") {
            // What was read a moment ago is still shown as it is.
            answer = front.get("/", Some(&user)).await;
        }
        assert_eq!(status(&answer), 200, "{how}");
        assert!(
            answer.contains("data-lens=\"faults\"") && answer.contains("this is what was known"),
            "{how}: {answer}"
        );
        // Another user, of whom nothing is known, is told so and shown nothing.
        let stranger = front.get("/", Some(&token(B, |_| {}))).await;
        assert!(
            stranger.contains("nothing is known from before") && !stranger.contains("data-lens"),
            "{how}"
        );
        // A lens that was known is shown as it was known, and what was not read says so.
        let lens = front.get("/lens/faults", Some(&user)).await;
        assert_eq!(status(&lens), 200, "{how}");
        for part in [
            "Not current",
            "The charts were not read in time",
            "The checks were not read in time",
            "The runs were not read",
        ] {
            assert!(lens.contains(part), "{how}: {part}: {lens}");
        }
        let stranger = front.get("/lens/faults", Some(&token(B, |_| {}))).await;
        assert_eq!(status(&stranger), 503, "{how}");
    }
}

#[tokio::test]
async fn a_row_of_a_name_that_is_no_lens_hides_no_other() {
    let database = two_tenants().await;
    for name in ["Some Lens", "some-lens", "FAULTS", "lens.2", ""] {
        database
            .run(&format!(
                "INSERT INTO pms_health_checks (yacht_id, lens_id, status) VALUES ('{A}', '{name}', 'healthy')"
            ))
            .await;
    }
    let (_folder, _journal, front) = signed_in(&database).await;
    let answer = front.get("/api/v1/checks", Some(&token(A, |_| {}))).await;
    assert_eq!(status(&answer), 200, "{answer}");
    let page: Value = serde_json::from_str(body(&answer)).unwrap();
    assert_eq!(page["checks"].as_array().unwrap().len(), 2, "{answer}");
}

#[tokio::test]
async fn a_path_of_the_read_api_that_is_none_is_answered_in_json() {
    let (_folder, journal) = journal().await;
    let front = Front::start(Board::Embedded(journal.clone()), journal.clone(), Vec::new()).await;
    let answer = front.get("/api/v1/nope", None).await;
    assert_eq!(status(&answer), 404);
    assert!(body(&answer).contains("openapi.json"), "{answer}");
}
