//! A flag service that is asked over HTTP, by its definition.

use std::sync::Arc;
use std::time::Duration;

use lensops_core::exchange::{Base, PreparedRequest, Sender};
use lensops_core::flags::{Answered, FlagService, Follows, Reading, Readings, Unreadable};
use lensops_core::ident::FlagName;
use lensops_core::request::fill::{expand_text, names};
use lensops_core::request::prepare::{prepare, set};
use lensops_core::request::{Request, Vars};
use lensops_core::secret::Secret;
use serde_json::json;
use tokio::time::Instant;

use super::error::FlagError;
use super::provider::{Deploy, FlagProvider};
use super::sending::patiently;

/// Pages read before giving up on a service that never ends.
const MOST_PAGES: usize = 100;

/// A flag service, by its definition.
#[derive(Debug, Clone)]
pub struct ServiceProvider {
    /// How it is asked.
    pub service: Arc<FlagService>,
    /// Its address.
    pub base: Base,
    /// What `flags` of `lensops.yml` gives.
    pub vars: Vars,
    /// The secrets among them.
    pub secrets: Vec<Secret>,
    /// The environment variable that holds its key, for errors.
    pub variable: String,
    /// How long it is waited for, in all, when it is busy or down.
    pub patience: Duration,
}

impl FlagProvider for ServiceProvider {
    async fn read<S: Sender>(&self, sender: &S, asked: &[FlagName]) -> Result<Readings, FlagError> {
        let deadline = Instant::now() + self.patience;
        let mut readings = Readings::new();
        for flag in asked {
            let (reading, _) = self.look(sender, flag, deadline).await?;
            readings.insert(flag.clone(), reading);
        }
        Ok(readings)
    }

    async fn set<S: Sender>(&self, sender: &S, flag: &FlagName, value: &str) -> Result<(), FlagError> {
        let deadline = Instant::now() + self.patience;
        let Some(how) = &self.service.set else {
            return Err(FlagError::ReadOnly(self.told_read_only()));
        };
        let (reading, kept) = self.look(sender, flag, deadline).await?;
        if reading == Reading::NOT_THERE {
            return Err(FlagError::NoFlag(flag.to_string()));
        }
        let mut vars = self.vars_of(flag);
        vars.extend(kept);
        let request = if value == "true" { &how.on } else { &how.off };
        let request = self.prepared(request, &vars)?;
        match patiently(sender, request, deadline, &self.variable).await {
            Ok((_, response)) if response.status == 404 => Err(FlagError::Status(404)),
            Ok(_) => Ok(()),
            // It may have been done all the same: the service says.
            Err(error @ FlagError::Silent(_)) => match self.look(sender, flag, deadline).await {
                Ok((now, _)) if now.value.as_deref() == Some(value) => Ok(()),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn deploy<S: Sender>(&self, _sender: &S) -> Result<Deploy, FlagError> {
        Ok(self.follows())
    }

    fn follows(&self) -> Deploy {
        match self.service.set.as_ref().map(|set| set.then) {
            None | Some(Follows::Live) => Deploy::Live,
            Some(Follows::Deploying) => Deploy::Started,
            Some(Follows::ByHand) => Deploy::ByHand,
        }
    }

    fn read_only(&self) -> Option<String> {
        self.service.set.is_none().then(|| self.told_read_only())
    }

    fn makes_flags(&self) -> bool {
        false
    }

    fn target(&self) -> String {
        let records = expand_text(&self.service.records, &self.vars);
        format!("{} {}", self.service.service, records.unwrap_or_default())
    }

    fn name(&self) -> String {
        format!("{} at {}", self.target(), self.base)
    }

    fn settings(&self) -> String {
        format!("{} and `flags` of lensops.yml", self.variable)
    }
}

impl ServiceProvider {
    fn told_read_only(&self) -> String {
        format!(
            "{} only evaluates flags: switch the flag where it is kept, or name that service in `flags` of lensops.yml",
            self.service.service
        )
    }

    fn vars_of(&self, flag: &FlagName) -> Vars {
        let mut vars = self.vars.clone();
        set(&mut vars, "flag", json!(flag));
        vars
    }

    fn prepared(&self, request: &Request, vars: &Vars) -> Result<PreparedRequest, FlagError> {
        let unfilled = |error| FlagError::Garbage(Unreadable::Fill(error));
        let mut prepared = prepare(&self.base, request, None, vars).map_err(unfilled)?;
        for (name, value) in &self.service.headers {
            if request.headers.keys().any(|own| own.eq_ignore_ascii_case(name)) {
                continue;
            }
            // One that stands for nothing, such as a token that nobody needs, is not sent.
            if names(value).any(|name| vars.get(name) == Some(&json!(""))) {
                continue;
            }
            let value = expand_text(value, vars).map_err(unfilled)?;
            prepared
                .headers
                .retain(|header| !header.name.eq_ignore_ascii_case(name));
            prepared = prepared.header(name, value);
        }
        prepared.secrets.extend(self.secrets.iter().cloned());
        Ok(prepared)
    }

    /// One flag, page by page, and what is kept of it for `set`.
    async fn look<S: Sender>(
        &self,
        sender: &S,
        flag: &FlagName,
        deadline: Instant,
    ) -> Result<(Reading, Vars), FlagError> {
        let vars = self.vars_of(flag);
        let mut request = self.prepared(&self.service.read.request, &vars)?;
        for _ in 0..MOST_PAGES {
            let (exchange, response) = patiently(sender, request.clone(), deadline, &self.variable).await?;
            let answered = self.service.answered(&exchange, &response, &vars);
            match answered.map_err(FlagError::Garbage)? {
                Answered::Found(reading, kept) => return Ok((reading, kept)),
                Answered::NotThere => return Ok((Reading::NOT_THERE, Vars::new())),
                Answered::Next(address) => request.target = self.below(&address)?,
            }
        }
        Err(FlagError::Endless(MOST_PAGES))
    }

    /// The target of a page at `address`, which must stand where the first one does: the key goes nowhere else.
    fn below(&self, address: &str) -> Result<String, FlagError> {
        if address.starts_with('/') && !address.starts_with("//") {
            return Ok(address.to_owned());
        }
        let (base, target) = Base::with_path(address).map_err(|_| FlagError::Elsewhere)?;
        let same = base.authority() == self.base.authority() && base.is_tls() == self.base.is_tls();
        same.then_some(target).ok_or(FlagError::Elsewhere)
    }
}
