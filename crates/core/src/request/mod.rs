//! A request as files write it, and the request that it becomes: variables filled in, headers and body made.
//!
//! Plans and `auth` share this grammar. A template language was rejected: a text that can compute is a program
//! that nobody reviews.

mod credential;
pub mod fill;
mod hosts;
mod json_path;
mod multipart;
mod names;
mod path;
pub mod prepare;
mod spec;

pub use credential::{Credential, cookie_header};
pub use hosts::{Address, Hosts};
pub use json_path::JsonPath;
pub use names::PER_STEP;
pub use path::RequestPath;
pub use spec::{Body, FormFile, FormPart, Request, Vars};
pub(crate) use spec::{RawRequest, is_header_name};
