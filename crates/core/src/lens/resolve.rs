//! A lens made whole: what it leaves to `lensops.yml` filled in, and one field held against another.

use uuid::Uuid;

use super::definition::{Defaults, Lens};
use super::endpoint::{Allow, Endpoint};
use super::error::{LensError, LensErrors};
use super::http::wrong_endpoints;
use super::sign_in::wrong_sign_in;
use super::user::User;
use crate::ident::{EntityId, Ident, is_slip};
use crate::lens::mute::{Maintenance, Paused};

/// Whether an id is one that people type to fill a field: all zeros, one digit repeated, or the
/// counting patterns of examples.
#[must_use]
pub fn is_placeholder(id: Uuid) -> bool {
    let hex = id.simple().to_string();
    let first = hex.bytes().next();
    let one_digit = hex.bytes().filter(|b| Some(*b) != first).count() <= 2;
    // 11111111-2222-… and its kin: each group repeats one digit.
    let groups = id
        .hyphenated()
        .to_string()
        .split('-')
        .all(|group| group.bytes().all(|b| Some(b) == group.bytes().next()));
    one_digit
        || groups
        || hex.starts_with("123456781234")
        || hex.starts_with("0123456789ab")
        || hex.starts_with("deadbeef")
}

/// Checks a pause and maintenance windows.
///
/// # Errors
/// The first thing that makes no sense.
pub(crate) fn check_muted(paused: Option<&Paused>, windows: &[Maintenance]) -> Result<(), (&'static str, String)> {
    if paused.is_some_and(|paused| paused.reason.trim().is_empty()) {
        return Err(("paused", "`paused` needs a reason".to_owned()));
    }
    let all = windows.iter().try_for_each(Maintenance::validate);
    all.map_err(|why| ("maintenance", why))
}

/// The built-in set of lenses of endpoints.
const HTTP: &str = "http";

impl Lens {
    /// Fills tenants and users from `defaults`, then checks the whole. The notes say what came
    /// from where.
    ///
    /// # Errors
    /// Everything that does not hold together.
    pub fn resolve(mut self, defaults: &Defaults, allow_placeholders: bool) -> Result<(Self, Vec<String>), LensErrors> {
        let mut notes = Vec::new();
        if self.tenants.is_empty() && !defaults.tenants.is_empty() {
            self.tenants.clone_from(&defaults.tenants);
            notes.push(format!("tenants of {} come from lensops.yml", self.lens));
        }
        let mut borrowed = Vec::new();
        for (name, user) in &defaults.users {
            if !self.users.contains_key(name) {
                self.users.insert(name.clone(), user.clone());
                borrowed.push(name.as_str().to_owned());
            }
        }
        if !borrowed.is_empty() {
            notes.push(format!(
                "users {} of {} come from lensops.yml",
                borrowed.join(", "),
                self.lens
            ));
        }
        let (own, mut errors) = (self.auth.clone(), self.errors(allow_placeholders));
        let known = defaults.auth.iter().map(|(name, auth)| (name.clone(), auth.clone()));
        let wrong = wrong_sign_in(&self.users, &known.chain(own).collect());
        errors.extend(
            wrong
                .into_iter()
                .chain(self.tenants.wrong())
                .chain(wrong_endpoints(&self))
                .map(|(place, why)| LensError::SignIn {
                    lens: self.lens.clone(),
                    place,
                    why,
                }),
        );
        if errors.is_empty() {
            Ok((self, notes))
        } else {
            Err(LensErrors(errors))
        }
    }

