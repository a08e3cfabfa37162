//! Credentials that were fetched, until they end.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex as SyncMutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use lensops_core::auth::{Fetch, Fetched};
use lensops_core::crypto::digest::sha256_hex;
use lensops_core::exchange::{Cause, Exchange, FailureClass, Sender};
use lensops_core::request::Credential;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How long a failure stands: the probes of one check do not try one after the other what has just failed.
const FAILED_FOR: Duration = Duration::from_secs(5);

/// Why a credential could not be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchFailed {
    /// What happened, one line.
    pub told: String,
    /// The failure's class.
    pub class: FailureClass,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What kept this machine from asking, where something did.
    pub own: Option<Cause>,
    /// Whether it was the API itself that was asked.
    pub is_own_host: bool,
}

impl FetchFailed {
    /// Whether the answer says that it does not know who asks.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self.status, Some(400 | 401 | 403))
    }
}

#[derive(Default)]
struct Slot {
    kept: Option<Arc<Fetched>>,
    failed: Option<(Instant, FetchFailed)>,
}

/// Credentials by what fetches them. Clones share them.
#[derive(Clone, Default)]
pub struct Held(Arc<SyncMutex<HashMap<String, Arc<Mutex<Slot>>>>>);

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held(…)")
    }
}

impl Held {
    /// The credential of `fetch`, good at `now`: the one that is kept, else a new one. Who asks while it is fetched
    /// waits for it.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn get<S: Sender>(&self, sender: &S, fetch: &Fetch, now: Timestamp) -> Result<Arc<Fetched>, FetchFailed> {
        self.other_than(sender, fetch, None, now).await
    }

    /// A credential in place of `refused`, unless somebody else has fetched another one already.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn renew<S: Sender>(
        &self,
        sender: &S,
        fetch: &Fetch,
        refused: &Credential,
        now: Timestamp,
    ) -> Result<Arc<Fetched>, FetchFailed> {
        self.other_than(sender, fetch, Some(refused), now).await
    }

    async fn other_than<S: Sender>(
        &self,
        sender: &S,
        fetch: &Fetch,
        refused: Option<&Credential>,
        now: Timestamp,
    ) -> Result<Arc<Fetched>, FetchFailed> {
        let slot = self.slot(fetch);
        let mut slot = slot.lock().await;
        let is_good = |kept: &&Arc<Fetched>| {
            kept.good_until.is_none_or(|until| now < until) && refused.is_none_or(|refused| kept.credential != *refused)
        };
        if let Some(kept) = slot.kept.as_ref().filter(is_good) {
            return Ok(kept.clone());
        }
        slot.kept = None;
        if let Some((at, failed)) = &slot.failed
            && at.elapsed() < FAILED_FOR
        {
            return Err(failed.clone());
        }
        match ask(sender, fetch, now).await {
            Ok(fetched) => {
                let fetched = Arc::new(fetched);
                *slot = Slot {
                    kept: Some(fetched.clone()),
                    failed: None,
                };
                Ok(fetched)
            }
            Err(failed) => {
                slot.failed = Some((Instant::now(), failed.clone()));
                Err(failed)
            }
        }
    }

    fn slot(&self, fetch: &Fetch) -> Arc<Mutex<Slot>> {
        // The key holds secrets: only its hash is kept.
        let key = sha256_hex(fetch.key().expose().as_bytes());
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.entry(key).or_default().clone()
    }
}

/// Sends `fetch`; a connection that fails is tried once more, as a probe's is.
async fn ask<S: Sender>(sender: &S, fetch: &Fetch, now: Timestamp) -> Result<Fetched, FetchFailed> {
    let request = Arc::new(fetch.request.clone());
    let mut exchange = sender.send(request.clone()).await;
    let lost = |exchange: &Exchange| {
        let class = exchange.result.as_ref().err().map(|failure| failure.class);
        matches!(class, Some(FailureClass::Connectivity | FailureClass::BadBody))
    };
    if lost(&exchange) {
        exchange = sender.send(request).await;
    }
    let failed = |class, why: &str, own| FetchFailed {
        told: format!("sign-in, {}: {why}", fetch.tell()),
        class,
        status: exchange.status(),
        own,
        is_own_host: fetch.is_own,
    };
    match &exchange.result {
        Err(failure) => Err(failed(failure.class, &failure.detail, failure.own)),
        Ok(response) => fetch.take(response, now).map_err(|why| {
            let class = FailureClass::of_status(response.status).unwrap_or(FailureClass::BadBody);
            failed(class, &why, None)
        }),
    }
}
