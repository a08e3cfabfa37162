//! One cell of the matrix: a request as one role, held to what the registry says.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use lensops_core::exchange::{Exchange, PreparedRequest, Sender};
use lensops_core::lens::User;
use lensops_core::plan::acceptance::omit;
use lensops_core::plan::signature;
use lensops_core::redaction::{Redactor, Transcript};
use lensops_core::request::Credential;
use lensops_core::request::prepare::{prepare, set};
use lensops_core::verdict::acceptance::CaseResult;
use lensops_core::verdict::registry::{Action, Expected, Judged, Refusal, Variant};
use serde_json::{Value, json};

use super::role_matrix::RoleMatrix;
use super::table::Mark;
use crate::auth::{Sending, Unsigned};
use crate::commands::acceptance::per_step::set_per_step;
use crate::commands::error::Result;

/// What a cell came to.
pub(super) struct Cell {
    pub(super) result: CaseResult,
    pub(super) mark: Mark,
    /// The exchange; `None` where nothing was sent.
    pub(super) transcript: Option<Transcript>,
    /// Whether the API answered anything.
    pub(super) answered: bool,
}

impl RoleMatrix {
    /// Asks as `user`, or says why nobody was asked.
    pub(super) async fn cell<S: Sender>(
        &self,
        sender: &S,
        action: &Action,
        user: Option<&User>,
        rng: &mut fastrand::Rng,
    ) -> Cell {
        let Some(user) = user else {
            return self.skipped("no user of this role");
        };
        let signs_as = (action.variant == Variant::Signed).then(|| user.signing_role());
        let expected = action
            .refusal(&user.role, signs_as)
            .map_or(Expected::LetIn, Expected::Denied);
        if expected == Expected::LetIn && action.variant != Variant::Read && !self.destructive {
            return self
                .skipped("would be let in: runs only against a target marked `destructive: allowed` in lensops.yml");
        }
        self.send(sender, action, user, expected, rng).await
    }

    fn skipped(&self, reason: &str) -> Cell {
        Cell {
            result: CaseResult::Skipped {
                reason: self.redactor.text(reason),
            },
            mark: Mark::NotRun,
            transcript: None,
            answered: false,
        }
    }

    fn failed(&self, why: &str) -> Cell {
        Cell {
            result: CaseResult::Failed {
                why: self.redactor.text(why),
            },
            mark: Mark::Differs,
            transcript: None,
            answered: false,
        }
    }

    pub(super) fn unjudged(&self, reason: &str) -> Cell {
        Cell {
            result: CaseResult::Unjudged {
                reason: self.redactor.text(reason),
            },
            mark: Mark::Unjudged,
            transcript: None,
            answered: false,
        }
    }

    /// Sends the request of a cell and judges its answer.
    pub(super) async fn send<S: Sender>(
        &self,
        sender: &S,
        action: &Action,
        user: &User,
        expected: Expected,
        rng: &mut fastrand::Rng,
    ) -> Cell {
        let sending = Sending {
            user: Some(user),
            base: &self.base,
            hosts: &self.loaded.plan.hosts,
            vars: &self.vars,
            tenant: self.loaded.plan.tenants.values(self.loaded.plan.tenants[0]),
            now: Timestamp::now(),
        };
        let credential = match self.signing.sign(sender, &sending).await {
            Ok(signed) => signed.credential,
            Err(Unsigned::Failed(failed)) if failed.is_own_host => {
                return Cell {
                    answered: failed.status.is_some(),
                    ..self.failed(&failed.told)
                };
            }
            Err(Unsigned::Failed(failed)) => return self.unjudged(&failed.told),
            Err(Unsigned::Unknown(reason)) => return self.unjudged(&reason),
        };
        let request = match self.prepare(action, user, credential.as_ref(), expected, rng) {
            Ok(request) => request,
            Err(error) => return self.unjudged(&error.line()),
        };
        let exchange = sender.send(Arc::new(request)).await;
        let redactor = self.redactor.for_exchange(&exchange.request.secrets);
        let (result, mark) = self.judge(&exchange, expected, &redactor);
        Cell {
            result,
            mark,
            transcript: Some(Transcript::of(&exchange, &redactor)),
            answered: exchange.result.is_ok(),
        }
    }

    fn judge(&self, exchange: &Exchange, expected: Expected, redactor: &Redactor) -> (CaseResult, Mark) {
        let clean = |text: &str| redactor.text(text);
        let response = match &exchange.result {
            Ok(response) => response,
            Err(failure) => {
                let why = clean(&failure.detail);
                return (CaseResult::Failed { why }, Mark::Differs);
            }
        };
        let code = response.json().and_then(|body| self.dialect.code(&body));
        match expected.judge(response.status, code.as_deref()) {
            Judged::AsExpected => {
                let told = match &code {
                    Some(code) => clean(&format!("{} {code}", response.status)),
                    None => clean(&response.status.to_string()),
                };
                let mark = if expected == Expected::LetIn {
                    Mark::LetIn
                } else {
                    Mark::Denied
                };
                (CaseResult::Passed { told }, mark)
            }
            Judged::Differs(why) => (CaseResult::Failed { why: clean(&why) }, Mark::Differs),
            Judged::Unjudged(reason) => (CaseResult::Unjudged { reason: clean(&reason) }, Mark::Unjudged),
        }
    }

    fn prepare(
        &self,
        action: &Action,
        user: &User,
        credential: Option<&Credential>,
        expected: Expected,
        rng: &mut fastrand::Rng,
    ) -> Result<PreparedRequest> {
        let mut vars = self.vars.clone();
        set(&mut vars, "action", json!(action.action_id));
        set_per_step(&mut vars, self.count.fetch_add(1, Ordering::Relaxed), rng.u128(..));
        let mut secrets = Vec::new();
        let mut signed = Value::Null;
        if action.variant == Variant::Signed {
            let (value, hash) = signature(user, user.signing_role(), Timestamp::now(), rng.u64(..));
            secrets.push(hash);
            signed = value;
        }
        set(&mut vars, "signature", signed);
        let mut spec = self.request.clone();
        if let Some(body) = spec.json_mut() {
            if action.variant != Variant::Signed {
                omit(body, &self.matrix.signature);
            }
            // An API may ask for all fields before it looks who signs. With leave to change something they
            // are sent, so that such a cell can be judged.
            let signer_alone = expected == Expected::Denied(Refusal::Signer) && self.destructive;
            if expected == Expected::LetIn || signer_alone {
                self.fill(action, body);
            }
        }
        let mut request = prepare(
            &spec.base(&self.base, &self.loaded.plan.hosts, &vars)?,
            &spec,
            credential,
            &vars,
        )?;
        request.secrets.extend(secrets);
        Ok(request)
    }

    /// Adds the fields that the action needs and whose values are known.
    fn fill(&self, action: &Action, body: &mut Value) {
        let pointer = format!("/{}", self.matrix.payload.replace('.', "/"));
        let Some(payload) = body.pointer_mut(&pointer).and_then(Value::as_object_mut) else {
            return;
        };
        for field in &action.required_fields {
            if let (Some(value), false) = (self.known.get(field.as_str()), payload.contains_key(field.as_str())) {
                payload.insert(field.to_string(), value.clone());
            }
        }
    }
}
