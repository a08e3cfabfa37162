//! A provider with the interface of Render: one variable at a time, and deploys.

use std::time::Duration;

use lensops_core::exchange::{Base, Method, PreparedRequest, Response, Sender};
use lensops_core::flags::{Reading, Readings, Unreadable};
use lensops_core::ident::{EnvName, FlagName};
use lensops_core::secret::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::time::Instant;

use super::error::FlagError;
use super::provider::{Deploy, FlagProvider};
use super::sending::patiently;

/// The variable that holds its key.
const KEY: &str = "RENDER_API_KEY";

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
struct Variable {
    value: String,
}

impl FlagProvider for RenderProvider {
    async fn read<S: Sender>(&self, sender: &S, asked: &[FlagName]) -> Result<Readings, FlagError> {
        let deadline = Instant::now() + self.patience;
        let (mut readings, mut service_is_there) = (Readings::new(), false);
        for flag in asked {
            let request = self.request(Method::Get, &self.variable(flag));
            let response = self.send(sender, request, deadline).await?;
            let reading = if response.status == 404 {
                // The variable, or the whole service.
                if !service_is_there {
                    let path = format!("/v1/services/{}", encoded(&self.service));
                    let service = self.send(sender, self.request(Method::Get, &path), deadline).await?;
                    known(&service)?;
                }
                Reading::NOT_THERE
            } else {
                let variable: Variable =
                    serde_json::from_slice(&response.body).map_err(|_| FlagError::Garbage(Unreadable::NotJson))?;
                Reading::of_variable(&variable.value)
            };
            service_is_there = true;
            readings.insert(flag.clone(), reading);
        }
        Ok(readings)
    }

    async fn set<S: Sender>(&self, sender: &S, flag: &FlagName, value: &str) -> Result<(), FlagError> {
        if flag.as_str().parse::<EnvName>().is_err() {
            return Err(FlagError::NoFlag(format!("{flag}, which is no name of a variable")));
        }
        let request = self.request(Method::Put, &self.variable(flag));
        let request = request.json(&serde_json::json!({"value": value}));
        known(&self.send(sender, request, Instant::now() + self.patience).await?)
    }

    async fn deploy<S: Sender>(&self, sender: &S) -> Result<Deploy, FlagError> {
        let path = format!("/v1/services/{}/deploys", encoded(&self.service));
        let request = self.request(Method::Post, &path).json(&serde_json::json!({}));
        known(&self.send(sender, request, Instant::now() + self.patience).await?)?;
        Ok(Deploy::Started)
    }

    fn follows(&self) -> Deploy {
        Deploy::Started
    }

    fn read_only(&self) -> Option<String> {
        None
    }

    fn makes_flags(&self) -> bool {
        true
    }

    fn target(&self) -> String {
        self.service.clone()
    }

    fn name(&self) -> String {
        format!("service {} at {}", self.service, self.base)
    }

    fn settings(&self) -> String {
        "RENDER_API_KEY and RENDER_SERVICE_ID".to_owned()
    }
}

impl RenderProvider {
    fn variable(&self, flag: &FlagName) -> String {
        format!(
            "/v1/services/{}/env-vars/{}",
            encoded(&self.service),
            encoded(flag.as_str())
        )
    }

    fn request(&self, method: Method, path: &str) -> PreparedRequest {
        PreparedRequest::new(self.base.clone(), method, path)
            .header("Accept", "application/json")
            .bearer(&self.key)
    }

    async fn send<S: Sender>(
        &self,
        sender: &S,
        request: PreparedRequest,
        deadline: Instant,
    ) -> Result<Response, FlagError> {
        Ok(patiently(sender, request, deadline, KEY).await?.1)
    }
}

/// Whether the provider knows what it was asked about.
fn known(response: &Response) -> Result<(), FlagError> {
    match response.status {
        404 => Err(FlagError::Status(404)),
        _ => Ok(()),
    }
}

/// A segment of a path: the unreserved characters of RFC 3986 stay as they are.
fn encoded(text: &str) -> String {
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}
