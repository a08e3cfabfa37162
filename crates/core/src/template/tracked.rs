//! What a template takes from a lens: the values it reads are noted while it renders.
//!
//! A header hashes those parts and no others, so that a file changes only with what it depends on. To list
//! them by hand in the manifest was rejected: a list beside the templates would be wrong one day.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};
use serde_json::Value as Json;

use crate::plan::header::short_hash;

/// Parts of a lens that are read one by one up to this many; beyond it the whole is meant.
const MOST_PARTS: usize = 3;

/// Keys that are not of the lens.
const NOT_OF_THE_LENS: [&str; 2] = ["repo", "pins"];

#[derive(Debug, Default)]
struct Seen(Mutex<BTreeMap<String, Used>>);

#[derive(Debug)]
enum Used {
    Parts(BTreeSet<String>),
    Whole,
}

impl Seen {
    fn note(&self, key: &str, part: Option<&str>) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.contains_key(key) {
            seen.insert(key.to_owned(), Used::Parts(BTreeSet::new()));
        }
        if let (Some(Used::Parts(parts)), Some(part)) = (seen.get_mut(key), part)
            && !parts.contains(part)
        {
            parts.insert(part.to_owned());
        }
    }

    fn note_whole(&self, key: &str) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(key.to_owned(), Used::Whole);
    }
}

/// The context of one output: the values of the lens, those of this output, and what was read of the lens.
#[derive(Debug)]
pub(super) struct Tracked {
    lens: Value,
    extra: Extra,
    seen: Arc<Seen>,
}

/// Values of one output, and those that all outputs of a lens share.
#[derive(Debug)]
struct Extra {
    shared: Arc<BTreeMap<&'static str, Value>>,
    path: Option<Value>,
}

impl Extra {
    fn get(&self, name: &str) -> Option<&Value> {
        match &self.path {
            Some(path) if name == "path" => Some(path),
            _ => self.shared.get(name),
        }
    }
}

/// A map within the context.
#[derive(Debug)]
struct Part {
    key: Box<str>,
    value: Value,
    seen: Arc<Seen>,
}

impl Tracked {
    /// The context of the output at `path`.
    pub(super) fn new(lens: &Value, shared: &Arc<BTreeMap<&'static str, Value>>, path: Option<Value>) -> Arc<Self> {
        Arc::new(Self {
            lens: lens.clone(),
            extra: Extra {
                shared: shared.clone(),
                path,
            },
            seen: Arc::default(),
        })
    }

    /// The parts that were read, sorted: `domain`, `signed.name`.
    pub(super) fn parts(&self) -> Vec<String> {
        let seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut parts = Vec::new();
        for (key, used) in seen.iter() {
            match used {
                Used::Parts(named) if (1..=MOST_PARTS).contains(&named.len()) => {
                    parts.extend(named.iter().map(|part| format!("{key}.{part}")));
                }
                _ => parts.push(key.clone()),
            }
        }
        parts
    }
}

impl Object for Tracked {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        if let Some(value) = self.extra.get(name) {
            return Some(value.clone());
        }
        let value = self.lens.get_attr(name).ok().filter(|value| !value.is_undefined())?;
        if NOT_OF_THE_LENS.contains(&name) {
            return Some(value);
        }
        self.seen.note(name, None);
        if value.kind() != ValueKind::Map {
            return Some(value);
        }
        Some(Value::from_object(Part {
            key: name.into(),
            value,
            seen: self.seen.clone(),
        }))
    }
}

impl Object for Part {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.seen.note(&self.key, key.as_str());
        self.value.get_item(key).ok().filter(|value| !value.is_undefined())
    }

    fn get_value_by_str(self: &Arc<Self>, name: &str) -> Option<Value> {
        self.seen.note(&self.key, Some(name));
        self.value.get_attr(name).ok().filter(|value| !value.is_undefined())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.seen.note_whole(&self.key);
        Enumerator::Values(self.value.try_iter().into_iter().flatten().collect())
    }

    /// That there is something is told by every part of it.
    fn is_true(self: &Arc<Self>) -> bool {
        self.value.is_true()
    }
}

/// The short hash of `parts` of a lens's context.
pub(super) fn hash_of(context: &Json, parts: &[String]) -> String {
    let mut text = String::new();
    for part in parts {
        let value = match part.split_once('.') {
            Some((key, part)) => context.get(key).and_then(|value| value.get(part)),
            None => context.get(part.as_str()),
        };
        // Writing to a String cannot fail.
        let _infallible = writeln!(text, "{part}={}", value.unwrap_or(&Json::Null));
    }
    short_hash(text.as_bytes())
}
