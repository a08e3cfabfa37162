//! Every way to sign in, verified by the sandbox itself, in checks, acceptance and stress runs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use lensops::auth::Signing;
use lensops::commands::worker::check::Monitor;
use lensops::config::{Env, Settings, Target};
use lensops::http::{Client, TIMEOUT};
use lensops_core::exchange::Base;
use lensops_core::plan::Vars;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::verdict::record::Status;
use lensops_sandbox::{Config, Dialect, Faults, Sandbox, TokenKey, serve};
use serde_json::json;

use crate::harness::Project;
use crate::worker::monitor;

/// The ways to sign in that the sandbox has, each with a user of the same name.
const PROJECT: &str = "auth:
  key:     {header: X-Api-Key, value: {env: SHOP_KEY}}
  bearer:  {bearer: {env: SHOP_TOKEN}}
  basic:   {basic: {user: probe@example.invalid, password: {env: SHOP_PASSWORD}}}
  machine: {client_credentials: {url: '$issuer/oauth/token', client: probe, secret: {env: SHOP_SECRET}, scope: orders}}
  token:   {login: {post: /login/token, json: {email: $email, password: $password}}, bearer: $.data.access_token}
  session: {login: {post: /login/session, json: {email: $email, password: $password}}, cookies: true, csrf: {cookie: csrftoken, header: X-CSRFToken}}
  hs256:   {mint: {alg: HS256, key: {env: SHOP_HS256}, claims: {sub: $id, aud: probes}, for: 10m}}
  rs256:   {mint: {alg: RS256, key: {env: SHOP_RS256}, claims: {sub: $id, aud: probes}}}
  es256:   {mint: {alg: ES256, key: {env: SHOP_ES256}, claims: {sub: $id, aud: probes}}}
users:
  key: {role: viewer, auth: key}
  bearer: {role: viewer, auth: bearer}
  basic: {role: viewer, auth: basic}
  machine: {role: viewer, auth: machine, issuer: 'ISSUER'}
  token: {role: viewer, auth: token, email: probe@example.invalid, password: {env: SHOP_PASSWORD}}
  session: {role: editor, auth: session, email: probe@example.invalid, password: {env: SHOP_PASSWORD}}
  hs256: {id: one, role: viewer, auth: hs256}
  rs256: {id: 2, role: viewer, auth: rs256}
  es256: {id: three, role: viewer, auth: es256}
";

/// The users with the endpoint that verifies each.
const WHO: [(&str, &str); 9] = [
    ("key", "key"),
    ("bearer", "bearer"),
    ("basic", "basic"),
    ("machine", "machine"),
    ("token", "token"),
    ("session", "session"),
    ("hs256", "minted"),
    ("rs256", "minted"),
    ("es256", "minted"),
];

fn monitor_plan(users: &[(&str, &str)]) -> String {
    let probe = |(user, kind): &(&str, &str)| {
        format!(
            "  - {{name: {user}, timed: true, as: {user}, request: {{get: /who/{kind}}}, expect: {{status: 200}}}}\n"
        )
    };
    let probes: String = users.iter().map(probe).collect();
    format!("monitor: shop\nevery: 15m\nsamples: 3\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\nprobes:\n{probes}")
}

fn acceptance_plan(users: &[(&str, &str)]) -> String {
    let request = |(user, kind): &(&str, &str)| format!("  {user}: {{post: /who/{kind}, json: {{}}}}\n");
    let scenario = |(user, _): &(&str, &str)| {
        format!(
            "  - {{name: {user} is let in, as: {user}, send: {user}}}\n  - {{name: nobody instead of {user}, send: {user}, expect: {{status: 401}}}}\n"
        )
    };
    let (requests, scenarios): (String, String) = (
        users.iter().map(request).collect(),
        users.iter().map(scenario).collect(),
    );
    format!(
        "acceptance: shop\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\ndialects: {{documented: {{paths: {{}}}}}}\nrequests:\n{requests}scenarios:\n{scenarios}"
    )
}

