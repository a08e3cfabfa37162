//! The API: reachable, of the same environment as the secret, and knowing users, tenants and entities.

use std::collections::BTreeSet;

use lensops_core::exchange::Exchange;
use lensops_core::ident::Ident;
use lensops_core::lens::{Lens, User};
use lensops_core::plan::monitor::Probe;
use lensops_core::secret::Secret;
use lensops_core::verdict::judge::{judge, matches};
use lensops_core::verdict::outcome::{Outcome, Severity};
use uuid::Uuid;

use super::cause::Cause;
use super::finding::Findings;
use super::subject::Subject;
use crate::commands::worker::check::Monitor;

pub(super) async fn look(subject: &Subject<'_>, findings: &mut Findings) {
    if subject.monitors.is_empty() {
        return findings.unjudged(
            "the API was not asked: there is no plan that could run",
            "tools/ops/monitors",
            "mend what is said of settings and files above, then ask again",
        );
    }
    let mut told = BTreeSet::new();
    for monitor in &subject.monitors {
        let lens = subject
            .lenses
            .iter()
            .flatten()
            .find(|lens| lens.lens == *monitor.lens());
        let mut doctor = Doctor {
            subject,
            monitor,
            findings,
            told: &mut told,
            lacks_entity: lens
                .and_then(|lens| lens.read_action.as_ref())
                .is_some_and(|read| read.entity.is_none()),
        };
        doctor.open_probes().await;
        let Some(probe) = monitor
            .plan
            .probes
            .iter()
            .find(|probe| probe.user.is_some() && probe.request.is_some())
        else {
            continue;
        };
        if !doctor.secret_belongs(probe).await {
            continue;
        }
        for tenant in monitor.plan.tenants.iter().take(MOST_TENANTS) {
            doctor.probes_of(*tenant).await;
        }
        if let Some(lens) = lens {
            doctor.users(lens, probe).await;
        }
    }
}

/// Tenants of a lens that are asked about: the API is asked several times for each.
const MOST_TENANTS: usize = 5;

struct Doctor<'a, 'b> {
    subject: &'a Subject<'b>,
    monitor: &'a Monitor,
    findings: &'a mut Findings,
    /// Causes that are told already.
    told: &'a mut BTreeSet<String>,
    /// The lens names no entity for its READ action.
    lacks_entity: bool,
}

impl Doctor<'_, '_> {
    fn place(&self, probe: &Probe) -> String {
        format!(
            "{}, probe {:?} of lens {}",
            self.monitor.base,
            probe.name,
            self.monitor.lens()
        )
    }

    async fn ask(&self, probe: &Probe, tenant: Uuid) -> Result<(Exchange, Probe), String> {
        self.monitor
            .ask(&self.subject.client, probe, tenant, jiff::Timestamp::now())
            .await
    }

    /// Probes that need no token: is anybody there?
    async fn open_probes(&mut self) {
        let Some(tenant) = self.monitor.plan.tenants.first() else {
            return;
        };
        let open = |probe: &&Probe| probe.user.is_none() && probe.request.is_some();
        for probe in self.monitor.plan.probes.iter().filter(open) {
            if let Ok((exchange, probe)) = self.ask(probe, *tenant).await {
                self.judge(
                    &probe,
                    &exchange,
                    "look at the service itself: it answers, and not as the plan expects",
                );
            }
        }
    }

