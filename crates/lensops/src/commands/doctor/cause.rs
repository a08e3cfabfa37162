//! What one answer, or none, is caused by: the fix follows from what came, and one cause is told once.

use lensops_core::exchange::{Exchange, FailureClass};

/// Why an answer is not what was expected, before anybody looks into its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// What keeps two findings of one cause from being told.
    pub(super) key: String,
    /// What came, in words.
    pub(super) what: String,
    pub(super) fix: &'static str,
}

impl Cause {
    /// The cause of `exchange`, where it says one by itself: no answer, 401 or 5xx. `request` is its method and
    /// path.
    pub(super) fn of(exchange: &Exchange, request: &str) -> Option<Self> {
        match &exchange.result {
            Err(failure) => {
                let (what, fix) = no_answer(failure.class, &failure.detail);
                Some(Self {
                    key: what.to_owned(),
                    what: format!("{what}: {}", failure.detail),
                    fix,
                })
            }
            Ok(response) if response.status >= 500 => Some(Self {
                key: format!("{} {request}", response.status),
                what: format!("{request} is answered with {}", response.status),
                fix: "look into the service's log: nothing that is set here makes it fail",
            }),
            Ok(response) if response.status == 401 => Some(Self {
                key: "401".to_owned(),
                what: format!("{request} is answered with 401: the token is refused"),
                fix: "take API_BASE_URL and TENANT_SUPABASE_JWT_SECRET from the same environment, and compare the clocks",
            }),
            Ok(_) => None,
        }
    }
}

/// What it means that no answer came, and what to do.
fn no_answer(class: FailureClass, detail: &str) -> (&'static str, &'static str) {
    match class {
        FailureClass::Tls => (
            "TLS cannot be agreed on",
            "check that API_BASE_URL names the right host and port, and name the authority in SSL_CERT_FILE where it is one's own",
        ),
        FailureClass::Timeout => (
            "it does not answer in time",
            "look at the service: it takes connections and does not answer",
        ),
        FailureClass::BadBody => (
            "it answers garbage",
            "check that API_BASE_URL names the API, and nothing in front of it",
        ),
        _ if detail.contains("could not be looked up") => (
            "its host is not known",
            "correct the host in API_BASE_URL, or this machine's DNS",
        ),
        _ if detail.contains("refused") => (
            "it cannot be reached",
            "start the service, or correct the port in API_BASE_URL",
        ),
        _ => (
            "it cannot be reached",
            "check API_BASE_URL, that the service runs, and the network between",
        ),
    }
}
