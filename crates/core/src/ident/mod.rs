//! Names that are safe by construction, and ids that are any text.

mod entity;
mod names;

pub use entity::EntityId;
pub use names::{EnvName, FlagName, Ident, LensId, NameError, is_slip, nearest, parse_uuid};
