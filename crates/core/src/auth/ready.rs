//! `auth` made ready for one user: a credential at once, or the request that fetches it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::asking::{Asking, AuthError};
use super::definition::{Auth, Basic, ClientCredentials, Login, Mint};
use super::fetch::{Fetch, Reads};
use crate::crypto::sign::sign;
use crate::exchange::{Base, Method};
use crate::request::fill::expand_json;
use crate::request::prepare::prepare;
use crate::request::{Body, Credential, Request};
use crate::secret::Secret;

/// How far back a token says it was issued: a verifier whose clock is behind refuses one of the future.
const ISSUED_BACK_SECONDS: i64 = 30;

/// What a way to sign in comes to for one user.
#[derive(Debug, Clone)]
pub enum Ready {
    /// The credential.
    Now(Credential),
    /// The request that fetches it.
    Fetch(Fetch),
}

impl Auth {
    /// The credential of `asking`, or how it is fetched.
    ///
    /// # Errors
    /// Something of it is not known: what needs it is unjudged.
    pub fn ready(&self, asking: &Asking<'_>) -> Result<Ready, AuthError> {
        match self {
            Self::Header { header, value } => {
                let value = asking.secret(value)?;
                Ok(Ready::Now(Credential::header(
                    header,
                    value.expose(),
                    vec![value.clone()],
                )))
            }
            Self::Bearer(token) => Ok(Ready::Now(Credential::bearer(&asking.secret(token)?))),
            Self::Basic(Basic { user, password }) => {
                Ok(Ready::Now(basic(&asking.text(user)?, &asking.secret(password)?)))
            }
            Self::ClientCredentials(machine) => token_request(machine, asking).map(Ready::Fetch),
            Self::Login(login) => login_request(login, asking).map(Ready::Fetch),
            Self::Mint(mint) => minted(mint, asking).map(Ready::Now),
        }
    }
}

fn basic(user: &str, password: &Secret) -> Credential {
    let encoded = STANDARD.encode(format!("{user}:{}", password.expose()));
    let secrets = vec![Secret::new(encoded.clone()), password.clone()];
    Credential::header("Authorization", format!("Basic {encoded}"), secrets)
}

fn token_request(machine: &ClientCredentials, asking: &Asking<'_>) -> Result<Fetch, AuthError> {
    let (base, path) = Base::with_path(&asking.fill(&machine.url)?).map_err(AuthError::Address)?;
    let mut fields = IndexMap::from([("grant_type".to_owned(), "client_credentials".to_owned())]);
    if let Some(scope) = &machine.scope {
        fields.insert("scope".to_owned(), scope.clone());
    }
    let request = Request {
        at: None,
        method: Method::Post,
        path,
        query: IndexMap::new(),
        headers: IndexMap::new(),
        body: Body::Form(fields),
    };
    let secret = asking.secret(&machine.secret)?;
    // RFC 6749 §2.3.1: both are encoded as a form's fields are before they are joined.
    let client = basic(
        &encoded(&asking.text(&machine.client)?),
        &Secret::new(encoded(secret.expose())),
    );
    let mut request = prepare(&base, &request, Some(&client), asking.vars).map_err(|error| asking.unfilled(error))?;
    request.secrets.push(secret);
    Ok(Fetch {
        is_own: base.authority() == asking.base.authority(),
        request,
        reads: Reads::AccessToken,
    })
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, crate::request::prepare::RESERVED).to_string()
}

fn login_request(login: &Login, asking: &Asking<'_>) -> Result<Fetch, AuthError> {
    let base = login.request.base(asking.base, asking.hosts, asking.vars);
    let base = base.map_err(|error| asking.unfilled(error))?;
    let request = prepare(&base, &login.request, None, asking.vars);
    let mut request = request.map_err(|error| asking.unfilled(error))?;
    request.secrets.extend(asking.secrets());
    Ok(Fetch {
        is_own: request.base.authority() == asking.base.authority(),
        request,
        reads: Reads::Login(login.gives.clone()),
    })
}

fn minted(mint: &Mint, asking: &Asking<'_>) -> Result<Credential, AuthError> {
    let seconds = asking.now.as_second();
    let lifetime = i64::try_from(mint.lifetime.get().as_secs()).unwrap_or(i64::MAX);
    let mut claims = Map::new();
    for (name, value) in &mint.claims {
        let value = expand_json(value, asking.vars).map_err(|error| asking.unfilled(error))?;
        claims.insert(name.clone(), value);
    }
    for (name, second) in [
        ("iat", seconds - ISSUED_BACK_SECONDS),
        ("exp", seconds.saturating_add(lifetime)),
    ] {
        claims.entry(name).or_insert_with(|| second.into());
    }
    let claims = Value::Object(claims);
    let token = sign(mint.alg, &asking.secret(&mint.key)?, &claims)?;
    Ok(Credential {
        claims: Some(claims),
        ..Credential::bearer(&token)
    })
}
