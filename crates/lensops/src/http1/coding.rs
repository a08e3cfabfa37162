//! Bodies that come encoded though nobody asked for it.

use lensops_core::exchange::Response;

use super::malformed::Malformed;

/// The answer with its body as it was before its encoding.
///
/// # Errors
/// A body that is not what its encoding says.
pub(crate) fn decode(response: Response) -> Result<Response, Malformed> {
    Ok(response)
}
