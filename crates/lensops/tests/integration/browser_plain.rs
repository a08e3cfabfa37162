//! The dashboard without what many browsers have: by keyboard alone, and without JavaScript.

use std::collections::BTreeSet;

use fantoccini::{Client, Locator};
use jiff::Timestamp;
use serde_json::json;

use crate::browser::{Driver, lived_in, press, texts};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// Everything on the page that can be used, and is to be seen.
const USABLE: &str = "[...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [tabindex=\"0\"]')]\
    .filter(one => one.checkVisibility())";

/// Presses Tab from the top of the page until it is round, and says what was reached: each by its place
/// among what can be used. What has the focus must be seen to have it.
async fn reached(client: &Client, case: &str) -> BTreeSet<u64> {
    let script = format!(
        "const one = document.activeElement, style = getComputedStyle(one); \
         return [{USABLE}.indexOf(one), style.outlineStyle, one.outerHTML.slice(0, 120)]"
    );
    let mut reached = BTreeSet::new();
    client.execute("document.activeElement.blur()", vec![]).await.unwrap();
    for _ in 0..300 {
        press(client, TAB).await;
        let found = client.execute(&script, vec![]).await.unwrap();
        let Some(place) = found[0].as_u64() else { break };
        assert_ne!(
            found[1],
            json!("none"),
            "{case}: nobody sees that this has the focus: {}",
            found[2]
        );
        if !reached.insert(place) {
            break;
        }
    }
    reached
}

/// Presses Tab until what has the focus answers `css`.
pub(crate) async fn tab_to(client: &Client, css: &str) {
    for _ in 0..300 {
        let there = client
            .execute(
                &format!("return document.activeElement.matches({})", json!(css)),
                vec![],
            )
            .await
            .unwrap();
        if there == json!(true) {
            return;
        }
        press(client, TAB).await;
    }
    panic!("Tab does not lead to {css}");
}

#[tokio::test(flavor = "multi_thread")]
async fn by_keyboard_alone_everything_is_reached_seen_and_used() {
    let (_folder, journal, front, check_page) = lived_in().await;
    let driver = Driver::start();
    let client = driver.open(1440, false, true).await;
    for path in ["/", "/lens/faults", &check_page, "/alerts", "/nothing"] {
        client.goto(&format!("http://{}{path}", front.at)).await.unwrap();
        let all = client
            .execute(&format!("return {USABLE}.length"), vec![])
            .await
            .unwrap();
        let all: BTreeSet<u64> = (0..all.as_u64().unwrap()).collect();
        assert!(all.len() > 4, "{path}: {all:?}");
        assert_eq!(reached(&client, path).await, all, "{path}");
    }
    // The first Tab leads past the header.
    client.goto(&format!("http://{}/", front.at)).await.unwrap();
    tab_to(&client, "a.skip").await;
    press(&client, ENTER).await;
    let main = client
        .execute("return document.activeElement.id", vec![])
        .await
        .unwrap();
    assert_eq!(main, json!("main"));
    // From a lens to another window, to a check, and back.
    client.goto(&format!("http://{}/lens/faults", front.at)).await.unwrap();
    tab_to(&client, "nav.windows a:nth-of-type(3)").await;
    press(&client, ENTER).await;
    client
        .wait()
        .for_element(Locator::XPath("//nav[@class='windows']/a[3][@aria-current]"))
        .await
        .unwrap();
    tab_to(&client, "#checks a").await;
    press(&client, ENTER).await;
    client.wait().for_element(Locator::Css("article.event")).await.unwrap();
    // A silence is made and ended.
    client.goto(&format!("http://{}/alerts", front.at)).await.unwrap();
    tab_to(&client, "#lens").await;
    press(&client, "faults").await;
    tab_to(&client, "#reason").await;
    press(&client, "planned work").await;
    press(&client, ENTER).await;
    client
        .wait()
        .for_element(Locator::XPath("//li[contains(., 'planned work')]"))
        .await
        .unwrap();
    let silences = journal.silences(Timestamp::now()).await.unwrap();
    assert_eq!(silences.len(), 1);
    assert_eq!(
        silences[0].lens.as_ref().map(ToString::to_string).as_deref(),
        Some("faults")
    );
    tab_to(&client, "#alerts form button").await;
    press(&client, ENTER).await;
    client
        .wait()
        .for_element(Locator::XPath("//section[@aria-label='Silences']/p[text()='None.']"))
        .await
        .unwrap();
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_javascript_everything_is_there_and_works() {
    let (_folder, journal, front, check_page) = lived_in().await;
    let driver = Driver::start();
    let client = driver.open(1440, false, false).await;
    let at = |path: &str| format!("http://{}{path}", front.at);
    client.goto(&at("/")).await.unwrap();
    assert_eq!(texts(&client, "tbody th a").await, ["Parts", "Faults"]);
    let live = client.find_all(Locator::Css("html[data-live]")).await.unwrap();
    assert_eq!(live.len(), 0, "script ran");
    let again = client.find_all(Locator::Css("noscript")).await.unwrap();
    assert_eq!(again.len(), 1, "it loads again by itself");
    let field = client.find(Locator::Id("q")).await.unwrap();
    field.send_keys("fau").await.unwrap();
    press(&client, ENTER).await;
    let found = at("/?q=fau&status=&sort=worst").parse().unwrap();
    client.wait().for_url(&found).await.unwrap();
    assert_eq!(texts(&client, "tbody th a").await, ["Faults"]);
    for (path, css, count) in [
        ("/lens/faults?window=24h", "#charts path.line", 4),
        ("/lens/faults?window=24h", "#checks tbody tr", 50),
        ("/lens/faults?window=1h", "#checks tbody tr", 4),
        ("/lens/faults", "#gate tbody tr", 4),
        (&check_page, "article.event pre", 2),
        ("/alerts", "form.sheet select", 2),
    ] {
        client.goto(&at(path)).await.unwrap();
        let found = client.find_all(Locator::Css(css)).await.unwrap();
        assert_eq!(found.len(), count, "{path}: {css}");
    }
    client.goto(&at("/alerts")).await.unwrap();
    let field = client.find(Locator::Id("reason")).await.unwrap();
    field.send_keys("planned work").await.unwrap();
    press(&client, ENTER).await;
    client
        .wait()
        .for_element(Locator::XPath("//li[contains(., 'planned work')]"))
        .await
        .unwrap();
    assert_eq!(journal.silences(Timestamp::now()).await.unwrap().len(), 1);
    client.close().await.unwrap();
}
