//! How users of an API prove who they are: `auth` of files, and the credential that comes of it.
//!
//! What a credential is made of is data; fetching one is a request like any other, sent at the rim. Sign-in pages
//! of browsers are refused: they are programs, not requests.

mod asking;
mod definition;
mod fetch;
mod given;
mod ready;
mod wrong;

pub use asking::{Asking, AuthError};
pub use definition::{Auth, Auths, Basic, ClientCredentials, Csrf, Gives, Login, Mint};
pub use fetch::{Fetch, Fetched};
pub use given::{Environment, FromVariable, Given, OneVariable, SecretText, Values, literals};
pub use ready::Ready;
