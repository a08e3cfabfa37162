//! The variables that a request names.

use super::fill::{names, names_in};
use super::spec::{Body, FormPart, Request};

/// The variables that differ from step to step of acceptance: `$counter` is a number of 12 digits, `$random_id` a UUID,
/// `$now` the time in UTC (RFC 3339). A variable of the plan of that name goes before.
pub const PER_STEP: [&str; 3] = ["counter", "random_id", "now"];

impl Request {
    /// The variables that it names.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut found: Vec<&str> = names(&self.path).collect();
        let texts = self.query.values().chain(self.headers.values());
        found.extend(texts.flat_map(|text| names(text)));
        match &self.body {
            Body::Empty => {}
            Body::Json(body) => names_in(body, &mut found),
            Body::Form(fields) => found.extend(fields.values().flat_map(|text| names(text))),
            Body::Multipart(parts) => {
                for part in parts.values() {
                    match part {
                        FormPart::Field(text) => found.extend(names(text)),
                        FormPart::File(file) => found.extend(names(&file.file).chain(names(&file.content))),
                    }
                }
            }
            Body::Text(text) => found.extend(names(text)),
        }
        found
    }
}
