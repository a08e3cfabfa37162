//! `worker --listen`: health, readiness and figures, and what strangers may do to it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;

use lensops::listen::{Page, Pages, serve};
use lensops_sandbox::Dialect;
use serde_json::Value;
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::harness::{FAULTS, Project, sandbox};

/// Runs the worker until `count` lines fit `wanted`, ends it in order, and returns what it said.
pub(crate) fn worker_until(
    project: &Project,
    arguments: &str,
    mut wanted: impl FnMut(&str) -> bool,
    count: usize,
) -> Vec<String> {
    let mut child = project.command(arguments).stderr(Stdio::piped()).spawn().unwrap();
    let (mut lines, mut found) = (Vec::new(), 0);
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        if wanted(&line) {
            found += 1;
            if found == count {
                let kill = Command::new("kill")
                    .args(["-TERM", &child.id().to_string()])
                    .status()
                    .unwrap();
                assert!(kill.success());
            }
        }
        lines.push(line);
    }
    assert_eq!(child.wait().unwrap().code(), Some(0), "{lines:#?}");
    lines
}

/// Sends `request` to `address` and reads until the other side closes.
async fn raw(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all of it is written.
    stream.write_all(request).await.ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Status and body of `GET path`.
async fn get(address: &str, path: &str) -> (u16, String) {
    let answer = raw(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await;
    let status = answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, body.to_owned())
}

/// A family of figures: its kind and its samples, each with labels and value.
type Families = BTreeMap<String, (String, Vec<(String, BTreeMap<String, String>, f64)>)>;

/// Reads OpenMetrics text as strictly as the format asks: families in one piece, the suffixes of each
/// kind, no sample twice, cumulative buckets, and an end.
pub(crate) fn parse(text: &str) -> Families {
    let body = text.strip_suffix("# EOF\n").expect("it ends in # EOF");
    let mut families = Families::new();
    let mut current = String::new();
    let mut seen = BTreeSet::new();
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(
                families
                    .insert(name.to_owned(), (kind.to_owned(), Vec::new()))
                    .is_none(),
                "{name} twice"
            );
            current = name.to_owned();
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(rest.starts_with(&format!("{current} ")), "{line}");
            continue;
        }
        assert!(seen.insert(line.rsplit_once(' ').unwrap().0.to_owned()), "{line} twice");
        let (name, labels, value) = sample(line);
        let (kind, samples) = families.get_mut(&current).expect("a sample within a family");
        let suffixes: &[&str] = match kind.as_str() {
            "gauge" => &[""],
            "counter" => &["_total"],
            "info" => &["_info"],
            "histogram" => &["_bucket", "_count", "_sum"],
            other => panic!("{other}"),
        };
        assert!(
            suffixes.iter().any(|suffix| name == format!("{current}{suffix}")),
            "{line} in {current}"
        );
        samples.push((name, labels, value));
    }
    for (name, (kind, samples)) in &families {
        if kind == "histogram" {
            check_buckets(name, samples);
        }
    }
    families
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = series
        .split_once('{')
        .map_or((series, ""), |(name, rest)| (name, rest.strip_suffix('}').unwrap()));
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{line}");
    let labels = labels.split(',').filter(|pair| !pair.is_empty()).map(|pair| {
        let (label, value) = pair.split_once('=').unwrap();
        (label.to_owned(), value.trim_matches('"').to_owned())
    });
    (name.to_owned(), labels.collect(), value.parse().unwrap())
}

fn check_buckets(name: &str, samples: &[(String, BTreeMap<String, String>, f64)]) {
    let mut last: BTreeMap<BTreeMap<String, String>, (f64, f64)> = BTreeMap::new();
    for (sample, labels, value) in samples {
        let mut series = labels.clone();
        let end = series.remove("le").map(|end| {
            if end == "+Inf" {
                f64::INFINITY
            } else {
                end.parse().unwrap()
            }
        });
        let before = last.get(&series).copied();
        if let (Some(end), true) = (end, sample.ends_with("_bucket")) {
            let (bound, count) = before.unwrap_or((f64::NEG_INFINITY, 0.0));
            assert!(
                end > bound && *value >= count,
                "{name}: buckets are cumulative and in order"
            );
            last.insert(series, (end, *value));
        } else if sample.ends_with("_count") {
            assert_eq!(
                before,
                Some((f64::INFINITY, *value)),
                "{name}: the last bucket holds all"
            );
        }
    }
}

