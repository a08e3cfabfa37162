//! What a plan takes of `lensops.yml`: users and ways to sign in that it names and does not define.

use indexmap::IndexMap;

use super::acceptance::AcceptancePlan;
use super::monitor::MonitorPlan;
use super::stress::StressPlan;
use crate::auth::Auths;
use crate::ident::Ident;
use crate::lens::{Defaults, User};

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

impl MonitorPlan {
    /// Takes what its probes name of `shared`. What the plan says itself stands.
    pub fn share(&mut self, shared: &Defaults) {
        let named: Vec<Ident> = self.probes.iter().filter_map(|probe| probe.user.clone()).collect();
        let (users, auth) = (&mut self.users, &mut self.auth);
        People { users, auth }.take(&named, shared);
    }
}

impl StressPlan {
    /// Takes what its targets name of `shared`. What the plan says itself stands.
    pub fn share(&mut self, shared: &Defaults) {
        let named: Vec<Ident> = self.targets.iter().filter_map(|target| target.user.clone()).collect();
        let (users, auth) = (&mut self.users, &mut self.auth);
        People { users, auth }.take(&named, shared);
    }
}

impl AcceptancePlan {
    /// Takes what its steps name of `shared`. What the plan says itself stands.
    pub fn share(&mut self, shared: &Defaults) {
        let named: Vec<Ident> = self.steps().filter_map(|(_, step)| step.user.clone()).collect();
        let (users, auth) = (&mut self.users, &mut self.auth);
        People { users, auth }.take(&named, shared);
    }
}
