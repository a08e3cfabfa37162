//! Tokens, digests and message authentication: the primitives that need a key or a hash.

pub mod digest;
pub mod hmac;
pub mod sign;
pub mod token;
