//! What the dashboard reads: the journal as it is, or PostgreSQL as the user who asks.
//!
//! On PostgreSQL a reading is a transaction as `authenticated` with the claims of the user. The database
//! decides which rows there are; no query names a tenant to keep others out. A few connections serve
//! everybody, so that a page that is loaded often takes none from the worker.

mod journal;
mod journal_sums;
mod postgres;
mod postgres_sums;
pub(super) mod rows;

use std::collections::HashSet;
use std::time::Duration;

use lensops_core::history::rollup::Rollup;
use lensops_core::ident::LensId;
use lensops_core::lens::mute::{Muted, MutedWhy};
use lensops_core::secret::Secret;
use lensops_core::verdict::record::CheckRecord;
use serde_json::Value;
use sqlx::Transaction;
use sqlx::postgres::{PgPool, PgPoolOptions, Postgres as Database};
use uuid::Uuid;

use super::journal::Journal;
use super::postgres::{become_user, options};
use super::{Entry, Exported, History as _, Postgres, Sink as _, StoreError, StoredCheck};
pub use rows::{Brief, CheckQuery, Mark, Pair, Point, Points, Reason, Reasons, Stretch, Uptimes};

/// Connections for all users together.
const CONNECTIONS: u32 = 4;

/// How long a question waits for a connection.
const WAIT: Duration = Duration::from_secs(2);

/// Where the dashboard reads.
#[derive(Clone)]
pub enum Board {
    /// The journal of this machine; whoever reaches it sees all.
    Embedded(Journal),
    /// PostgreSQL, as the user who asks.
    Database(PgPool, Postgres),
}

/// What one user asks, one question after another. On PostgreSQL it ends with the transaction.
pub enum Reading<'a> {
    /// Of the journal.
    Embedded(&'a Journal),
    /// Of the database, as the user.
    Database(Transaction<'static, Database>),
}

impl Board {
    /// PostgreSQL at `url`. It is connected to when it is first needed.
    ///
    /// # Errors
    /// When `url` is no address of a PostgreSQL database.
    pub fn database(url: &Secret) -> Result<Self, StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(WAIT)
            .connect_lazy_with(options(url)?);
        Ok(Self::Database(pool, Postgres::new(url)?))
    }

    /// Whether whoever asks sees all that there is.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Embedded(_))
    }

    /// Begins to read as the user of `claims`.
    ///
    /// # Errors
    /// When the store cannot be reached, or does not let the login become its users.
    pub async fn read(&self, claims: &Value) -> Result<Reading<'_>, StoreError> {
        match self {
            Self::Embedded(journal) => Ok(Reading::Embedded(journal)),
            Self::Database(pool, _) => {
                let begun = async {
                    let mut transaction = pool.begin().await?;
                    become_user(&mut transaction, claims).await?;
                    Ok(transaction)
                };
                Ok(Reading::Database(begun.await.map_err(postgres::elsewhere)?))
            }
        }
    }

    /// Records `record`, which somebody made here, in `journal`; on PostgreSQL the service connection stores it too,
    /// so that whoever made it sees it at once.
    ///
    /// # Errors
    /// When the journal or the store refuses.
    pub async fn record(&self, journal: &Journal, record: CheckRecord) -> Result<(), StoreError> {
        let entry = Entry::of(&record);
        journal.record(record).await?;
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Database(_, service) => {
                let delivered = service.deliver(&[entry]).await;
                delivered.map_err(|error| StoreError::Elsewhere(format!("it is kept here, not there: {error}")))
            }
        }
    }

    /// Tenant, lens and id of the newest check of each of `pairs`, for whoever watches on behalf of
    /// all users. On PostgreSQL it is asked as the service, and nothing else of a check is read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn newest(&self, pairs: &[(Uuid, LensId)]) -> Result<Vec<(Uuid, String, Uuid)>, StoreError> {
        match self {
            Self::Embedded(journal) => journal::newest(journal, pairs).await,
            Self::Database(_, watcher) => watcher.newest(pairs).await,
        }
    }
}

/// The checks that are taken back by those that `muted` is of.
fn annulled<'a>(muted: impl Iterator<Item = &'a Muted>) -> HashSet<Uuid> {
    muted.filter_map(|muted| muted.annuls).collect()
}

