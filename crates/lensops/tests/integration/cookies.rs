//! Fault E4: cookies, kept as a browser keeps them, against a real web server that asks for them.

use serde_json::Value;

use crate::daemons::nginx_of;
use crate::harness::Project;

const SESSION: &str = "made-up-session-of-a-test";

/// Signs in with two cookies, one of them below `/app`; says what it was sent.
const SERVER: &str = r#"
    default_type application/json;
    location = /login {
        add_header Set-Cookie "session=made-up-session-of-a-test; Path=/app; HttpOnly; Max-Age=600";
        add_header Set-Cookie "theme=a-theme-of-a-test; Path=/";
        add_header Set-Cookie "foreign=left-out-by-browsers; Domain=example.com; Path=/";
        return 200 '{"in": true}';
    }
    location = /logout { add_header Set-Cookie "session=gone; Path=/app; Max-Age=0"; return 200 '{"in": false}'; }
    location /app { if ($cookie_session != "made-up-session-of-a-test") { return 401 '{}'; } return 200 '{"sent": "$http_cookie"}'; }
    location / { return 200 '{"sent": "$http_cookie"}'; }
"#;

const PLAN: &str = r#"acceptance: flow
tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]
dialects: {documented: {paths: {}}}
requests:
  login: {post: /login}
  logout: {post: /logout}
  app: {get: /app/me}
  other: {get: /other}
  own: {get: /app/me, headers: {Cookie: "session=$kept"}}
  forged: {get: /app/me, headers: {Cookie: "session=forged"}}
setup: SETUP
scenarios:
"#;

fn run(setup: &str, scenarios: &str, code: i32) -> (Value, String) {
    let server = nginx_of(SERVER);
    let mut project = Project::empty();
    let base = format!("http://127.0.0.1:{}", server.port);
    project.env.insert("API_BASE_URL".to_owned(), base);
    project.write("plan.yml", &format!("{}{scenarios}", PLAN.replace("SETUP", setup)));
    let ran = project.run("accept --plan plan.yml --json").expect(code);
    let left: Vec<u8> = project.files().into_values().flatten().collect();
    let left = format!("{}{}{}", String::from_utf8_lossy(&left), ran.out, ran.err);
    (serde_json::from_str(&ran.out).unwrap(), left)
}

/// Of two cookies one survived, and attributes were sent back.
#[test]
fn e4_cookies_are_sent_back_by_path_and_host_until_they_expire() {
    let (report, left) = run(
        "[]",
        r#"  - name: in and out
    steps:
      - {send: login}
      - {send: app, expect: {status: 200, matches: {$.sent: "^session=[a-z-]+; theme=a-theme-of-a-test$"}}}
      - {send: other, expect: {status: 200, is: {$.sent: theme=a-theme-of-a-test}}}
      - {send: forged, expect: {status: 401}}
      - {send: logout}
      - {send: app, expect: {status: 401}}
  - {name: another scenario is nobody, send: app, expect: {status: 401}}
"#,
        0,
    );
    assert_eq!(report["verdict"], "pass", "{report:#}");
    assert!(!left.contains(SESSION), "{left}");
    assert!(!left.contains("left-out-by-browsers"), "{left}");
}

/// A cookie is a place, and what the setup was given is there in every scenario.
#[test]
fn e4_a_cookie_is_captured_by_its_name_and_is_a_secret() {
    let (report, left) = run(
        "[{send: login, capture: {kept: 'cookie:session'}}]",
        r"  - {name: by the jar, send: app}
  - {name: by hand, send: own}
",
        0,
    );
    assert_eq!(report["verdict"], "pass", "{report:#}");
    assert!(!left.contains(SESSION), "{left}");
    let (report, _) = run(
        "[{send: login, capture: {kept: 'cookie:nothing'}}]",
        "  - {name: by hand, send: own}\n",
        1,
    );
    assert!(
        report
            .to_string()
            .contains("the answer holds no cookie:nothing to capture"),
        "{report:#}"
    );
}
