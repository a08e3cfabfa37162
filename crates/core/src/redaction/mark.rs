//! What stands in place of a secret, and how long one must be to be looked for.

/// What stands where a secret stood.
pub(crate) const MARK: &str = "[redacted]";

/// What stands where a token stood.
pub(crate) const TOKEN_MARK: &str = "eyJ…[redacted]";

/// The length of the shortest text that has the shape of a token.
pub(crate) const SHORTEST_TOKEN: usize = 15;

/// The length in bytes from which a secret is looked for by value: shorter ones are ordinary text.
pub const SHORTEST_SECRET: usize = 4;

/// What stands where `secret` stood.
pub(crate) fn mark(secret: &str) -> &'static str {
    if secret.starts_with("eyJ") { TOKEN_MARK } else { MARK }
}