fn stress_plan(users: &[(&str, &str)]) -> String {
    let target = |(user, kind): &(&str, &str)| {
        format!(
            "  - {{name: {user}, as: {user}, request: {{get: /who/{kind}}}, load: {{burst: 4}}, expect: {{status: 200}}}}\n"
        )
    };
    let targets: String = users.iter().map(target).collect();
    format!("stress: shop\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\ntargets:\n{targets}")
}

fn pem(key: &rcgen::KeyPair) -> String {
    let body = STANDARD.encode(key.serialize_der());
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

/// A sandbox that verifies minted tokens, and a project with every way to sign in.
async fn shop(life_s: u64) -> (Sandbox, Project) {
    let mut config = Config::loopback(Dialect::Documented);
    let ec = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let rsa = rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048).unwrap();
    let secret = "made-up-secret-of-minted-tokens".to_owned();
    config.accounts.life_s = life_s;
    config.accounts.keys = vec![
        TokenKey::Secret(secret.clone()),
        TokenKey::Rsa(rsa.public_key_raw().to_vec()),
        TokenKey::Ec(ec.public_key_raw().to_vec()),
    ];
    let sandbox = serve(config).await.unwrap();
    let mut project = Project::empty();
    let accounts = &sandbox.config().accounts;
    for (name, value) in [
        ("API_BASE_URL", sandbox.url()),
        ("SHOP_KEY", accounts.key.clone()),
        ("SHOP_TOKEN", accounts.bearer.clone()),
        ("SHOP_PASSWORD", accounts.password.clone()),
        ("SHOP_SECRET", accounts.client_secret.clone()),
        ("SHOP_HS256", secret),
        ("SHOP_RS256", pem(&rsa)),
        ("SHOP_ES256", pem(&ec).replace('\n', "\\n")),
    ] {
        project.env.insert(name.to_owned(), value);
    }
    project.write("lensops.yml", &PROJECT.replace("ISSUER", &sandbox.url()));
    project.write("monitor.yml", &monitor_plan(&WHO));
    project.write("accept.yml", &acceptance_plan(&WHO));
    project.write("stress.yml", &stress_plan(&WHO));
    (sandbox, project)
}

fn asked(sandbox: &Sandbox, path: &str) -> usize {
    sandbox.requests().iter().filter(|seen| seen.target == path).count()
}