impl Reading<'_> {
    /// The tenant that the database takes the user for; `None` on the journal, which knows no users,
    /// and for a user without one.
    ///
    /// # Errors
    /// When the store cannot be read; so do all questions.
    pub async fn tenant(&mut self) -> Result<Option<Uuid>, StoreError> {
        match self {
            Self::Embedded(_) => Ok(None),
            Self::Database(as_user) => postgres::tenant(as_user).await.map_err(postgres::elsewhere),
        }
    }

    /// The latest check of each of `pairs`, in no order; none where there is none.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn latest(&mut self, pairs: &[(Uuid, LensId)]) -> Result<Vec<StoredCheck>, StoreError> {
        match self {
            Self::Embedded(journal) => journal.latest(pairs).await,
            Self::Database(as_user) => postgres::latest(as_user, pairs).await.map_err(postgres::elsewhere),
        }
    }

    /// The points of `pairs` within `stretch`.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn points(&mut self, pairs: &[(Uuid, LensId)], stretch: Stretch) -> Result<Points, StoreError> {
        let (mut points, muted) = match self {
            Self::Embedded(journal) => journal::points(journal, pairs, stretch).await?,
            Self::Database(as_user) => postgres::points(as_user, pairs, stretch)
                .await
                .map_err(postgres::elsewhere)?,
        };
        let is_annulled = annulled(muted.values());
        for points in points.values_mut() {
            points.retain(|point| muted.get(&point.id).is_none_or(|muted| muted.annuls.is_none()));
            for point in points {
                let own = muted.get(&point.id).map(|muted| muted.why);
                point.muted = is_annulled.contains(&point.id).then_some(MutedWhy::Annulled).or(own);
            }
        }
        Ok(points)
    }

    /// What was up of each of `pairs` within `stretch`: of checks, and of roll-ups where their checks are gone.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn uptimes(&mut self, pairs: &[(Uuid, LensId)], stretch: Stretch) -> Result<Uptimes, StoreError> {
        match self {
            Self::Embedded(journal) => journal_sums::uptimes(journal, pairs, stretch).await,
            Self::Database(as_user) => postgres_sums::uptimes(as_user, pairs, stretch)
                .await
                .map_err(postgres::elsewhere),
        }
    }

    /// Samples that counted of one lens of one tenant within `stretch`, and those of them that failed.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn spent(&mut self, pair: Pair<'_>, stretch: Stretch) -> Result<(i64, i64), StoreError> {
        match self {
            Self::Embedded(journal) => journal_sums::spent(journal, pair, stretch).await,
            Self::Database(as_user) => postgres_sums::spent(as_user, pair, stretch)
                .await
                .map_err(postgres::elsewhere),
        }
    }

    /// Why `checks` are not healthy, by check; those that this user may not see have no reason.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn reasons(&mut self, checks: &[Uuid]) -> Result<Reasons, StoreError> {
        let mut reasons = match self {
            _ if checks.is_empty() => return Ok(Reasons::new()),
            Self::Embedded(journal) => journal_sums::reasons(journal, checks).await?,
            Self::Database(as_user) => postgres_sums::reasons(as_user, checks)
                .await
                .map_err(postgres::elsewhere)?,
        };
        rows::gravest_first(&mut reasons);
        Ok(reasons)
    }

    /// The checks of one lens of one tenant within `stretches`, oldest first.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn briefs(&mut self, pair: Pair<'_>, stretches: &[Stretch]) -> Result<Vec<Brief>, StoreError> {
        let mut briefs = match self {
            Self::Embedded(journal) => journal::briefs(journal, pair, stretches).await?,
            Self::Database(as_user) => postgres::briefs(as_user, pair, stretches)
                .await
                .map_err(postgres::elsewhere)?,
        };
        let is_annulled = annulled(briefs.iter().filter_map(|brief| brief.muted.as_ref()));
        briefs.retain(|brief| brief.muted.as_ref().is_none_or(|muted| muted.annuls.is_none()));
        for brief in briefs.iter_mut().filter(|brief| is_annulled.contains(&brief.id)) {
            brief.muted = Some(Muted::new(MutedWhy::Annulled, String::new()));
        }
        Ok(briefs)
    }

    /// The hourly roll-ups of one lens of one tenant that start within `stretch`, oldest first.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn hours(&mut self, pair: Pair<'_>, stretch: Stretch) -> Result<Vec<Rollup>, StoreError> {
        match self {
            Self::Embedded(journal) => journal::hours(journal, pair, stretch).await,
            Self::Database(as_user) => postgres::hours(as_user, pair, stretch)
                .await
                .map_err(postgres::elsewhere),
        }
    }

    /// Switched flags and features of one lens of one tenant within `stretch`, oldest first.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn marks(&mut self, pair: Pair<'_>, stretch: Stretch) -> Result<Vec<Mark>, StoreError> {
        match self {
            Self::Embedded(journal) => journal::marks(journal, pair, stretch).await,
            Self::Database(as_user) => postgres::marks(as_user, pair, stretch)
                .await
                .map_err(postgres::elsewhere),
        }
    }

    /// Checks by id, the newest slot first.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn page(&mut self, query: &CheckQuery) -> Result<Vec<StoredCheck>, StoreError> {
        match self {
            Self::Embedded(journal) => journal::page(journal, query).await,
            Self::Database(as_user) => postgres::page(as_user, query).await.map_err(postgres::elsewhere),
        }
    }

    /// The check `id` with the level and detail of each of its events; `None` where there is none
    /// that this user may see.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn check(&mut self, id: Uuid) -> Result<Option<Exported>, StoreError> {
        match self {
            Self::Embedded(journal) => journal::check(journal, id).await,
            Self::Database(as_user) => postgres::check(as_user, id).await.map_err(postgres::elsewhere),
        }
    }

    /// Ends it. Without this the transaction is rolled back, which for reading comes to the same, later.
    #[expect(clippy::missing_errors_doc, reason = "said at `tenant`")]
    pub async fn done(self) -> Result<(), StoreError> {
        match self {
            Self::Embedded(_) => Ok(()),
            Self::Database(as_user) => as_user.commit().await.map_err(postgres::elsewhere),
        }
    }
}
