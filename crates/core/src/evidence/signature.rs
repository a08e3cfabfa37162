//! The keys that vouch for evidence: Ed25519. A key's id is the public key itself, so that anybody can
//! check who signed.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

/// A public key; as text 64 hex digits, in files with `ed25519:` before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// What stands before a key in files.
pub(crate) const PREFIX: &str = "ed25519:";

/// The points of small order, without the bit of the sign: one of them as a key takes signatures of
/// whatever one likes, and no seed makes one.
const SMALL_ORDER: [&str; 7] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

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
        let text = text.trim();
        let refuse = || KeyError {
            what: "the public key",
            digits: 64,
        };
        let key = Self(unhex(text.strip_prefix(PREFIX).unwrap_or(text)).ok_or_else(refuse)?);
        let mut unsigned = key;
        if let Some(last) = unsigned.0.last_mut() {
            *last &= 0x7f;
        }
        if SMALL_ORDER.contains(&unsigned.to_string().as_str()) {
            return Err(refuse());
        }
        Ok(key)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{PREFIX}{self}"))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key = text.strip_prefix(PREFIX).and_then(|digits| digits.parse().ok());
        key.ok_or_else(|| D::Error::custom(format!("it is {PREFIX} and the 64 hex digits of a public key")))
    }
}

impl JsonSchema for PublicKey {
    fn schema_name() -> Cow<'static, str> {
        "PublicKey".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^ed25519:[0-9a-fA-F]{64}$"})
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
