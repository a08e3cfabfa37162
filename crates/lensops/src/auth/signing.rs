//! Who sends a request: the credential of a user, made or fetched.

use jiff::Timestamp;
use lensops_core::auth::{Asking, Auths, Environment, Fetch, Ready, Values};
use lensops_core::crypto::digest::sha256_hex;
use lensops_core::crypto::token::mint;
use lensops_core::exchange::{Base, Sender};
use lensops_core::lens::User;
use lensops_core::request::{Credential, Hosts, Vars};
use lensops_core::secret::Secret;

use super::held::{FetchFailed, Held};

/// Signs requests of the users of a plan.
#[derive(Debug, Clone, Default)]
pub struct Signing {
    /// The secret that tokens of users without an `auth` are signed with.
    pub jwt_secret: Option<Secret>,
    /// Who issues those tokens.
    pub issuer: String,
    /// How users sign in.
    pub auth: Auths,
    /// The environment variables that `auth` and users name.
    pub environment: Environment,
    /// What was fetched.
    pub held: Held,
}

/// What a request is sent with.
#[derive(Debug, Clone, Default)]
pub struct Signed {
    /// The credential; `None` where it is sent as nobody.
    pub credential: Option<Credential>,
    /// What fetched it, where it was fetched and may be fetched again.
    pub fetch: Option<Fetch>,
}

/// Why there is no credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsigned {
    /// Something of it is not known: what needs it is unjudged.
    Unknown(String),
    /// It could not be fetched: an outage at the API's own host, unjudged elsewhere.
    Failed(FetchFailed),
}

/// For whom and where a request is signed.
#[derive(Debug, Clone, Copy)]
pub struct Sending<'a> {
    /// The user; `None` is nobody.
    pub user: Option<&'a User>,
    /// The API.
    pub base: &'a Base,
    /// Hosts besides it.
    pub hosts: &'a Hosts,
    /// The plan's variables for the tenant.
    pub vars: &'a Vars,
    /// The values that the tenant gives.
    pub tenant: Option<&'a Values>,
    /// Real time.
    pub now: Timestamp,
}

impl Signing {
    /// What a request of `sending` is sent with.
    ///
    /// # Errors
    /// Why it cannot be sent.
    pub async fn sign<S: Sender>(&self, sender: &S, sending: &Sending<'_>) -> Result<Signed, Unsigned> {
        let Some(user) = sending.user else {
            return Ok(Signed::default());
        };
        match self.ready(user, sending)? {
            Ready::Now(credential) => Ok(Signed {
                credential: Some(credential),
                fetch: None,
            }),
            Ready::Fetch(fetch) => {
                let fetched = self.held.get(sender, &fetch, sending.now).await;
                Ok(Signed {
                    credential: Some(fetched.map_err(Unsigned::Failed)?.credential.clone()),
                    fetch: Some(fetch),
                })
            }
        }
    }

    /// `signed` with another credential, after the API refused the one that it has; `None` where it was not
    /// fetched, and another one would be the same.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn renew<S: Sender>(
        &self,
        sender: &S,
        signed: &Signed,
        now: Timestamp,
    ) -> Result<Option<Signed>, Unsigned> {
        let (Some(fetch), Some(refused)) = (&signed.fetch, &signed.credential) else {
            return Ok(None);
        };
        let fetched = self.held.renew(sender, fetch, refused, now).await;
        Ok(Some(Signed {
            credential: Some(fetched.map_err(Unsigned::Failed)?.credential.clone()),
            fetch: Some(fetch.clone()),
        }))
    }

    fn ready(&self, user: &User, sending: &Sending<'_>) -> Result<Ready, Unsigned> {
        let unknown = |why: String| Unsigned::Unknown(why);
        let Some(name) = &user.auth else {
            let secret = self.jwt_secret.as_ref();
            let secret = secret.ok_or_else(|| unknown("the signing secret is not set".to_owned()))?;
            let token = mint(secret, &self.issuer, user.subject(), sending.now);
            return Ok(Ready::Now(Credential::from(
                &token.map_err(|error| unknown(error.to_string()))?,
            )));
        };
        let auth = self
            .auth
            .get(name)
            .ok_or_else(|| unknown(format!("auth {name} is not defined")))?;
        let vars = user.vars(sending.vars, &self.environment);
        let given: Vec<&Values> = std::iter::once(&user.values).chain(sending.tenant).collect();
        let asking = Asking {
            base: sending.base,
            hosts: sending.hosts,
            vars: &vars,
            given: &given,
            environment: &self.environment,
            now: sending.now,
        };
        auth.ready(&asking).map_err(|error| unknown(error.to_string()))
    }

    /// The digest of what `users` prove who they are with, and of the secrets of the plan; `None` where there is
    /// neither. So short that many secrets have it.
    #[must_use]
    pub fn digest<'a>(
        &self,
        users: impl Iterator<Item = &'a User>,
        secrets: impl Iterator<Item = &'a str>,
    ) -> Option<String> {
        let users: Vec<&User> = users.collect();
        let mints = users.iter().any(|user| user.auth.is_none());
        let minted = self.jwt_secret.as_ref().filter(|_| mints);
        let minted = minted.map(|secret| format!("lensops\n{}\n{}", self.issuer, secret.expose()));
        let given = users.iter().filter_map(|user| {
            let name = user.auth.as_ref()?;
            let secrets = self.auth.get(name)?.variables().chain(user.variables());
            let secrets = secrets.filter_map(|variable| self.environment.get(variable.as_str()));
            let secrets: Vec<&str> = secrets.map(Secret::expose).collect();
            Some(format!("lensops auth\n{name}\n{}", secrets.join("\n")))
        });
        let of_plan = secrets.map(|secret| format!("lensops env\n{secret}"));
        let all: Vec<String> = minted.into_iter().chain(given).chain(of_plan).collect();
        if all.is_empty() {
            return None;
        }
        sha256_hex(all.join("\n").as_bytes()).get(..8).map(str::to_owned)
    }
}
