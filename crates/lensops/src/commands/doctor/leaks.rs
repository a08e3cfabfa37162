//! Secrets in tracked files: those of the environment, those that plans ask for, and literals where a secret
//! belongs. What was looked for is told, since nothing else was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use lensops_core::auth::{Auth, Auths};
use lensops_core::ident::Ident;
use lensops_core::lens::User;
use lensops_core::plan::EnvVars;
use lensops_core::plan::acceptance::AcceptancePlan;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::plan::stress::StressPlan;
use lensops_core::yaml;
use serde_json::Value;

use super::finding::Findings;
use super::secrets::claims;
use super::subject::Subject;
use crate::commands::git::git;
use crate::commands::plans::{Plan, Which, lens_paths, load, plan_paths};
use crate::config::{PROJECT_FILE, Settings};

/// Files larger than this are no place that a person pastes a secret into.
const LARGEST: u64 = 2_000_000;

/// Shorter secrets would be found by chance.
const SHORTEST: usize = 12;

pub(super) fn look(subject: &Subject<'_>, findings: &mut Findings) {
    let settings = subject.settings;
    let root = settings
        .repository_root()
        .ok()
        .flatten()
        .unwrap_or_else(|| settings.root.clone());
    let Some(paths) = tracked(&root) else {
        return findings.unjudged(
            "whether a secret stands in a tracked file could not be told: git does not answer here",
            root.display().to_string(),
            "run the doctor within the repository",
        );
    };
    let wanted = Wanted::of(settings);
    let own = own_files(settings);
    let (mut clean, mut read) = (true, 0);
    for path in &paths {
        let whole = root.join(path);
        if std::fs::metadata(&whole).map_or(true, |found| found.len() > LARGEST) {
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&whole) else {
            continue;
        };
        read += 1;
        clean &= !secrets_in(&wanted, path, &text, findings);
        if whole.canonicalize().is_ok_and(|whole| own.contains(&whole)) {
            clean &= !literals_in(path, &text, findings);
        }
    }
    if clean {
        findings.good(format!("no secret stands in a tracked file: {}", wanted.told(read)));
    }
}

/// The files that git tracks; `None` where there is no git or no repository.
pub(super) fn tracked(root: &Path) -> Option<Vec<String>> {
    let text = git(root, &["ls-files", "-z"])?;
    let paths = text.split('\0').filter(|path| !path.is_empty());
    Some(paths.map(str::to_owned).collect())
}

/// What is looked for.
struct Wanted {
    /// Values by the names of their variables.
    values: BTreeMap<String, String>,
    /// Variables whose values are too short to be looked for.
    short: BTreeSet<String>,
    /// Variables that plans call secret and nobody set.
    unset: BTreeSet<String>,
}

impl Wanted {
    fn of(settings: &Settings) -> Self {
        let mut wanted = Self {
            values: BTreeMap::new(),
            short: BTreeSet::new(),
            unset: BTreeSet::new(),
        };
        let asked = plan_secrets(settings);
        let names = settings.secret_names().into_iter().chain(asked.iter().cloned());
        for name in names {
            match settings.var(&name) {
                Some(value) if value.len() >= SHORTEST => {
                    wanted.values.insert(name, value.to_owned());
                }
                Some(_) => {
                    wanted.short.insert(name);
                }
                None if asked.contains(&name) => {
                    wanted.unset.insert(name);
                }
                None => {}
            }
        }
        wanted
    }

    fn told(&self, read: usize) -> String {
        let list = |names: Vec<&str>| names.join(", ");
        let mut told = format!("{read} files were read for ");
        if !self.values.is_empty() {
            told.push_str(&format!(
                "the values of {}, for ",
                list(self.values.keys().map(String::as_str).collect())
            ));
        }
        told.push_str(
            "service keys, and for literals below Authorization, Cookie, *api-key*, password, secret and *token*",
        );
        for (names, why) in [(&self.short, "too short"), (&self.unset, "not set")] {
            if !names.is_empty() {
                told.push_str(&format!(
                    "; {why} and not looked for: {}",
                    list(names.iter().map(String::as_str).collect())
                ));
            }
        }
        told
    }
}

/// The variables that plans call secret. Plans that cannot be read are found elsewhere.
fn plan_secrets(settings: &Settings) -> BTreeSet<String> {
    fn of<P: Plan>(settings: &Settings) -> Vec<P> {
        let paths = plan_paths::<P>(settings).unwrap_or_default();
        let plans = paths
            .iter()
            .filter_map(|path| load::<P>(settings, &Which::File(path)).ok());
        plans.map(|loaded| loaded.plan).collect()
    }
    fn names(env: &EnvVars, users: &IndexMap<Ident, User>, auth: &Auths) -> Vec<String> {
        let asked = env.values().filter(|asked| asked.secret).map(|asked| &asked.from);
        let named = auth
            .values()
            .flat_map(Auth::variables)
            .chain(users.values().flat_map(User::variables));
        asked.chain(named).map(ToString::to_string).collect()
    }
    let monitor = of::<MonitorPlan>(settings);
    let monitor = monitor
        .iter()
        .flat_map(|plan| names(&plan.env, &plan.users, &plan.auth));
    let acceptance = of::<AcceptancePlan>(settings);
    let acceptance = acceptance
        .iter()
        .flat_map(|plan| names(&plan.env, &plan.users, &plan.auth));
    let stress = of::<StressPlan>(settings);
    let stress = stress.iter().flat_map(|plan| names(&plan.env, &plan.users, &plan.auth));
    monitor.chain(acceptance).chain(stress).collect()
}

