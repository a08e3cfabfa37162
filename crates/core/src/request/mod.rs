//! A request as files write it, and the request that it becomes: variables filled in, headers and body made.
//!
//! Plans and `auth` share this grammar. A template language was rejected: a text that can compute is a program
//! that nobody reviews.

mod credential;
pub mod fill;
mod hosts;
mod json_path;
mod multipart;
pub mod prepare;
mod spec;

pub use credential::{Credential, cookie_header};
pub use hosts::{Address, Hosts};
pub use json_path::JsonPath;
pub(crate) use spec::is_header_name;
pub use spec::{Body, FormFile, FormPart, Request, Vars};
