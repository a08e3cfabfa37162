//! An OpenAPI document, with its local references.

use serde_json::{Map, Value};

use crate::yaml;

/// The largest document that is read, in bytes.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// The most operations that are looked at.
const MOST_OPERATIONS: usize = 5_000;

/// References followed one after the other.
const MOST_STEPS: usize = 32;

/// The methods of a path.
pub(super) const METHODS: [&str; 8] = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

/// Why a document makes no lens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is too large.
    #[error("{0} is larger than {most} MB: cut what the lens needs out of it", most = MOST_BYTES / 1024 / 1024)]
    TooLarge(String),
    /// It is neither JSON nor YAML.
    #[error("{0}")]
    Unreadable(String),
    /// It is no OpenAPI document of a version that is known.
    #[error("{file} is no OpenAPI document of 3.0 or 3.1: {why}")]
    NotOpenApi {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// It has too many operations.
    #[error("{file} has more than {MOST_OPERATIONS} operations{}", of_tag(.tag))]
    TooMany {
        /// The file.
        file: String,
        /// The tag that was asked for.
        tag: Option<String>,
    },
    /// No operation has the tag.
    #[error("{file} has no operation{}{}", of_tag(.tag), has(.tag, .known))]
    None {
        /// The file.
        file: String,
        /// The tag that was asked for.
        tag: Option<String>,
        /// The tags there are.
        known: Vec<String>,
    },
}

fn of_tag(tag: &Option<String>) -> String {
    tag.as_ref().map_or_else(String::new, |tag| format!(" of tag {tag:?}"))
}

fn has(tag: &Option<String>, known: &[String]) -> String {
    match known {
        _ if tag.is_none() => " that can be read".to_owned(),
        [] => ": none has a tag".to_owned(),
        _ => format!(": its tags are {}", known.join(", ")),
    }
}

/// What stands at `pointer` (RFC 6901) of `value`; `null` where nothing does.
pub(super) fn part<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

/// A document, read.
#[derive(Debug, Clone)]
pub struct Document {
    file: String,
    root: Value,
}

/// An operation: its method, its path, and what the document says of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    pub(super) item: &'a Map<String, Value>,
    pub(super) says: &'a Map<String, Value>,
}

impl Document {
    /// Reads `text` of `file`, JSON or YAML.
    ///
    /// # Errors
    /// A text that is too large, or is no document of OpenAPI 3.0 or 3.1.
    pub fn read(file: &str, text: &str) -> Result<Self, DocumentError> {
        if text.len() > MOST_BYTES {
            return Err(DocumentError::TooLarge(file.to_owned()));
        }
        let root: Value = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| DocumentError::Unreadable(format!("{file}: {error}")))?
        } else {
            yaml::read(file, text).map_err(|error| DocumentError::Unreadable(error.to_string()))?
        };
        let not = |why: String| DocumentError::NotOpenApi {
            file: file.to_owned(),
            why,
        };
        match (part(&root, "/openapi"), part(&root, "/swagger")) {
            (Value::String(version), _) if version.starts_with("3.0") || version.starts_with("3.1") => {}
            (Value::String(version), _) => return Err(not(format!("it says openapi {version:?}"))),
            (_, Value::String(version)) => {
                return Err(not(format!("it is Swagger {version}: convert it to OpenAPI 3 first")));
            }
            _ => return Err(not("it has no text `openapi`".to_owned())),
        }
        if !part(&root, "/paths").is_object() {
            return Err(not("it has no `paths`".to_owned()));
        }
        Ok(Self {
            file: file.to_owned(),
            root,
        })
    }

    /// The whole of it.
    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// What `value` stands for: itself, or what its local reference names; `None` where that leads nowhere, in a
    /// circle, or out of the document.
    pub(super) fn meant<'a>(&'a self, mut value: &'a Value) -> Option<&'a Value> {
        for _ in 0..MOST_STEPS {
            match value.get("$ref").and_then(Value::as_str) {
                None => return Some(value),
                Some(reference) => value = self.root.pointer(reference.strip_prefix('#')?)?,
            }
        }
        None
    }

    /// Every tag, in the order of the operations.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        let mut tags: Vec<String> = Vec::new();
        for found in self.operations() {
            for tag in found.says.get("tags").and_then(Value::as_array).into_iter().flatten() {
                if let Some(tag) = tag.as_str()
                    && !tags.iter().any(|known| known == tag)
                {
                    tags.push(tag.to_owned());
                }
            }
        }
        tags
    }

    /// Every operation.
    fn operations(&self) -> impl Iterator<Item = Found<'_>> {
        let paths = part(&self.root, "/paths").as_object().into_iter().flatten();
        paths.flat_map(move |(path, item)| {
            let item = self.meant(item).and_then(Value::as_object);
            item.into_iter().flat_map(move |item| {
                METHODS.into_iter().filter_map(move |method| {
                    let says = self.meant(item.get(method)?)?.as_object()?;
                    Some(Found {
                        method,
                        path,
                        item,
                        says,
                    })
                })
            })
        })
    }

    /// Paths and operations whose description is none, or stands where a reference does not lead, as people name them.
    pub(super) fn unread(&self) -> Vec<String> {
        let is_read = |value: &Value| self.meant(value).is_some_and(Value::is_object);
        let paths = part(&self.root, "/paths").as_object().into_iter().flatten();
        let found = paths.flat_map(|(path, item)| {
            let operations = self.meant(item).and_then(Value::as_object);
            let Some(operations) = operations else {
                return vec![path.clone()];
            };
            let unread = METHODS
                .into_iter()
                .filter(|method| operations.get(*method).is_some_and(|says| !is_read(says)));
            unread
                .map(|method| format!("{} {path}", method.to_uppercase()))
                .collect()
        });
        found.take(MOST_OPERATIONS).collect()
    }

    /// The operations of `tag`, or all of them.
    ///
    /// # Errors
    /// When there is none, or there are too many.
    pub(super) fn of_tag(&self, tag: Option<&str>) -> Result<Vec<Found<'_>>, DocumentError> {
        let has = |found: &Found<'_>| {
            let Some(tag) = tag else { return true };
            let mut tags = found.says.get("tags").and_then(Value::as_array).into_iter().flatten();
            tags.any(|known| known.as_str() == Some(tag))
        };
        let found: Vec<Found<'_>> = self.operations().filter(has).take(MOST_OPERATIONS + 1).collect();
        if found.len() > MOST_OPERATIONS {
            return Err(DocumentError::TooMany {
                file: self.file.clone(),
                tag: tag.map(str::to_owned),
            });
        }
        if found.is_empty() {
            return Err(DocumentError::None {
                file: self.file.clone(),
                tag: tag.map(str::to_owned),
                known: self.tags(),
            });
        }
        Ok(found)
    }
}
