//! `lensops sandbox`: the stand-in API on loopback, until it is told to stop.

use std::net::{Ipv4Addr, SocketAddr};

use lensops_sandbox::{Config, Dialect, Faults, ShopUser, serve};
use serde_json::Value;

use crate::commands::error::{Context as _, Error, Result};

/// How the sandbox is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// The API's port; 0 takes a free one.
    pub port: u16,
    /// The control port; 0 takes a free one.
    pub control_port: u16,
    /// The dialect it speaks.
    pub dialect: String,
    /// Faults as JSON.
    pub faults: Option<String>,
    /// Flags at start, `NAME=value`.
    pub flags: Vec<String>,
}

/// The secrets that the sandbox shares with its clients come from the same variables as theirs.
const SECRETS: [&str; 3] = ["TENANT_SUPABASE_JWT_SECRET", "SUPABASE_SERVICE_KEY", "RENDER_API_KEY"];

/// Makes the configuration of a sandbox.
///
/// # Errors
/// When an option makes no sense, or the signing secret is not set.
pub fn config(options: &Options, env: &crate::config::Env) -> Result<Config> {
    let dialect: Dialect = options
        .dialect
        .parse()
        .map_err(|error| Error::usage(format!("--dialect: {error}")))?;
    let mut config = Config::loopback(dialect);
    config.bind = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    config.control_bind = SocketAddr::from((Ipv4Addr::LOCALHOST, options.control_port));
    let [jwt, service, provider] = SECRETS.map(|name| env.get(name).filter(|value| !value.is_empty()).cloned());
    let Some(jwt) = jwt else {
        return Err(Error::usage(format!(
            "{} is not set: the sandbox and its clients share it (any text will do, such as `export {0}=$(openssl rand -hex 32)`)",
            SECRETS[0]
        )));
    };
    config.jwt_secret = jwt;
    config.service_key = service.unwrap_or(config.service_key);
    config.provider_key = provider.unwrap_or(config.provider_key);
    if let Some(faults) = &options.faults {
        config.faults = parse_faults(faults)?;
    }
    for flag in &options.flags {
        let (name, value) = flag
            .split_once('=')
            .with_context(|| format!("--flag {flag:?} is not NAME=value"))?;
        config.flags.insert(name.to_owned(), value.to_owned());
    }
    Ok(config)
}

fn parse_faults(text: &str) -> Result<Faults> {
    let faults: Faults = serde_json::from_str(text).context("--faults")?;
    faults.check().map_err(Error::invalid).context("--faults")?;
    Ok(faults)
}

/// Serves until Ctrl-C or SIGTERM.
///
/// # Errors
/// When a port is taken or the configuration is refused.
pub async fn run(config: Config) -> Result<()> {
    let dialect = config.dialect;
    let provider_key = config.provider_key.clone();
    let sandbox = serve(config).await.map_err(Error::invalid)?;
    say!("Sandbox: {} ({dialect} dialect)", sandbox.url());
    say!(
        "Control: {} (GET and PUT /faults, GET /flags, PUT /flags/NAME, GET /audit, /requests)",
        sandbox.control_url()
    );
    say!("{}", to_copy(&sandbox.url(), &provider_key, &sandbox.config().shop)?);
    crate::commands::signal::stopped().await;
    sandbox.stop().await;
    Ok(())
}

/// What somebody needs who works with the sandbox at `url`: variables, and ids that it knows. The key of its flag provider and
/// those of `shop` are made up at each start; the signing secret is this shell's, and is not repeated.
fn to_copy(url: &str, provider_key: &str, shop: &[ShopUser]) -> Result<String> {
    let data: Value = serde_json::from_str(lensops_sandbox::LENSES_JSON).map_err(Error::system)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let users = ["hod", "crew", "captain"].map(|name| {
        let user = &data["users"][name];
        format!("    --user {name}={}:{} \\\n", text(&user["role"]), text(&user["id"]))
    });
    let keys = shop.iter().map(|user| {
        let name = format!("{}_{}", user.tenant, user.role).to_uppercase();
        format!("{name}_KEY={} {name}_PASSWORD={}", user.key, user.password)
    });
    let keys: Vec<String> = keys.collect();
    Ok(format!(
        "\nVariables, for the shell that lensops runs in:\n\
         \x20 export API_BASE_URL={url}\n\
         \x20 export {}=…    # the same text as in this shell\n\
         \x20 export RENDER_API_URL={url} RENDER_SERVICE_ID=srv-made-up RENDER_API_KEY={provider_key}\n\
         \x20 export {}\n\n\
         Ids, such as for a first lens:\n\
         \x20 lensops new faults --yacht-id {} \\\n{}    --test-entity-id {}\n\n\
         Ctrl-C stops it.",
        SECRETS[0],
        keys.join(" "),
        text(&data["tenants"]["north"]),
        users.concat(),
        text(&data["lenses"][0]["test_entities"][0]),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_to_copy_is_there_and_no_id_is_empty() {
        let text = to_copy(
            "http://127.0.0.1:1",
            "made-up",
            &Config::loopback(Dialect::Documented).shop,
        )
        .unwrap();
        for part in [
            "API_BASE_URL=http://127.0.0.1:1",
            "RENDER_API_KEY=made-up",
            "ACME_VIEWER_KEY=",
            "GLOBEX_EDITOR_PASSWORD=",
            "--user crew=crew:eb3fdfe4-",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let ids = text
            .split(|c: char| c == ':' || c.is_whitespace())
            .filter(|word| uuid::Uuid::try_parse(word).is_ok());
        assert_eq!(ids.count(), 5, "{text}");
    }
}
