//! Whose a run is: its signer held against the keys that a project trusts.
//!
//! That a run is consistent does not say whose it is: whoever can write files can seal them anew.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use super::seal::Signed;
use super::signature::PublicKey;

/// A key whose runs count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// Whose it is, as reports name him.
    pub name: String,
    /// `ed25519:` and the 64 hex digits of the public key.
    pub key: PublicKey,
    /// Runs that ended earlier do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub from: Option<Timestamp>,
    /// Runs that ended at that time or later do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// Whether the key was lost. It then proves nothing, whatever time a run states, besides for runs up
    /// to the one that `--expect-head` names.
    #[serde(
        default,
        skip_serializing_if = "std::ops::Not::not",
        deserialize_with = "crate::yaml::own_boolean"
    )]
    pub revoked: bool,
}

/// `evidence` of `lensops.yml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EvidenceFile {
    /// Where there are any, only runs that one of them signed count.
    pub trusted_keys: Vec<TrustedKey>,
}

impl EvidenceFile {
    /// What is wrong with it: the place of a mistake and why.
    #[must_use]
    pub fn wrong(&self) -> Vec<(String, &'static str)> {
        let mut wrong = Vec::new();
        for (index, trusted) in self.trusted_keys.iter().enumerate() {
            let mut refuse = |field: &str, why| wrong.push((format!("trusted_keys.{index}.{field}"), why));
            if trusted.name.trim().is_empty() {
                refuse("name", "it says whose the key is");
            }
            if trusted
                .until
                .is_some_and(|until| trusted.from.is_some_and(|from| from >= until))
            {
                refuse("until", "it is later than `from`");
            }
            let earlier = self.trusted_keys.iter().take(index);
            if earlier.clone().any(|other| other.key == trusted.key) {
                refuse("key", "a key is named once");
            }
        }
        wrong
    }
}

/// How a run stands to the one whose head somebody kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is that run, or one that it follows: nobody can have written it later.
    UpTo,
    /// It follows that run.
    After,
    /// That run is not there, or is not in one chain with this one: runs were removed.
    NotInChain,
}

impl Standing {
    /// How `run` stands to the run whose head is `head`, among `runs`, which may lie in any order.
    #[must_use]
    pub fn of(run: &Manifest, head: &str, runs: &[Manifest]) -> Self {
        if follows(head, &run.head, runs) {
            Self::UpTo
        } else if follows(&run.head, head, runs) {
            Self::After
        } else {
            Self::NotInChain
        }
    }
}

/// Whether the run with the head `from` is the one with the head `to`, or comes after it.
fn follows(from: &str, to: &str, runs: &[Manifest]) -> bool {
    let mut at = from;
    // A chain of hashes has no circle, but what lies there may have been written by anybody.
    for _ in 0..=runs.len() {
        let Some(run) = runs.iter().find(|run| run.head == at && run.holds_together()) else {
            return false;
        };
        if at == to {
            return true;
        }
        let Some(previous) = &run.previous else { return false };
        at = &previous.head;
    }
    false
}

/// Whose a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// No keys are trusted, and nobody signed it.
    Unsigned,
    /// No keys are trusted; this one signed it.
    By(PublicKey),
    /// The key of this name, which is trusted, signed it.
    Trusted(String),
    /// Keys are trusted, and it does not count.
    NotTrusted(Distrust),
}

/// Why a run does not count where keys are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// Nobody signed it.
    Unsigned,
    /// A key signed it that is not among the trusted.
    Stranger(PublicKey),
    /// The key of this name was revoked.
    Revoked(String),
    /// The run did not end in the time of the key of this name.
    OutOfTime(String),
}

impl Whose {
    /// Whose a run is that `signed` and that ended at `finished_at`, by the keys of `file`.
    #[must_use]
    pub fn of(signed: Signed, finished_at: &str, file: &EvidenceFile, standing: Option<Standing>) -> Self {
        let keys = &file.trusted_keys;
        let key = match signed {
            Signed::Unsigned if keys.is_empty() => return Self::Unsigned,
            Signed::By(key) if keys.is_empty() => return Self::By(key),
            Signed::Unsigned => return Self::NotTrusted(Distrust::Unsigned),
            Signed::By(key) => key,
        };
        let Some(trusted) = keys.iter().find(|trusted| trusted.key == key) else {
            return Self::NotTrusted(Distrust::Stranger(key));
        };
        let name = || trusted.name.clone();
        if trusted.revoked && standing != Some(Standing::UpTo) {
            return Self::NotTrusted(Distrust::Revoked(name()));
        }
        let in_time = finished_at
            .parse::<Timestamp>()
            .is_ok_and(|at| trusted.from.is_none_or(|from| from <= at) && trusted.until.is_none_or(|until| at < until));
        if !in_time {
            return Self::NotTrusted(Distrust::OutOfTime(name()));
        }
        Self::Trusted(name())
    }

