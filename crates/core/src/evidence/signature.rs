//! The keys that vouch for evidence: Ed25519. A key's id is the public key itself, so that anybody can
//! check who signed.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

use crate::secret::Secret;

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

    /// Its signature of `bytes`.
    pub(super) fn sign(&self, bytes: &[u8]) -> impl AsRef<[u8]> + use<> {
        self.0.sign(bytes)
    }
}

/// A public key; as text 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Whether `signature` is this key's of `bytes`.
    pub(super) fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0)
            .verify(bytes, signature)
            .is_ok()
    }
}

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
