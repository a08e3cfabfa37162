//! Keys whose values are secrets whatever they hold.

/// Keys whose values are secrets whatever they hold; compared without case, `-` and `_`, in lower case here.
pub(crate) const SECRET_KEYS: [&str; 12] = [
    "signaturehash",
    "authorization",
    "apikey",
    "password",
    "secret",
    "clientsecret",
    "accesstoken",
    "refreshtoken",
    "cookie",
    "setcookie",
    "xapikey",
    "servicerolekey",
];

/// Whether the value of a field or header of that name is a secret whatever it holds.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let letters = || key.bytes().filter(|byte| !matches!(byte, b'-' | b'_'));
    let count = letters().count();
    SECRET_KEYS
        .iter()
        .filter(|secret| secret.len() == count)
        .any(|secret| letters().zip(secret.bytes()).all(|(a, b)| a.to_ascii_lowercase() == b))
}

/// Whether a key is called as secrets are: `password`, `api_key`, `refresh-token`.
pub(crate) fn names_secret(key: &str) -> bool {
    let last = key
        .rsplit(['_', '-', '.'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    is_secret_key(key) || ["key", "token", "secret", "password", "passphrase", "pin"].contains(&last.as_str())
}
