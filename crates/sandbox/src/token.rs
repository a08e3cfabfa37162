//! Who is asking: HS256 tokens as the tenant's auth service mints them.

use hyper::StatusCode;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use uuid::Uuid;

use crate::envelope::Refusal;
use crate::reply::Ask;

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

/// Verifies tokens against one secret.
pub(crate) struct Verifier {
    key: DecodingKey,
    rules: Validation,
}

/// Why nobody is signed in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    code: &'static str,
    message: &'static str,
}

impl Denied {
    const fn invalid(message: &'static str) -> Self {
        Self {
            code: "invalid_token",
            message,
        }
    }

    /// 401 with the code of the matter.
    pub(crate) fn refusal(self) -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, self.code, self.message)
    }

    /// 401 as the execute endpoint says it: one code for all.
    pub(crate) fn on_execute(self) -> Refusal {
        Refusal::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", self.message)
    }
}

impl Verifier {
    pub(crate) fn new(secret: &str) -> Self {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&["authenticated"]);
        rules.set_required_spec_claims(&["exp", "aud", "sub"]);
        // Both ends share a clock here: leeway would only hide a client that mints too short.
        rules.leeway = 0;
        Self {
            key: DecodingKey::from_secret(secret.as_bytes()),
            rules,
        }
    }

    /// The user a request speaks for. A subject that is no UUID is a user nobody knows.
    /// `stale` refuses every token, as after a change of the secret.
    pub(crate) fn user(&self, ask: &Ask<'_>, stale: bool) -> Result<Uuid, Denied> {
        let token = ask.bearer().ok_or(Denied {
            code: "missing_token",
            message: "Authorization header with a bearer token is required",
        })?;
        if stale {
            return Err(Denied::invalid("Signature verification failed"));
        }
        self.subject(token)
    }

    fn subject(&self, token: &str) -> Result<Uuid, Denied> {
        let data =
            jsonwebtoken::decode::<Claims>(token, &self.key, &self.rules).map_err(|error| denied(error.kind()))?;
        if data.claims.sub.is_empty() {
            return Err(Denied::invalid("Token has no subject"));
        }
        Ok(Uuid::parse_str(&data.claims.sub).unwrap_or(Uuid::nil()))
    }
}

fn denied(kind: &ErrorKind) -> Denied {
    match kind {
        ErrorKind::ExpiredSignature => Denied {
            code: "token_expired",
            message: "Token has expired",
        },
        ErrorKind::InvalidAudience => Denied::invalid("Audience doesn't match"),
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => Denied::invalid("Token is missing a required claim"),
        _ => Denied::invalid("Signature verification failed"),
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "only for this test";
    const USER: &str = "11c093fe-0652-50b4-bb47-559c1c185f8a";
    const FAR: u64 = 4_102_444_800;

    fn mint(claims: &Value, secret: &str) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::encode(&Header::default(), claims, &key).expect("encodes")
    }

    #[test]
    fn a_token_is_judged_by_signature_audience_expiry_and_subject() {
        let good = json!({ "sub": USER, "aud": "authenticated", "exp": FAR });
        let without = |claim: &str| {
            let mut claims = good.clone();
            claims.as_object_mut().map(|claims| claims.remove(claim));
            claims
        };
        let signature = "Signature verification failed";
        let claim = "Token is missing a required claim";
        let table = [
            ("wrong secret", mint(&good, "another"), "invalid_token", signature),
            ("no token at all", "abc".to_owned(), "invalid_token", signature),
            (
                "expired",
                mint(&json!({ "sub": USER, "aud": "authenticated", "exp": 1 }), SECRET),
                "token_expired",
                "Token has expired",
            ),
            (
                "other audience",
                mint(&json!({ "sub": USER, "aud": "anon", "exp": FAR }), SECRET),
                "invalid_token",
                "Audience doesn't match",
            ),
            ("no audience", mint(&without("aud"), SECRET), "invalid_token", claim),
            ("no expiry", mint(&without("exp"), SECRET), "invalid_token", claim),
            ("no subject", mint(&without("sub"), SECRET), "invalid_token", claim),
        ];
        let verifier = Verifier::new(SECRET);
        for (case, token, code, message) in table {
            let expected = Err(Denied { code, message });
            assert_eq!(verifier.subject(&token), expected, "{case}");
        }
        let user = verifier.subject(&mint(&good, SECRET)).expect("good");
        assert_eq!(user.to_string(), USER);
    }
}
