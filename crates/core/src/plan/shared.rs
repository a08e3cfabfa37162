//! What a plan takes of `lensops.yml`: users and ways to sign in that it names and does not define.

use indexmap::IndexMap;

use super::acceptance::{AcceptancePlan, Step};
use super::monitor::MonitorPlan;
use super::stress::StressPlan;
use crate::auth::{Auth, Auths};
use crate::ident::Ident;
use crate::lens::{Defaults, User};
use crate::request::{Hosts, Request};

/// The people of a plan and how they sign in.
struct People<'a> {
    users: &'a mut IndexMap<Ident, User>,
    auth: &'a mut Auths,
}

impl People<'_> {
    fn take(self, named: &[Ident], shared: &Defaults) {
        for name in named {
            if let (false, Some(user)) = (self.users.contains_key(name), shared.users.get(name)) {
                self.users.insert(name.clone(), user.clone());
            }
        }
        for name in self.users.values().filter_map(|user| user.auth.as_ref()) {
            if let (false, Some(auth)) = (self.auth.contains_key(name), shared.auth.get(name)) {
                self.auth.insert(name.clone(), auth.clone());
            }
        }
    }
}

/// What `shared` gives to the requests of a plan: headers that they do not set, and hosts that they name.
fn complete<'a>(
    requests: impl Iterator<Item = &'a mut Request>,
    auth: &'a mut Auths,
    hosts: &mut Hosts,
    shared: &Defaults,
) {
    let logins = auth.values_mut().filter_map(|auth| match auth {
        Auth::Login(login) => Some(&mut login.request),
        _ => None,
    });
    for request in requests.chain(logins) {
        for (name, value) in &shared.headers {
            if !request.headers.keys().any(|known| known.eq_ignore_ascii_case(name)) {
                request.headers.insert(name.clone(), value.clone());
            }
        }
    }
    for (name, address) in &shared.hosts {
        hosts.entry(name.clone()).or_insert_with(|| address.clone());
    }
}

impl MonitorPlan {
    /// Takes what its probes name of `shared`. What the plan says itself stands.
    pub fn share(&mut self, shared: &Defaults) {
        let named: Vec<Ident> = self.probes.iter().filter_map(|probe| probe.user.clone()).collect();
        self.tenants = std::mem::take(&mut self.tenants).knowing(&shared.tenants);
        let (users, auth) = (&mut self.users, &mut self.auth);
        People { users, auth }.take(&named, shared);
        complete(
            self.probes.iter_mut().filter_map(|probe| probe.request.as_mut()),
            &mut self.auth,
            &mut self.hosts,
            shared,
        );
    }
}

impl StressPlan {
    /// Takes what its targets name of `shared`. What the plan says itself stands.
    pub fn share(&mut self, shared: &Defaults) {
        let named: Vec<Ident> = self.targets.iter().filter_map(|target| target.user.clone()).collect();
        self.tenants = std::mem::take(&mut self.tenants).knowing(&shared.tenants);
        let (users, auth) = (&mut self.users, &mut self.auth);
        People { users, auth }.take(&named, shared);
        complete(
            self.targets.iter_mut().map(|target| &mut target.request),
            &mut self.auth,
            &mut self.hosts,
            shared,
        );
    }
}

impl AcceptancePlan {
    /// Takes what its steps name of `shared`. What the plan says itself stands.
    pub fn share(&mut self, shared: &Defaults) {
        let users = |(_, step): (_, &Step)| [step.user.clone(), step.undo.as_ref().and_then(|undo| undo.user.clone())];
        let named: Vec<Ident> = self.steps().flat_map(users).flatten().collect();
        self.tenants = std::mem::take(&mut self.tenants).knowing(&shared.tenants);
        let (users, auth) = (&mut self.users, &mut self.auth);
        People { users, auth }.take(&named, shared);
        complete(self.requests.values_mut(), &mut self.auth, &mut self.hosts, shared);
    }
}
