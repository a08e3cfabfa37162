//! The dashboard: pages, the event stream and the read API.
//!
//! Everything is rendered here and works without JavaScript; what script there is replaces parts of
//! a page by the same parts of the same page, asked for again. It reads `store::Board` and the alerts
//! of the journal, and writes silences, notes and annulments alone. What it refuses: markup from data (templates escape), a
//! script or style within a page, anything fetched from elsewhere, and a second definition of how a
//! lens stands or what the gate says (both are `lensops_core`'s).
//!
//! A connection comes in at `serve`, passes `guard` and `compress`, and `router` leads it to a page. The
//! session is `session` and `sign_in`. Pages are `overview`, `lens`, `check`, `alerts`, `silences`, `operator`
//! and `evidence`; `page` frames them. `wrong` says what is wrong, `advice` what to do; `strip` and `matrix` draw. `scope` says what a user may see; `rows` and `decisions` read it, and
//! `row_cache` and `decision_cache` keep it. `app` is the state that all of them share.

mod advice;
mod alerts;
mod api;
mod app;
mod asset_files;
mod assets;
mod charts;
mod check;
mod compress;
mod decision_cache;
mod decisions;
mod events;
mod evidence;
mod format;
mod gate;
mod guard;
mod lens;
mod lens_data;
mod matrix;
mod names;
mod noted;
mod operator;
mod overview;
mod page;
mod probes;
mod rate_limit;
mod router;
mod row;
mod row_cache;
mod rows;
mod runs;
mod scope;
mod series;
mod serve;
mod session;
mod sign_in;
mod silences;
mod status_icon;
mod stretch;
mod strip;
mod strip_cells;
mod stripes;
mod subscribers;
mod watcher;
mod wrong;

pub use self::api::openapi;
pub use self::app::Setup;
pub use self::runs::{Run, Runs};
pub use self::serve::serve;
