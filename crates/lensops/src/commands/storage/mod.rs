//! What is stored and for how long: migration, the outbox, retention, files for other tools.

pub mod migrate;
pub mod operations_files;
pub mod outbox;
pub mod retention;
