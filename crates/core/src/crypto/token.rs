//! Bearer tokens as the tenant API's clients mint them: HS256, two hours.
//!
//! The job role is not in the token; the API looks it up by user and tenant.

use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::crypto::digest::uuid_v8;
use crate::secret::Secret;

/// How long a token is valid: two hours.
pub const LIFETIME_SECONDS: i64 = 7_200;

/// How far back a token says it was issued: a verifier whose clock is behind refuses one of the future.
const ISSUED_BACK_SECONDS: i64 = 30;

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

/// Mints a token for `user` at `now`, real time, from which on it is valid for two hours. `issuer` is the tenant's address without path.
///
/// # Errors
/// When the secret cannot be used as a key.
pub fn mint(secret: &Secret, issuer: &str, user: &str, now: Timestamp) -> Result<Token, TokenError> {
    let seconds = now.as_second();
    let iat = seconds - ISSUED_BACK_SECONDS;
    let session = uuid_v8(u64::try_from(seconds).unwrap_or(0), &[b"session", &id_bytes(user)]);
    let claims = json!({
        "aud": "authenticated",
        "exp": seconds + LIFETIME_SECONDS,
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

/// The bytes of a user's id: those of the UUID, where it is one.
fn id_bytes(user: &str) -> Vec<u8> {
    Uuid::try_parse(user).map_or_else(|_| user.as_bytes().to_vec(), |id| id.as_bytes().to_vec())
}

/// Why a token is not let in. It never repeats the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotLetIn {
    /// No token, not signed with the secret, or by another algorithm than HS256.
    #[error("the token is malformed, or not signed by this project")]
    Malformed,
    /// Its time is over, or says nothing of it.
    #[error("the token has expired: sign in again")]
    Expired,
    /// It is signed and in time, and not a signed-in user's.
    #[error("the token is not a signed-in user's")]
    NotAUser,
}

/// The claims of `compact` at `now`, where it is a user's token signed with `secret` by HS256.
///
/// # Errors
/// When it is not; the keys of services, which are signed with the same secret, are refused too.
pub fn verify(secret: &Secret, compact: &str, now: Timestamp) -> Result<Value, NotLetIn> {
    let mut rules = Validation::new(Algorithm::HS256);
    // The clock is passed in, and audiences are the project's own affair: both are looked at below or not at all.
    rules.validate_exp = false;
    rules.validate_aud = false;
    rules.required_spec_claims.clear();
    let key = DecodingKey::from_secret(secret.expose().as_bytes());
    let claims = decode::<Value>(compact, &key, &rules)
        .map_err(|_| NotLetIn::Malformed)?
        .claims;
    let number = |name: &str| claims.get(name).and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "seconds of an epoch lie far below 2^52")]
    let second = now.as_second() as f64;
    if number("exp").is_none_or(|exp| exp <= second) || number("nbf").is_some_and(|nbf| nbf > second) {
        return Err(NotLetIn::Expired);
    }
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let is_user = text("role") == Some("authenticated") && text("sub").is_some_and(|sub| !sub.is_empty());
    is_user.then_some(claims).ok_or(NotLetIn::NotAUser)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_carries_the_contract_s_claims_and_no_job_role() {
        let now = Timestamp::from_second(1_770_000_000).unwrap();
        let token = mint(
            &Secret::new("a made-up signing secret"),
            "http://127.0.0.1:1/",
            "seven",
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

    /// V19: a strict verifier whose clock is a second behind answered 401.
    #[test]
    fn v19_a_token_is_issued_half_a_minute_back_and_valid_for_two_hours_from_now() {
        let now = Timestamp::from_second(1_770_000_000).unwrap();
        let secret = Secret::new("a made-up signing secret");
        let claims = mint(&secret, "http://127.0.0.1:1", "seven", now).unwrap().claims;
        assert_eq!(claims["iat"], 1_769_999_970_i64);
        assert_eq!(
            claims["amr"][0]["timestamp"], claims["iat"],
            "nobody signs in after the issue"
        );
        assert_eq!(claims["exp"], 1_770_007_200_i64);
    }

    #[test]
    fn only_a_signed_user_s_token_in_time_is_let_in() {
        let secret = Secret::new("a made-up signing secret");
        let now = Timestamp::from_second(1_770_000_000).unwrap();
        let later = |seconds: i64| Timestamp::from_second(1_770_000_000 + seconds).unwrap();
        let good = mint(&secret, "http://127.0.0.1:1", "seven", now).unwrap();
        let good = good.compact.expose();
        assert_eq!(verify(&secret, good, later(7_199)).unwrap()["role"], "authenticated");
        assert_eq!(verify(&secret, good, later(7_200)), Err(NotLetIn::Expired));
        assert_eq!(verify(&Secret::new("another"), good, now), Err(NotLetIn::Malformed));
        let signed = |claims: Value, algorithm: Algorithm| {
            let key = EncodingKey::from_secret(secret.expose().as_bytes());
            encode(&Header::new(algorithm), &claims, &key).unwrap()
        };
        let exp = 1_770_000_100_i64;
        for (case, token, expected) in [
            ("empty", String::new(), NotLetIn::Malformed),
            ("words", "not.a.token".to_owned(), NotLetIn::Malformed),
            (
                "unsigned",
                "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.".to_owned(),
                NotLetIn::Malformed,
            ),
            (
                "another algorithm",
                signed(
                    json!({"sub": "x", "role": "authenticated", "exp": exp}),
                    Algorithm::HS512,
                ),
                NotLetIn::Malformed,
            ),
            (
                "no end",
                signed(json!({"sub": "x", "role": "authenticated"}), Algorithm::HS256),
                NotLetIn::Expired,
            ),
            (
                "an end in words",
                signed(
                    json!({"sub": "x", "role": "authenticated", "exp": "never"}),
                    Algorithm::HS256,
                ),
                NotLetIn::Expired,
            ),
            (
                "not yet",
                signed(
                    json!({"sub": "x", "role": "authenticated", "exp": exp, "nbf": exp - 1}),
                    Algorithm::HS256,
                ),
                NotLetIn::Expired,
            ),
            (
                "a service's key",
                signed(json!({"role": "service_role", "exp": exp}), Algorithm::HS256),
                NotLetIn::NotAUser,
            ),
            (
                "nobody",
                signed(json!({"role": "authenticated", "exp": exp}), Algorithm::HS256),
                NotLetIn::NotAUser,
            ),
        ] {
            assert_eq!(verify(&secret, &token, now), Err(expected), "{case}");
        }
    }
}
