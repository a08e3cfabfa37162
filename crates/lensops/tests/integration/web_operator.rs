//! What operators write on the dashboard, and what the person on call reads: sentences, strips, uptime.

use jiff::{SignedDuration, Timestamp};
use lensops::store::{Board, Journal};
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{CheckRecord, Level, Status};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{delivery, postgres};
use crate::front::{A, B, Front, fresh, plan, status, token};
use crate::pg::Database;
use crate::web::{body, check_id, embedded, form_key, signed_in, two_tenants};

/// A check of faults `ago` quarter hours ago.
fn check(ago: i64, found: Status) -> CheckRecord {
    let mut check = fresh(A, "faults", 100);
    check.observed_at = Timestamp::now() - SignedDuration::from_mins(15 * ago);
    check.status = found;
    check.events.truncate(1);
    check.events[0].level = Level::Error;
    check.events[0].detail = Redactor::default().json(json!({"kind": "broken", "probe": "List endpoint",
        "reason": "List endpoint: Expected 200, got 500, 7 of 7 samples failed", "expected": "200", "seen": "500",
        "request": "GET /v1/actions/list HTTP/1.1\n", "response": "HTTP/1.1 500 Internal Server Error\n\n{}"}));
    if found == Status::Healthy {
        check.events.clear();
    }
    check
}

fn muted(mut check: CheckRecord, notes: Value) -> CheckRecord {
    check.notes = RecordNotes::of_json(notes, &Redactor::default());
    check
}

/// Ten checks, of which two are left out (one paused, one annulled) and two of the other eight are unhealthy.
async fn ten(journal: &Journal) {
    for ago in 0..8 {
        let found = if ago < 2 { Status::Unhealthy } else { Status::Healthy };
        journal.record(check(ago, found)).await.unwrap();
    }
    let paused = json!({"muted": {"why": "paused", "reason": "slow"}});
    journal
        .record(muted(check(8, Status::Unhealthy), paused))
        .await
        .unwrap();
    let mistake = check(9, Status::Unhealthy);
    let annuls = json!({"muted": {"why": "annulled", "reason": "mistake", "annuls": mistake.id}});
    let mut by = muted(check(9, Status::Degraded), annuls);
    by.sample_size = 0;
    journal.record(mistake).await.unwrap();
    journal.record(by).await.unwrap();
}

async fn sums(board: &Board, claims: &Value) -> (String, (i64, i64), Vec<String>) {
    let now = Timestamp::now();
    let stretch = (now - SignedDuration::from_hours(24), now + SignedDuration::from_mins(1));
    let pair = (A, "faults".parse().unwrap());
    let mut reading = board.read(claims).await.unwrap();
    let uptimes = reading.uptimes(std::slice::from_ref(&pair), stretch).await.unwrap();
    let spent = reading.spent((A, &pair.1), stretch).await.unwrap();
    let latest = reading.latest(std::slice::from_ref(&pair)).await.unwrap();
    let reasons = reading.reasons(&[latest[0].id]).await.unwrap();
    let told = reasons.values().flatten().map(|reason| reason.told.clone());
    (uptimes[&pair].tell(), spent, told.collect())
}

