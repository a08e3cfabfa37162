//! Whether what keeps a monitor from asking is its own fault, or an outage.
//!
//! A name that does not resolve, a machine without a network and tokens that are refused may be either. The past
//! decides: what has never worked with this host and this credential is the monitor's own. What worked once and
//! does not any more is an outage: a release that breaks sign-in is what a canary is for. Connections that the API
//! refuses, resets or leaves silent are always outages. A proxy of this machine and its certificate authorities are
//! no part of the API: what they break is always the monitor's own.

use super::notes::Reached;
use super::probe::{ProbeReport, ProbeResult, Received};
use crate::exchange::Cause;

/// What earlier checks of the same lens and tenant reached. Where the past cannot be read everything worked, so
/// that no outage is taken for a fault of the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Worked {
    /// The host was found.
    pub found: bool,
    /// The host answered.
    pub answered: bool,
    /// The credential was let in.
    pub let_in: bool,
}

impl Default for Worked {
    fn default() -> Self {
        Self::ALL
    }
}

impl Worked {
    /// Everything worked.
    pub const ALL: Self = Self {
        found: true,
        answered: true,
        let_in: true,
    };

    /// Whether that which `cause` is about worked once.
    fn before(self, cause: Cause) -> bool {
        match cause {
            Cause::NoSuchHost => self.found,
            Cause::NoNetwork => self.answered,
            // No release of an API takes them from a machine that monitors it.
            Cause::NobodyTrusted | Cause::ProxyFails => false,
            Cause::TokensRefused => self.let_in,
        }
    }
}

/// What keeps this monitor from judging anything, as far as `probes` and the past say; `None` where it is not
/// the monitor's own, or where a probe is broken for another reason.
pub(super) fn own_fault(probes: &[ProbeReport], worked: Worked) -> Option<Cause> {
    let is_broken = |probe: &&ProbeReport| matches!(probe.result, ProbeResult::Broken(_) | ProbeResult::Flaky(_));
    let mut causes = probes.iter().filter(is_broken).map(cause_of);
    let cause = causes.next()??;
    let is_let_in = probes.iter().any(|probe| probe.received == Some(Received::LetIn));
    if worked.before(cause) || (cause == Cause::TokensRefused && is_let_in) {
        return None;
    }
    causes.all(|other| other == Some(cause)).then_some(cause)
}

fn cause_of(probe: &ProbeReport) -> Option<Cause> {
    let refused = (probe.received == Some(Received::Refused)).then_some(Cause::TokensRefused);
    probe.own.or(refused)
}

/// The reports of `probes` where `cause` keeps the monitor from judging: what it broke is unjudged.
pub(super) fn excused(probes: Vec<ProbeReport>, cause: Cause) -> Vec<ProbeReport> {
    let excuse = |probe: ProbeReport| match cause_of(&probe) {
        Some(found) if found == cause => ProbeReport {
            result: ProbeResult::Unjudged(match &probe.result {
                ProbeResult::Broken(why) | ProbeResult::Flaky(why) => why.to_string(),
                _ => String::new(),
            }),
            samples_us: Vec::new(),
            ..probe
        },
        _ => probe,
    };
    probes.into_iter().map(excuse).collect()
}

/// How far `probes` came at `host` with `credential`.
pub(super) fn reached(probes: &[ProbeReport], host: &str, credential: Option<&str>) -> Option<Reached> {
    let answered = probes.iter().any(|probe| !probe.statuses.is_empty());
    let found = |probe: &ProbeReport| probe.taken > 0 && probe.own.is_none_or(|own| own != Cause::NoSuchHost);
    let is_let_in = probes.iter().any(|probe| probe.received == Some(Received::LetIn));
    probes.iter().any(found).then(|| Reached {
        host: host.to_owned(),
        answered,
        credential: credential.filter(|_| is_let_in).map(str::to_owned),
    })
}
