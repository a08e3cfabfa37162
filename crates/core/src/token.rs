//! Bearer tokens as the tenant API's clients mint them: HS256, two hours.
//!
//! The job role is not in the token; the API looks it up by user and tenant.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::digest::uuid_v8;
use crate::exchange::Secret;

/// How long a token is valid: two hours.
pub const LIFETIME_SECONDS: i64 = 7_200;

/// A minted token and what it says.
#[derive(Debug, Clone)]
pub struct Token {
    /// The compact form.
    pub compact: Secret,
    /// Its claims.
    pub claims: Value,
}

/// A token that could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed")]
pub struct TokenError(#[from] jsonwebtoken::errors::Error);

/// Mints a token for `user` at `now`, real time. `issuer` is the tenant's address without path.
///
/// # Errors
/// When the secret cannot be used as a key.
pub fn mint(secret: &Secret, issuer: &str, user: Uuid, now: Timestamp) -> Result<Token, TokenError> {
    let iat = now.as_second();
    let session = uuid_v8(u64::try_from(iat).unwrap_or(0), &[b"session", user.as_bytes()]);
    let claims = json!({
        "aud": "authenticated",
        "exp": iat + LIFETIME_SECONDS,
        "iat": iat,
        "iss": format!("{}/auth/v1", issuer.trim_end_matches('/')),
        "sub": user,
        "email": format!("{user}@users.invalid"),
        "phone": "",
        "app_metadata": {"provider": "email", "providers": ["email"]},
        "user_metadata": {},
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{"method": "password", "timestamp": iat}],
        "session_id": session,
    });
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    let compact = encode(&Header::new(Algorithm::HS256), &claims, &key)?;
    Ok(Token {
        compact: Secret::new(compact),
        claims,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_carries_the_contract_s_claims_and_no_job_role() {
        let now = Timestamp::from_second(1_770_000_000).unwrap();
        let user = Uuid::from_u128(7);
        let token = mint(
            &Secret::new("a made-up signing secret"),
            "http://127.0.0.1:1/",
            user,
            now,
        )
        .unwrap();
        assert_eq!(token.claims["iss"], "http://127.0.0.1:1/auth/v1");
        assert_eq!(token.claims["exp"], 1_770_007_200_i64);
        assert_eq!(token.claims["role"], "authenticated");
        assert_eq!(token.compact.expose().split('.').count(), 3);
        let keys: Vec<_> = token.claims.as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            keys,
            [
                "aud",
                "exp",
                "iat",
                "iss",
                "sub",
                "email",
                "phone",
                "app_metadata",
                "user_metadata",
                "role",
                "aal",
                "amr",
                "session_id"
            ]
        );
    }
}
