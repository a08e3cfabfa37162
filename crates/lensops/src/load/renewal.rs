//! What takes the place of a request whose credential the API refuses, once a run.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use lensops_core::exchange::Proxied;
use lensops_core::plan::request_template::Prebuilt;
use tokio::sync::OnceCell;

/// The request with another credential; `None` where there is none.
pub type Renewing = Pin<Box<dyn Future<Output = Option<Prebuilt>> + Send>>;

/// Makes a request with another credential, the first time that the API refuses the one it has. Clones share what
/// was made: who is refused at the same time waits for it.
#[derive(Clone)]
pub struct Renewal {
    make: Arc<dyn Fn() -> Renewing + Send + Sync>,
    made: Arc<OnceCell<Option<Prebuilt>>>,
    proxied: Option<Proxied>,
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal(…)")
    }
}

impl Renewal {
    /// What `make` makes.
    pub fn new(make: impl Fn() -> Renewing + Send + Sync + 'static) -> Self {
        Self {
            make: Arc::new(make),
            made: Arc::default(),
            proxied: None,
        }
    }

    /// The same for a proxy that forwards the request.
    pub(super) fn proxied(self, proxied: &Proxied) -> Self {
        Self {
            proxied: Some(proxied.clone()),
            ..self
        }
    }

    /// What was made; `None` before.
    pub(super) fn made(&self) -> Option<&Prebuilt> {
        self.made.get()?.as_ref()
    }

    /// Makes it, the first time.
    pub(super) async fn renew(&self) -> Option<&Prebuilt> {
        let make = async {
            let made = (self.make)().await?;
            match &self.proxied {
                Some(proxied) => made.proxied(proxied).ok(),
                None => Some(made),
            }
        };
        self.made.get_or_init(|| make).await.as_ref()
    }
}
