//! Settings and secrets: there, in their places, and not one another's.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lensops_core::exchange::Base;
use serde_json::Value;

use super::finding::Findings;
use super::subject::Subject;
use crate::commands::error::Error;
use crate::config::{Settings, StoreChoice, Target};

const ENVIRONMENT: &str = "the environment";

const SIGNING_SECRET: &str = "TENANT_SUPABASE_JWT_SECRET";

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings) {
    let settings = subject.settings;
    match settings.api(Target::Production) {
        Ok(base) if !base.is_tls() && !is_here(&base) => findings.warning(
            format!("{base} is spoken to without TLS: tokens go over the network in the clear"),
            "API_BASE_URL",
            "use the https:// address",
        ),
        Ok(_) => findings.good("the API's address is set"),
        Err(error) => findings.error(
            Error::from(error).line(),
            ENVIRONMENT,
            "set API_BASE_URL to the API's address",
        ),
    }
    if !nobody_mints(subject) || settings.var(SIGNING_SECRET).is_some() {
        signing_secret(settings, findings);
    }
    service_key(settings, findings);
    match settings.store() {
        Ok(StoreChoice::Postgres(url)) => {
            if let Err(error) = crate::store::Postgres::new(&url) {
                findings.error(
                    error.to_string(),
                    "DATABASE_URL",
                    "copy the address from the database's settings",
                );
            }
        }
        Ok(_) => {}
        Err(error) => findings.error(
            Error::from(error).line(),
            ENVIRONMENT,
            "set what the chosen store needs, or choose another with `store:` of lensops.yml",
        ),
    }
    if let Err(why) = &subject.tenants {
        findings.error(
            why,
            "lensops.yml",
            "mend `worker.tenants`, or take it out to check each plan's own tenants",
        );
    }
}

/// Whether an address is of this machine.
fn is_here(base: &Base) -> bool {
    base.host() == "localhost"
        || base
            .host()
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether there are users, and each has a way to sign in of its own: no token is signed with the tenant's secret.
fn nobody_mints(subject: &Subject<'_>) -> bool {
    let of_lenses = subject.lenses.iter().flatten().flat_map(|lens| lens.users.values());
    let of_plans = subject
        .plans
        .iter()
        .flatten()
        .flat_map(|loaded| loaded.plan.users.values());
    let mut users = of_lenses.chain(of_plans).peekable();
    users.peek().is_some() && users.all(|user| user.auth.is_some())
}

fn signing_secret(settings: &Settings, findings: &mut Findings) {
    const NAME: &str = SIGNING_SECRET;
    let Some(secret) = settings.var(NAME) else {
        return findings.error(
            format!("{NAME} is not set: no token can be signed"),
            ENVIRONMENT,
            "copy the JWT secret from the project's API settings",
        );
    };
    if claims(secret).is_some() || secret.starts_with("sb_") {
        findings.error(
            format!("{NAME} holds a key, not the secret that keys are signed with"),
            ENVIRONMENT,
            "it was swapped with SUPABASE_SERVICE_KEY: put each where it belongs",
        );
    } else if secret.len() < 32 {
        findings.warning(
            format!("{NAME} has {} characters: HS256 wants 32 at least", secret.len()),
            ENVIRONMENT,
            "check that it was copied whole",
        );
    } else {
        findings.good("the signing secret has the form of one");
    }
}

fn service_key(settings: &Settings, findings: &mut Findings) {
    const NAME: &str = "SUPABASE_SERVICE_KEY";
    let Some(key) = settings.var(NAME) else { return };
    let role = claims(key).and_then(|claims| claims["role"].as_str().map(str::to_owned));
    if settings.var("TENANT_SUPABASE_JWT_SECRET") == Some(key) {
        findings.error(
            format!("{NAME} and TENANT_SUPABASE_JWT_SECRET hold the same text"),
            ENVIRONMENT,
            "one of them was pasted twice: put each where it belongs",
        );
    } else if role.as_deref().is_some_and(|role| role != "service_role") || key.starts_with("sb_publishable_") {
        let role = role.unwrap_or_else(|| "publishable".to_owned());
        findings.error(
            format!("{NAME} holds the {role} key: it may not insert"),
            ENVIRONMENT,
            "use the service_role (secret) key",
        );
    } else {
        findings.good("the service key has the form of one");
    }
}

/// The claims of a JWT; `None` for anything else.
pub(super) fn claims(text: &str) -> Option<Value> {
    let mut parts = text.trim().split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}
