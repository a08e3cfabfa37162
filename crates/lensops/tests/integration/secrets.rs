//! No secret reaches any byte that lensops leaves behind.

use lensops_sandbox::{Config, Dialect, Faults, serve};
use serde_json::json;

use crate::harness::{FAULTS, Project};

const JWT: &str = "canary-jwt-secret-7f3a";
const SERVICE: &str = "canary-service-key-91bc";
const PROVIDER: &str = "canary-provider-key-22de";
const DATABASE: &str = "postgresql://app:canary-db-password-5e@127.0.0.1:1/x";

#[tokio::test(flavor = "multi_thread")]
async fn planted_secrets_are_in_no_file_and_no_output() {
    let mut config = Config::loopback(Dialect::Documented);
    (config.jwt_secret, config.service_key, config.provider_key) =
        (JWT.to_owned(), SERVICE.to_owned(), PROVIDER.to_owned());
    let sandbox = serve(config).await.unwrap();
    let mut project = Project::empty();
    project.point_at(&sandbox);
    for (name, value) in [
        ("SUPABASE_SERVICE_KEY", SERVICE),
        ("STAGING_JWT_SECRET", JWT),
        ("STAGING_DB_URL", DATABASE),
        ("RENDER_API_KEY", PROVIDER),
        ("RENDER_SERVICE_ID", "srv-made-up"),
        ("LOG_LEVEL", "DEBUG"),
    ] {
        project.env.insert(name.to_owned(), value.to_owned());
    }
    project.env.insert("RENDER_API_URL".to_owned(), sandbox.url());
    project.run(FAULTS).expect(0);
    // A server that echoes what it must not, in bodies and headers, as an error and as a success.
    let body = json!({"detail": {"error_code": JWT, "message": format!("key {SERVICE} of {PROVIDER}")}, JWT: [DATABASE], "total_count": 3});
    let rule = |code: u16| json!({"path": "/v1/actions/", "act": {"status": {"code": code, "body": body, "headers": {"x-echo": JWT, "set-cookie": "session=abc"}}}});
    let mut said = String::new();
    for faults in [
        json!({}),
        json!({"rules": [rule(500)]}),
        json!({"rules": [rule(200)]}),
        json!({"rules": [rule(400)]}),
        json!({"refuse_connections": true}),
    ] {
        sandbox.set_faults(serde_json::from_value::<Faults>(faults).unwrap());
        for command in [
            "check faults --json",
            "accept faults",
            "accept faults --json",
            "stress faults --json",
            "status",
            "gate faults",
            "config",
            "config --json",
        ] {
            let ran = project.run(command);
            said.push_str(&ran.out);
            said.push_str(&ran.err);
        }
    }
    // What the requests carried, as the server saw it: every token and every signature hash.
    let seen = sandbox.requests();
    let tokens: Vec<String> = seen
        .iter()
        .filter_map(|request| {
            request
                .header("authorization")?
                .strip_prefix("Bearer eyJ")
                .map(|rest| format!("eyJ{rest}"))
        })
        .collect();
    let hashes: Vec<String> = seen
        .iter()
        .filter_map(|request| {
            Some(
                request
                    .body
                    .split("\"signature_hash\":\"")
                    .nth(1)?
                    .split('"')
                    .next()?
                    .to_owned(),
            )
        })
        .collect();
    assert!(
        tokens.len() > 50 && hashes.len() > 5,
        "{} tokens, {} hashes",
        tokens.len(),
        hashes.len()
    );
    let mut needles: Vec<String> = [JWT, SERVICE, PROVIDER, "canary-db-password-5e", "session=abc"]
        .map(str::to_owned)
        .to_vec();
    needles.extend(tokens.iter().map(|token| token.rsplit('.').next().unwrap().to_owned()));
    needles.extend(tokens);
    needles.extend(hashes);
    needles.sort();
    needles.dedup();
    let files = project.files();
    assert!(
        files.keys().any(|path| path.ends_with("journal.db")) && files.len() > 20,
        "{:?}",
        files.keys()
    );
    for needle in &needles {
        assert!(!said.contains(needle), "the output holds {needle}");
        for (path, bytes) in &files {
            let found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
            assert!(!found, "{} holds {needle}", path.display());
        }
    }
}