    fn errors(&self, allow_placeholders: bool) -> Vec<LensError> {
        let mut errors = Vec::new();
        let lens = || self.lens.clone();
        if self.tenants.is_empty() {
            errors.push(LensError::NoTenant(lens()));
        }
        let is_public = |endpoint: &Endpoint| endpoint.allow == Allow::ANYONE;
        let is_public = !self.endpoints.is_empty() && self.endpoints.iter().all(is_public);
        if self.template_set == HTTP && self.endpoints.is_empty() {
            errors.push(LensError::NoEndpoint(lens()));
        } else if self.users.is_empty() && !is_public {
            errors.push(LensError::NoUser(lens()));
        }
        for (field, limits) in [
            ("p95_ms", self.slo.p95_ms),
            ("error_rate_percent", self.slo.error_rate_percent),
        ] {
            if !(limits.warn >= 0.0 && limits.warn <= limits.fail && limits.fail.is_finite()) {
                errors.push(LensError::Limits { lens: lens(), field });
            }
        }
        if self.samples.is_some_and(|n| !(1..=1000).contains(&n)) {
            errors.push(LensError::Samples(lens()));
        }
        let muted = check_muted(self.paused.as_ref(), &self.maintenance);
        errors.extend(muted.err().map(|(field, why)| LensError::Muted {
            lens: lens(),
            field,
            why,
        }));
        errors.extend(self.doubled());
        if let Some(action) = &self.signed_action {
            if action.signers.is_empty() {
                errors.push(LensError::NoSigner(lens()));
            }
            let strangers = action.signers.iter().filter(|name| !self.users.contains_key(*name));
            errors.extend(strangers.map(|signer| LensError::UnknownSigner {
                lens: lens(),
                signer: signer.clone(),
                known: self.users.keys().map(ToString::to_string).collect(),
            }));
        }
        errors.extend(self.misspelt_roles());
        errors.extend(self.odd_id());
        errors.extend(self.reserved());
        let placeholders = self.ids().filter(|(_, id)| !allow_placeholders && is_placeholder(*id));
        errors.extend(placeholders.map(|(field, id)| LensError::Placeholder {
            lens: lens(),
            field,
            id,
        }));
        errors
    }

    /// Roles of users that nobody has, and that are a slip away from one that the lens names.
    fn misspelt_roles(&self) -> Vec<LensError> {
        let strange = self.users.iter().filter(|(_, user)| !self.roles.contains(&user.role));
        let errors = strange.filter_map(|(name, user)| {
            let meant = self
                .roles
                .iter()
                .find(|role| is_slip(user.role.as_str(), role.as_str()))?;
            Some(LensError::MisspeltRole {
                lens: self.lens.clone(),
                user: name.clone(),
                role: user.role.clone(),
                meant: meant.clone(),
                place: format!("users.{name}.role"),
            })
        });
        errors.collect()
    }

    /// The one id of a user that is no UUID, where all others are: half of one, most likely.
    fn odd_id(&self) -> Option<LensError> {
        let with_id = |(name, user): (&Ident, &User)| Some((name.clone(), user.id.clone()?));
        let ids = self.users.iter().filter_map(with_id);
        let (uuids, mut others): (Vec<_>, Vec<_>) = ids.partition(|(_, id)| id.uuid().is_some());
        let (user, id) = others.pop().filter(|_| others.is_empty() && !uuids.is_empty())?;
        Some(LensError::OddId {
            lens: self.lens.clone(),
            place: format!("users.{user}.id"),
            user,
            id,
        })
    }

    /// Payload keys that the plans fill themselves.
    fn reserved(&self) -> Vec<LensError> {
        let taken = |key: &Ident| matches!(key.as_str(), "yacht_id" | "signature");
        let refuse = |place, key: &Ident| LensError::Reserved {
            lens: self.lens.clone(),
            place,
            key: key.clone(),
        };
        let mut errors = Vec::new();
        if let Some(action) = &self.signed_action {
            let key = Some(&action.entity_id_key).filter(|key| taken(key));
            errors.extend(key.map(|key| refuse("signed_action.entity_id_key", key)));
            let twice = action
                .payload
                .keys()
                .filter(|key| taken(key) || **key == action.entity_id_key);
            errors.extend(twice.map(|key| refuse("signed_action.payload", key)));
        }
        let read = self.read_action.iter().map(|action| &action.entity_id_key);
        errors.extend(
            read.filter(|key| taken(key))
                .map(|key| refuse("read_action.entity_id_key", key)),
        );
        errors
    }

