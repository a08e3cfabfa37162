//! Where in an answer a flag stands: keys, and items of lists by what they hold.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::request::Vars;
use crate::request::fill::{PrepareError, expand_json, expand_text};

/// One step down an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Step {
    /// Into the value of a key; variables are filled in.
    Key(String),
    /// Into the first item of a list whose keys hold these values; variables are filled in.
    Item(IndexMap<String, Value>),
}

/// Where a flag stands in an answer, step by step; the whole answer where there is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Place(pub Vec<Step>);

impl Place {
    /// What stands there; `None` where nothing does.
    ///
    /// # Errors
    /// A variable that is not defined.
    pub fn find<'a>(&self, answer: &'a Value, vars: &Vars) -> Result<Option<&'a Value>, PrepareError> {
        let mut at = Some(answer);
        for step in &self.0 {
            at = match (step, at) {
                (_, None) => return Ok(None),
                (Step::Key(key), Some(at)) => at.get(expand_text(key, vars)?),
                (Step::Item(wanted), Some(at)) => {
                    let wanted = wanted
                        .iter()
                        .map(|(key, value)| Ok((key, expand_json(value, vars)?)))
                        .collect::<Result<Vec<_>, PrepareError>>()?;
                    let is_it = |item: &&Value| wanted.iter().all(|(key, value)| item.get(key) == Some(value));
                    at.as_array().and_then(|items| items.iter().find(is_it))
                }
            };
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::prepare::set;

    #[test]
    fn a_place_is_found_by_keys_and_by_what_items_hold() {
        let mut vars = Vars::new();
        set(&mut vars, "flag", json!("new-checkout"));
        set(&mut vars, "environment", json!("eu.production"));
        let answer = json!({"results": [{"key": "new-checkout-2", "on": false}, {"key": "new-checkout", "on": true}],
            "environments": {"eu.production": {"on": 1}}});
        for (place, found) in [
            ("[]", Some(&answer)),
            ("[results, {key: $flag}, on]", Some(&json!(true))),
            ("[environments, $environment, on]", Some(&json!(1))),
            ("[environments, staging, on]", None),
            ("[results, {key: other}]", None),
            ("[results, on]", None),
        ] {
            let place: Place = crate::yaml::read("place", place).unwrap();
            assert_eq!(place.find(&answer, &vars).unwrap(), found, "{place:?}");
        }
        let unknown: Place = crate::yaml::read("place", "[$nobody]").unwrap();
        assert!(unknown.find(&answer, &vars).is_err());
    }
}
