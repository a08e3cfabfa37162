//! Every preset of a flag service against a stand-in that checks what it is asked: method, target, headers and body.
//!
//! What the stand-ins answer is written by hand after the documents that each preset names.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lensops::config::Settings;
use lensops::flags::{Deploy, FlagError, FlagProvider as _, Provider};
use lensops::http::Client;
use lensops_core::flags::{FlagState, Reading};
use lensops_core::ident::FlagName;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::Project;

/// What one request has to be, and what is answered.
#[derive(Debug, Clone)]
struct Turn {
    /// Method and target.
    line: String,
    /// A header that has to be there, whole.
    header: &'static str,
    /// The body, where it matters.
    body: Value,
    /// Status and body; `None` is no answer.
    answer: Option<(u16, Value)>,
}

/// A turn as a case writes it: method and target, body, answer.
type Written = (String, Value, Option<(u16, Value)>);

/// Answers turn by turn; what was asked otherwise is kept.
struct StandIn {
    url: String,
    left: Arc<Mutex<VecDeque<Turn>>>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl StandIn {
    async fn start(header: &'static str, turns: Vec<Written>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let turns = turns.into_iter().map(|(line, body, answer)| Turn {
            line: line.replace("$url", &url),
            header,
            body,
            answer: answer.map(|(status, body)| {
                let text = body.to_string().replace("$url", &url);
                (status, serde_json::from_str(&text).unwrap())
            }),
        });
        let (left, wrong) = (Arc::new(Mutex::new(turns.collect())), Arc::default());
        let stand_in = Self { url, left, wrong };
        let (left, wrong) = (stand_in.left.clone(), stand_in.wrong.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, left.clone(), wrong.clone()));
            }
        });
        stand_in
    }

    /// Nothing was asked otherwise, and nothing is left.
    fn is_over(&self) {
        assert_eq!(*self.wrong.lock().unwrap(), Vec::<String>::new());
        let left: Vec<String> = self.left.lock().unwrap().iter().map(|turn| turn.line.clone()).collect();
        assert!(left.is_empty(), "never asked: {left:?}");
    }
}

