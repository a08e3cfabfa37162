//! Who sends requests: `auth` and users of `lensops.yml` and of a plan, with their secrets of the environment.

use indexmap::IndexMap;
use lensops_core::auth::{Auths, Environment};
use lensops_core::exchange::Base;
use lensops_core::ident::{EnvName, Ident};
use lensops_core::lens::{Tenants, User};
use lensops_core::plan::{EnvVars, Vars};
use lensops_core::redaction::SHORTEST_SECRET;
use lensops_core::secret::Secret;
use serde_json::Value;

use super::flags_file::FlagsAt;
use super::settings::Settings;
use super::target::Target;
use crate::auth::{Held, Signing};

/// The environment variables that `tenants`, `users` and `auth` name.
fn named<'a>(
    tenants: &'a Tenants,
    users: impl Iterator<Item = &'a User> + 'a,
    auth: &'a Auths,
) -> impl Iterator<Item = &'a EnvName> + 'a {
    users
        .flat_map(User::variables)
        .chain(tenants.variables())
        .chain(auth.values().flat_map(lensops_core::auth::Auth::variables))
}

impl Settings {
    /// Who sends the requests of a plan with these `tenants`, `users` and `auth`.
    #[must_use]
    pub fn signing(
        &self,
        target: Target,
        base: &Base,
        tenants: &Tenants,
        users: &IndexMap<Ident, User>,
        auth: &Auths,
    ) -> Signing {
        let project = &self.project;
        let mut known = project.auth.clone();
        known.extend(auth.iter().map(|(name, auth)| (name.clone(), auth.clone())));
        let people = users.values().chain(project.outsiders.values());
        let environment = self.environment(named(tenants, people, &known));
        Signing {
            jwt_secret: self.jwt_secret(target),
            issuer: self.issuer(base),
            auth: known,
            environment,
            held: Held::default(),
        }
    }

    /// The environment variables that the values of `tenants` name.
    #[must_use]
    pub fn tenant_environment(&self, tenants: &Tenants) -> Environment {
        self.environment(tenants.variables())
    }

    fn environment<'a>(&self, names: impl Iterator<Item = &'a EnvName>) -> Environment {
        let set = names.filter_map(|name| Some((name.as_str().to_owned(), Secret::new(self.var(name.as_str())?))));
        set.collect()
    }

    /// The variables that `lensops.yml` names with `{env}`.
    pub(super) fn named_variables(&self) -> Vec<String> {
        let project = &self.project;
        let people = project.users.values().chain(project.outsiders.values());
        let certificate = project.client_certificate.iter();
        let certificate = certificate.flat_map(|named| [&named.certificate.env, &named.key.env]);
        let flags = project.flags.iter().flat_map(FlagsAt::variables);
        let named = named(&project.tenants, people, &project.auth).chain(certificate);
        named.map(ToString::to_string).chain(flags.map(String::from)).collect()
    }

    /// A plan's variables that come from the environment, and the secrets among them. What is odd about one is
    /// told.
    #[must_use]
    pub fn plan_environment(&self, env: &EnvVars) -> (Vars, Vec<Secret>) {
        let (mut vars, mut secrets) = (Vars::new(), Vec::new());
        for (name, source) in env {
            let value = self.var(source.from.as_str());
            if let (Some(value), true) = (value, source.secret) {
                if value.len() < SHORTEST_SECRET {
                    complain!(
                        "⚠️ {} is shorter than {SHORTEST_SECRET} bytes: evidence cannot hide it by its value",
                        source.from
                    );
                }
                if self.ends_in_line_break(source.from.as_str()) {
                    complain!("⚠️ {} ends in a line break: it is removed", source.from);
                }
                secrets.push(Secret::new(value));
            }
            let value = value.map_or(Value::Null, |value| Value::String(value.to_owned()));
            vars.insert(name.clone(), value);
        }
        (vars, secrets)
    }
}
