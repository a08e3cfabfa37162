//! The dashboard in a browser: Debian's Chromium, every page at two widths, light and dark, with and
//! without JavaScript, by keyboard alone, and held to axe-core.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource as _, KeyAction, KeyActions};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use jiff::{SignedDuration, Timestamp};
use lensops::store::{Board, Journal};
use lensops_core::redaction::Redactor;
use lensops_core::verdict::note_rows::RecordNotes;
use lensops_core::verdict::record::{Level, Status};
use serde_json::{Value, json};

use crate::fixture::journal;
use crate::front::{A, Front, fresh, plan};

/// A driver that ends with this, and the address it listens at.
pub(crate) struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    pub(crate) fn start() -> Self {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("browser tests need Debian's chromium and chromium-driver");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = lines
            .find_map(|line| line.ok().filter(|line| line.contains("started successfully on port")))
            .expect("chromedriver says its port");
        let port = line.trim_end_matches('.').rsplit(' ').next().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    pub(crate) async fn open(&self, width: u32, dark: bool, script: bool) -> Client {
        let mut arguments = vec![
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ];
        arguments.push(if dark {
            "--blink-settings=preferredColorScheme=0"
        } else {
            "--blink-settings=preferredColorScheme=1"
        });
        let content = if script { 1 } else { 2 };
        let options = json!({
            "args": arguments,
            "prefs": {"profile.managed_default_content_settings.javascript": content},
            "mobileEmulation": {"deviceMetrics": {"width": width, "height": 900, "pixelRatio": 1.0, "touch": false}},
        });
        let mut capabilities = Capabilities::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.url)
            .await
            .unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It ends its browsers with itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn axe() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("target/tools/npm/node_modules/axe-core/axe.min.js");
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; ./scripts/test installs axe-core", path.display()))
}

pub(crate) fn shots() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// What axe finds wrong with the page, one line a finding.
pub(crate) async fn violations(client: &Client, axe: &str) -> Vec<String> {
    client.execute(&format!("{axe}; return 1"), vec![]).await.unwrap();
    let script = "const done = arguments[arguments.length - 1]; axe.run().then(found => done(found), error => done({error: String(error)}))";
    let found = client.execute_async(script, vec![]).await.unwrap();
    let told = |finding: &Value| format!("{}: {}", finding["id"], finding["nodes"][0]["html"]);
    // Where nothing passed, nothing was looked at.
    assert!(
        found["passes"].as_array().is_some_and(|passes| passes.len() > 5),
        "{found}"
    );
    found["violations"].as_array().unwrap().iter().map(told).collect()
}

/// The texts of all that answer `css`, read at once: between two questions a part may be replaced.
pub(crate) async fn texts(client: &Client, css: &str) -> Vec<String> {
    let script = format!(
        "return [...document.querySelectorAll({})].map(one => one.innerText)",
        json!(css)
    );
    let found = client.execute(&script, vec![]).await.unwrap();
    let texts = found.as_array().unwrap().iter();
    texts.map(|text| text.as_str().unwrap().trim().to_owned()).collect()
}

/// Presses the keys of `keys` one after another, wherever the focus is then.
pub(crate) async fn press(client: &Client, keys: &str) {
    for value in keys.chars() {
        let key = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value })
            .then(KeyAction::Up { value });
        client.perform_actions(key).await.unwrap();
    }
}

