//! The dashboard as the person on call uses it: the reason in no click, the failing transcript in two, strips and
//! charts by keyboard.

use fantoccini::{Client, Locator};
use jiff::{SignedDuration, Timestamp};
use lensops::store::{Board, Journal};
use lensops_core::redaction::Redactor;
use lensops_core::verdict::record::{Level, Status};
use serde_json::json;

use crate::browser::{Driver, press, texts};
use crate::browser_plain::tab_to;
use crate::fixture::journal;
use crate::front::{A, Front, fresh, plan};

const LEFT: &str = "\u{e012}";
const HOME: &str = "\u{e011}";
const ENTER: &str = "\u{e007}";

/// Six checks of faults, of which the latest three are unhealthy; parts is healthy.
async fn broken() -> (tempfile::TempDir, Journal, Front) {
    let (folder, journal) = journal().await;
    let plans = vec![plan("faults", &[A]).await, plan("parts", &[A]).await];
    for ago in (0..6_i64).rev() {
        let mut check = fresh(A, "faults", 100 + ago);
        check.observed_at = Timestamp::now() - SignedDuration::from_mins(15 * ago);
        check.status = if ago < 3 { Status::Unhealthy } else { Status::Healthy };
        check.events.truncate(if ago < 3 { 1 } else { 0 });
        for event in &mut check.events {
            event.level = Level::Error;
            event.detail = Redactor::default().json(json!({"kind": "broken", "probe": "List endpoint",
                "reason": "List endpoint: Expected 200, got 500", "expected": "200", "seen": "500",
                "request": "GET /v1/actions/list HTTP/1.1\n", "response": "HTTP/1.1 500 Internal Server Error\n\nboom"}));
        }
        journal.record(check).await.unwrap();
    }
    journal.record(fresh(A, "parts", 100)).await.unwrap();
    let front = Front::start(Board::Embedded(journal.clone()), journal.clone(), plans).await;
    (folder, journal, front)
}

async fn tip(client: &Client, wanted: &str) {
    let found = format!("//p[@id='tip' and not(@hidden) and contains(., '{wanted}')]");
    let waited = client.wait().for_element(Locator::XPath(&found)).await;
    waited.unwrap_or_else(|error| panic!("{wanted}: {error}"));
}

/// Clicks a link of a page that replaces its parts meanwhile: what was found may be gone when it is clicked.
async fn click(client: &Client, link: Locator<'_>) {
    let mut failed = None;
    for _ in 0..5 {
        match client.find(link).await.unwrap().click().await {
            Ok(()) => return,
            Err(error) => failed = Some(error),
        }
    }
    panic!("{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_takes_no_click_and_the_failing_transcript_at_most_two() {
    let (_folder, _journal, front) = broken().await;
    let driver = Driver::start();
    for script in [true, false] {
        let client = driver.open(1440, false, script).await;
        client.goto(&format!("http://{}/", front.at)).await.unwrap();
        // Without a click, and without scrolling: within the first screen.
        let seen = texts(&client, "#wrong li").await.concat();
        assert!(
            seen.contains("Faults")
                && seen.contains("List endpoint: Expected 200, got 500")
                && seen.contains("3 checks"),
            "{seen}"
        );
        let top = "return document.querySelector('#wrong .why').getBoundingClientRect().bottom < innerHeight";
        assert_eq!(client.execute(top, vec![]).await.unwrap(), json!(true));
        // The state is in the tab.
        assert!(client.title().await.unwrap().starts_with("\u{2717} 1 unhealthy"));
        click(&client, Locator::LinkText("what was asked and answered")).await;
        client
            .wait()
            .for_element(Locator::Css("article.event pre"))
            .await
            .unwrap();
        let answered = texts(&client, "article.event pre").await.concat();
        assert!(
            answered.contains("500 Internal Server Error") && answered.contains("boom"),
            "{answered}"
        );
        client.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strip_is_one_tab_stop_arrow_keys_read_its_checks_and_enter_opens_one() {
    let (_folder, _journal, front) = broken().await;
    let driver = Driver::start();
    let client = driver.open(1440, false, true).await;
    client.goto(&format!("http://{}/", front.at)).await.unwrap();
    tab_to(&client, "a.strip").await;
    tip(&client, "unhealthy").await;
    tip(&client, "got 500").await;
    press(&client, &LEFT.repeat(3)).await;
    tip(&client, ": healthy").await;
    press(&client, HOME).await;
    tip(&client, "P95 105 ms").await;
    press(&client, ENTER).await;
    client
        .wait()
        .for_element(Locator::Css("section[aria-label=Probes]"))
        .await
        .unwrap();
    assert!(client.current_url().await.unwrap().path().starts_with("/checks/"));
    // Without JavaScript it is a link to the checks of its lens.
    let plain = driver.open(1440, false, false).await;
    plain.goto(&format!("http://{}/", front.at)).await.unwrap();
    plain
        .find(Locator::Css("a.strip"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    plain.wait().for_element(Locator::Css("#checks tbody a")).await.unwrap();
    plain.close().await.unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_is_read_out_and_zoomed_by_keyboard() {
    let (_folder, _journal, front, _) = crate::browser::lived_in().await;
    let driver = Driver::start();
    let client = driver.open(1440, false, true).await;
    client
        .goto(&format!("http://{}/lens/faults?window=24h", front.at))
        .await
        .unwrap();
    tab_to(&client, "#charts .plot").await;
    press(&client, LEFT).await;
    let told = texts(&client, "#charts .readout").await;
    assert!(told[0].contains("UTC): P50 ") && told[0].contains("P95 "), "{told:?}");
    // Shift and the arrow select, Enter zooms.
    let keys = "const plot = document.querySelector('#charts .plot'); for (let n = 0; n < 4; n++) \
        plot.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowLeft', shiftKey: true, bubbles: true}));";
    client.execute(keys, vec![]).await.unwrap();
    press(&client, ENTER).await;
    client
        .wait()
        .for_element(Locator::Css("nav.windows span[aria-current]"))
        .await
        .unwrap();
    let zoomed = client.current_url().await.unwrap();
    assert!(zoomed.query().unwrap().contains("from=") && zoomed.query().unwrap().contains("until="));
    assert_eq!(texts(&client, "#charts h2").await, ["Latency", "Error rate"]);
    client.close().await.unwrap();
}
