//! YAML files: reading one, and telling everything that is wrong with it at once.

mod boolean;
mod node;
mod number;
mod read;
mod schema;
mod validate;

pub use boolean::own as own_boolean;
pub use node::place;
pub use read::{YamlError, YamlErrors, read, read_all, read_shaped, write};
pub use schema::{Shape, address, schema_of, schema_of_written};
pub use validate::{Mistake, mistakes, mistakes_of_part, old_booleans};
