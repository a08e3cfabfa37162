//! `migrate` of `lensops.yml`: findings of `lensops migrate --check` that somebody has looked at and accepts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `migrate` of `lensops.yml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MigrateFile {
    /// Functions, policies, views, triggers and rules of the database that are meant to differ.
    pub acknowledged: Vec<Acknowledged>,
}

/// A finding that is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledged {
    /// The object as the finding begins, such as `function get_user_yacht_id()` or
    /// `policy own_rows on pms_health_checks`.
    pub object: String,
    /// Why it is accepted.
    pub reason: String,
}

/// What can be acknowledged. A missing table, column or privilege cannot.
const KINDS: [&str; 5] = ["function ", "policy ", "view ", "trigger ", "rule "];

impl Acknowledged {
    /// Whether it accepts `finding`.
    #[must_use]
    pub fn accepts(&self, finding: &str) -> bool {
        let rest = finding.strip_prefix(self.object.trim());
        rest.is_some_and(|rest| rest.starts_with([' ', ':']))
    }

    /// The key that is wrong, and why; `None` when nothing is.
    pub(super) fn wrong(&self) -> Option<(&'static str, &'static str)> {
        if !KINDS.iter().any(|kind| self.object.trim().starts_with(kind)) {
            let why = "it names a function, policy, view, trigger or rule, as the finding does: `policy NAME on TABLE`";
            return Some(("object", why));
        }
        self.reason
            .trim()
            .is_empty()
            .then_some(("reason", "it is empty: say why this is accepted"))
    }
}

impl MigrateFile {
    pub(super) fn is_empty(&self) -> bool {
        self.acknowledged.is_empty()
    }

    /// The findings that nobody accepts, and those that somebody does, each with the reason.
    #[must_use]
    pub fn split(&self, findings: Vec<String>) -> (Vec<String>, Vec<(String, String)>) {
        let (mut open, mut accepted) = (Vec::new(), Vec::new());
        for finding in findings {
            match self.acknowledged.iter().find(|entry| entry.accepts(&finding)) {
                Some(entry) => accepted.push((finding, entry.reason.clone())),
                None => open.push(finding),
            }
        }
        (open, accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w15_an_acknowledgement_accepts_the_object_that_it_names_and_no_other() {
        let entry = |object: &str| Acknowledged {
            object: object.to_owned(),
            reason: "ours".to_owned(),
        };
        for (object, finding, accepts) in [
            (
                "policy mine on pms_health_checks",
                "policy mine on pms_health_checks is not of this migration",
                true,
            ),
            (
                "policy mine on pms_health_checks",
                "policy mine on pms_health_checks2 is not of this migration",
                false,
            ),
            (
                "function get_user_yacht_id()",
                "function get_user_yacht_id() is not the migration's",
                true,
            ),
            (
                "function get_user",
                "function get_user_yacht_id() is not the migration's",
                false,
            ),
            (
                "policy mine on pms_health_checks",
                "policy mine on pms_health_checks: PERMISSIVE, not RESTRICTIVE",
                true,
            ),
        ] {
            assert_eq!(entry(object).accepts(finding), accepts, "{object}: {finding}");
            assert_eq!(entry(object).wrong(), None);
        }
        assert_eq!(entry("table pms_health_checks").wrong().unwrap().0, "object");
        assert_eq!(
            Acknowledged {
                reason: " ".to_owned(),
                ..entry("view x")
            }
            .wrong()
            .unwrap()
            .0,
            "reason"
        );
    }
}
