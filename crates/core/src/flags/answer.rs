//! What the answer of a flag service says of a flag.

use serde_json::Value;

use super::service::{FlagService, ReadFlag};
use super::state::Reading;
use crate::exchange::{Exchange, Response};
use crate::plan::Dialect;
use crate::request::Vars;
use crate::request::fill::PrepareError;
use crate::verdict::judge::matches;

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub enum Answered {
    /// The flag, and what is kept of it for `set`.
    Found(Reading, Vars),
    /// It does not stand on this page; the next one is at this address.
    Next(String),
    /// The service has no such flag.
    NotThere,
}

/// Why an answer says nothing of the flag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON.
    #[error("the provider's answer is no JSON")]
    NotJson,
    /// No rule holds.
    #[error("the provider's answer fits no rule of its definition: it says neither on nor off")]
    NoRule,
    /// A request or place names what is not known.
    #[error("{0}")]
    Fill(#[from] PrepareError),
}

impl FlagService {
    /// What the answer of `exchange`, with a status below 300 or 404, says of the flag that `vars` name.
    ///
    /// # Errors
    /// When it says nothing of it.
    pub fn answered(&self, exchange: &Exchange, response: &Response, vars: &Vars) -> Result<Answered, Unreadable> {
        if response.status == 404 {
            return Ok(Answered::NotThere);
        }
        let body: Value = response.json().ok_or(Unreadable::NotJson)?;
        let read = &self.read;
        let Some(found) = read.within.find(&body, vars)? else {
            let next = read.next.as_ref().and_then(|next| next.first(&body)?.as_str());
            return Ok(next.map_or(Answered::NotThere, |next| Answered::Next(next.to_owned())));
        };
        let state = read.state(exchange, response, found)?;
        let mut kept = Vars::new();
        for (name, path) in &read.keep {
            if let Some(value) = path.first(found) {
                kept.insert(name.clone(), value.clone());
            }
        }
        Ok(Answered::Found(state, kept))
    }
}

impl ReadFlag {
    /// The first rule that holds of `found`.
    fn state(&self, exchange: &Exchange, response: &Response, found: &Value) -> Result<Reading, Unreadable> {
        let part = Exchange {
            result: Ok(Response {
                body: found.to_string().into_bytes(),
                ..response.clone()
            }),
            ..exchange.clone()
        };
        let dialect = Dialect::default();
        let mut rules = self.states.iter();
        let rule = rules.find(|rule| matches(&rule.when, &dialect, &part));
        rule.map(|rule| Reading::of_switch(rule.is)).ok_or(Unreadable::NoRule)
    }
}