    /// Whether our token is taken and another one is not.
    async fn secret_belongs(&mut self, probe: &Probe) -> bool {
        let Some(tenant) = self.monitor.plan.tenants.first() else {
            return false;
        };
        let place = self.place(probe);
        let (exchange, probe) = match self.ask(probe, *tenant).await {
            Ok(asked) => asked,
            Err(why) => {
                self.findings.unjudged(
                    format!("no request can be made: {why}"),
                    place,
                    "mend the plan or the settings",
                );
                return false;
            }
        };
        match exchange.status() {
            Some(401) if self.auth_of(&probe).is_some() => {
                let (user, auth) = self.auth_of(&probe).unwrap_or_default();
                self.findings.error(
                    format!("the API refuses the credential of user {user} (401)"),
                    place,
                    format!("compare auth {auth} and the variables behind it with what the API wants"),
                );
                return false;
            }
            Some(401) => {
                self.findings.error(
                    "the API refuses our token (401): the signing secret belongs to another environment",
                    place,
                    "take API_BASE_URL and TENANT_SUPABASE_JWT_SECRET from the same environment",
                );
                return false;
            }
            Some(_) => {}
            None => {
                self.cause(&probe, &exchange);
                return false;
            }
        }
        if let Some((user, auth)) = self.auth_of(&probe) {
            self.findings
                .good(format!("the API takes the credential of user {user}: auth {auth}"));
            return true;
        }
        let mut foreign = self.monitor.clone();
        foreign.signing.jwt_secret = Some(Secret::new(format!("not-the-secret-{}", Uuid::new_v4())));
        let other = foreign
            .ask(&self.subject.client, &probe, *tenant, jiff::Timestamp::now())
            .await;
        match other.ok().and_then(|(exchange, _)| exchange.status()) {
            Some(401 | 403) => self
                .findings
                .good("the API takes our token and refuses one of another secret"),
            Some(200..300) => self.findings.error(
                "the API takes a token that is signed with another secret",
                place,
                "the API does not check signatures: nobody's data is safe",
            ),
            _ => self.findings.unjudged(
                "whether the API refuses a token of another secret could not be told",
                place,
                "ask again when the API answers",
            ),
        }
        true
    }

    /// The user that `probe` runs as and how it signs in; `None` where a token is minted for it.
    fn auth_of(&self, probe: &Probe) -> Option<(String, String)> {
        let name = probe.user.as_ref()?;
        let auth = self.monitor.plan.users.get(name)?.auth.as_ref()?;
        Some((name.to_string(), auth.to_string()))
    }

    /// The probes that run as a user, for one tenant.
    async fn probes_of(&mut self, tenant: Uuid) {
        for probe in self.monitor.plan.probes.iter().filter(|probe| probe.user.is_some()) {
            match self.ask(probe, tenant).await {
                Ok((exchange, probe)) => self.judge_as_user(&probe, &exchange, tenant),
                Err(why) => self.findings.warning(
                    why,
                    self.place(probe),
                    "name a test entity in the lens file (--test-entity-id) and generate",
                ),
            }
        }
    }

    fn judge_as_user(&mut self, probe: &Probe, exchange: &Exchange, tenant: Uuid) {
        let user = probe.user.as_ref().map(Ident::as_str).unwrap_or_default();
        let body = exchange.result.as_ref().ok().and_then(|response| response.json());
        let code = body.as_ref().and_then(|body| self.monitor.plan.answers.code(body));
        match (exchange.status(), code.as_deref()) {
            (Some(403), _) => self.findings.error(
                format!(
                    "user {user} is not let in for tenant {tenant}: 403 {}",
                    code.unwrap_or_default()
                ),
                self.place(probe),
                "give the user a role in that tenant, or name another user or tenant in the lens file",
            ),
            (Some(404), _) if self.lacks_entity => self.findings.warning(
                format!("lens {} names no test entity: an invented one was asked for, and `accept` cannot judge what needs one", self.monitor.lens()),
                self.place(probe),
                "name one in `read_action.entity` of the lens file (--test-entity-id) and generate",
            ),
            (Some(404), _) if probe.expect.status.as_ref().is_some_and(|set| set.contains(404)) => {
                self.findings.warning(
                    format!(
                        "the test entity of tenant {tenant} is not there: 404 {}",
                        code.unwrap_or_default()
                    ),
                    self.place(probe),
                    "name one that exists in `read_action.entity` of the lens file and generate",
                )
            }
            _ => self.judge(
                probe,
                exchange,
                "check the domain, and that the user has a role that sees something in this tenant",
            ),
        }
    }

    /// Every user of the lens file, on the first probe that runs as one.
    async fn users(&mut self, lens: &Lens, probe: &Probe) {
        let Some(tenant) = self.monitor.plan.tenants.first() else {
            return;
        };
        for (name, user) in &lens.users {
            self.user(name, user, probe, *tenant).await;
        }
    }

