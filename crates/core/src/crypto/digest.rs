//! SHA-256 as lowercase hex, and deterministic UUIDs made from it.
//!
//! One place, because slot ids, event ids, plan headers and manifests must all agree on it.

use aws_lc_rs::digest::{SHA256, digest};
use uuid::Uuid;

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// SHA-256 of `bytes`, 64 lowercase hex digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _infallible = write!(hex, "{byte:02x}");
            hex
        })
}

/// A UUIDv8 whose first 48 bits are `prefix` and whose rest is a hash of `parts`.
///
/// Each part is hashed with its length, so that `("ab", "c")` and `("a", "bc")` differ.
#[must_use]
pub fn uuid_v8(prefix: u64, parts: &[&[u8]]) -> Uuid {
    let mut input = Vec::new();
    for part in parts {
        input.extend_from_slice(&(part.len() as u64).to_be_bytes());
        input.extend_from_slice(part);
    }
    let hash = digest(&SHA256, &input);
    let prefix = prefix.to_be_bytes().into_iter().skip(2);
    let mut bytes = prefix.chain(hash.as_ref().iter().copied());
    // 6 bytes of the prefix and 10 of the 32 of the hash.
    let bytes = std::array::from_fn(|_| bytes.next().unwrap_or_default());
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_of_the_empty_string_is_the_published_one() {
        assert_eq!(
            sha256_hex(b""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn parts_do_not_run_together() {
        assert_ne!(uuid_v8(1, &[b"ab", b"c"]), uuid_v8(1, &[b"a", b"bc"]));
    }
}