/// Two lenses of which one was checked for a day, with an incident, a pause, a gap and a switch; whoever
/// opens it finds every page with something on it.
pub(crate) async fn lived_in() -> (tempfile::TempDir, Journal, Front, String) {
    let (folder, journal) = journal().await;
    let redactor = Redactor::default();
    let plans = vec![plan("faults", &[A]).await, plan("parts", &[A]).await];
    let now = Timestamp::now();
    let mut latest = String::new();
    for n in (0..96_i64).filter(|n| !(30..40).contains(n)).rev() {
        let mut check = fresh(A, "faults", 200 + n * 7);
        check.observed_at = now - SignedDuration::from_mins(15 * n);
        check.status = match n {
            50..=54 => Status::Unhealthy,
            55..=60 => Status::Degraded,
            _ => Status::Healthy,
        };
        let samples: Vec<i64> = (1..=21).map(|k| (200 + n * 7) * 50 * k).collect();
        let mut notes = json!({"samples_us": samples, "endpoints": {"list endpoint": {"n": 7, "p50_us": 9, "p95_us": 12}},
            "flags": {"FAULT_LENS_V1_ENABLED": true, "FAULT_LENS_SUGGESTIONS_ENABLED": n > 20}});
        if (70..75).contains(&n) {
            notes["muted"] = json!({"why": "maintenance", "reason": "backups"});
        }
        check.notes = RecordNotes::of_json(notes, &redactor);
        let (kind, level) = if n == 20 {
            ("flag_toggled", Level::Warning)
        } else {
            ("latency", Level::Info)
        };
        let request = "GET /v1/actions/list?domain=faults HTTP/1.1\nauthorization: Bearer eyJ\u{2026}[redacted]\n";
        check.events.truncate(1);
        for event in &mut check.events {
            event.level = level;
            event.detail = redactor.json(json!({"kind": kind, "reason": "FAULT_LENS_SUGGESTIONS_ENABLED went off",
                "request": request, "response": "HTTP/1.1 503 Service Unavailable\n\n{\"error_code\": \"FEATURE_DISABLED\"}"}));
        }
        latest = format!("/checks/{}", check.id);
        journal.record(check).await.unwrap();
    }
    let front = Front::start(Board::Embedded(journal.clone()), journal.clone(), plans).await;
    (folder, journal, front, latest)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_reads_well_and_has_no_violation_in_light_and_dark_at_both_widths() {
    let (_folder, _journal, front, check_page) = lived_in().await;
    let (driver, axe) = (Driver::start(), axe());
    for (width, dark) in [(360, false), (360, true), (1440, false), (1440, true)] {
        let client = driver.open(width, dark, true).await;
        for (name, path) in [
            ("overview", "/"),
            ("nothing-found", "/?q=zzz"),
            ("lens", "/lens/faults?window=24h"),
            ("lens-month", "/lens/faults?window=30d"),
            ("lens-never-checked", "/lens/parts"),
            ("check", &check_page),
            ("alerts", "/alerts"),
            ("missing", "/nothing"),
        ] {
            let case = format!("{name}-{width}-{}", if dark { "dark" } else { "light" });
            client.goto(&format!("http://{}{path}", front.at)).await.unwrap();
            let is_dark = client
                .execute("return matchMedia('(prefers-color-scheme: dark)').matches", vec![])
                .await
                .unwrap();
            assert_eq!(is_dark, json!(dark), "{case}");
            let fits = client
                .execute("return [document.documentElement.scrollWidth, innerWidth]", vec![])
                .await
                .unwrap();
            assert!(
                fits[0].as_i64() <= fits[1].as_i64() && fits[1] == json!(width),
                "{case}: {fits}"
            );
            let found = violations(&client, &axe).await;
            assert!(found.is_empty(), "{case}: {found:#?}");
            let shot = client.screenshot().await.unwrap();
            std::fs::write(shots().join(format!("{case}.png")), shot).unwrap();
        }
        client.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_check_shows_without_loading_again_and_search_is_by_keyboard() {
    let (_folder, journal) = journal().await;
    let plans = vec![plan("faults", &[A]).await, plan("parts", &[A]).await];
    let front = Front::start(Board::Embedded(journal.clone()), journal.clone(), plans).await;
    journal.record(fresh(A, "faults", 100)).await.unwrap();
    let driver = Driver::start();
    let client = driver.open(1440, false, true).await;
    client.goto(&format!("http://{}/", front.at)).await.unwrap();
    client
        .wait()
        .for_element(Locator::Css("html[data-live=on]"))
        .await
        .unwrap();
    client.execute("window.stayed = true", vec![]).await.unwrap();
    let mut shown_after = Vec::new();
    for p95 in 4321..4326 {
        let recorded = Instant::now();
        journal.record(fresh(A, "faults", p95)).await.unwrap();
        let wanted = format!("//td[contains(., '{p95} ms')]");
        let waited = client
            .wait()
            .every(Duration::from_millis(20))
            .for_element(Locator::XPath(&wanted))
            .await;
        waited.unwrap_or_else(|error| panic!("{p95} was not shown: {error}"));
        shown_after.push(recorded.elapsed());
    }
    shown_after.sort_unstable();
    println!("checks were shown after {shown_after:.0?}");
    // The watcher's second is proved under virtual time; here a whole browser shares the machine.
    assert!(shown_after[2] <= Duration::from_secs(2), "{shown_after:?}");
    let stayed = client.execute("return window.stayed === true", vec![]).await.unwrap();
    assert_eq!(stayed, json!(true), "the page was loaded again");

    press(&client, "/").await;
    let focused = "return document.activeElement.id || document.activeElement.innerText";
    assert_eq!(client.execute(focused, vec![]).await.unwrap(), json!("q"));
    press(&client, "part\u{e007}").await;
    client
        .wait()
        .for_url(
            &format!("http://{}/?q=part&status=&sort=worst", front.at)
                .parse()
                .unwrap(),
        )
        .await
        .unwrap();
    client
        .wait()
        .for_element(Locator::XPath("//tbody//th/a[text()='Parts']"))
        .await
        .unwrap();
    assert_eq!(texts(&client, "tbody th a").await, ["Parts"]);
    // From the search on, Tab reaches the row's link, and Enter follows it.
    press(&client, "/").await;
    for _ in 0..6 {
        if client.execute(focused, vec![]).await.unwrap() == json!("Parts") {
            break;
        }
        press(&client, "\u{e004}").await;
    }
    press(&client, "\u{e007}").await;
    client.wait().for_element(Locator::Css("#gate")).await.unwrap();
    // A page whose server is gone must not go on looking as if it were watched.
    drop(front);
    client
        .wait()
        .for_element(Locator::Css("html[data-connection=lost] #trouble .trouble"))
        .await
        .unwrap();
    let told = texts(&client, "#trouble").await.concat();
    assert!(
        told.starts_with("Not connected. The server has not answered since"),
        "{told}"
    );
    let before = "return getComputedStyle(document.querySelector('.status'), '::before').content";
    assert_eq!(client.execute(before, vec![]).await.unwrap(), json!("\"was \""));
    client.close().await.unwrap();
}
