//! Our own style and script, built into the program, and the version that names what they hold.

use std::sync::LazyLock;

use lensops_core::crypto::digest::sha256_hex;
use rust_embed::RustEmbed;

/// The files by name.
#[derive(RustEmbed)]
#[folder = "assets/"]
pub(super) struct Assets;

/// Names what the files hold: pages ask for them by it, so that a browser keeps them until they change.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Assets::iter().collect();
    names.sort_unstable();
    let hashes = names
        .iter()
        .filter_map(|name| Assets::get(name))
        .map(|file| sha256_hex(&file.data));
    let all = sha256_hex(hashes.collect::<String>().as_bytes());
    all.get(..12).unwrap_or_default().to_owned()
});

/// What pages put behind the names of files.
pub(super) fn version() -> &'static str {
    &VERSION
}
