//! A first lens of any HTTP API, from one address that answers: what `check --url` tries, and `new` writes.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;
use lensops_core::exchange::{Base, Sender};
use lensops_core::ident::{EntityId, EnvName, FlagName, Ident, LensId};
use lensops_core::lens::{Defaults, Lens};
use lensops_core::plan::header::PlanOrigin;
use lensops_core::plan::monitor::MonitorPlan;
use lensops_core::plan::{Request, Vars};
use lensops_core::request::prepare::prepare;
use lensops_core::secret::Secret;
use lensops_core::template::{PlanKind, RepoContext, TemplateSet, render_lens_file};
use lensops_core::yaml;
use serde_json::{Value, json};

use super::templates;
use crate::commands::error::{Context as _, Error, Result};
use crate::commands::plans::Loaded;

/// The set of such a lens.
pub(super) const SET: &str = "http";

/// The user whose credential a header gives, and its role.
const CALLER: &str = "caller";

/// What is known of an API at first.
#[derive(Debug, Clone, Default)]
pub struct FirstAsked {
    /// The address of a GET that should answer.
    pub url: String,
    /// Headers, each `NAME: VALUE`. The one that signs in is a secret.
    pub headers: Vec<String>,
    /// The statuses of a good answer; a 2xx with JSON where none is named.
    pub expect: Vec<u16>,
    /// The lens's id; without one it is the last word of the address.
    pub id: Option<LensId>,
    /// Its tenants; one that is called `main` where none is named.
    pub tenants: Vec<EntityId>,
    /// The path that tells whether the API is well.
    pub health: Option<String>,
    /// Its flags.
    pub flags: Vec<FlagName>,
}

/// A first lens, and the API that it is of.
#[derive(Debug, Clone)]
pub struct FirstLens {
    /// The API's address.
    pub base: Base,
    /// The lens.
    pub lens: Lens,
    /// The variable that holds the credential, and its value.
    pub credential: Option<(EnvName, Secret)>,
    /// The request as it was given.
    request: Request,
    /// Whether statuses were named.
    is_told: bool,
}

/// A header as it is given.
struct Header<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> Header<'a> {
    fn read(text: &'a str) -> Result<Self> {
        // What it holds is not repeated: it may be a secret.
        let (name, value) = text
            .split_once(':')
            .with_context(|| "--header is NAME: VALUE, such as --header \"X-Api-Key: $KEY\"".to_owned())?;
        let (name, value) = (name.trim(), value.trim());
        if name.is_empty() || value.is_empty() {
            return Err(Error::usage(format!(
                "--header {name:?} has no name or no value: is its variable set in this shell?"
            )));
        }
        Ok(Self { name, value })
    }

    /// Whether it signs in, by its name.
    fn signs_in(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        let last = name.rsplit('-').next().unwrap_or_default();
        [
            "authorization",
            "cookie",
            "key",
            "token",
            "secret",
            "auth",
            "session",
            "apikey",
        ]
        .contains(&last)
    }

    /// How it signs in as `auth` writes it, the variable for its secret, and the secret.
    fn auth(&self) -> Result<(Value, EnvName, Secret)> {
        let name: String = self
            .name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_uppercase()
                } else {
                    '_'
                }
            })
            .collect();
        let bearer = self.value.strip_prefix("Bearer ").filter(|_| name == "AUTHORIZATION");
        let (variable, value) = match bearer {
            Some(token) => ("API_TOKEN".to_owned(), token.trim()),
            None if name == "AUTHORIZATION" || name == "COOKIE" => (format!("API_{name}"), self.value),
            None => (name, self.value),
        };
        let variable: EnvName = variable.parse().context("--header")?;
        let auth = match bearer {
            Some(_) => json!({"bearer": {"env": variable}}),
            None => json!({"header": self.name, "value": {"env": variable}}),
        };
        Ok((auth, variable, Secret::new(value)))
    }
}

