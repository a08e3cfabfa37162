//! Secrets recognised by pattern and not by value: tokens, and the values of keys that hold secrets.

use memchr::memmem;

use super::key::is_secret_key;
use super::mark::{MARK, TOKEN_MARK};

/// Replaces everything shaped like a JWT, also one that is cut off within its signature.
pub(super) fn hide_tokens(text: &str) -> String {
    let in_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("eyJ") {
        let end = rest[at..].find(|c| !in_token(c)).map_or(rest.len(), |n| at + n);
        let candidate = &rest[at..end];
        let mut parts = candidate.split('.');
        let is_token =
            parts.next().is_some_and(|head| head.len() >= 10) && parts.next().is_some_and(|claims| claims.len() >= 4);
        clean.push_str(&rest[..at]);
        clean.push_str(if is_token { TOKEN_MARK } else { candidate });
        rest = &rest[end..];
    }
    clean.push_str(rest);
    clean
}

/// Replaces `"signature_hash": "…"` and its like in text that is no JSON as a whole.
pub(super) fn hide_keyed(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((key_end, value_start)) = find_keyed(rest) {
        let value_end = rest[value_start..].find('"').map_or(rest.len(), |n| value_start + n);
        let key_start = rest[..key_end].rfind('"').map_or(0, |at| at + 1);
        clean.push_str(&rest[..value_start]);
        clean.push_str(if is_secret_key(&rest[key_start..key_end]) {
            MARK
        } else {
            &rest[value_start..value_end]
        });
        rest = &rest[value_end..];
        // Step over the closing quote, or it would open the next pair.
        if let Some(after) = rest.strip_prefix('"') {
            clean.push('"');
            rest = after;
        }
    }
    clean.push_str(rest);
    clean
}

/// The next `": "` of `text`: where its key ends and its value starts.
pub(super) fn find_keyed(text: &str) -> Option<(usize, usize)> {
    let colons = memmem::find_iter(text.as_bytes(), b"\":");
    colons.into_iter().find_map(|colon| {
        let after = &text[colon + 2..];
        let gap = after.len() - after.trim_start_matches([' ', '\t']).len();
        after[gap..].starts_with('"').then_some((colon, colon + 2 + gap + 1))
    })
}
