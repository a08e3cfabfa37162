//! The manifest of a run: which files it left, their hashes, and a chain over them.
//!
//! Each link of the chain is the hash of the link before it, the file's name and the file's hash,
//! so that an entry cannot be changed, dropped, added or moved without changing the head. A run
//! also names the run before it, so that a run that is taken away leaves a gap.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::crypto::digest::sha256_hex;
use crate::named::Named;
use crate::plan::header::PlanOrigin;
use crate::verdict::{RunKind, Verdict};

/// The manifest's file name within a run's folder.
pub const FILE: &str = "manifest.json";

/// The file name of the signature over it.
pub(super) const ENVELOPE: &str = "manifest.dsse.json";

/// What a run left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The run.
    pub run_id: String,
    /// `acceptance`, `stress`, …
    pub kind: Named<RunKind>,
    /// The lens.
    pub lens: String,
    /// The tenants that the run's files may speak of; absent where nobody knows all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenants: Option<Vec<Uuid>>,
    /// `pass`, `fail` or `could_not_judge`.
    pub verdict: Named<Verdict>,
    /// SHA-256 of the plan that ran.
    pub plan_sha256: String,
    /// Whether that plan was as it was generated.
    pub plan_origin: Named<PlanOrigin>,
    /// When the run ended, RFC 3339.
    pub finished_at: String,
    /// The tool's version.
    pub lensops: String,
    /// The run before this one in the same repository, if there was one.
    pub previous: Option<Previous>,
    /// The files, sorted by name.
    pub files: Vec<Entry>,
    /// The last link of the chain.
    pub head: String,
    /// `unsigned`, or `ed25519:` and the public key of who vouches for it.
    pub signature: String,
}

/// An earlier run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// Its id.
    pub run_id: String,
    /// The head of its chain.
    pub head: String,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name within the run's folder.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its link of the chain.
    pub chain: String,
}

impl Manifest {
    /// Whether its own hashes make its own chain.
    pub(super) fn holds_together(&self) -> bool {
        let mut head = sha256_hex(self.seed().as_bytes());
        let links = self.files.iter().all(|entry| {
            head = sha256_hex(format!("{head}\n{}\n{}", entry.name, entry.sha256).as_bytes());
            entry.chain == head
        });
        links && self.head == head
    }

    /// What the chain starts from: everything the manifest says besides its files.
    pub(super) fn seed(&self) -> String {
        let Self {
            run_id,
            kind,
            lens,
            tenants,
            verdict,
            plan_sha256,
            plan_origin,
            finished_at,
            lensops,
            previous,
            ..
        } = self;
        let (before, head) = previous.as_ref().map_or(("", ""), |run| (&run.run_id, &run.head));
        let mut seed = [
            run_id,
            &kind.to_string(),
            lens,
            &verdict.to_string(),
            plan_sha256,
            &plan_origin.to_string(),
            finished_at,
            lensops,
            before,
            head,
            &self.signature,
        ]
        .join("\n");
        // Runs of before tenants were named have the chain that they had.
        for tenant in tenants.iter().flatten() {
            seed.push_str(&format!("\n{tenant}"));
        }
        seed
    }

    /// The manifest as its file holds it.
    pub(super) fn text(&self) -> String {
        // A struct of strings and lists always has a JSON form.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
