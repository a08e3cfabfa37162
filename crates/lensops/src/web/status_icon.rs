//! The icon of each status: an outline of its own, so that colour alone says nothing. Pure.

use lensops_core::history::status::Standing;
use lensops_core::verdict::record::Status;

/// The shape of what is well.
pub(super) const WELL: &str = "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM7 11 4 8l1-1 2 2 4-4 1 1z";

/// The path data of a standing's shape in a square of 16: each has an outline of its own.
pub(super) fn shape(standing: Standing) -> &'static str {
    match standing {
        Standing::Healthy => WELL,
        Standing::Degraded => "M8 1 15.500 15H.500zM7 6v4h2V6zm0 5v2h2v-2z",
        Standing::Unhealthy => "M5 1h6l4 4v6l-4 4H5l-4-4V5zM5 6l2 2-2 2 1 1 2-2 2 2 1-1-2-2 2-2-1-1-2 2-2-2z",
        Standing::Unknown | Standing::CannotJudge => "M8 .500 15.500 8 8 15.500.500 8zM7 4v5h2V4zm0 6v2h2v-2z",
        Standing::Paused => "M2 1h12v14H2zM5 4v8h2V4zm4 0v8h2V4z",
        Standing::Maintenance => "M1 4h14v8H1zM4 7v2h8V7z",
    }
}

/// The same for what one check found.
pub(super) fn shape_of(status: Status) -> &'static str {
    shape(match status {
        Status::Healthy => Standing::Healthy,
        Status::Degraded => Standing::Degraded,
        Status::Unhealthy => Standing::Unhealthy,
    })
}
