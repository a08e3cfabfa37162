//! The lens file that a document becomes.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::document::{Document, DocumentError, part};
use super::operation::{Became, became};
use super::security::{asked_for, named, scheme};
use crate::ident::LensId;
use crate::redaction::one_line;
use crate::template::flow;

/// Characters of a stranger's text that a comment shows.
const SHOWN: usize = 160;

/// The text of the lens `id` from the operations of `tag`, or from all of `document`. `tenants` are written into it
/// where it has to name its own.
///
/// # Errors
/// When no operation has the tag, or too many have.
pub fn lens_text(
    document: &Document,
    id: &LensId,
    tag: Option<&str>,
    tenants: &[String],
) -> Result<String, DocumentError> {
    let mut endpoints: Vec<(String, Map<String, Value>)> = Vec::new();
    let (mut comments, mut schemes) = (Vec::new(), BTreeMap::new());
    for found in document.of_tag(tag)? {
        let told = format!("{} {}", found.method.to_uppercase(), found.path);
        let ways = asked_for(document, &found);
        let mut endpoint = match became(document, &found) {
            Became::Comment(why) => {
                comments.push(comment(&told, found.says, &why));
                continue;
            }
            Became::Endpoint(endpoint) => endpoint,
        };
        let allow = match ways.as_deref() {
            None => json!("anyone"),
            Some([way]) => {
                let known = schemes
                    .entry(way.clone())
                    .or_insert_with(|| scheme(document, way, &id.upper()));
                match &known.stub {
                    Ok(_) => json!([named(way, &|_| false)]),
                    Err(why) => {
                        let why = format!("it is signed in to by {way:?}: {why}");
                        comments.push(comment(&told, found.says, &why));
                        continue;
                    }
                }
            }
            Some(several) => {
                let why = format!(
                    "it wants {} at once: a user has one way to sign in",
                    several.join(" and ")
                );
                comments.push(comment(&told, found.says, &why));
                continue;
            }
        };
        endpoint.insert("allow".to_owned(), allow);
        let operation = found
            .says
            .get("operationId")
            .and_then(Value::as_str)
            .unwrap_or(found.path);
        let name = named(operation, &|name| endpoints.iter().any(|(taken, _)| taken == name));
        endpoints.push((name, endpoint));
    }
    for told in document.unread() {
        let why = "it has no description, or one behind a reference that leads nowhere within the document";
        comments.push(comment(&told, &Map::new(), why));
    }
    let mut text = head(document, id, tag);
    let used = schemes
        .into_values()
        .filter_map(|scheme| Some((named(&scheme.name, &|_| false), scheme.stub.ok()?)));
    let used: BTreeMap<String, (Value, Value)> = used.collect();
    if !tenants.is_empty() {
        text += &format!("tenants: {}\n", flow(&json!(tenants)));
    }
    if !used.is_empty() {
        text += "auth:                                            # each variable holds a secret; no file has it\n";
        for (name, (auth, _)) in &used {
            text += &format!("  {}: {}\n", flow(&json!(name)), flow(auth));
        }
        text += "users:                                           # one a way to sign in; give them the roles that your API knows\n";
        for (name, (_, values)) in &used {
            let mut user = json!({"role": name, "auth": name});
            if let (Some(user), Some(values)) = (user.as_object_mut(), values.as_object()) {
                user.extend(values.clone());
            }
            text += &format!("  {}: {}\n", flow(&json!(name)), flow(&user));
        }
    }
    if endpoints.is_empty() {
        text += "# No operation can be asked as it stands: write at least one of those below as an endpoint.\n";
        text += "endpoints: []\n";
    } else {
        text += "endpoints:\n";
    }
    for (name, mut endpoint) in endpoints {
        let mut whole = Map::from_iter([("name".to_owned(), json!(name))]);
        whole.append(&mut endpoint);
        text += &format!("  - {}\n", flow(&Value::Object(whole)));
    }
    if !comments.is_empty() {
        text += "# Left out of the document, with the reason:\n";
        comments.iter().for_each(|line| text += &format!("# {line}\n"));
    }
    Ok(text)
}

fn head(document: &Document, id: &LensId, tag: Option<&str>) -> String {
    let root = document.root();
    let title = part(root, "/info/title").as_str().unwrap_or("an API");
    let of_tag = tag.map_or_else(String::new, |tag| format!(", tag {}", short(tag)));
    let mut text = format!(
        "# lenses/{id}.yml: the one file a person edits. `lensops generate` turns it into everything else.\n\
         # From the OpenAPI document of {}{of_tag}; nothing depends on it any more.\n",
        short(title)
    );
    if let Some(url) = part(root, "/servers/0/url").as_str() {
        text += &format!(
            "# Its server: {}. Set API_BASE_URL, or `api_base_url` of lensops.yml, to yours.\n",
            short(url)
        );
    }
    text += &format!("lens: {id}\ntemplate_set: http\nflags: []\n");
    text
}

/// One line for an operation that is no endpoint.
fn comment(told: &str, says: &Map<String, Value>, why: &str) -> String {
    let summary = says
        .get("summary")
        .and_then(Value::as_str)
        .map_or_else(String::new, |summary| format!(" ({})", short(summary)));
    format!("{}{summary}: {}", short(told), short(why))
}

/// Text of a stranger as one short line.
fn short(text: &str) -> String {
    one_line(text).chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}
