//! `auth`: the ways in which users prove who they are, as files write them.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::given::{Given, SecretText};
use crate::crypto::sign::Algorithm;
use crate::duration::Span;
use crate::ident::{EnvName, Ident};
use crate::request::{JsonPath, Request};

/// The ways to sign in, by name.
pub type Auths = IndexMap<Ident, Auth>;

/// One way to sign in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawAuth", into = "RawAuth")]
pub enum Auth {
    /// A header of any name.
    Header {
        /// Its name.
        header: String,
        /// Its value.
        value: SecretText,
    },
    /// A bearer token that does not change.
    Bearer(SecretText),
    /// User and password in every request.
    Basic(Basic),
    /// An access token that a token endpoint gives to a machine (RFC 6749 §4.4).
    ClientCredentials(ClientCredentials),
    /// What a sign-in request gives.
    Login(Box<Login>),
    /// A token that lensops signs.
    Mint(Mint),
}

/// User and password in every request (RFC 7617).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Basic {
    /// The user's name; variables are filled in.
    pub user: Given,
    /// The password.
    pub password: SecretText,
}

/// A machine's access to a token endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientCredentials {
    /// The token endpoint, with `http://` or `https://`; variables are filled in.
    pub url: String,
    /// The client's id.
    pub client: Given,
    /// The client's secret; both are sent by the Basic scheme.
    pub secret: SecretText,
    /// What is asked for, where the endpoint wants it named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// A sign-in request, and what its answer gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    /// The request. `$name` is a value of the user or tenant.
    pub request: Request,
    /// What the answer gives.
    pub gives: Gives,
}

/// What the answer to a sign-in gives.
#[derive(Debug, Clone, PartialEq)]
pub enum Gives {
    /// A bearer token.
    Bearer(JsonPath),
    /// Cookies, and a header that repeats one of them where the API wants that.
    Cookies(Option<Csrf>),
}

/// A header that repeats a cookie, which only a page of the same site can read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csrf {
    /// The cookie.
    pub cookie: String,
    /// The header.
    pub header: String,
}

/// A token that lensops signs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mint {
    /// How it is signed.
    pub alg: Algorithm,
    /// The secret, or the private key in PEM form.
    pub key: SecretText,
    /// Its claims; variables are filled in. `iat` and `exp` are added where they are not named.
    #[serde(default)]
    pub claims: IndexMap<String, Value>,
    /// How long it is valid: two hours where it is left out.
    #[serde(default = "two_hours", rename = "for")]
    pub lifetime: Span,
}

fn two_hours() -> Span {
    Span::seconds(7_200)
}

impl Auth {
    /// The environment variables that it names.
    pub fn variables(&self) -> impl Iterator<Item = &EnvName> {
        let (given, secret): (Option<&Given>, Option<&SecretText>) = match self {
            Self::Header { value, .. } => (None, Some(value)),
            Self::Bearer(secret) => (None, Some(secret)),
            Self::Basic(basic) => (Some(&basic.user), Some(&basic.password)),
            Self::ClientCredentials(machine) => (Some(&machine.client), Some(&machine.secret)),
            Self::Login(_) => (None, None),
            Self::Mint(mint) => (None, Some(&mint.key)),
        };
        let secret = secret.and_then(|secret| match secret {
            SecretText::Env(from) => Some(&from.env),
            SecretText::Variable(_) => None,
        });
        given.and_then(Given::variable).into_iter().chain(secret)
    }
}

/// `bearer`: a token that is a secret, or the place of one in the answer to a login.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum RawBearer {
    /// A token that does not change.
    Secret(SecretText),
    /// Where the answer to `login` holds the token.
    Path(JsonPath),
}