impl FirstLens {
    /// The lens that `asked` comes to; nothing is sent.
    ///
    /// # Errors
    /// An address, a header or a name that is none.
    pub fn of(asked: &FirstAsked) -> Result<Self> {
        let (base, path) = Base::with_path(&asked.url).context("--url")?;
        let headers = asked
            .headers
            .iter()
            .map(|text| Header::read(text))
            .collect::<Result<Vec<_>>>()?;
        let (sign_in, others): (Vec<_>, Vec<_>) = headers.iter().partition(|header| header.signs_in());
        let given: IndexMap<&str, &str> = headers.iter().map(|header| (header.name, header.value)).collect();
        let request: Request =
            serde_json::from_value(json!({"get": literal(&path), "headers": literals(&given)})).context("--url")?;
        let auth = match sign_in.as_slice() {
            [] => None,
            [one] => Some(one.auth()?),
            [one, other, ..] => {
                let told = format!(
                    "--header: {} and {} both sign in: a user has one way to",
                    one.name, other.name
                );
                return Err(Error::usage(told));
            }
        };
        let id = match &asked.id {
            Some(id) => id.clone(),
            None => named_after(&path, &base)?,
        };
        let name: Ident = id.as_str().parse()?;
        let others: IndexMap<&str, &str> = others.iter().map(|header| (header.name, header.value)).collect();
        let mut endpoint =
            json!({"name": name, "get": literal(&path), "headers": literals(&others), "allow": "anyone"});
        let (mut users, mut auths) = (json!({}), json!({}));
        if let Some((auth, ..)) = &auth {
            endpoint["allow"] = json!([CALLER]);
            users = json!({ CALLER: {"role": CALLER, "auth": CALLER} });
            auths = json!({ CALLER: auth });
        }
        if !asked.expect.is_empty() {
            endpoint["expect"] = json!({"status": asked.expect});
        }
        let tenants = if asked.tenants.is_empty() {
            json!(["main"])
        } else {
            json!(asked.tenants)
        };
        let mut lens = json!({"lens": id, "template_set": SET, "flags": asked.flags, "tenants": tenants, "users": users,
            "auth": auths, "endpoints": [endpoint]});
        if let Some(health) = &asked.health {
            lens["health"] = json!(health);
        }
        Ok(Self {
            base,
            lens: serde_json::from_value(lens).map_err(Error::invalid)?,
            credential: auth.map(|(_, variable, secret)| (variable, secret)),
            request,
            is_told: !asked.expect.is_empty(),
        })
    }

    /// Asks the address once: an answer that is no JSON is expected to be none from then on. Returns what was answered,
    /// in words, where it is no success.
    ///
    /// # Errors
    /// A request that cannot be made.
    pub async fn try_once<S: Sender>(&mut self, sender: &S) -> Result<Option<String>> {
        let mut request = prepare(&self.base, &self.request, None, &Vars::new()).map_err(Error::invalid)?;
        request
            .secrets
            .extend(self.credential.iter().map(|(_, secret)| secret.clone()));
        let exchange = sender.send(Arc::new(request)).await;
        let response = match &exchange.result {
            Ok(response) => response,
            Err(failure) => return Ok(Some(failure.detail.clone())),
        };
        let Some(endpoint) = self.lens.endpoints.first_mut() else {
            return Ok(None);
        };
        let is_success = (200..300).contains(&response.status);
        if is_success && response.json().is_none() && !self.is_told {
            let expect = json!({"status": response.status});
            endpoint.expect = Some(serde_json::from_value(expect).map_err(Error::system)?);
        }
        let expected = endpoint.expect.as_ref().and_then(|expect| expect.status.as_ref());
        let met = expected.map_or(is_success, |status| status.contains(response.status));
        Ok((!met).then(|| format!("it answers {}", response.status)))
    }