    /// Whether the run counts.
    #[must_use]
    pub fn counts(&self) -> bool {
        !matches!(self, Self::NotTrusted(_))
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsigned => f.write_str("unsigned"),
            Self::By(key) => write!(f, "signed by {key}"),
            Self::Trusted(name) => write!(f, "signed by {name}"),
            Self::NotTrusted(Distrust::Unsigned) => f.write_str("not trusted: unsigned"),
            Self::NotTrusted(Distrust::Stranger(key)) => write!(f, "not trusted: signed by {key}, an unknown key"),
            Self::NotTrusted(Distrust::Revoked(name)) => write!(f, "not trusted: the key of {name} was revoked"),
            Self::NotTrusted(Distrust::OutOfTime(name)) => {
                write!(f, "not trusted: outside of the time of the key of {name}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::signature::SigningKey;
    use crate::secret::Secret;

    fn key(digit: &str) -> PublicKey {
        SigningKey::from_hex(&Secret::new(digit.repeat(64))).unwrap().public()
    }

    fn file(more: &str) -> EvidenceFile {
        let text = format!("trusted_keys: [{{name: CI, key: 'ed25519:{}'{more}}}]", key("7"));
        crate::yaml::read_all("lensops.yml", &text).unwrap()
    }

    #[test]
    fn e1_where_keys_are_trusted_only_their_runs_count() {
        let none = EvidenceFile::default();
        let at = "2026-03-01T00:00:00Z";
        let (ours, theirs) = (Signed::By(key("7")), Signed::By(key("8")));
        type Row<'a> = (Signed, &'a EvidenceFile, &'a str, Option<Standing>, bool, &'a str);
        let cases: [Row<'_>; 12] = [
            (Signed::Unsigned, &none, at, None, true, "unsigned"),
            (theirs, &none, at, None, true, "signed by 3b"),
            (ours, &file(""), at, None, true, "signed by CI"),
            (Signed::Unsigned, &file(""), at, None, false, "not trusted: unsigned"),
            (theirs, &file(""), at, None, false, "an unknown key"),
            (
                ours,
                &file(", from: 2026-03-01T00:00:00Z"),
                at,
                None,
                true,
                "signed by CI",
            ),
            (
                ours,
                &file(", from: 2026-03-01T00:00:01Z"),
                at,
                None,
                false,
                "outside of the time",
            ),
            (
                ours,
                &file(", until: 2026-03-01T00:00:00Z"),
                at,
                None,
                false,
                "outside of the time",
            ),
            (
                ours,
                &file(", until: 2027-03-01T00:00:00Z"),
                "some day",
                None,
                false,
                "outside of the time",
            ),
            (ours, &file(", revoked: true"), at, None, false, "CI was revoked"),
            (
                ours,
                &file(", revoked: true"),
                at,
                Some(Standing::After),
                false,
                "CI was revoked",
            ),
            (
                ours,
                &file(", revoked: true"),
                at,
                Some(Standing::UpTo),
                true,
                "signed by CI",
            ),
        ];
        for (index, (signed, file, at, standing, counts, told)) in cases.into_iter().enumerate() {
            let whose = Whose::of(signed, at, file, standing);
            assert_eq!(whose.counts(), counts, "{index}: {whose}");
            assert!(index == 1 || whose.to_string().contains(told), "{index}: {whose}");
        }
    }

    #[test]
    fn e1_what_is_wrong_with_trusted_keys_is_told_with_its_place() {
        let text = format!(
            "trusted_keys:\n- {{name: ' ', key: 'ed25519:{0}'}}\n- {{name: b, key: 'ed25519:{0}', from: 2026-03-01T00:00:00Z, until: 2026-02-01T00:00:00Z}}",
            key("7")
        );
        let file: EvidenceFile = crate::yaml::read_all("lensops.yml", &text).unwrap();
        let places: Vec<String> = file.wrong().into_iter().map(|(place, _)| place).collect();
        assert_eq!(
            places,
            ["trusted_keys.0.name", "trusted_keys.1.until", "trusted_keys.1.key"]
        );
        // A point of small order "signs" whatever one likes.
        for small in [
            "01".to_owned() + &"0".repeat(62),
            "0".repeat(64),
            "ec".to_owned() + &"f".repeat(60) + "7f",
        ] {
            let text = format!("trusted_keys: [{{name: a, key: 'ed25519:{small}'}}]");
            assert!(
                crate::yaml::read_all::<EvidenceFile>("lensops.yml", &text).is_err(),
                "{small}"
            );
        }
    }
}
