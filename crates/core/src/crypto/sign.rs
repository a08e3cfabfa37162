//! Signed tokens with claims of any kind (RFC 7515, compact form): HS256, RS256, ES256.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::secret::Secret;

/// How a token is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    HS256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
}

/// A key that cannot sign. It never repeats the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The key is no private key in PEM form.
    #[error("the key is no private key in PEM form (-----BEGIN PRIVATE KEY-----)")]
    Pem,
    /// The key is of another kind than the algorithm.
    #[error("the key is no {0} key")]
    Kind(&'static str),
    /// The library refuses to sign with it.
    #[error("the key cannot sign")]
    Refused,
}

/// The compact form of `claims`, signed with `key`: the secret of HS256, a private key in PEM form of the others.
///
/// # Errors
/// A key that is none of the algorithm.
pub fn sign(algorithm: Algorithm, key: &Secret, claims: &Value) -> Result<Secret, SignError> {
    let header = json!({"typ": "JWT", "alg": algorithm});
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = match algorithm {
        Algorithm::HS256 => {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key.expose().as_bytes());
            hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
        }
        Algorithm::RS256 => with_rsa(&der(key)?, signed.as_bytes())?,
        Algorithm::ES256 => with_ecdsa(&der(key)?, signed.as_bytes())?,
    };
    Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

fn with_rsa(der: &[u8], message: &[u8]) -> Result<Vec<u8>, SignError> {
    // PKCS #8, or the older PKCS #1.
    let key = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
    let key = key.map_err(|_| SignError::Kind("RSA"))?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
        .map_err(|_| SignError::Refused)?;
    Ok(signature)
}

fn with_ecdsa(der: &[u8], message: &[u8]) -> Result<Vec<u8>, SignError> {
    let curve = &ECDSA_P256_SHA256_FIXED_SIGNING;
    // PKCS #8, or the older SEC 1.
    let key = EcdsaKeyPair::from_pkcs8(curve, der).or_else(|_| EcdsaKeyPair::from_private_key_der(curve, der));
    let key = key.map_err(|_| SignError::Kind("P-256"))?;
    let signature = key
        .sign(&SystemRandom::new(), message)
        .map_err(|_| SignError::Refused)?;
    Ok(signature.as_ref().to_vec())
}

/// The bytes of the last block of a PEM text. Line breaks may be written as `\n`, as one-line variables hold them.
fn der(key: &Secret) -> Result<Vec<u8>, SignError> {
    let text = key.expose().replace("\\n", "\n");
    let start = text.rfind("-----BEGIN ").ok_or(SignError::Pem)?;
    let block = text.get(start..).unwrap_or_default();
    let mut parts = block.split("-----").skip(2);
    let body: String = parts.next().unwrap_or_default().split_whitespace().collect();
    if body.is_empty() || parts.next().is_none_or(|end| !end.starts_with("END ")) {
        return Err(SignError::Pem);
    }
    STANDARD.decode(body).map_err(|_| SignError::Pem)
}

/// The claims of a compact token, whoever signed it; `None` where `text` is none.
#[must_use]
pub fn claims_of(text: &str) -> Option<Value> {
    let mut parts = text.split('.');
    let (Some(_), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return None;
    };
    let bytes = URL_SAFE_NO_PAD.decode(claims).ok()?;
    serde_json::from_slice(&bytes).ok().filter(Value::is_object)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
    use aws_lc_rs::signature::KeyPair as _;
    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    fn pem(label: &str, der: &[u8]) -> String {
        format!(
            "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
            STANDARD.encode(der)
        )
    }

    fn verified(token: &Secret, key: &DecodingKey, algorithm: jsonwebtoken::Algorithm) -> Value {
        let mut rules = Validation::new(algorithm);
        rules.validate_exp = false;
        rules.required_spec_claims.clear();
        decode::<Value>(token.expose(), key, &rules).unwrap().claims
    }

    #[test]
    fn another_library_verifies_tokens_of_every_kind() {
        let claims = json!({"sub": "editor", "n": 1});
        let secret = Secret::new("a made-up signing secret");
        let token = sign(Algorithm::HS256, &secret, &claims).unwrap();
        let key = DecodingKey::from_secret(secret.expose().as_bytes());
        assert_eq!(verified(&token, &key, jsonwebtoken::Algorithm::HS256), claims);

        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let private = pem("PRIVATE KEY", pair.to_pkcs8v1().unwrap().as_ref());
        let token = sign(Algorithm::ES256, &Secret::new(private.replace('\n', "\\n")), &claims).unwrap();
        let key = DecodingKey::from_ec_der(pair.public_key().as_ref());
        assert_eq!(verified(&token, &key, jsonwebtoken::Algorithm::ES256), claims);

        let pair = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let private = pem("PRIVATE KEY", AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).unwrap().as_ref());
        let token = sign(Algorithm::RS256, &Secret::new(private.clone()), &claims).unwrap();
        let key = DecodingKey::from_rsa_der(pair.public_key().as_ref());
        assert_eq!(verified(&token, &key, jsonwebtoken::Algorithm::RS256), claims);
        assert_eq!(claims_of(token.expose()).unwrap(), claims);

        assert_eq!(
            sign(Algorithm::ES256, &Secret::new(private), &claims),
            Err(SignError::Kind("P-256"))
        );
        assert_eq!(
            sign(Algorithm::RS256, &Secret::new("words"), &claims),
            Err(SignError::Pem)
        );
    }
}