    /// What lists name twice, the first of each list.
    fn doubled(&self) -> Vec<LensError> {
        let lists: [(&'static str, Vec<String>); 4] = [
            ("flags", self.flags.iter().map(ToString::to_string).collect()),
            ("roles", self.roles.iter().map(ToString::to_string).collect()),
            (
                "tenants",
                self.tenants.names().map(|(_, name)| name.to_string()).collect(),
            ),
            (
                "signed_action.signers",
                self.signed_action
                    .iter()
                    .flat_map(|a| &a.signers)
                    .map(ToString::to_string)
                    .collect(),
            ),
        ];
        let twice = |(field, items): (&'static str, Vec<String>)| {
            let (_, item) = items
                .iter()
                .enumerate()
                .find(|(at, item)| items.iter().take(*at).any(|earlier| earlier == *item))?;
            Some(LensError::Twice {
                lens: self.lens.clone(),
                field,
                item: item.clone(),
            })
        };
        lists.into_iter().filter_map(twice).collect()
    }

    /// Every id of the lens with the field it stands in.
    fn ids(&self) -> impl Iterator<Item = (String, Uuid)> + '_ {
        let tenants = self
            .tenants
            .names()
            .filter_map(|(_, name)| Some(("tenants".to_owned(), name.uuid()?)));
        let users = self
            .users
            .iter()
            .filter_map(|(name, user)| Some((format!("users.{name}.id"), user.id.as_ref()?.uuid()?)));
        let signed = self
            .signed_action
            .iter()
            .flat_map(|action| &action.entities)
            .filter_map(EntityId::uuid);
        let read = self
            .read_action
            .iter()
            .filter_map(|action| action.entity.as_ref()?.uuid());
        let twice = self
            .signed_action
            .iter()
            .filter_map(|action| action.idempotency.as_ref()?.entity.uuid());
        tenants
            .chain(users)
            .chain(signed.map(|id| ("signed_action.entities".to_owned(), id)))
            .chain(read.map(|id| ("read_action.entity".to_owned(), id)))
            .chain(twice.map(|id| ("signed_action.idempotency.entity".to_owned(), id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::duration::Every;

    pub(crate) const MINIMAL: &str = "lens: parts\ndomain: parts\nroles: [crew]\ntenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\nusers: {crew: {id: eb3fdfe4-81e3-53a5-b423-fd13884b12e8, role: crew}}\n";

    fn lens(text: &str) -> Lens {
        crate::yaml::read("lenses/x.yml", text).unwrap()
    }

    #[test]
    fn a_minimal_lens_takes_the_defaults_of_the_product_and_none_of_another_lens() {
        let (lens, notes) = lens(MINIMAL).resolve(&Defaults::default(), false).unwrap();
        assert_eq!(
            (lens.every, lens.samples_per_probe(), lens.flags.len()),
            (Every::QUARTER_HOUR, 11, 0)
        );
        assert!(notes.is_empty() && lens.signed_action.is_none() && lens.read_action.is_none());
    }

    #[test]
    fn a_lens_without_tenant_names_the_option() {
        let text = MINIMAL.replace("tenants: [53fbdf09-b709-509d-aad0-3a6f50239a5d]\n", "");
        let error = lens(&text).resolve(&Defaults::default(), false).unwrap_err();
        assert!(error.to_string().contains("--yacht-id"), "{error}");
        let defaults = Defaults {
            tenants: vec![Uuid::from_u128(0x53fb_df09_b709)].into(),
            ..Defaults::default()
        };
        let (_, notes) = lens(&text).resolve(&defaults, false).unwrap();
        assert_eq!(notes, ["tenants of parts come from lensops.yml"]);
    }

    #[test]
    fn placeholder_ids_are_refused_unless_allowed() {
        for id in [
            "00000000-0000-0000-0000-000000000000",
            "00000000-0000-0000-0000-000000000001",
            "11111111-2222-3333-4444-555555555555",
            "12345678-1234-1234-1234-123456789012",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
        ] {
            let text = MINIMAL.replace("53fbdf09-b709-509d-aad0-3a6f50239a5d", id);
            let error = lens(&text).resolve(&Defaults::default(), false).unwrap_err();
            assert!(
                matches!(error.0.as_slice(), [LensError::Placeholder { .. }]),
                "{id}: {error}"
            );
            assert!(lens(&text).resolve(&Defaults::default(), true).is_ok(), "{id}");
        }
        assert!(!is_placeholder("53fbdf09-b709-509d-aad0-3a6f50239a5d".parse().unwrap()));
    }

    #[test]
    fn a_signer_that_is_no_user_is_named() {
        let text = format!(
            "{MINIMAL}signed_action: {{name: sign, entity_type: part, entity_id_key: part_id, signers: [captain]}}\n"
        );
        let error = lens(&text).resolve(&Defaults::default(), false).unwrap_err();
        assert!(error.to_string().contains("--user captain=ROLE:ID"), "{error}");
    }

    #[test]
    fn limits_the_wrong_way_round_are_refused() {
        for slo in [
            "{p95_ms: {warn: 9, fail: 2}}",
            "{error_rate_percent: {warn: .nan, fail: 5}}",
            "{p95_ms: {warn: -1, fail: 2}}",
        ] {
            let parsed = crate::yaml::read::<Lens>("x", &format!("{MINIMAL}slo: {slo}\n"));
            assert!(
                parsed.is_err() || parsed.unwrap().resolve(&Defaults::default(), false).is_err(),
                "{slo}"
            );
        }
    }
}
