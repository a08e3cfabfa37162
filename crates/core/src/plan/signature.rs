//! The signature that a signed action carries in its payload.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::crypto::digest::sha256_hex;
use crate::ident::Ident;
use crate::lens::User;
use crate::secret::Secret;

/// A well-formed signature of `user` in `role`, and its hash as a secret.
#[must_use]
pub fn signature(user: &User, role: &Ident, signed_at: Timestamp, nonce: u64) -> (Value, Secret) {
    let hash = sha256_hex(format!("{}|{role}|{signed_at}|{nonce}", user.subject()).as_bytes());
    let value = json!({
        "signed_at": signed_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "user_id": user.id,
        "role_at_signing": role,
        "signature_type": "pin_totp",
        "signature_hash": hash,
    });
    (value, Secret::new(hash))
}