#[derive(Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RawAuth {
    /// A header of this name, with `value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    /// The value of `header`.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<SecretText>,
    /// A bearer token; with `login`, the JSONPath of the token in its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    bearer: Option<RawBearer>,
    /// User and password in every request.
    #[serde(skip_serializing_if = "Option::is_none")]
    basic: Option<Basic>,
    /// An access token of a token endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_credentials: Option<ClientCredentials>,
    /// A sign-in request; its answer gives a token (`bearer`) or `cookies`.
    #[serde(skip_serializing_if = "Option::is_none")]
    login: Option<Request>,
    /// Whether the answer to `login` gives cookies.
    #[serde(
        deserialize_with = "crate::yaml::own_boolean",
        skip_serializing_if = "std::ops::Not::not"
    )]
    cookies: bool,
    /// A header that repeats a cookie of the answer to `login`.
    #[serde(skip_serializing_if = "Option::is_none")]
    csrf: Option<Csrf>,
    /// A token that lensops signs.
    #[serde(skip_serializing_if = "Option::is_none")]
    mint: Option<Mint>,
}

const ONE_KIND: &str = "auth is one of: header with value; bearer; basic; client_credentials; login with bearer or \
                        cookies; mint";

impl TryFrom<RawAuth> for Auth {
    type Error = String;
    fn try_from(raw: RawAuth) -> Result<Self, String> {
        let kinds = [
            raw.header.is_some() || raw.value.is_some(),
            raw.login.is_some() || raw.cookies || raw.csrf.is_some(),
            raw.bearer.is_some() && raw.login.is_none(),
            raw.basic.is_some(),
            raw.client_credentials.is_some(),
            raw.mint.is_some(),
        ];
        if kinds.into_iter().filter(|given| *given).count() != 1 {
            return Err(ONE_KIND.to_owned());
        }
        if let Some(request) = raw.login {
            return Ok(Self::Login(Box::new(Login {
                request,
                gives: gives(raw.bearer, raw.cookies, raw.csrf)?,
            })));
        }
        let bearer = match raw.bearer {
            Some(RawBearer::Secret(secret)) => Some(Self::Bearer(secret)),
            Some(RawBearer::Path(_)) => {
                return Err(
                    "bearer is {env: NAME}, or with `login` the JSONPath of the token in its answer".to_owned(),
                );
            }
            None => None,
        };
        let header = raw.header.zip(raw.value);
        header
            .map(|(header, value)| Self::Header { header, value })
            .or(bearer)
            .or(raw.basic.map(Self::Basic))
            .or(raw.client_credentials.map(Self::ClientCredentials))
            .or(raw.mint.map(Self::Mint))
            .ok_or_else(|| ONE_KIND.to_owned())
    }
}

fn gives(bearer: Option<RawBearer>, cookies: bool, csrf: Option<Csrf>) -> Result<Gives, String> {
    match (bearer, cookies, csrf) {
        (Some(RawBearer::Path(path)), false, None) => Ok(Gives::Bearer(path)),
        (None, true, csrf) => Ok(Gives::Cookies(csrf)),
        _ => Err("a login gives a token or cookies: add `bearer: $.path.of.token`, or `cookies: true`".to_owned()),
    }
}

impl From<Auth> for RawAuth {
    fn from(auth: Auth) -> Self {
        let mut raw = Self::default();
        match auth {
            Auth::Header { header, value } => (raw.header, raw.value) = (Some(header), Some(value)),
            Auth::Bearer(secret) => raw.bearer = Some(RawBearer::Secret(secret)),
            Auth::Basic(basic) => raw.basic = Some(basic),
            Auth::ClientCredentials(machine) => raw.client_credentials = Some(machine),
            Auth::Login(login) => {
                raw.login = Some(login.request);
                match login.gives {
                    Gives::Bearer(path) => raw.bearer = Some(RawBearer::Path(path)),
                    Gives::Cookies(csrf) => (raw.cookies, raw.csrf) = (true, csrf),
                }
            }
            Auth::Mint(mint) => raw.mint = Some(mint),
        }
        raw
    }
}
