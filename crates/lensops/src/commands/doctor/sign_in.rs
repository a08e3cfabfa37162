//! The ways to sign in: each user's credential is made or fetched once, and what came back is told.

use std::collections::BTreeSet;

use jiff::Timestamp;
use lensops_core::ident::Ident;
use lensops_core::lens::User;

use super::finding::Findings;
use super::subject::Subject;
use crate::auth::{Sending, Signed, Signing, Unsigned};
use crate::commands::worker::check::Monitor;
use crate::config::Target;

pub(super) async fn look(subject: &Subject<'_>, findings: &mut Findings) {
    // The same user of several plans is tried once.
    let mut tried: BTreeSet<(String, String)> = BTreeSet::new();
    for monitor in &subject.monitors {
        let lens = subject
            .lenses
            .iter()
            .flatten()
            .find(|lens| lens.lens == *monitor.lens());
        let (mut users, mut auths) = (monitor.plan.users.clone(), monitor.plan.auth.clone());
        if let Some(lens) = lens {
            users.extend(lens.users.iter().map(|(name, user)| (name.clone(), user.clone())));
            auths.extend(lens.auth.iter().map(|(name, auth)| (name.clone(), auth.clone())));
        }
        let outsiders = &subject.settings.project.outsiders;
        users.extend(outsiders.iter().map(|(name, user)| (name.clone(), user.clone())));
        // The plan's own signing knows the variables of its own users alone.
        let signing =
            subject
                .settings
                .signing(Target::Production, &monitor.base, &monitor.plan.tenants, &users, &auths);
        for (name, user) in &users {
            let Some(auth) = &user.auth else { continue };
            if tried.insert((name.to_string(), auth.to_string())) {
                try_user(subject, monitor, &signing, (name, user, auth), findings).await;
            }
        }
    }
}

async fn try_user(
    subject: &Subject<'_>,
    monitor: &Monitor,
    signing: &Signing,
    (name, user, auth): (&Ident, &User, &Ident),
    findings: &mut Findings,
) {
    let Some(tenant) = monitor.plan.tenants.first() else {
        return;
    };
    let vars = monitor.vars(*tenant);
    let sending = Sending {
        user: Some(user),
        base: &monitor.base_of(*tenant),
        hosts: &monitor.plan.hosts,
        vars: &vars,
        tenant: monitor.plan.tenants.values(*tenant),
        now: Timestamp::now(),
    };
    let place = format!("auth.{auth}, user {name} of lens {}", monitor.lens());
    match signing.sign(&subject.client, &sending).await {
        Ok(Signed { fetch: Some(fetch), .. }) => {
            findings.good(format!("user {name} signs in: {} gives a credential", fetch.tell()));
        }
        Ok(_) => findings.good(format!("the credential of user {name} can be made: auth {auth}")),
        Err(Unsigned::Unknown(why)) => {
            findings.error(
                why,
                place,
                "set the variable, or correct `auth` of lensops.yml or of the lens",
            );
        }
        Err(Unsigned::Failed(failed)) => {
            let fix = if failed.is_refusal() {
                "compare the user's values and their variables with the account there"
            } else {
                "check the address, and whether the service answers there"
            };
            findings.error(format!("user {name} cannot sign in: {}", failed.told), place, fix);
        }
    }
}
