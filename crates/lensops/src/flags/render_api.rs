//! A provider with the interface of Render: pages of variables, one variable at a time, deploys.
//!
//! A busy provider (429) is left alone for as long as it asks, one that is down is asked again
//! after a wait that doubles; both end with the patience of who asks.

use std::sync::Arc;
use std::time::Duration;

use lensops_core::exchange::{Base, Method, PreparedRequest, Response, Sender};
use lensops_core::secret::Secret;
use serde::Deserialize;
use tokio::time::Instant;

use super::error::FlagError;
use super::provider::{Deploy, FlagProvider, Variables};

/// How many variables a page holds at most.
const PAGE: usize = 100;

/// Pages read before giving up on a provider that never ends.
const MOST_PAGES: usize = 100;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// A provider with the interface of Render.
#[derive(Debug, Clone)]
pub struct RenderProvider {
    /// Its address.
    pub base: Base,
    /// Its key.
    pub key: Secret,
    /// The service whose variables the flags are.
    pub service: String,
    /// How long it is waited for, in all, when it is busy or down.
    pub patience: Duration,
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

impl FlagProvider for RenderProvider {
    async fn read<S: Sender>(&self, sender: &S) -> Result<Variables, FlagError> {
        let mut variables = Variables::new();
        let mut cursor: Option<String> = None;
        let deadline = Instant::now() + self.patience;
        for _ in 0..MOST_PAGES {
            let items = self.page(sender, cursor.as_deref(), deadline).await?;
            let (count, last) = (items.len(), items.last().and_then(|item| item.cursor.clone()));
            variables.extend(items.into_iter().map(|item| (item.variable.key, item.variable.value)));
            // A short page is the last one; a page that repeats its cursor would never end.
            if count < PAGE || last.is_none() || last == cursor {
                return Ok(variables);
            }
            cursor = last;
        }
        Err(FlagError::Endless(MOST_PAGES))
    }

    async fn set<S: Sender>(&self, sender: &S, name: &str, value: &str) -> Result<(), FlagError> {
        let path = format!("/v1/services/{}/env-vars/{}", encoded(&self.service), encoded(name));
        let request = self
            .request(Method::Put, &path)
            .json(&serde_json::json!({"value": value}));
        self.send(sender, request, Instant::now() + self.patience)
            .await
            .map(drop)
    }

    async fn deploy<S: Sender>(&self, sender: &S) -> Result<Deploy, FlagError> {
        let path = format!("/v1/services/{}/deploys", encoded(&self.service));
        let request = self.request(Method::Post, &path).json(&serde_json::json!({}));
        self.send(sender, request, Instant::now() + self.patience).await?;
        Ok(Deploy::Started)
    }

    fn target(&self) -> String {
        self.service.clone()
    }

    fn name(&self) -> String {
        format!("service {} at {}", self.service, self.base)
    }
}

impl RenderProvider {
    fn request(&self, method: Method, path: &str) -> PreparedRequest {
        PreparedRequest::new(self.base.clone(), method, path)
            .header("Accept", "application/json")
            .bearer(&self.key)
    }

    /// Sends `request`, again until `deadline` while the provider is busy or down. What
    /// is sent may be sent twice: variables are set, not added to, and a second deploy does no harm.
    async fn send<S: Sender>(
        &self,
        sender: &S,
        request: PreparedRequest,
        deadline: Instant,
    ) -> Result<Response, FlagError> {
        let (request, mut wait) = (Arc::new(request), FIRST_WAIT);
        loop {
            let (error, after) = match sender.send(request.clone()).await.result {
                Ok(response) => match response.status {
                    200..300 => return Ok(response),
                    status @ (401 | 403) => return Err(FlagError::Denied(status)),
                    429 => {
                        let after = retry_after(&response);
                        (FlagError::Busy { after }, after)
                    }
                    status @ 500.. => (FlagError::Status(status), retry_after(&response)),
                    status => return Err(FlagError::Status(status)),
                },
                Err(failure) => {
                    let told = format!("{} ({})", failure.detail, failure.class.as_str());
                    (FlagError::Silent(told), None)
                }
            };
            let pause = after.unwrap_or(wait).max(Duration::from_millis(100));
            if Instant::now() + pause > deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn page<S: Sender>(
        &self,
        sender: &S,
        cursor: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<Item>, FlagError> {
        let after = cursor.map_or_else(String::new, |cursor| format!("&cursor={}", encoded(cursor)));
        let path = format!("/v1/services/{}/env-vars?limit={PAGE}{after}", encoded(&self.service));
        let response = self.send(sender, self.request(Method::Get, &path), deadline).await?;
        serde_json::from_slice(&response.body).map_err(|_| FlagError::Garbage)
    }
}

/// The seconds a provider asked for; a date, which it may send as well, is not waited for.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds: u64 = response.header("retry-after")?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
