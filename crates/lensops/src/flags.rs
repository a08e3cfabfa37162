//! Feature flags at the provider that hosts the API: environment variables of its service.
//!
//! The API reads a flag as `value.lower() == "true"`, and no variable as off; so does this. A
//! provider that cannot be read is no flag that is off: it is an answer of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use lensops_core::exchange::{Base, Method, PreparedRequest, Secret, Sender};
use serde::Deserialize;

/// How many variables a page holds at most.
const PAGE: usize = 100;

/// Pages read before giving up on a provider that never ends.
const MOST_PAGES: usize = 100;

/// A provider with the interface of Render.
#[derive(Debug, Clone)]
pub struct RenderProvider {
    /// Its address.
    pub base: Base,
    /// Its key.
    pub key: Secret,
    /// The service whose variables the flags are.
    pub service: String,
}

/// Why the flags could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FlagError {
    /// No answer.
    #[error("the provider did not answer: {0}")]
    Silent(String),
    /// Another answer than expected.
    #[error("the provider answered {0}")]
    Status(u16),
    /// An answer that is no list of variables.
    #[error("the provider's answer is not a list of variables")]
    Garbage,
    /// Pages without end.
    #[error("the provider's list does not end after {MOST_PAGES} pages")]
    Endless,
}

#[derive(Deserialize)]
struct Item {
    #[serde(rename = "envVar")]
    variable: Variable,
    cursor: Option<String>,
}

#[derive(Deserialize)]
struct Variable {
    key: String,
    value: String,
}

impl RenderProvider {
    /// All variables of the service, every page of them.
    ///
    /// # Errors
    /// When the provider does not answer with a list; a part of a list is no answer.
    pub async fn read<S: Sender>(&self, sender: &S) -> Result<BTreeMap<String, String>, FlagError> {
        let mut variables = BTreeMap::new();
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let items = self.page(sender, cursor.as_deref()).await?;
            let (count, last) = (items.len(), items.last().and_then(|item| item.cursor.clone()));
            variables.extend(items.into_iter().map(|item| (item.variable.key, item.variable.value)));
            // A short page is the last one; a page that repeats its cursor would never end.
            if count < PAGE || last.is_none() || last == cursor {
                return Ok(variables);
            }
            cursor = last;
        }
        Err(FlagError::Endless)
    }

    /// Sets one variable. Never the whole set: that would replace every other one.
    ///
    /// # Errors
    /// When the provider does not say that it did.
    pub async fn set<S: Sender>(&self, sender: &S, name: &str, value: &str) -> Result<(), FlagError> {
        let path = format!("/v1/services/{}/env-vars/{}", encoded(&self.service), encoded(name));
        let request = self
            .request(Method::Put, &path)
            .json(&serde_json::json!({"value": value}));
        self.done(sender, request).await
    }

    /// Deploys the service anew: it reads its flags when it starts.
    ///
    /// # Errors
    /// When the provider does not say that it does.
    pub async fn deploy<S: Sender>(&self, sender: &S) -> Result<(), FlagError> {
        let path = format!("/v1/services/{}/deploys", encoded(&self.service));
        self.done(sender, self.request(Method::Post, &path).json(&serde_json::json!({})))
            .await
    }

    fn request(&self, method: Method, path: &str) -> PreparedRequest {
        PreparedRequest::new(self.base.clone(), method, path)
            .header("Accept", "application/json")
            .bearer(&self.key)
    }

    async fn done<S: Sender>(&self, sender: &S, request: PreparedRequest) -> Result<(), FlagError> {
        match sender.send(Arc::new(request)).await.result {
            Ok(response) if (200..300).contains(&response.status) => Ok(()),
            Ok(response) => Err(FlagError::Status(response.status)),
            Err(failure) => Err(FlagError::Silent(format!(
                "{} ({})",
                failure.detail,
                failure.class.as_str()
            ))),
        }
    }

    async fn page<S: Sender>(&self, sender: &S, cursor: Option<&str>) -> Result<Vec<Item>, FlagError> {
        let after = cursor.map_or_else(String::new, |cursor| format!("&cursor={}", encoded(cursor)));
        let path = format!("/v1/services/{}/env-vars?limit={PAGE}{after}", encoded(&self.service));
        let request = self.request(Method::Get, &path);
        let exchange = sender.send(Arc::new(request)).await;
        match exchange.result {
            Ok(response) if response.status == 200 => {
                serde_json::from_slice(&response.body).map_err(|_| FlagError::Garbage)
            }
            Ok(response) => Err(FlagError::Status(response.status)),
            Err(failure) => Err(FlagError::Silent(format!(
                "{} ({})",
                failure.detail,
                failure.class.as_str()
            ))),
        }
    }
}

/// Whether a flag with this value is on.
#[must_use]
pub fn is_on(value: Option<&str>) -> bool {
    value.is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::is_on;

    /// Defect 8, its first third: the flag `True` was read as off.
    #[test]
    fn defect_8_true_in_any_case_is_on_and_anything_else_is_off() {
        for on in ["true", "True", "TRUE"] {
            assert!(is_on(Some(on)), "{on}");
        }
        for off in [Some("false"), Some(""), Some("1"), Some("yes"), Some(" true"), None] {
            assert!(!is_on(off), "{off:?}");
        }
    }
}