/// A project whose lens is checked every second, and a worker that listens; `ask` is given its address.
async fn with_worker<T>(
    project: &Project,
    arguments: &str,
    ready: &str,
    ask: impl AsyncFnOnce(String) -> T,
) -> (T, Vec<String>) {
    let mut child = project.command(arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let (mut said, mut address) = (Vec::new(), String::new());
    for line in lines.by_ref() {
        if let Some((_, found)) = line.split_once("Listening on http://") {
            address = found.to_owned();
        }
        let done = line.contains(ready);
        said.push(line);
        if done {
            break;
        }
    }
    let asked = ask(address).await;
    let kill = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(kill.success());
    said.extend(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said:#?}");
    (asked, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_tells_its_health_and_figures_that_rules_and_dashboard_ask_for() {
    let stand_in = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    project.point_at(&stand_in);
    project.run(&format!("{FAULTS} --interval 2s")).expect(0);
    // A store that nobody serves: it fails, and the journal has room for what it owes.
    project
        .env
        .insert("TENANT_SUPABASE_URL".to_owned(), "http://127.0.0.1:9".to_owned());
    project
        .env
        .insert("SUPABASE_SERVICE_KEY".to_owned(), "made-up-service-key".to_owned());
    let ask = async |address: String| {
        let mut answers = Vec::new();
        for path in ["/healthz", "/readyz", "/metrics", "/else"] {
            answers.push(get(&address, path).await);
        }
        let post = raw(
            &address,
            b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        )
        .await;
        (answers, post)
    };
    let ((answers, post), _) = with_worker(&project, "worker --listen 127.0.0.1:0", "OVERALL", ask).await;
    assert_eq!(
        (answers[0].0, answers[1].0, answers[3].0),
        (200, 200, 404),
        "{answers:?}"
    );
    assert!(post.starts_with("HTTP/1.1 405"), "{post}");
    let families = parse(&answers[2].1);
    let value = |name: &str, labels: &[(&str, &str)]| {
        let all = families.values().flat_map(|(_, samples)| samples);
        let fits = |found: &BTreeMap<String, String>| {
            labels
                .iter()
                .all(|(label, value)| found.get(*label).is_some_and(|own| own == value))
        };
        all.filter(|(own, found, _)| own == name && fits(found))
            .map(|(_, _, value)| *value)
            .sum::<f64>()
    };
    assert!(
        value("lensops_checks_total", &[("lens", "faults"), ("status", "healthy")]) >= 1.0,
        "{}",
        answers[2].1
    );
    assert!(value("lensops_probe_latency_seconds_count", &[("lens", "faults")]) >= 7.0);
    assert!(value("lensops_tenants", &[("status", "healthy")]) >= 1.0);
    assert_eq!(
        (value("lensops_ready", &[]), value("lensops_journal_readable", &[])),
        (1.0, 1.0)
    );
    assert!(value("lensops_journal_bytes", &[]) > 0.0);
    assert!(!answers[2].1.contains("tenant="), "tenants are told on demand alone");
    // Every name that a rule or a panel asks for is one that is told.
    let told: BTreeSet<String> = families
        .iter()
        .flat_map(|(name, (kind, _))| match kind.as_str() {
            "counter" => vec![format!("{name}_total")],
            "info" => vec![format!("{name}_info")],
            "histogram" => ["bucket", "count", "sum"]
                .iter()
                .map(|suffix| format!("{name}_{suffix}"))
                .collect(),
            _ => vec![name.clone()],
        })
        .collect();
    for (what, text) in
        ["prometheus-rules", "grafana"].map(|what| (what, project.run(&format!("export {what}")).expect(0).out))
    {
        let asked = names(&text);
        assert!(asked.len() > 8, "{what}: {asked:?}");
        let unknown: Vec<_> = asked.difference(&told).collect();
        assert!(unknown.is_empty(), "{what} asks for {unknown:?}; there is {told:?}");
    }
    let dashboard: Value = serde_json::from_str(&project.run("export grafana").expect(0).out).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(
        panels.len() > 10
            && panels
                .iter()
                .all(|panel| panel["targets"].as_array().is_some_and(|targets| !targets.is_empty()))
    );
}

/// Names of figures in rules or a dashboard.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words
        .filter(|word| word.starts_with("lensops_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_cannot_check_is_not_ready_and_says_why_and_tenants_are_told_on_demand() {
    let stand_in = sandbox(Dialect::Documented).await;
    let mut project = Project::empty();
    project.point_at(&stand_in);
    project.run(&format!("{FAULTS} --interval 1s")).expect(0);
    project.write("lensops.yml", "metrics: {tenant_label: true}\n");
    let journal = project.path(".lensops/journal.db");
    let ask = async |address: String| {
        let told = get(&address, "/metrics").await.1;
        // Another process holds the journal: no check is recorded while it does.
        let mut held = SqliteConnectOptions::new().filename(&journal).connect().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut held).await.unwrap();
        // No event tells that a slot went by: asked until it is so, with an end.
        for _ in 0..20_000 {
            let (status, body) = get(&address, "/readyz").await;
            if status == 503 && body.contains("schedule") {
                return (told, body);
            }
            tokio::task::yield_now().await;
        }
        panic!("it stays ready");
    };
    let ((told, body), _) = with_worker(&project, "worker --listen 127.0.0.1:0", "OVERALL", ask).await;
    assert!(
        told.contains("tenant=\"53fbdf09-b709-509d-aad0-3a6f50239a5d\""),
        "{told}"
    );
    parse(&told);
    let body: Value = serde_json::from_str(&body).unwrap();
    let reasons = body["reasons"].as_array().unwrap();
    let schedule = reasons.iter().find(|reason| reason["what"] == "schedule").unwrap();
    assert!(schedule["why"].as_str().unwrap().contains("faults"), "{body}");
}

#[test]
fn an_address_that_is_taken_stops_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut project = Project::empty();
    project
        .env
        .insert("API_BASE_URL".to_owned(), "http://127.0.0.1:9".to_owned());
    project
        .env
        .insert("TENANT_SUPABASE_JWT_SECRET".to_owned(), "made-up-jwt-secret".to_owned());
    project.run(FAULTS).expect(0);
    let address = taken.local_addr().unwrap();
    let error = project.run(&format!("worker --listen {address}")).expect(2).err;
    assert!(
        error.contains(&format!("error: --listen {address} cannot be had")),
        "{error}"
    );
}

struct Fixed;

impl Pages for Fixed {
    async fn page(&self, _: &str) -> Option<Page> {
        Some(Page {
            status: 200,
            content_type: "text/plain",
            body: "fixed".to_owned(),
        })
    }
}

async fn served() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(serve(listener, Arc::new(Fixed), CancellationToken::new()));
    address
}

#[tokio::test(start_paused = true)]
async fn strangers_that_dribble_or_pour_are_cut_off_and_others_are_answered() {
    let address = served().await;
    // More than there are seats for: they get in once the silent ones are cut off.
    let mut silent = Vec::new();
    for _ in 0..70 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
        silent.push(stream);
    }
    assert_eq!(get(&address, "/x").await, (200, "fixed".to_owned()));
    for mut stream in silent {
        let mut left = Vec::new();
        stream.read_to_end(&mut left).await.ok();
        assert!(
            !String::from_utf8_lossy(&left).contains("200"),
            "a half request is not answered"
        );
    }
    let mut large = b"GET / HTTP/1.1\r\nX: ".to_vec();
    large.extend(std::iter::repeat_n(b'x', 1_000_000));
    assert!(!raw(&address, &large).await.contains("200"));
    assert!(
        !raw(&address, b"\x16\x03\x01 this is no HTTP\r\n\r\n")
            .await
            .contains("200")
    );
    assert_eq!(get(&address, "/x").await, (200, "fixed".to_owned()));
}

#[test]
fn a_unit_names_program_folder_and_address_and_refuses_what_systemd_would_split() {
    let project = Project::empty();
    let unit = project
        .run("export systemd --program /usr/local/bin/lensops --listen 127.0.0.1:9464")
        .expect(0)
        .out;
    let root = project.root().canonicalize().unwrap();
    let start = format!(
        "ExecStart=/usr/local/bin/lensops --root {} worker --listen 127.0.0.1:9464\n",
        root.display()
    );
    assert!(
        unit.contains(&start) && !unit.contains('@'.to_string().as_str().repeat(2).as_str()),
        "{unit}"
    );
    for line in [
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=\n",
    ] {
        assert!(unit.contains(line), "{line}");
    }
    assert!(
        !unit.contains("@PROGRAM@") && !unit.contains("@ROOT@") && !unit.contains("@LISTEN@"),
        "{unit}"
    );
    let error = project.run("export systemd --program lensops").expect(2).err;
    assert!(error.contains("cannot stand in a unit"), "{error}");
    assert_eq!(
        project.run("export").expect(0).out,
        "",
        "checks, of which there are none"
    );
}
