//! What is stored and for how long: migration, the outbox, retention, files for other tools.

pub mod export;
pub mod migrate;
pub mod outbox;
pub mod retention;