async fn serve(mut stream: TcpStream, left: Arc<Mutex<VecDeque<Turn>>>, wrong: Arc<Mutex<Vec<String>>>) {
    let mut bytes = Vec::new();
    loop {
        let Some((head, body, rest)) = request(&bytes) else {
            let mut part = [0; 4096];
            match stream.read(&mut part).await {
                Ok(0) | Err(_) => return,
                Ok(count) => bytes.extend_from_slice(&part[..count]),
            }
            continue;
        };
        bytes = rest;
        let turn = left.lock().unwrap().pop_front();
        let Some(turn) = turn else {
            wrong.lock().unwrap().push(format!("asked once more: {head}"));
            return;
        };
        let line = head.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1");
        let has_header = head.lines().any(|line| line.eq_ignore_ascii_case(turn.header));
        let body: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        let contents = turn.body.is_null() || body == turn.body;
        if line != turn.line || !has_header || !contents {
            wrong
                .lock()
                .unwrap()
                .push(format!("expected {turn:?}, got {head}{body}"));
        }
        let Some((status, answer)) = turn.answer else {
            return; // Done, and not answered: the connection ends.
        };
        let answer = answer.to_string();
        let retry = if status == 429 { "Retry-After: 0\r\n" } else { "" };
        let text = format!(
            "HTTP/1.1 {status} X\r\n{retry}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The first request of `bytes`, once it is whole: its head, its body, and what follows.
fn request(bytes: &[u8]) -> Option<(String, String, Vec<u8>)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.unwrap_or(0);
    let body = bytes.get(end..end + length)?;
    Some((
        head,
        String::from_utf8(body.to_vec()).unwrap(),
        bytes[end + length..].to_vec(),
    ))
}

fn provider(yaml: &str, url: &str) -> Provider {
    let mut project = Project::empty();
    project.write("lensops.yml", &format!("flags: {}\n", yaml.replace("$url", url)));
    project.env.insert("FLAG_TOKEN".to_owned(), "made-up-token".to_owned());
    let settings = Settings::load(project.root(), project.env.clone()).unwrap();
    settings.provider().unwrap().unwrap().patient(Duration::from_secs(3))
}

fn flag() -> FlagName {
    "new checkout/2".parse().unwrap()
}

async fn read(provider: &Provider) -> Result<Reading, FlagError> {
    let client = Client::new(Duration::from_secs(2));
    Ok(provider.read(&client, &[flag()]).await?.remove(&flag()).unwrap())
}

/// One preset: how it is named, its header, where a flag is read, and what is answered in each state.
struct Preset {
    yaml: &'static str,
    target: &'static str,
    header: &'static str,
    read: &'static str,
    read_body: Value,
    states: Vec<(FlagState, Value)>,
    /// Method, target and body that switch it on, and off; none where it can only be read.
    set: Option<[(&'static str, Value); 2]>,
}

fn presets() -> Vec<Preset> {
    let unleash =
        |enabled: bool, strategies: Value| json!({"name": "production", "enabled": enabled, "strategies": strategies});
    let rollout = |percent: &str, constraints: Value| {
        json!([{"name": "flexibleRollout", "constraints": constraints, "segments": [],
        "parameters": {"rollout": percent, "stickiness": "default", "groupId": "x"}, "disabled": false}])
    };
    let launchdarkly = |on: bool, fallthrough: Value, rules: Value| {
        json!({"key": "x", "variations": [{"value": true}, {"value": false}],
        "environments": {"production": {"on": on, "fallthrough": fallthrough, "offVariation": 1, "rules": rules, "targets": [],
            "prerequisites": []}}})
    };
    let growthbook = |enabled: bool, rules: Value| {
        json!({"feature": {"id": "x", "environments":
        {"production": {"enabled": enabled, "defaultValue": "true", "rules": rules}}}})
    };
    let flagsmith = |enabled: bool| {
        json!({"count": 2, "next": null, "previous": null, "results": [
        {"id": 1, "feature_segment": 9, "identity": null, "enabled": !enabled},
        {"id": 77, "feature_segment": null, "identity": null, "enabled": enabled}]})
    };
    let posthog = |active: bool, groups: Value| {
        json!({"count": 2, "next": null, "results": [
        {"id": 1, "key": "new checkout/2-old", "active": !active, "filters": {"groups": []}},
        {"id": 42, "key": "new checkout/2", "active": active, "filters": {"groups": groups}}]})
    };
    let semantic = |kind: &str| json!({"environmentKey": "production", "comment": "switched by lensops", "instructions": [{"kind": kind}]});
    let toggle = |on: bool| json!({"reason": "switched by lensops", "environments": {"production": on}});
    vec![
        Preset {
            yaml: "{provider: unleash, url: $url, token: {env: FLAG_TOKEN}}",
            target: "unleash project default, environment production",
            header: "authorization: made-up-token",
            read: "GET /api/admin/projects/default/features/new%20checkout%2F2/environments/production",
            read_body: Value::Null,
            states: vec![
                (FlagState::Off, unleash(false, rollout("100", json!([])))),
                (FlagState::On, unleash(true, json!([]))),
                (FlagState::On, unleash(true, rollout("100", json!([])))),
                (FlagState::Partly, unleash(true, rollout("20", json!([])))),
                (
                    FlagState::Partly,
                    unleash(true, rollout("100", json!([{"contextName": "appName"}]))),
                ),
            ],
            set: Some([
                (
                    "POST /api/admin/projects/default/features/new%20checkout%2F2/environments/production/on",
                    Value::Null,
                ),
                (
                    "POST /api/admin/projects/default/features/new%20checkout%2F2/environments/production/off",
                    Value::Null,
                ),
            ]),
        },
        Preset {
            yaml: "{provider: launchdarkly, url: $url, token: {env: FLAG_TOKEN}, project: shop}",
            target: "launchdarkly project shop, environment production",
            header: "authorization: made-up-token",
            read: "GET /api/v2/flags/shop/new%20checkout%2F2?env=production",
            read_body: Value::Null,
            states: vec![
                (FlagState::Off, launchdarkly(false, json!({"variation": 0}), json!([]))),
                (FlagState::On, launchdarkly(true, json!({"variation": 0}), json!([]))),
                (
                    FlagState::Partly,
                    launchdarkly(true, json!({"variation": 1}), json!([])),
                ),
                (
                    FlagState::Partly,
                    launchdarkly(true, json!({"rollout": {"variations": []}}), json!([])),
                ),
                (
                    FlagState::Partly,
                    launchdarkly(true, json!({"variation": 0}), json!([{"variation": 1}])),
                ),
                (
                    FlagState::NotThere,
                    json!({"key": "x", "environments": {"test": {"on": true}}}),
                ),
            ],
            set: Some([
                ("PATCH /api/v2/flags/shop/new%20checkout%2F2", semantic("turnFlagOn")),
                ("PATCH /api/v2/flags/shop/new%20checkout%2F2", semantic("turnFlagOff")),
            ]),
        },
        Preset {
            yaml: "{provider: growthbook, url: $url, token: {env: FLAG_TOKEN}}",
            target: "growthbook environment production",
            header: "authorization: bearer made-up-token",
            read: "GET /api/v1/features/new%20checkout%2F2",
            read_body: Value::Null,
            states: vec![
                (FlagState::Off, growthbook(false, json!([]))),
                (FlagState::On, growthbook(true, json!([]))),
                (
                    FlagState::On,
                    growthbook(true, json!([{"type": "force", "enabled": false}])),
                ),
                (
                    FlagState::Partly,
                    growthbook(true, json!([{"type": "rollout", "enabled": true}])),
                ),
            ],
            set: Some([
                ("POST /api/v1/features/new%20checkout%2F2/toggle", toggle(true)),
                ("POST /api/v1/features/new%20checkout%2F2/toggle", toggle(false)),
            ]),
        },
        Preset {
            yaml: "{provider: flagsmith, url: $url, token: {env: FLAG_TOKEN}, environment: made-up-env}",
            target: "flagsmith environment made-up-env",
            header: "authorization: api-key made-up-token",
            read: "GET /api/v1/environments/made-up-env/featurestates/?feature_name=new%20checkout%2F2",
            read_body: Value::Null,
            states: vec![
                (FlagState::Off, flagsmith(false)),
                (FlagState::On, flagsmith(true)),
                (FlagState::NotThere, json!({"count": 0, "next": null, "results": []})),
            ],
            set: Some([
                (
                    "PATCH /api/v1/environments/made-up-env/featurestates/77/",
                    json!({"enabled": true}),
                ),
                (
                    "PATCH /api/v1/environments/made-up-env/featurestates/77/",
                    json!({"enabled": false}),
                ),
            ]),
        },
        Preset {
            yaml: "{provider: posthog, url: $url, token: {env: FLAG_TOKEN}, project: 7}",
            target: "posthog project 7",
            header: "authorization: bearer made-up-token",
            read: "GET /api/projects/7/feature_flags/?search=new%20checkout%2F2&limit=100",
            read_body: Value::Null,
            states: vec![
                (FlagState::Off, posthog(false, json!([]))),
                (
                    FlagState::On,
                    posthog(true, json!([{"properties": [], "rollout_percentage": 100}])),
                ),
                (
                    FlagState::On,
                    posthog(true, json!([{"properties": [], "rollout_percentage": null}])),
                ),
                (
                    FlagState::Partly,
                    posthog(true, json!([{"properties": [], "rollout_percentage": 5}])),
                ),
                (
                    FlagState::Partly,
                    posthog(
                        true,
                        json!([{"properties": [{"key": "email"}], "rollout_percentage": 100}]),
                    ),
                ),
            ],
            set: Some([
                ("PATCH /api/projects/7/feature_flags/42/", json!({"active": true})),
                ("PATCH /api/projects/7/feature_flags/42/", json!({"active": false})),
            ]),
        },
        Preset {
            yaml: "{provider: ofrep, url: $url, token: {env: FLAG_TOKEN}}",
            target: "ofrep evaluation for lensops",
            header: "authorization: bearer made-up-token",
            read: "POST /ofrep/v1/evaluate/flags/new%20checkout%2F2",
            read_body: json!({"context": {"targetingKey": "lensops"}}),
            states: vec![
                (
                    FlagState::On,
                    json!({"key": "x", "reason": "STATIC", "variant": "on", "value": true}),
                ),
                (
                    FlagState::Off,
                    json!({"key": "x", "reason": "STATIC", "variant": "off", "value": false}),
                ),
                (FlagState::Off, json!({"key": "x", "reason": "DISABLED", "value": true})),
                (FlagState::Off, json!({"key": "x", "reason": "DEFAULT"})),
            ],
            set: None,
        },
    ]
}

#[tokio::test]
async fn every_preset_reads_each_state_as_its_provider_spells_it() {
    for preset in presets() {
        for (state, answer) in preset.states {
            let turn = (
                preset.read.to_owned(),
                preset.read_body.clone(),
                Some((200, answer.clone())),
            );
            let stand_in = StandIn::start(preset.header, vec![turn]).await;
            let provider = provider(preset.yaml, &stand_in.url);
            assert_eq!(provider.target(), preset.target);
            let reading = read(&provider).await;
            stand_in.is_over();
            assert_eq!(
                reading.map(|reading| reading.state),
                Ok(state),
                "{}: {answer}",
                preset.yaml
            );
        }
    }
}

#[tokio::test]
async fn every_preset_switches_on_and_off_or_says_that_it_cannot() {
    let client = Client::new(Duration::from_secs(2));
    for preset in presets() {
        let Some(set) = preset.set else {
            let stand_in = StandIn::start(preset.header, Vec::new()).await;
            let provider = provider(preset.yaml, &stand_in.url);
            assert!(
                provider.read_only().unwrap().contains("only evaluates"),
                "{}",
                preset.yaml
            );
            assert!(matches!(
                provider.set(&client, &flag(), "true").await,
                Err(FlagError::ReadOnly(_))
            ));
            continue;
        };
        for ((line, body), value) in set.into_iter().zip(["true", "false"]) {
            let found = preset.states[0].1.clone();
            let turns = vec![
                (preset.read.to_owned(), Value::Null, Some((200, found))),
                (line.to_owned(), body, Some((200, json!({})))),
            ];
            let stand_in = StandIn::start(preset.header, turns).await;
            let provider = provider(preset.yaml, &stand_in.url);
            let switched = provider.switch(&client, &flag(), value).await;
            stand_in.is_over();
            assert_eq!(switched, Ok(Deploy::Live), "{}", preset.yaml);
        }
    }
}

#[tokio::test]
async fn what_a_provider_refuses_is_told_with_its_own_variable() {
    let client = Client::new(Duration::from_secs(2));
    for preset in presets() {
        let read_line = preset.read.to_owned();
        for (status, told) in [
            (401, "the provider refuses FLAG_TOKEN (401): it was revoked"),
            (403, "the provider refuses FLAG_TOKEN (403): it may not do this"),
            (400, "the provider answered 400"),
        ] {
            let turn = (read_line.clone(), Value::Null, Some((status, json!({"message": "no"}))));
            let stand_in = StandIn::start(preset.header, vec![turn]).await;
            let error = read(&provider(preset.yaml, &stand_in.url)).await.unwrap_err();
            stand_in.is_over();
            assert!(error.to_string().starts_with(told), "{}: {error}", preset.yaml);
        }
        // A 404 is a flag that is not there; a 429 is asked again.
        let good = (read_line.clone(), Value::Null, Some((200, preset.states[0].1.clone())));
        for (status, then) in [(404, None), (429, Some(good))] {
            let first = (read_line.clone(), Value::Null, Some((status, json!({}))));
            let stand_in = StandIn::start(preset.header, std::iter::once(first).chain(then).collect()).await;
            let reading = read(&provider(preset.yaml, &stand_in.url)).await.unwrap();
            stand_in.is_over();
            assert_eq!(reading == Reading::NOT_THERE, status == 404, "{}", preset.yaml);
        }
        let Some([(line, _), _]) = preset.set else { continue };
        let found = |value: &Value| (read_line.clone(), Value::Null, Some((200, value.clone())));
        // An approval is needed, or the change is refused.
        for status in [403, 405, 409] {
            let turns = vec![
                found(&preset.states[0].1),
                (
                    line.to_owned(),
                    Value::Null,
                    Some((status, json!({"message": "approval"}))),
                ),
            ];
            let stand_in = StandIn::start(preset.header, turns).await;
            let error = provider(preset.yaml, &stand_in.url)
                .set(&client, &flag(), "true")
                .await
                .unwrap_err();
            stand_in.is_over();
            assert!(
                error.is_refusal() && error.to_string().contains("approval"),
                "{}: {error}",
                preset.yaml
            );
        }
        // It does it, and the answer is lost: what stands there counts.
        let on = preset.states.iter().find(|(state, _)| *state == FlagState::On).unwrap();
        let turns = vec![
            found(&preset.states[0].1),
            (line.to_owned(), Value::Null, None),
            found(&on.1),
        ];
        let stand_in = StandIn::start(preset.header, turns).await;
        let lost = provider(preset.yaml, &stand_in.url).patient(Duration::ZERO);
        let set = lost.set(&client, &flag(), "true").await;
        stand_in.is_over();
        assert_eq!(set, Ok(()), "{}", preset.yaml);
        // One that is not there is not made.
        let stand_in = StandIn::start(
            preset.header,
            vec![(read_line.clone(), Value::Null, Some((404, json!({}))))],
        )
        .await;
        let error = provider(preset.yaml, &stand_in.url)
            .set(&client, &flag(), "true")
            .await
            .unwrap_err();
        assert!(matches!(error, FlagError::NoFlag(_)), "{}: {error}", preset.yaml);
    }
}

#[tokio::test]
async fn pages_are_followed_on_the_same_host_alone() {
    let preset = presets()
        .into_iter()
        .find(|preset| preset.yaml.contains("posthog"))
        .unwrap();
    let first = |next: &str| {
        (
            preset.read.to_owned(),
            Value::Null,
            Some((200, json!({"next": next, "results": []}))),
        )
    };
    let second = (
        "GET /api/projects/7/feature_flags/?search=x&offset=100".to_owned(),
        Value::Null,
        Some((200, preset.states[0].1.clone())),
    );
    let stand_in = StandIn::start(
        preset.header,
        vec![first("$url/api/projects/7/feature_flags/?search=x&offset=100"), second],
    )
    .await;
    let reading = read(&provider(preset.yaml, &stand_in.url)).await.unwrap();
    stand_in.is_over();
    assert_eq!(reading.state, FlagState::Off);

    let stand_in = StandIn::start(preset.header, vec![first("http://elsewhere.invalid/flags?offset=100")]).await;
    let error = read(&provider(preset.yaml, &stand_in.url)).await.unwrap_err();
    stand_in.is_over();
    assert_eq!(error, FlagError::Elsewhere);

    let endless = vec![first("$url/api/projects/7/feature_flags/?search=new%20checkout%2F2&limit=100"); 100];
    let stand_in = StandIn::start(preset.header, endless).await;
    let error = read(&provider(preset.yaml, &stand_in.url)).await.unwrap_err();
    stand_in.is_over();
    assert_eq!(error, FlagError::Endless(100));
}

/// A command is no shell: what a flag is called is one argument, its time ends, and its secrets are hidden.
#[tokio::test]
async fn a_command_reads_and_switches_within_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("flag");
    std::fs::write(&kept, "TRUE\n").unwrap();
    let kept = kept.display();
    let script = |text: &str| json!(["sh", "-c", text, "sh", "{flag}"]);
    let yaml = |read: &str| {
        let at = json!({"provider": "command", "read": script(read), "on": script(&format!("echo true > {kept}")),
            "off": script(&format!("test \"$1\" = 'new checkout/2' && echo false > {kept}")), "timeout": "1s", "secrets": ["FLAG_TOKEN"]});
        at.to_string()
    };
    let client = Client::new(Duration::from_secs(2));
    let good = provider(&yaml(&format!("cat {kept}")), "");
    assert_eq!(read(&good).await.unwrap().state, FlagState::On);
    assert_eq!(good.switch(&client, &flag(), "false").await, Ok(Deploy::Live));
    assert_eq!(read(&good).await.unwrap().state, FlagState::Off);
    for (text, state) in [("true", FlagState::NotThere), ("echo partly", FlagState::Partly)] {
        assert_eq!(read(&provider(&yaml(text), "")).await.unwrap().state, state, "{text}");
    }
    for (text, told) in [
        (
            "echo 'made-up-token broke' >&2; exit 3",
            "sh ended with exit status: 3: [redacted] broke",
        ),
        ("echo perhaps", "sh prints \"perhaps\" for new checkout/2"),
        ("sleep 30", "sh did not end within 1 s"),
        ("yes | head -c 9000000", "sh prints \"y"),
    ] {
        let error = read(&provider(&yaml(text), "")).await.unwrap_err().to_string();
        assert!(error.contains(told), "{text}: {error}");
    }
    // What comes to its end and says no is a refusal; what cannot be read is none.
    let no = provider(
        &json!({"provider": "command", "read": script("echo true"), "on": ["false"], "off": ["false"]}).to_string(),
        "",
    );
    let refused = no.set(&client, &flag(), "false").await.unwrap_err();
    assert!(refused.is_refusal(), "{refused}");
    let missing = provider("{provider: command, read: [no-such-program-made-up]}", "");
    let error = read(&missing).await.unwrap_err().to_string();
    assert!(error.contains("no-such-program-made-up cannot be run"), "{error}");
    assert!(missing.read_only().is_some());
}

#[test]
fn what_flags_of_lensops_yml_says_wrongly_is_told_in_one_line() {
    let table = [
        (
            "{provider: unleash, token: {env: FLAG_TOKEN}}",
            "unleash: it needs `url`",
        ),
        ("{provider: unleash, url: 'http://x', token: made-up}", "token"),
        (
            "{provider: growthbook, token: {env: FLAG_TOKEN}, project: x}",
            "growthbook: it has no `project`: it takes url, token, environment",
        ),
        (
            "{provider: flagsmith, token: {env: FLAG_TOKEN}}",
            "flagsmith: it needs `environment`",
        ),
        (
            "{provider: unleash, url: nonsense, token: {env: FLAG_TOKEN}}",
            "is not an API address",
        ),
        ("{provider: command, read: []}", "`read` is empty"),
        (
            "{provider: command, read: [x], on: [y]}",
            "`on` and `off` belong together",
        ),
        ("{provider: http, definition: nowhere.yml}", "nowhere.yml"),
        ("{provider: unleesh}", "unleash"),
    ];
    for (yaml, told) in table {
        let mut project = Project::empty();
        project.write("lensops.yml", &format!("flags: {yaml}\n"));
        project.env.insert("FLAG_TOKEN".to_owned(), "made-up-token".to_owned());
        let error = match Settings::load(project.root(), project.env.clone()) {
            Err(error) => error.to_string(),
            Ok(settings) => settings.provider().unwrap_err().to_string(),
        };
        assert!(error.contains(told), "{yaml}: {error}");
    }
    // A variable that is not set is no mistake of the file: the flags are unjudged.
    let project = Project::empty();
    project.write(
        "lensops.yml",
        "flags: {provider: unleash, url: 'http://x', token: {env: FLAG_TOKEN}}\n",
    );
    let settings = Settings::load(project.root(), project.env.clone()).unwrap();
    assert_eq!(settings.provider().unwrap().unwrap_err(), "FLAG_TOKEN is not set");
}

/// A copy of a preset is a definition of one's own.
#[tokio::test]
async fn what_providers_show_prints_works_as_a_definition() {
    let mut project = Project::empty();
    let shown = project.run("providers show unleash").expect(0).out;
    project.write("flags/own.yml", &shown);
    let preset = presets().remove(0);
    let turn = (
        preset.read.to_owned(),
        Value::Null,
        Some((200, preset.states[1].1.clone())),
    );
    let stand_in = StandIn::start(preset.header, vec![turn]).await;
    let values = format!("{{url: '{}', token: {{env: FLAG_TOKEN}}}}", stand_in.url);
    project.write(
        "lensops.yml",
        &format!("flags: {{provider: http, definition: flags/own.yml, values: {values}}}\n"),
    );
    project.env.insert("FLAG_TOKEN".to_owned(), "made-up-token".to_owned());
    let settings = Settings::load(project.root(), project.env.clone()).unwrap();
    let provider = settings.provider().unwrap().unwrap();
    assert_eq!(read(&provider).await.unwrap().state, FlagState::On);
    stand_in.is_over();
}