/// The files that people write for lensops and that lensops reads.
fn own_files(settings: &Settings) -> BTreeSet<PathBuf> {
    let mut paths = lens_paths(settings).unwrap_or_default();
    paths.extend(plan_paths::<MonitorPlan>(settings).unwrap_or_default());
    paths.extend(plan_paths::<AcceptancePlan>(settings).unwrap_or_default());
    paths.extend(plan_paths::<StressPlan>(settings).unwrap_or_default());
    paths.push(settings.root.join(PROJECT_FILE));
    paths.iter().filter_map(|path| path.canonicalize().ok()).collect()
}

/// Whether secrets stand in a file, each told.
fn secrets_in(wanted: &Wanted, path: &str, text: &str, findings: &mut Findings) -> bool {
    let mut found = false;
    for (line, content) in (1..).zip(text.lines()) {
        let named = wanted
            .values
            .iter()
            .find(|(_, secret)| content.contains(secret.as_str()));
        let what = match named {
            Some((name, _)) => format!("the value of {name} stands in a tracked file"),
            None if holds_key(content) => "a key that opens a database stands in a tracked file".to_owned(),
            None => continue,
        };
        found = true;
        findings.error(
            what,
            format!("{path}:{line}"),
            "make a new secret, then take it out of the file: history keeps it",
        );
    }
    found
}

/// Whether a line holds a JWT of the service role.
fn holds_key(line: &str) -> bool {
    let parts = line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
    parts
        .filter(|word| word.starts_with("eyJ"))
        .filter_map(claims)
        .any(|claims| claims["role"] == "service_role")
}

/// Whether literals stand where secrets belong, each told.
fn literals_in(path: &str, text: &str, findings: &mut Findings) -> bool {
    let Ok(file) = yaml::read::<Value>(path, text) else {
        return false;
    };
    let mut found = Vec::new();
    literals(&file, &mut Vec::new(), &mut found);
    for keys in &found {
        let steps: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (line, _) = yaml::place(text, &steps);
        findings.warning(
            format!("a literal stands below {} in a tracked file", steps.last().unwrap_or(&"")),
            format!("{path}:{line}"),
            "if it opens anything: take it from the environment, `env: {name: {from: VARIABLE, secret: true}}`, write `$name`, and make a new one",
        );
    }
    !found.is_empty()
}

/// The places of literals below keys that name a credential.
fn literals(value: &Value, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                at.push(key.clone());
                match value {
                    Value::String(text) if names_credential(key) && is_literal(text) => found.push(at.clone()),
                    _ => literals(value, at, found),
                }
                at.pop();
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                at.push(index.to_string());
                literals(value, at, found);
                at.pop();
            }
        }
        _ => {}
    }
}

fn names_credential(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('_', "-");
    matches!(key.as_str(), "authorization" | "proxy-authorization" | "cookie")
        || key.contains("api-key")
        || key.contains("apikey")
        || matches!(
            key.as_str(),
            "password" | "secret" | "client-secret" | "access-token" | "refresh-token" | "auth-token"
        )
}

/// Whether a text holds no variable: `$` followed by a letter.
fn is_literal(text: &str) -> bool {
    let text = text.replace("$$", "");
    let variable = text
        .match_indices('$')
        .any(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()));
    !text.trim().is_empty() && !variable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g10_literals_below_credentials_are_found_and_variables_are_not() {
        for (text, places) in [
            ("headers: {Authorization: Bearer abc}", vec!["headers.Authorization"]),
            ("headers: {authorization: Bearer $token}", vec![]),
            (
                "requests: [{headers: {X-Api-Key: k}}, {headers: {x_apikey: $k}}]",
                vec!["requests.0.headers.X-Api-Key"],
            ),
            ("Cookie: 'session=$sid'", vec![]),
            ("json: {password: hunter22, client_secret: $s}", vec!["json.password"]),
            ("Cookie: 'session=1'", vec!["Cookie"]),
            ("Cookie: '$$5'", vec!["Cookie"]),
            ("accept: application/json", vec![]),
        ] {
            let value: Value = yaml::read("x", text).unwrap();
            let mut found = Vec::new();
            literals(&value, &mut Vec::new(), &mut found);
            let found: Vec<String> = found.iter().map(|keys| keys.join(".")).collect();
            assert_eq!(found, places, "{text}");
        }
    }
}
