//! An operation as an endpoint, or why it is none.

use serde_json::{Map, Value, json};

use super::document::{Document, Found};

/// An operation: an endpoint as it stands in a lens, or the reason why it is a comment.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Became {
    /// An endpoint without `name` and `allow`.
    Endpoint(Map<String, Value>),
    /// Why it cannot be asked as it stands.
    Comment(String),
}

/// What `found` becomes.
pub(super) fn became(document: &Document, found: &Found<'_>) -> Became {
    if !matches!(found.method, "get" | "head") {
        let why = match found.method {
            "options" | "trace" => "it says nothing of the feature",
            _ => "it changes something: say what it sends, what it `creates` and what is its `undo`",
        };
        return Became::Comment(why.to_owned());
    }
    match asked(document, found) {
        Ok(endpoint) => Became::Endpoint(endpoint),
        Err(why) => Became::Comment(why),
    }
}

fn asked(document: &Document, found: &Found<'_>) -> Result<Map<String, Value>, String> {
    if !found.path.starts_with('/') || found.path.contains(char::is_whitespace) {
        return Err("its path does not begin with / or holds white space".to_owned());
    }
    if [found.item, found.says].iter().any(|at| at.contains_key("servers")) {
        return Err("it has a server of its own: name that below `hosts`, and `at` in the endpoint".to_owned());
    }
    let (mut query, mut headers) = (Map::new(), Map::new());
    let parameters = [found.item, found.says].into_iter();
    let parameters = parameters.flat_map(|at| at.get("parameters").and_then(Value::as_array).into_iter().flatten());
    let mut is_open = found.path.contains('{');
    for parameter in parameters {
        let parameter = document
            .meant(parameter)
            .ok_or("a parameter is a reference that leads nowhere within the document")?;
        let (name, place) = (parameter["name"].as_str(), parameter["in"].as_str());
        let (Some(name), Some(place)) = (name, place) else {
            return Err("a parameter has no name or no place".to_owned());
        };
        if place == "path" {
            is_open = true;
            continue;
        }
        if parameter["required"] != Value::Bool(true) {
            continue;
        }
        let value = value(document, parameter).ok_or_else(|| {
            format!("its {place} parameter {name:?} is required, and the document gives no example of it")
        })?;
        match place {
            "query" => drop(query.insert(name.to_owned(), json!(literal(&value)))),
            "header" => drop(headers.insert(name.to_owned(), json!(literal(&value)))),
            _ => return Err(format!("its {place} parameter {name:?} is required")),
        }
    }
    if is_open {
        return Err("its path is open: name what another endpoint `creates`, such as $id".to_owned());
    }
    let mut endpoint = Map::new();
    endpoint.insert(found.method.to_owned(), json!(literal(found.path)));
    if !query.is_empty() {
        endpoint.insert("query".to_owned(), Value::Object(query));
    }
    if !headers.is_empty() {
        endpoint.insert("headers".to_owned(), Value::Object(headers));
    }
    if let Some(expect) = expect(document, found) {
        endpoint.insert("expect".to_owned(), expect);
    }
    Ok(endpoint)
}

/// A text in which no dollar names a variable.
pub(super) fn literal(text: &str) -> String {
    text.replace('$', "$$")
}

/// A value that the document gives for a parameter: its example, its default, the first of its choices.
fn value(document: &Document, parameter: &Value) -> Option<String> {
    let schema = document.meant(&parameter["schema"]).unwrap_or(&Value::Null);
    let named = parameter["examples"]
        .as_object()
        .and_then(|examples| examples.values().next());
    let named = named
        .and_then(|example| document.meant(example))
        .map(|example| &example["value"]);
    let given = [
        Some(&parameter["example"]),
        named,
        Some(&schema["example"]),
        schema["examples"].get(0),
        Some(&schema["default"]),
        Some(&schema["const"]),
        schema["enum"].get(0),
    ];
    given.into_iter().flatten().find_map(|value| match value {
        Value::String(text) if !text.chars().any(char::is_control) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    })
}

/// What a good answer is: the statuses of success that the document names, and whether they carry JSON.
fn expect(document: &Document, found: &Found<'_>) -> Option<Value> {
    let responses = found.says.get("responses").and_then(Value::as_object)?;
    let good = responses.iter().filter(|(status, _)| status.starts_with('2'));
    let mut statuses: Vec<u16> = good.clone().filter_map(|(status, _)| status.parse().ok()).collect();
    statuses.sort_unstable();
    let is_json = |response: &Value| {
        let content = document
            .meant(response)
            .and_then(|response| response["content"].as_object());
        content.is_some_and(|content| !content.is_empty() && content.keys().all(|kind| kind.contains("json")))
    };
    let all_json = good.clone().count() > 0 && good.clone().all(|(_, response)| is_json(response));
    let status = match statuses.as_slice() {
        // `2XX`, or nothing said.
        [] if all_json => return None,
        [] => json!([200, 204]),
        [one] => json!(one),
        _ => json!(statuses),
    };
    if all_json && found.method == "get" && !statuses.contains(&204) {
        return Some(json!({"status": status, "json": true}));
    }
    Some(json!({"status": status}))
}
