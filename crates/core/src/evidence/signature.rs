//! Signatures over evidence: Ed25519 in a DSSE envelope around an in-toto statement.
//!
//! The envelope and the statement are small JSON, so they are written here; the signature is the
//! library's. A key's id is the public key itself, so that anybody can check who signed.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::manifest::{self, Manifest};
use crate::crypto::digest::sha256_hex;
use crate::secret::Secret;

/// The envelope's file name within a run's folder.
pub const FILE: &str = "manifest.dsse.json";

const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "urn:lensops:evidence:v1";

/// A key that is none. The text never holds what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not {digits} hex digits of an Ed25519 key")]
pub struct KeyError {
    what: &'static str,
    digits: usize,
}

/// A private key.
pub struct SigningKey(Ed25519KeyPair);

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

impl SigningKey {
    /// From its seed, 64 hex digits.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_hex(seed: &Secret) -> Result<Self, KeyError> {
        let refuse = || KeyError {
            what: "the evidence key",
            digits: 64,
        };
        let bytes: [u8; 32] = unhex(seed.expose().trim()).ok_or_else(refuse)?;
        Ok(Self(Ed25519KeyPair::from_seed_unchecked(&bytes).map_err(|_| refuse())?))
    }

    /// Its public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }
}

/// A public key; as text 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        unhex(text.trim()).map(Self).ok_or(KeyError {
            what: "the public key",
            digits: 64,
        })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signature {
    keyid: String,
    sig: String,
}

/// What DSSE signs: type and payload, each with its length.
fn pre_authentication(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// The statement about a manifest: every file of the run, the manifest among them, is a subject.
fn statement(manifest: &Manifest, manifest_text: &str) -> Value {
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
    let signature = key.0.sign(&pre_authentication(payload.as_bytes()));
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

fn pretty(value: &impl Serialize) -> String {
    // A struct of strings always has a JSON form.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Checks an envelope against the manifest it is about: who signed it.
///
/// # Errors
/// What is wrong with it, one line.
pub fn check(envelope_text: &str, manifest: &Manifest, manifest_text: &str) -> Result<PublicKey, String> {
    let changed = || format!("{FILE} was changed");
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
    UnparsedPublicKey::new(&ED25519, key.0)
        .verify(&pre_authentication(&payload), &sig)
        .map_err(|_| changed())?;
    if payload != statement(manifest, manifest_text).to_string().as_bytes() {
        return Err(format!("{FILE} signs another {}", manifest::FILE));
    }
    Ok(key)
}