#[tokio::test]
async fn uptime_and_errors_leave_out_what_counts_for_nothing_on_both_stores() {
    let (_folder, journal) = crate::fixture::journal().await;
    ten(&journal).await;
    let embedded = sums(&Board::Embedded(journal.clone()), &json!({})).await;
    assert_eq!(embedded.0, "75.00 %", "6 of 8");
    // 4.76 % of 21 samples of each of eight checks.
    assert_eq!(embedded.1, (168, 8));
    assert_eq!(
        embedded.2,
        ["List endpoint: Expected 200, got 500, 7 of 7 samples failed"]
    );
    let database = Database::migrated().await;
    database
        .run(&format!(
            "INSERT INTO yacht_registry (id) VALUES ('{A}') ON CONFLICT DO NOTHING"
        ))
        .await;
    let flushed = delivery(&journal, postgres(&database.url)).flush().await.unwrap();
    assert!(flushed.complete);
    let board = Board::database(&database.secret()).unwrap();
    let claims = json!({"role": "authenticated", "app_metadata": {"yacht_id": A}});
    assert_eq!(sums(&board, &claims).await, embedded);
    let other = json!({"role": "authenticated", "app_metadata": {"yacht_id": B}});
    let mut reading = board.read(&other).await.unwrap();
    let pair = (A, "faults".parse().unwrap());
    let now = Timestamp::now();
    let stretch = (now - SignedDuration::from_hours(24), now);
    assert!(
        reading
            .uptimes(std::slice::from_ref(&pair), stretch)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(reading.spent((A, &pair.1), stretch).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn the_overview_says_first_and_in_words_what_is_wrong_since_when_and_for_whom() {
    let (_folder, journal) = crate::fixture::journal().await;
    let plans = vec![plan("faults", &[A, B]).await, plan("parts", &[A]).await];
    let front = Front::start(Board::Embedded(journal.clone()), journal.clone(), plans.clone()).await;
    let page = front.get("/", None).await;
    assert!(page.contains("Nothing was checked yet."), "{page}");
    // What was read is kept for a moment.
    let front = Front::start(Board::Embedded(journal.clone()), journal.clone(), plans).await;
    for ago in (0..3).rev() {
        journal.record(check(ago, Status::Unhealthy)).await.unwrap();
    }
    journal.record(check(3, Status::Healthy)).await.unwrap();
    journal.record(fresh(A, "parts", 100)).await.unwrap();
    let page = front.get("/", None).await;
    let wrong = page
        .split_once("id=\"wrong\"")
        .unwrap()
        .1
        .split_once("<form")
        .unwrap()
        .0;
    for told in [
        "List endpoint: Expected 200, got 500, 7 of 7 samples failed",
        "3 checks",
        &format!("tenant {A}"),
        "/checks/",
        "never checked",
    ] {
        assert!(wrong.contains(told), "{told}: {wrong}");
    }
    // Before the form, and before every row.
    assert!(page.find("id=\"wrong\"").unwrap() < page.find("id=\"rows\"").unwrap());
    assert!(page.contains("<title>\u{2717} 1 unhealthy \u{b7} Overview") && page.contains("icon-unhealthy.svg"));
    let lens = front.get(&format!("/lens/faults?tenant={A}"), None).await;
    for told in [
        "<dt>Expected</dt><dd>200</dd>",
        "<dd class=\"seen\">500</dd>",
        "lensops rollback faults --reason",
    ] {
        assert!(lens.contains(told), "{told}: {lens}");
    }
}

#[tokio::test]
async fn the_cells_of_a_strip_are_its_checks_with_their_reasons() {
    let (_folder, journal, front) = embedded(&["faults"]).await;
    for ago in [0, 1, 3] {
        let found = if ago == 1 { Status::Unhealthy } else { Status::Healthy };
        journal.record(check(ago, found)).await.unwrap();
    }
    let answer = front.get(&format!("/lens/faults/strip?tenant={A}"), None).await;
    let found: Value = serde_json::from_str(body(&answer)).unwrap();
    let cells = found["cells"].as_array().unwrap();
    let statuses: Vec<&str> = cells.iter().map(|cell| cell["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["healthy", "missed", "unhealthy", "healthy"]);
    assert!(cells[1]["check"].is_null() && cells[2]["why"].as_str().unwrap().contains("got 500"));
    assert_eq!(status(&front.get("/lens/none/strip", None).await), 404);
}

#[tokio::test]
async fn pages_of_a_hundred_rows_hold_each_lens_of_each_tenant_once() {
    let (_folder, journal) = crate::fixture::journal().await;
    let tenants: Vec<Uuid> = (1..=75).map(|n| Uuid::from_u128(0x00A0_0000 + n)).collect();
    let plans = vec![plan("faults", &tenants).await, plan("parts", &tenants).await];
    let front = Front::start(Board::Embedded(journal.clone()), journal.clone(), plans).await;
    let mut seen = Vec::new();
    for (number, rows) in [(1, 100), (2, 50)] {
        let page = front.get(&format!("/?page={number}"), None).await;
        let parts: Vec<String> = page
            .split("data-lens=\"")
            .skip(1)
            .map(|part| part.split('>').next().unwrap().to_owned())
            .collect();
        assert_eq!(parts.len(), rows, "page {number}");
        assert!(page.contains(&format!("Page {number} of 2")));
        seen.extend(parts);
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 150);
    // A page that is not there is the last one, and the search leads over all pages.
    assert!(front.get("/?page=99", None).await.contains("Page 2 of 2"));
    let found = front.get(&format!("/?q={}", tenants[74]), None).await;
    assert_eq!(found.matches("data-lens=\"").count(), 2);
}

#[tokio::test]
async fn a_note_needs_an_operator_the_form_s_key_and_a_lens_that_is_seen() {
    let database = two_tenants().await;
    let (_folder, journal, front) = signed_in(&database).await;
    let user = token(A, |_| {});
    let operator = token(A, |claims| claims["app_metadata"]["lensops_role"] = json!("operator"));
    let page = front.get("/lens/faults", Some(&operator)).await;
    let key = form_key(&page).to_owned();
    let form = |key: &str, tenant: Uuid, text: &str| format!("form_key={key}&tenant={tenant}&text={text}");
    for (case, user, lens, form, expected) in [
        ("no operator", &user, "faults", form(&key, A, "x"), 403),
        ("another key", &operator, "faults", form("0", A, "x"), 403),
        ("no text", &operator, "faults", form(&key, A, "+"), 400),
        ("another tenant", &operator, "faults", form(&key, B, "x"), 404),
        ("a lens of another", &operator, "onlyofbob", form(&key, A, "x"), 404),
        ("its own", &operator, "faults", form(&key, A, "deployed+2.4.1"), 303),
    ] {
        let answer = front.post(&format!("/lens/{lens}/note"), Some(user), &form).await;
        assert_eq!(status(&answer), expected, "{case}: {answer}");
    }
    let notes = journal
        .notes_of(&"faults".parse().unwrap(), A, Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    assert_eq!(notes.len(), 1);
    assert_eq!(
        (notes[0].text.as_str(), notes[0].who.as_str()),
        ("deployed 2.4.1", "somebody@users.invalid")
    );
    assert!(front.get("/lens/faults", Some(&user)).await.contains("deployed 2.4.1"));
    let of_b = front.get("/lens/faults", Some(&token(B, |_| {}))).await;
    assert!(!of_b.contains("deployed 2.4.1"));
}

#[tokio::test]
async fn an_operator_annuls_a_check_that_it_sees_and_nobody_else_does() {
    let database = two_tenants().await;
    let (_folder, _journal, front) = signed_in(&database).await;
    let (own, other) = (check_id(&database, A).await, check_id(&database, B).await);
    let user = token(A, |_| {});
    let operator = token(A, |claims| claims["app_metadata"]["lensops_role"] = json!("operator"));
    let page = front.get(&format!("/checks/{own}"), Some(&operator)).await;
    let key = form_key(&page).to_owned();
    assert!(page.contains("Annul this check"));
    assert!(
        !front
            .get(&format!("/checks/{own}"), Some(&user))
            .await
            .contains("Annul this check")
    );
    let form = format!("form_key={key}&reason=wrong+address");
    for (case, user, check, form, expected) in [
        ("no operator", &user, own, form.clone(), 403),
        ("another key", &operator, own, "form_key=0&reason=x".to_owned(), 403),
        ("no reason", &operator, own, format!("form_key={key}&reason="), 400),
        ("another's check", &operator, other, form.clone(), 404),
        ("its own", &operator, own, form.clone(), 303),
        ("once more", &operator, own, form, 303),
    ] {
        let answer = front.post(&format!("/checks/{check}/annul"), Some(user), &form).await;
        assert_eq!(status(&answer), expected, "{case}: {answer}");
    }
    let page = front.get(&format!("/checks/{own}"), Some(&operator)).await;
    assert!(page.contains("It was annulled, and counts for nothing."), "{page}");
    // Written once by the service, beside the check, with who and why; the check itself is as it was.
    let mut connection = database.connect().await;
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT notes -> 'muted' ->> 'annuls', notes -> 'muted' ->> 'reason' FROM pms_health_checks WHERE notes ? 'muted'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(
        rows,
        [(own.to_string(), "wrong address (somebody@users.invalid)".to_owned())]
    );
}