fn faults(sandbox: &Sandbox, rules: serde_json::Value) {
    sandbox.set_faults(serde_json::from_value::<Faults>(json!({ "rules": rules })).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_sign_in_is_taken_by_the_api_in_all_three_plans() {
    let (sandbox, project) = shop(3_600).await;
    for (command, count) in [
        ("check --plan monitor.yml", 27),
        ("accept --plan accept.yml", 18),
        ("stress --plan stress.yml", 36),
    ] {
        let before = sandbox.requests().len();
        project.run(command).expect(0);
        // One sign-in for each of the three that are fetched, whatever the number of requests.
        assert_eq!(sandbox.requests().len() - before, count + 3, "{command}");
    }
    for path in ["/oauth/token", "/login/token", "/login/session"] {
        assert_eq!(asked(&sandbox, path), 3, "{path}");
    }
}

/// What a worker keeps of a plan between its checks.
fn kept(project: &Project, users: &[(&str, &str)]) -> Monitor {
    let env: Env = project.env.clone();
    let settings = Settings::load(project.root(), env).unwrap();
    let mut plan: MonitorPlan = lensops_core::yaml::read("plan.yml", &monitor_plan(users)).unwrap();
    plan.share(&settings.defaults());
    let base = Base::parse(&project.env["API_BASE_URL"]).unwrap();
    let signing: Signing = settings.signing(Target::Production, &base, &plan.tenants, &plan.users, &plan.auth);
    Monitor {
        plan,
        base,
        signing,
        environment: Vars::new(),
        ..monitor()
    }
}

async fn check(monitor: &Monitor) -> (Status, u64) {
    let (now, tenant) = (Timestamp::now(), monitor.plan.tenants[0]);
    let id = monitor.schedule(tenant).ad_hoc_id(now, fastrand::u64(..));
    let client = Client::new(TIMEOUT).for_probes();
    let report = monitor
        .check(&client, tenant, id, now, now, Default::default(), &|_, _| {})
        .await;
    (report.status, report.probes.iter().map(|probe| probe.retries).sum())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_while_the_worker_runs_is_renewed_once() {
    let (sandbox, project) = shop(3_600).await;
    let users = [("token", "token"), ("session", "session"), ("machine", "machine")];
    let monitor = kept(&project, &users);
    assert_eq!(check(&monitor).await, (Status::Healthy, 0));
    assert_eq!(check(&monitor).await, (Status::Healthy, 0));
    assert_eq!(
        asked(&sandbox, "/login/token"),
        1,
        "a session is kept from check to check"
    );
    sandbox.sign_out_all();
    assert_eq!(
        check(&monitor).await,
        (Status::Healthy, 3),
        "a renewal is a retry that is told"
    );
    for path in ["/login/token", "/login/session", "/oauth/token"] {
        assert_eq!(asked(&sandbox, path), 2, "{path}");
    }
    // Who is refused for good is not renewed without end.
    faults(
        &sandbox,
        json!([{"path": "/who/token", "act": {"status": {"code": 401}}}]),
    );
    assert_eq!(check(&monitor).await.0, Status::Unhealthy);
    assert_eq!(asked(&sandbox, "/login/token"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_is_fetched_anew_before_it_ends() {
    let (sandbox, project) = shop(0).await;
    let monitor = kept(&project, &[("machine", "machine")]);
    // Each is good for no time at all: the sandbox refuses it, and every check asks for another one.
    check(&monitor).await;
    let first = asked(&sandbox, "/oauth/token");
    check(&monitor).await;
    assert!(first > 0 && asked(&sandbox, "/oauth/token") > first);
}

#[tokio::test(flavor = "multi_thread")]
async fn accept_never_renews_what_the_api_refuses() {
    let (sandbox, project) = shop(3_600).await;
    let once = json!([{"path": "/who/token", "times": 1, "act": {"status": {"code": 401}}}]);
    let users = [("token", "token")];
    project.write("accept.yml", &acceptance_plan(&users));
    project.write("monitor.yml", &monitor_plan(&users));
    faults(&sandbox, once.clone());
    let ran = project.run("accept --plan accept.yml").expect(1);
    assert!(
        ran.out
            .contains("[FAIL] Test 1: token is let in: Expected 2xx, got 401"),
        "{}",
        ran.out
    );
    assert_eq!(asked(&sandbox, "/login/token"), 1);
    faults(&sandbox, once);
    project.run("check --plan monitor.yml").expect(0);
    assert_eq!(asked(&sandbox, "/login/token"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_fails_is_an_outage_at_the_api_and_unjudged_elsewhere() {
    let (sandbox, mut project) = shop(3_600).await;
    let both = |project: &Project, users: &[(&str, &str)], code: [i32; 3], told: &str| {
        project.write("monitor.yml", &monitor_plan(users));
        project.write(
            "accept.yml",
            &acceptance_plan(users).replace("expect: {status: 401}", "skip: not now"),
        );
        project.write("stress.yml", &stress_plan(users));
        for (command, code) in [
            "check --plan monitor.yml",
            "accept --plan accept.yml",
            "stress --plan stress.yml",
        ]
        .iter()
        .zip(code)
        {
            let ran = project.run(command).expect(code);
            assert!(
                format!("{}{}", ran.out, ran.err).contains(told),
                "{command}: {}{}",
                ran.out,
                ran.err
            );
        }
    };
    faults(&sandbox, json!([{"path": "/login/", "act": {"status": {"code": 500}}}]));
    both(
        &project,
        &[("token", "token")],
        [1, 1, 1],
        "/login/token: answered with 500",
    );
    faults(&sandbox, json!([]));
    project
        .env
        .insert("SHOP_PASSWORD".to_owned(), "another-password".to_owned());
    // Never let in: the monitor's own fault, as with a signing secret that is wrong.
    both(
        &project,
        &[("token", "token")],
        [3, 1, 1],
        "/login/token: answered with 401",
    );
    project.env.remove("SHOP_PASSWORD");
    both(&project, &[("token", "token")], [3, 3, 3], "SHOP_PASSWORD is not set");
    project.write("lensops.yml", &PROJECT.replace("ISSUER", "http://127.0.0.1:1"));
    both(
        &project,
        &[("machine", "machine")],
        [3, 3, 3],
        "sign-in, POST http://127.0.0.1:1/oauth/token",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_under_load_is_renewed_once() {
    let (sandbox, project) = shop(3_600).await;
    let target =
        "{name: token, as: token, request: {get: '/who/token?n=$counter'}, load: {burst: 40}, expect: {status: 200}}";
    project.write("stress.yml", &format!("{}  - {target}\n", stress_plan(&[])));
    faults(
        &sandbox,
        json!([{"path": "/who/token", "skip": 20, "times": 1, "act": {"status": {"code": 401}}}]),
    );
    let ran = project.run("stress --plan stress.yml --json").expect(0);
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["targets"][0]["renewed"], 1, "{report:#}");
    assert_eq!(asked(&sandbox, "/login/token"), 2);
    // Refused for good, it is not asked for again and again.
    faults(
        &sandbox,
        json!([{"path": "/who/token", "act": {"status": {"code": 401}}}]),
    );
    project.run("stress --plan stress.yml").expect(1);
    assert_eq!(asked(&sandbox, "/login/token"), 4);
}

/// A key of the environment in every plan, by one meaning.
#[tokio::test(flavor = "multi_thread")]
async fn env_is_one_thing_in_all_three_plans() {
    let (sandbox, mut project) = shop(3_600).await;
    let env = "env: {key: {from: SHOP_KEY, secret: true}}\n";
    let request = "{get: /who/key, headers: {X-Api-Key: $key}}";
    let top = |kind: &str| format!("{kind}: shop\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\n{env}");
    project.write(
        "monitor.yml",
        &format!("{}every: 15m\nsamples: 3\nprobes: [{{name: key, timed: true, request: {request}, expect: {{status: 200}}}}]\n", top("monitor")),
    );
    project.write(
        "accept.yml",
        &format!("{}dialects: {{documented: {{paths: {{}}}}}}\nrequests: {{who: {request}}}\nscenarios: [{{name: key, send: who}}]\n", top("acceptance")),
    );
    project.write(
        "stress.yml",
        &format!(
            "{}targets: [{{name: key, request: {request}, load: {{burst: 4}}, expect: {{status: 200}}}}]\n",
            top("stress")
        ),
    );
    let commands = [
        "check --plan monitor.yml",
        "accept --plan accept.yml",
        "stress --plan stress.yml",
    ];
    for command in commands {
        project.run(command).expect(0);
    }
    assert_eq!(asked(&sandbox, "/who/key"), 3 + 1 + 4);
    let key = project.env.remove("SHOP_KEY").unwrap();
    for command in commands {
        let ran = project.run(command).expect(3);
        assert!(
            format!("{}{}", ran.out, ran.err).contains("SHOP_KEY is not set"),
            "{command}: {}{}",
            ran.out,
            ran.err
        );
    }
    for (path, bytes) in project.files() {
        assert!(
            !bytes.windows(key.len()).any(|window| window == key.as_bytes()),
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_secret_that_is_written_out_is_refused_and_a_way_to_sign_in_that_is_not_there() {
    let project = Project::empty();
    for (text, told) in [
        ("auth: {a: {bearer: sk-made-up}}", "a secret is not written into a file"),
        (
            "auth: {a: {basic: {user: x, password: hunter22}}}",
            "a secret is not written into a file",
        ),
        (
            "auth: {a: {header: X-Api-Key, value: made-up}}",
            "a secret is not written into a file",
        ),
        (
            "auth: {a: {login: {post: /in, json: {password: hunter22}}, bearer: $.t}}",
            "auth.a.login.json.password: it is a secret",
        ),
        (
            "users: {a: {id: x, role: r, api_key: made-up}}",
            "users.a.api_key: api_key is a secret",
        ),
        ("users: {a: {role: r}}", "users.a: a user has an `id`"),
        (
            "users: {a: {role: r, auth: sesion}}\nauth: {session: {bearer: {env: X}}}",
            "did you mean \"session\"?",
        ),
        ("users: {a: {role: r, id: x, outh: session}}", "did you mean \"auth\"?"),
        (
            "auth: {a: {bearer: {env: X}, basic: {user: x, password: {env: Y}}}}",
            "auth is one of",
        ),
        ("auth: {a: {login: {post: /in}}}", "a login gives a token or cookies"),
        ("auth: {a: {mint: {alg: RS512, key: {env: X}}}}", "RS512"),
    ] {
        project.write("lensops.yml", text);
        let ran = project.run("config").expect(2);
        assert!(ran.err.contains(told), "{text}: {}", ran.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_tries_every_credential_and_says_what_came_back() {
    let (sandbox, mut project) = shop(3_600).await;
    project.write("tools/ops/monitors/shop_health_worker.yml", &monitor_plan(&WHO));
    let told = |project: &Project| {
        let ran = project.run("doctor");
        format!("{}{}", ran.out, ran.err)
    };
    let good = told(&project);
    for told in [
        "user token signs in: POST http://127.0.0.1:",
        "user machine signs in: POST",
        "user session signs in: POST",
        "the credential of user rs256 can be made",
        "the API takes the credential of user key: auth key",
    ] {
        assert!(good.contains(told), "{told}: {good}");
    }
    assert!(!good.contains("TENANT_SUPABASE_JWT_SECRET is not set"), "{good}");
    project
        .env
        .insert("SHOP_PASSWORD".to_owned(), "another-password".to_owned());
    project
        .env
        .insert("SHOP_KEY".to_owned(), "another-key-of-a-shop".to_owned());
    project.env.remove("SHOP_TOKEN");
    let bad = told(&project);
    for told in [
        "user token cannot sign in: sign-in, POST",
        "answered with 401",
        "SHOP_TOKEN is not set",
        "the API refuses the credential of user key (401)",
    ] {
        assert!(bad.contains(told), "{told}: {bad}");
    }
    assert!(
        !bad.contains("another-password") && !bad.contains(&sandbox.config().accounts.client_secret),
        "{bad}"
    );
}

/// Canaries of every way to sign in: none is in any byte that is left behind.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_any_way_to_sign_in_is_left_behind() {
    let (sandbox, mut project) = shop(3_600).await;
    project.env.insert("LOG_LEVEL".to_owned(), "DEBUG".to_owned());
    let mut said = String::new();
    let echo = |path: &str| {
        json!([{"path": path, "act": {"status": {"code": 500, "body": {"echo": [
        project.env["SHOP_KEY"], project.env["SHOP_TOKEN"], project.env["SHOP_PASSWORD"], project.env["SHOP_SECRET"]]}}}}])
    };
    for rules in [json!([]), echo("/who/"), echo("/login/"), echo("/oauth/")] {
        faults(&sandbox, rules);
        for command in [
            "check --plan monitor.yml --json",
            "accept --plan accept.yml --json",
            "stress --plan stress.yml --json",
            "status",
            "config",
        ] {
            let ran = project.run(command);
            said.push_str(&ran.out);
            said.push_str(&ran.err);
        }
    }
    let seen = sandbox.requests();
    let carried = seen.iter().flat_map(|seen| {
        let bearer = seen
            .header("authorization")
            .and_then(|value| value.split_once(' '))
            .map(|(_, token)| token);
        let cookies = seen.header("cookie").into_iter().flat_map(|value| value.split("; "));
        let cookies = cookies.filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
        bearer
            .into_iter()
            .chain(cookies)
            .chain(seen.header("x-csrftoken"))
            .map(str::to_owned)
    });
    let mut needles: Vec<String> = carried.collect();
    needles.sort();
    needles.dedup();
    assert!(needles.len() > 40, "{}", needles.len());
    for name in ["SHOP_KEY", "SHOP_TOKEN", "SHOP_PASSWORD", "SHOP_SECRET", "SHOP_HS256"] {
        needles.push(project.env[name].clone());
    }
    let files = project.files();
    assert!(files.len() > 20, "{}", files.len());
    for needle in &needles {
        assert!(!said.contains(needle), "the output holds {needle}");
        for (path, bytes) in &files {
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{} holds {needle}", path.display());
        }
    }
}
