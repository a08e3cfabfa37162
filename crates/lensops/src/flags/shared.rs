//! Flags read once per service and interval, shared by all checks of it.
//!
//! A thousand checks an interval must not be a thousand requests to a provider that counts them. A
//! provider that cannot be read is asked again soon, but not by every check; that it cannot be
//! read, and that it can again, is said once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use lensops_core::duration::Every;
use lensops_core::exchange::Sender;
use lensops_core::flags::Readings;
use lensops_core::ident::FlagName;
use tokio::sync::Mutex;

use super::configured::Provider;
use super::error::FlagError;
use super::provider::{CHECK_PATIENCE, FlagProvider as _};

/// How long a provider that could not be read is left alone, unless it asked for longer.
const LEFT_ALONE: SignedDuration = SignedDuration::from_secs(30);

/// How long a check every `every` waits for the provider: a third of its interval at most, so that it ends
/// in time and says so.
fn patience(every: Every) -> Duration {
    CHECK_PATIENCE.min(Duration::from_millis(every.as_ms().unsigned_abs() / 3))
}

/// A provider with what was last read of it.
#[derive(Debug)]
pub struct SharedFlags {
    provider: Provider,
    kept: Mutex<Kept>,
}

/// What was last read.
#[derive(Debug, Default)]
struct Kept {
    /// The flags, by those that were asked for, and when.
    read: HashMap<Vec<FlagName>, (Arc<Readings>, Timestamp)>,
    /// Why the provider could not be read, while it could not.
    failed: Option<(FlagError, Timestamp)>,
}

impl Kept {
    /// What still stands for a check at `now` of a lens that is checked every `every`.
    fn standing(&self, asked: &[FlagName], now: Timestamp, every: Every) -> Option<Result<Arc<Readings>, FlagError>> {
        let slot = |at: Timestamp| at.as_millisecond().div_euclid(every.as_ms());
        if let Some((error, at)) = &self.failed {
            let asked = match error {
                FlagError::Busy { after: Some(after) } => SignedDuration::try_from(*after).unwrap_or(LEFT_ALONE),
                _ => LEFT_ALONE,
            };
            let interval = SignedDuration::from_millis(every.as_ms());
            let stands = now.duration_since(*at).abs() < asked.max(LEFT_ALONE).min(interval);
            return stands.then(|| Err(error.clone()));
        }
        // A check that waited for the answer came before it was read: its time is the earlier one.
        let (read, _) = self.read.get(asked).filter(|(_, at)| slot(now) == slot(*at))?;
        Some(Ok(read.clone()))
    }
}

impl SharedFlags {
    /// Shares `provider`.
    #[must_use]
    pub fn new(provider: Provider) -> Self {
        Self {
            provider,
            kept: Mutex::default(),
        }
    }

    /// The provider itself.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The flags `asked`, for a check at `now` of a lens that is checked every `every`. Checks that
    /// come while they are read wait for the one answer.
    ///
    /// # Errors
    /// When the provider does not answer with all of them.
    pub async fn read<S: Sender>(
        &self,
        sender: &S,
        asked: &[FlagName],
        now: Timestamp,
        every: Every,
    ) -> Result<Arc<Readings>, FlagError> {
        let mut kept = self.kept.lock().await;
        if let Some(standing) = kept.standing(asked, now, every) {
            return standing;
        }
        let patience = patience(every);
        let read = match tokio::time::timeout(patience, self.provider.read(sender, asked)).await {
            Ok(read) => read.map(Arc::new),
            Err(_) => Err(FlagError::Silent(format!("not within {} s", patience.as_secs_f32()))),
        };
        let was_bad = kept.failed.take().is_some();
        match &read {
            Err(error) => {
                if !was_bad {
                    tracing::warn!("⚠️ Feature flags cannot be read: {error}");
                }
                kept.failed = Some((error.clone(), now));
            }
            Ok(read) => {
                if was_bad {
                    tracing::info!("✅ Feature flags can be read again");
                }
                kept.read.insert(asked.to_vec(), (read.clone(), now));
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use lensops_core::exchange::{Base, Exchange, PreparedRequest, Response, Route, Timings};
    use lensops_core::secret::Secret;
    use tokio::time::Instant;

    use super::*;
    use crate::flags::{COMMAND_PATIENCE, RenderProvider};

    /// Says 429 for a minute, and the flags from then on.
    struct BusyForAMinute {
        began: Instant,
        asked: AtomicUsize,
    }

    impl BusyForAMinute {
        fn new() -> Self {
            Self {
                began: Instant::now(),
                asked: AtomicUsize::new(0),
            }
        }
    }

    impl Sender for BusyForAMinute {
        async fn send(&self, request: Arc<PreparedRequest>) -> Exchange {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let (status, body) = if self.began.elapsed() < Duration::from_secs(60) {
                (429, "slow down")
            } else {
                (200, r#"{"key": "ON", "value": "true"}"#)
            };
            let response = Response {
                version: "HTTP/1.1",
                status,
                headers: Vec::new(),
                body: body.as_bytes().to_vec(),
            };
            Exchange {
                request,
                sent_at: Timestamp::UNIX_EPOCH,
                result: Ok(response),
                timings: Timings::default(),
                route: Route::default(),
            }
        }
    }

    fn on() -> Vec<FlagName> {
        vec!["ON".parse().unwrap()]
    }

    fn provider() -> Provider {
        Provider::Render(RenderProvider {
            base: Base::parse("http://127.0.0.1:9").unwrap(),
            key: Secret::new("made-up"),
            service: "srv-made-up".to_owned(),
            patience: CHECK_PATIENCE,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_minute_of_429_holds_no_check_up_for_longer_than_its_patience_and_passes() {
        let (flags, api) = (SharedFlags::new(provider()), BusyForAMinute::new());
        let every: Every = "15m".parse().unwrap();
        let (mut refused, mut read) = (0, 0);
        // A thousand checks, spread over two minutes.
        for check in 0..1000 {
            tokio::time::sleep_until(api.began + Duration::from_millis(120) * check).await;
            let now = Timestamp::UNIX_EPOCH + api.began.elapsed();
            let asked = Instant::now();
            match flags.read(&api, &on(), now, every).await {
                Ok(variables) => {
                    assert_eq!(variables[&on()[0]].value.as_deref(), Some("true"));
                    read += 1;
                }
                Err(error) => {
                    assert!(matches!(error, FlagError::Busy { .. }), "{error}");
                    refused += 1;
                }
            }
            assert!(
                asked.elapsed() <= CHECK_PATIENCE,
                "{check} waited for {:?}",
                asked.elapsed()
            );
        }
        assert!(refused > 300 && read > 300, "{refused} refused, {read} read");
        let asked = api.asked.load(Ordering::Relaxed);
        assert!(asked <= 12, "a busy provider was asked {asked} times");
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_outwaits_a_minute_of_429() {
        let api = BusyForAMinute::new();
        let read = provider().patient(COMMAND_PATIENCE).read(&api, &on()).await.unwrap();
        assert_eq!(read[&on()[0]].value.as_deref(), Some("true"));
        assert!(api.began.elapsed() >= Duration::from_secs(60));
        let asked = api.asked.load(Ordering::Relaxed);
        assert!(asked <= 10, "a busy provider was asked {asked} times");
    }
}