    /// The monitor plan that its lens becomes.
    ///
    /// # Errors
    /// A lens that does not hold together.
    pub fn monitor(&self) -> Result<Loaded<MonitorPlan>> {
        let (lens, _) = self.lens.clone().resolve(&Defaults::default(), true)?;
        let rendered = TemplateSet::load(templates::built_in(SET)?)?.render(&[lens], &RepoContext::default())?;
        let plan = rendered.into_iter().find(|file| file.plan == Some(PlanKind::Monitor));
        let file = plan.context("the template set makes no monitor plan")?;
        Ok(Loaded {
            plan: yaml::read(&file.path, &file.text)?,
            text: file.text,
            path: PathBuf::from("--url"),
            origin: PlanOrigin::Generated,
        })
    }

    /// The files that go on from here, for people.
    ///
    /// # Errors
    /// Never for a lens that holds together.
    pub fn files(&self) -> Result<String> {
        let terms = TemplateSet::load(templates::built_in(SET)?)?;
        let lens = render_lens_file(&templates::lens_file()?, &self.lens, terms.terms())?;
        // The header line of the file names it already.
        Ok(format!(
            "# lensops.yml\napi_base_url: {}\n\n{}",
            self.base,
            lens.trim_end()
        ))
    }
}

/// The id of a lens of `path`: its last word, else the host's first.
fn named_after(path: &str, base: &Base) -> Result<LensId> {
    let path = path.split('?').next().unwrap_or_default();
    let of_host = base
        .host()
        .split('.')
        .find(|label| label.chars().any(|c| c.is_ascii_alphabetic()));
    let words = path.rsplit('/').chain(of_host);
    let mut ids = words
        .filter(|word| word.starts_with(|c: char| c.is_ascii_alphabetic()))
        .filter_map(|word| LensId::from_human(word).ok());
    match ids.next() {
        Some(id) => Ok(id),
        None => Ok("api".parse()?),
    }
}

/// Text in which a dollar is no variable.
fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

fn literals(headers: &IndexMap<&str, &str>) -> IndexMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), literal(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(url: &str, headers: &[&str]) -> FirstLens {
        FirstLens::of(&FirstAsked {
            url: url.to_owned(),
            headers: headers.iter().map(ToString::to_string).collect(),
            ..FirstAsked::default()
        })
        .unwrap()
    }

    #[test]
    fn a_lens_of_an_address_holds_no_secret_and_makes_a_plan() {
        let cases: [(&str, &[&str], &str, &str); 5] = [
            (
                "https://api.example.com/v1/orders?limit=2",
                &[],
                "orders",
                "allow: anyone",
            ),
            ("http://127.0.0.1:8080/", &[], "api", "allow: anyone"),
            (
                "https://shop.example.com/items/7",
                &["X-Api-Key: canary"],
                "items",
                "auth: {caller: {header: X-Api-Key, value: {env: X_API_KEY}}}",
            ),
            (
                "https://shop.example.com",
                &["Authorization: Bearer canary", "Accept: text/html"],
                "shop",
                "auth: {caller: {bearer: {env: API_TOKEN}}}",
            ),
            (
                "https://shop.example.com/a?x=$5",
                &["Cookie: sid=canary"],
                "a",
                "get: \"/a?x=$$5\"",
            ),
        ];
        for (url, headers, id, part) in cases {
            let first = first(url, headers);
            let text = first.files().unwrap();
            assert_eq!(first.lens.lens.as_str(), id, "{url}");
            assert!(text.contains(part) && !text.contains("canary"), "{url}: {text}");
            let plan = first.monitor().unwrap().plan;
            assert_eq!((plan.probes.len(), plan.samples), (1, 21), "{url}");
        }
    }

    #[test]
    fn what_is_no_header_or_no_address_is_told_without_what_it_holds() {
        for (url, header, told) in [
            ("api.example.com/x", "A: b", "it needs http://"),
            ("https://x/y", "canary", "--header is NAME: VALUE"),
            ("https://x/y", "X-Api-Key:", "is its variable set"),
        ] {
            let asked = FirstAsked {
                url: url.to_owned(),
                headers: vec![header.to_owned()],
                ..FirstAsked::default()
            };
            let error = FirstLens::of(&asked).unwrap_err().line();
            assert!(error.contains(told) && !error.contains("canary"), "{error}");
        }
    }
}
