//! Signed in, in a browser: the form and its cookie, and that nothing of another tenant ever arrives.

use fantoccini::{Client, Locator};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::browser::{Driver, axe, shots, texts, violations};
use crate::front::{A, B, token};
use crate::pg::Database;
use crate::web::{check_id, signed_in, two_tenants};

async fn sign_in(client: &Client, at: &str, token: &str) {
    client.goto(&format!("http://{at}/")).await.unwrap();
    client
        .find(Locator::Id("token"))
        .await
        .unwrap()
        .send_keys(token)
        .await
        .unwrap();
    client
        .active_element()
        .await
        .unwrap()
        .send_keys("\u{e007}")
        .await
        .unwrap();
    client.wait().for_element(Locator::Css("#rows")).await.unwrap();
}

/// Status, headers and body of each of `paths`, as script of a page sees them.
async fn fetched(client: &Client, paths: &[String]) -> Vec<String> {
    let script = "const [paths, done] = arguments; \
        Promise.all(paths.map(async path => { const answer = await fetch(path); \
          return [answer.status, ...[...answer.headers].flat(), await answer.text()].join('\\n'); })).then(done)";
    let found = client.execute_async(script, vec![json!(paths)]).await.unwrap();
    let texts = found.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Everything that the event stream says until it names a check of A, while checks of B and A are stored.
async fn streamed(client: &Client, database: &Database) -> String {
    let script = "const done = arguments[0], seen = []; const stream = new EventSource('/events'); \
        window.heard = () => seen.join('\\n'); \
        for (const kind of ['ready', 'check', 'message', 'error']) \
          stream.addEventListener(kind, event => { seen.push(kind + ' ' + event.data); if (kind === 'ready') done(true); })";
    client.execute_async(script, vec![]).await.unwrap();
    loop {
        for tenant in [B, A] {
            database
                .run(&format!(
                    "INSERT INTO pms_health_checks (yacht_id, lens_id, status) VALUES ('{tenant}', 'faults', 'healthy')"
                ))
                .await;
        }
        let heard = client.execute("return window.heard()", vec![]).await.unwrap();
        let heard = heard.as_str().unwrap();
        if heard.contains(&A.to_string()) {
            return heard.to_owned();
        }
    }
}

/// What names B: its id, the word in all its fields, and the id of a check of it.
fn nothing_of_b(case: &str, text: &str, check: Uuid) {
    for word in ["onlyofbob".to_owned(), B.to_string(), check.to_string()] {
        assert!(!text.contains(&word), "{case} has {word}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_browser_of_tenant_a_no_byte_of_tenant_b_arrives() {
    let database = two_tenants().await;
    let (_folder, _journal, front) = signed_in(&database).await;
    let (own, other) = (check_id(&database, A).await, check_id(&database, B).await);
    let at = front.at.to_string();
    let driver = Driver::start();
    // B looks first, in a browser of its own: it is there to be leaked.
    let of_b = driver.open(1440, false, true).await;
    sign_in(&of_b, &at, &token(B, |_| {})).await;
    assert_eq!(texts(&of_b, "tbody th a").await.len(), 2);
    assert!(of_b.source().await.unwrap().contains("onlyofbob"));
    of_b.close().await.unwrap();

    let client = driver.open(1440, false, true).await;
    let operator = token(A, |claims| claims["app_metadata"]["lensops_role"] = json!("operator"));
    sign_in(&client, &at, &operator).await;
    let script_reads = client.execute("return document.cookie", vec![]).await.unwrap();
    assert_eq!(script_reads, Value::String(String::new()), "script reads the session");
    let paths: Vec<String> = [
        "/",
        "/lens/faults",
        "/lens/faults?window=1h",
        "/lens/faults?window=7d",
        "/lens/faults?window=30d",
        "/lens/onlyofalice",
        "/lens/faults/strip",
        "/alerts",
        "/nothing",
        "/lens/onlyofbob-",
        "/checks/x",
        "/runs/run-1/results.json",
        "/runs/run-of-another/results.json",
        "/runs/run-of-both/results.json",
        "/runs/run-of-nobody-knows/results.json",
        "/api/v1/lenses",
        "/api/v1/lenses/faults",
        "/api/v1/lenses/none",
        "/api/v1/checks",
        "/api/v1/checks?cursor=x",
        "/api/v1/alerts",
        "/api/v1/openapi.json",
    ]
    .map(ToOwned::to_owned)
    .into();
    let mut seen_own = 0;
    for path in paths
        .iter()
        .filter(|path| !path.starts_with("/api") && !path.starts_with("/runs"))
    {
        // What was typed into the address is not from the server.
        client.goto(&format!("http://{at}{path}")).await.unwrap();
        let page = client.source().await.unwrap().replace("onlyofbob-", "");
        nothing_of_b(path, &page, other);
        seen_own += usize::from(page.contains("onlyofalice"));
    }
    assert!(seen_own >= 3, "A sees what is A's: {seen_own}");
    client.goto(&format!("http://{at}/")).await.unwrap();
    // Asked for by what names B, the answers are the same as for what is not there.
    let by_name: Vec<String> = [
        "/lens/onlyofbob".to_owned(),
        format!("/lens/faults?tenant={B}"),
        format!("/lens/faults/strip?tenant={B}"),
        "/lens/onlyofbob/strip".to_owned(),
        format!("/checks/{other}"),
        format!("/api/v1/checks?tenant={B}"),
        "/api/v1/checks?lens=onlyofbob".to_owned(),
        "/api/v1/lenses/onlyofbob".to_owned(),
        format!("/?tenant={B}"),
        "/?q=onlyofbob".to_owned(),
    ]
    .into();
    for (path, text) in by_name.iter().zip(fetched(&client, &by_name).await) {
        // The search shows again what was typed.
        nothing_of_b(path, &text.replace("value=\"onlyofbob\"", ""), other);
    }
    let paths = [paths, vec![format!("/checks/{own}")]].concat();
    let answers = fetched(&client, &paths).await;
    for (path, text) in paths.iter().zip(&answers) {
        nothing_of_b(path, text, other);
    }
    let whole = answers.iter().filter(|text| text.starts_with("200")).count();
    assert!(whole >= 14, "{whole} answers were given at all");
    nothing_of_b("the event stream", &streamed(&client, &database).await, other);
    // After the sign-out nothing is there at all.
    client
        .find(Locator::Css("form.user button"))
        .await
        .unwrap()
        .click()
        .await
        .unwrap();
    client.wait().for_element(Locator::Id("token")).await.unwrap();
    client.goto(&format!("http://{at}/lens/faults")).await.unwrap();
    assert!(!client.source().await.unwrap().contains("Faults"));
    client.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sign_in_and_the_pages_of_a_user_fit_and_have_no_violation() {
    let database = two_tenants().await;
    let (_folder, _journal, front) = signed_in(&database).await;
    let at = front.at.to_string();
    let (driver, axe) = (Driver::start(), axe());
    for (width, dark) in [(360, true), (1440, false)] {
        let client = driver.open(width, dark, true).await;
        for (name, path) in [
            ("sign-in", "/"),
            ("signed-in", "/"),
            ("signed-in-lens", "/lens/faults"),
            ("not-operator", "/alerts"),
        ] {
            let case = format!("{name}-{width}");
            if name == "signed-in" {
                sign_in(&client, &at, &token(A, |_| {})).await;
            }
            client.goto(&format!("http://{at}{path}")).await.unwrap();
            let fits = "return document.documentElement.scrollWidth <= innerWidth";
            assert_eq!(client.execute(fits, vec![]).await.unwrap(), json!(true), "{case}");
            let found = violations(&client, &axe).await;
            assert!(found.is_empty(), "{case}: {found:#?}");
            let shot = client.screenshot().await.unwrap();
            std::fs::write(shots().join(format!("{case}.png")), shot).unwrap();
        }
        client.close().await.unwrap();
    }
}
