//! The rules that checks are folded into while they are recorded.

use std::sync::{Arc, RwLock};

use lensops_core::alert::RuleBook;
use lensops_core::redaction::Redactor;

/// The rules that the writer folds checks into, and what takes secrets out of what they tell.
#[derive(Debug, Clone)]
pub struct Alerting {
    /// The rules.
    pub book: RuleBook,
    /// Knows the secrets.
    pub redactor: Redactor,
}

/// The rules that checks are folded into; none until they are set.
pub(super) type Rules = Arc<RwLock<Option<Arc<Alerting>>>>;