    async fn user(&mut self, name: &Ident, user: &User, probe: &Probe, tenant: Uuid) {
        let mut monitor = self.monitor.clone();
        monitor.plan.users.insert(name.clone(), user.clone());
        let probe = Probe {
            user: Some(name.clone()),
            ..probe.clone()
        };
        let asked = monitor
            .ask(&self.subject.client, &probe, tenant, jiff::Timestamp::now())
            .await;
        let Ok((exchange, probe)) = asked else { return };
        let off = |off| matches(off, &monitor.plan.answers, &exchange);
        if probe.disabled.as_ref().is_some_and(off) {
            return;
        }
        if !expects(&probe, &exchange) && self.cause(&probe, &exchange) {
            return;
        }
        let place = format!("lenses/{}.yml, users.{name}", monitor.lens());
        let outcomes = judge(&probe.expect, Severity::Fail, &monitor.plan.answers, &exchange);
        if let Some((_, why)) = outcomes.iter().find_map(Outcome::broken) {
            // Whom the probe runs as is told with the probe.
            if self.monitor_user(&probe.name) != Some(name) {
                self.findings.error(
                    format!(
                        "user {name} ({}, {}) does not see what it should in tenant {tenant}: {why}",
                        user.subject(),
                        user.role
                    ),
                    place,
                    "check its id, and that it has that role in this tenant",
                );
            }
            return;
        }
        let body = exchange.result.as_ref().ok().and_then(|response| response.json());
        let (known, lens) = (format!("user {name} of lens {}", monitor.lens()), user.role.as_str());
        match body.as_ref().and_then(|body| body["role"].as_str()) {
            Some(shown) if shown == lens => self
                .findings
                .good(format!("{known} is known in tenant {tenant}, as {shown}")),
            Some(shown) => self.findings.error(
                format!("{known} is {shown} in tenant {tenant}, and the lens says {lens}"),
                place,
                "the ids of two users may be swapped: give each its own, or correct its role",
            ),
            None => self.findings.good(format!(
                "{known} is let in in tenant {tenant}; its role is not verified, since the API does not show it"
            )),
        }
    }

    /// Whom a probe of the plan runs as.
    fn monitor_user(&self, probe: &str) -> Option<&Ident> {
        let probes = &self.monitor.plan.probes;
        probes.iter().find(|known| known.name == probe)?.user.as_ref()
    }

    /// Tells what an answer is caused by, once for all that have the cause. Whether there is one.
    fn cause(&mut self, probe: &Probe, exchange: &Exchange) -> bool {
        let request = probe.request.as_ref().map_or_else(String::new, |request| {
            let (path, _) = request.path.split_once('?').unwrap_or((&request.path, ""));
            format!("{} {path}", request.method.as_str())
        });
        let Some(cause) = Cause::of(exchange, &request) else {
            return false;
        };
        if self.told.insert(cause.key) {
            self.findings.error(cause.what, self.place(probe), cause.fix);
        }
        true
    }

    /// Holds an answer to what the probe expects.
    fn judge(&mut self, probe: &Probe, exchange: &Exchange, fix: &str) {
        let place = self.place(probe);
        let dialect = &self.monitor.plan.answers;
        if probe
            .disabled
            .as_ref()
            .is_some_and(|off| matches(off, dialect, exchange))
        {
            return self.findings.warning(
                "the API says that the feature is switched off",
                place,
                "`lensops flags LENS` shows the provider beside the API",
            );
        }
        if !expects(probe, exchange) && self.cause(probe, exchange) {
            return;
        }
        let outcomes = judge(&probe.expect, Severity::Fail, dialect, exchange);
        match outcomes.iter().find_map(Outcome::broken) {
            Some((_, why)) => self.findings.error(why.to_string(), place, fix),
            None => {
                let name = &probe.name;
                self.findings
                    .good(format!("lens {}: {name} answers as expected", self.monitor.lens()));
            }
        }
    }
}

/// Whether the plan says that it expects the status that came, whatever it is.
fn expects(probe: &Probe, exchange: &Exchange) -> bool {
    let status = exchange.status();
    status.is_some_and(|status| probe.expect.status.as_ref().is_some_and(|set| set.contains(status)))
}
