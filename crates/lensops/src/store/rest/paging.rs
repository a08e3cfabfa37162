//! Pages of rows over REST, each beginning after the last row of the one before it.
//!
//! A server may send fewer rows than it was asked for, so only an empty page is the end. An offset was rejected: rows
//! that arrive meanwhile shift it, and a cache or server that ignores it never sends an empty page. Every row must
//! come after the one before it; one that does not is an error, as is a question that exceeds its deadline or its rows.

use std::time::Duration;

use crate::store::StoreError;

/// Rows asked for at once.
pub(in crate::store) const PAGE: usize = 1000;

/// Rows that one question may bring: a month of a lens that is checked every 15 seconds.
pub(super) const MOST_ROWS: usize = 200_000;

/// The time that one question may take over all its pages.
const DEADLINE: Duration = Duration::from_secs(60);

/// Rows of a question, in ascending order of their key.
pub(in crate::store) struct Ascending<K, T> {
    rows: Vec<T>,
    last: Option<K>,
}

impl<K: Ord + Copy, T> Ascending<K, T> {
    pub(in crate::store) fn new() -> Self {
        Self {
            rows: Vec::new(),
            last: None,
        }
    }

    /// Rows that come after `key`.
    pub(super) fn after(key: K) -> Self {
        Self {
            rows: Vec::new(),
            last: Some(key),
        }
    }

    /// The key of the last row; `None` before the first.
    pub(in crate::store) fn last(&self) -> Option<K> {
        self.last
    }

    /// Takes a page.
    ///
    /// # Errors
    /// When a row does not come after the one before it, or there are too many.
    pub(in crate::store) fn take(&mut self, page: impl IntoIterator<Item = (K, T)>) -> Result<(), StoreError> {
        for (key, row) in page {
            if self.last.is_some_and(|last| last >= key) {
                return Err(StoreError::Elsewhere(
                    "it sends rows again that it has sent: does a cache before it ignore the question?".to_owned(),
                ));
            }
            if self.rows.len() == MOST_ROWS {
                return Err(StoreError::Elsewhere(format!(
                    "more than {MOST_ROWS} rows answer one question: ask for a shorter window"
                )));
            }
            self.last = Some(key);
            self.rows.push(row);
        }
        Ok(())
    }

    pub(in crate::store) fn into_rows(self) -> Vec<T> {
        self.rows
    }
}

/// `asked`, which must end within the time that a question has.
pub(super) async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = || StoreError::Elsewhere(format!("no whole answer within {} s", DEADLINE.as_secs()));
    tokio::time::timeout(DEADLINE, asked).await.map_err(|_| late())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn w10_rows_that_come_again_or_never_end_are_an_error() {
        for (pages, expected) in [
            (vec![vec![1, 2], vec![3]], Ok(vec![1, 2, 3])),
            (vec![vec![1, 2], vec![]], Ok(vec![1, 2])),
            (vec![vec![1, 2], vec![1, 2]], Err("again")),
            (vec![vec![1, 2], vec![2, 3]], Err("again")),
            (vec![vec![2, 1]], Err("again")),
            (vec![(0..200_001).collect()], Err("more than 200000")),
        ] {
            let mut rows = Ascending::new();
            let taken = pages
                .iter()
                .try_for_each(|page| rows.take(page.iter().map(|row| (*row, *row))));
            match (taken, expected) {
                (Ok(()), Ok(expected)) => assert_eq!(rows.into_rows(), expected),
                (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
                (taken, expected) => panic!("{taken:?}, not {expected:?}"),
            }
        }
    }
}
