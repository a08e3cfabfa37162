//! The signature over a run: a DSSE envelope around an in-toto statement.
//!
//! Envelope and statement are small JSON, so they are written here; the signature is the library's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::finding::Finding;
use super::manifest::{self, Manifest};
use crate::crypto::digest::sha256_hex;
use crate::evidence::signature::{PublicKey, SigningKey};

/// The envelope's file name within a run's folder.
pub const FILE: &str = manifest::ENVELOPE;

pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

pub(crate) const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

pub(crate) const PREDICATE_TYPE: &str = "urn:lensops:evidence:v1";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Signature {
    keyid: String,
    sig: String,
}

/// What DSSE signs: type and payload, each with its length.
pub(crate) fn pre_authentication(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// The statement about a manifest: every file of the run, the manifest among them, is a subject.
pub(crate) fn statement(manifest: &Manifest, manifest_text: &str) -> Value {
    let subject = |name: &str, sha256: &str| json!({"name": name, "digest": {"sha256": sha256}});
    let mut subjects: Vec<Value> = manifest
        .files
        .iter()
        .map(|file| subject(&file.name, &file.sha256))
        .collect();
    subjects.push(subject(manifest::FILE, &sha256_hex(manifest_text.as_bytes())));
    json!({
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "runId": manifest.run_id,
            "kind": manifest.kind,
            "lens": manifest.lens,
            "verdict": manifest.verdict,
            "planSha256": manifest.plan_sha256,
            "head": manifest.head,
        },
    })
}

/// Signs `manifest`, whose file holds `manifest_text`: the text of the envelope's file.
#[must_use]
pub fn envelope(manifest: &Manifest, manifest_text: &str, key: &SigningKey) -> String {
    let payload = statement(manifest, manifest_text).to_string();
    let signature = key.sign(&pre_authentication(payload.as_bytes()));
    let envelope = Envelope {
        payload_type: PAYLOAD_TYPE.to_owned(),
        payload: STANDARD.encode(&payload),
        signatures: vec![Signature {
            keyid: key.public().to_string(),
            sig: STANDARD.encode(signature),
        }],
    };
    pretty(&envelope)
}

pub(crate) fn pretty(value: &impl Serialize) -> String {
    // A struct of strings always has a JSON form.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Checks an envelope against the manifest it is about: who signed it.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(envelope_text: &str, manifest: &Manifest, manifest_text: &str) -> Result<PublicKey, Finding> {
    let changed = || Finding::Changed(FILE.to_owned());
    let envelope: Envelope = serde_json::from_str(envelope_text).map_err(|_| changed())?;
    // Byte for byte what was written: white space and key order are no place to hide anything.
    if pretty(&envelope) != envelope_text || envelope.payload_type != PAYLOAD_TYPE {
        return Err(changed());
    }
    let [signature] = envelope.signatures.as_slice() else {
        return Err(changed());
    };
    let key: PublicKey = signature.keyid.parse().map_err(|_| changed())?;
    if key.to_string() != signature.keyid {
        return Err(changed());
    }
    let (Ok(payload), Ok(sig)) = (STANDARD.decode(&envelope.payload), STANDARD.decode(&signature.sig)) else {
        return Err(changed());
    };
    if !key.signed(&pre_authentication(&payload), &sig) {
        return Err(changed());
    }
    if payload != statement(manifest, manifest_text).to_string().as_bytes() {
        return Err(Finding::SignsAnother);
    }
    Ok(key)
}
