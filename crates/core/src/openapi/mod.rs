//! A lens of endpoints from an OpenAPI document, 3.0 or 3.1: what can be asked as it stands becomes an endpoint, the
//! rest a comment with its reason. Nothing depends on the document afterwards.

mod document;
mod operation;
mod security;
mod text;

pub use document::{Document, DocumentError};
pub use text::lens_text;
