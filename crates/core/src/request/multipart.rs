//! The body of a form with files (RFC 7578).

use indexmap::IndexMap;

use super::fill::{PrepareError, expand_text};
use super::spec::{FormFile, FormPart, Vars};
use crate::crypto::digest::sha256_hex;

/// The body of `parts` and its content type.
pub(super) fn multipart(parts: &IndexMap<String, FormPart>, vars: &Vars) -> Result<(String, String), PrepareError> {
    let mut filled = Vec::new();
    for (name, part) in parts {
        let name = escaped(name);
        filled.push(match part {
            FormPart::Field(text) => (
                format!("Content-Disposition: form-data; name=\"{name}\""),
                expand_text(text, vars)?,
            ),
            FormPart::File(FormFile {
                file,
                content,
                content_type,
            }) => {
                let file = escaped(&expand_text(file, vars)?);
                let kind = escaped(content_type.as_deref().unwrap_or("text/plain"));
                (
                    format!(
                        "Content-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: {kind}"
                    ),
                    expand_text(content, vars)?,
                )
            }
        });
    }
    // Of all that there could be, one that stands in no part: the same request has the same one.
    let all: String = filled.iter().map(|(head, text)| format!("{head}{text}")).collect();
    let mut boundary = sha256_hex(all.as_bytes());
    while all.contains(&boundary) {
        boundary = sha256_hex(boundary.as_bytes());
    }
    let mut body = String::new();
    for (head, text) in filled {
        body.push_str(&format!("--{boundary}\r\n{head}\r\n\r\n{text}\r\n"));
    }
    body.push_str(&format!("--{boundary}--\r\n"));
    Ok((body, format!("multipart/form-data; boundary={boundary}")))
}

/// What may stand in a header of a part: quotes and line breaks as browsers write them.
fn escaped(text: &str) -> String {
    text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}
