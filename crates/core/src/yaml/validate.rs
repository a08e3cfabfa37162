//! All mistakes of a file against its schema, each with its place.
//!
//! Parsing stops at the first mistake. A person who edits a file wants them all, so a file that does
//! not parse is held against its schema as well. The schemas are those of our own types, so only what
//! they use is looked at; what no schema can say is left to the parser.

use serde_json::Value;
use uuid::Uuid;

use super::boolean::old;
use super::node::{Kind, Node, told};
use super::schema::Shape;
use crate::ident::nearest;
use crate::text_form::Parsers;

/// Something that a file should not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Line, from 1; 0 when it is not known.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong, one line.
    pub message: String,
}

/// Every mistake of `text` that `shape` can name, from top to bottom. Empty where there is none,
/// and where `text` is no YAML.
#[must_use]
pub fn mistakes(shape: &Shape, text: &str) -> Vec<Mistake> {
    let Some(node) = Node::read(text) else {
        return Vec::new();
    };
    Walk::new(shape, false).all(&node, "the file")
}

/// Every mistake of what `path` names in `text`, a part that is merged into something of `shape`:
/// whatever it leaves out is there already, and `null` takes it away. Empty where there is none, where
/// nothing is there, and where `text` is no YAML.
#[must_use]
pub fn mistakes_of_part(shape: &Shape, text: &str, path: &[&str]) -> Vec<Mistake> {
    let node = Node::read(text);
    let part = node.as_ref().and_then(|node| node.at(path));
    part.map(|part| Walk::new(shape, true).all(part, &path.join(".")))
        .unwrap_or_default()
}

/// The booleans of `text` that are written as older YAML wrote them, each as a warning. Empty where
/// there is none, and where `text` is no YAML.
#[must_use]
pub fn old_booleans(shape: &Shape, text: &str) -> Vec<Mistake> {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let node = words
        .any(|word| old(word).is_some())
        .then(|| Node::read(text))
        .flatten();
    let Some(node) = node else {
        return Vec::new();
    };
    let mut walk = Walk::new(shape, false);
    walk.value(walk.root, &node, "the file");
    walk.old
}

struct Walk<'a> {
    root: &'a Value,
    parsers: &'a Parsers,
    /// Whether what is looked at is merged into a whole.
    partial: bool,
    found: Vec<Mistake>,
    /// Booleans in their older form.
    old: Vec<Mistake>,
}

impl<'a> Walk<'a> {
    fn new(shape: &'a Shape, partial: bool) -> Self {
        Self {
            root: &shape.schema,
            parsers: &shape.parsers,
            partial,
            found: Vec::new(),
            old: Vec::new(),
        }
    }

    fn all(mut self, node: &Node, name: &str) -> Vec<Mistake> {
        self.value(self.root, node, name);
        self.found.sort_by_key(|mistake| (mistake.line, mistake.column));
        self.found
    }

    fn say(&mut self, node: &Node, message: String) {
        self.found.push(Mistake {
            line: node.line,
            column: node.column,
            message,
        });
    }

    /// The schema that `schema` stands for.
    fn meant(&self, mut schema: &'a Value) -> &'a Value {
        while let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
            static NOTHING: Value = Value::Null;
            let defined = self.root.get("$defs").and_then(|types| types.get(name));
            schema = defined.unwrap_or(&NOTHING);
        }
        schema
    }

    /// What `node` would have said against it, were `schema` the right one.
    fn trial(&self, schema: &'a Value, node: &Node, name: &str) -> Vec<Mistake> {
        let mut trial = Walk {
            found: Vec::new(),
            old: Vec::new(),
            ..*self
        };
        trial.value(schema, node, name);
        trial.found
    }

    /// Whether `node` is a boolean in its older form, which is told.
    fn is_old_boolean(&mut self, node: &Node, name: &str) -> bool {
        let Some((text, value)) = node.text().and_then(|text| Some((text, old(text)?))) else {
            return false;
        };
        self.old.push(Mistake {
            line: node.line,
            column: node.column,
            message: format!("{name} is read as {value}: write {value}, `{text}` is text in YAML 1.2"),
        });
        true
    }

    fn value(&mut self, schema: &'a Value, node: &Node, name: &str) {
        if self.partial && matches!(node.kind, Kind::Null) {
            return;
        }
        let schema = self.meant(schema);
        for several in ["anyOf", "oneOf"] {
            if let Some(choices) = schema[several].as_array() {
                return self.choice(choices, node, name);
            }
        }
        if let Some(values) = schema["enum"].as_array() {
            return self.one_of(values.iter(), node, name);
        }
        if !schema["const"].is_null() {
            return self.one_of(std::iter::once(&schema["const"]), node, name);
        }
        let kinds: Vec<&str> = match &schema["type"] {
            Value::String(kind) => vec![kind],
            Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        if kinds.contains(&"boolean") && self.is_old_boolean(node, name) {
            return;
        }
        if !kinds.iter().any(|kind| node.kind.is(kind)) {
            let wanted = kinds
                .iter()
                .find(|kind| **kind != "null")
                .map_or("nothing", |kind| told(kind));
            return self.say(node, format!("{name} is {wanted}, not {}", node.kind.tell()));
        }
        match &node.kind {
            Kind::Map(fields) => self.map(schema, fields, node, name),
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let of_place = schema["prefixItems"].get(index);
                    self.value(
                        of_place.unwrap_or(&schema["items"]),
                        item,
                        &format!("an item of {name}"),
                    );
                }
            }
            Kind::Text(text) => {
                if let Err(why) = self.parses(schema, text) {
                    self.say(node, format!("{name}: {why}"));
                }
            }
            Kind::Number(number) => {
                let beyond = |bound: &str, wrong: fn(f64, f64) -> bool| {
                    schema[bound].as_f64().is_some_and(|bound| wrong(*number, bound))
                };
                if beyond("minimum", |n, bound| n < bound) || beyond("maximum", |n, bound| n > bound) {
                    let range = |bound: &str| schema[bound].as_f64().map_or(String::new(), |bound| bound.to_string());
                    self.say(
                        node,
                        format!("{name} must be {} to {}", range("minimum"), range("maximum")),
                    );
                }
            }
            Kind::Null | Kind::Bool => {}
        }
    }

    fn choice(&mut self, choices: &'a [Value], node: &Node, name: &str) {
        let mut real = choices.iter().filter(|choice| choice["type"] != "null");
        if let (Some(only), None) = (real.next(), real.next()) {
            if !matches!(node.kind, Kind::Null) {
                self.value(only, node, name);
            }
            return;
        }
        let trials: Vec<(&Value, Vec<Mistake>)> = choices
            .iter()
            .map(|choice| (choice, self.trial(choice, node, name)))
            .collect();
        if trials.iter().any(|(_, mistakes)| mistakes.is_empty()) {
            return;
        }
        if let Kind::Map(fields) = &node.kind
            && let Some((tag, given)) = self.tag(choices, fields)
        {
            // A map that says which kind it is, by the value of a key that all kinds have, is meant as that kind.
            let kinds: Vec<Option<&str>> = choices.iter().map(|choice| self.kind_by(tag, choice)).collect();
            match choices.iter().zip(&kinds).find(|(_, kind)| **kind == given.text()) {
                Some((meant, _)) => self.value(meant, node, name),
                None => self.known(kinds.into_iter().flatten().collect(), given, &format!("{tag:?}")),
            }
            return;
        }
        // A map that names its kind by its key is meant as that kind.
        let keys: Vec<&str> = choices
            .iter()
            .filter_map(|choice| only_key(self.meant(choice)))
            .collect();
        let Kind::Map(fields) = &node.kind else {
            let consts = choices
                .iter()
                .map(|choice| &choice["const"])
                .filter(|value| !value.is_null());
            if consts.clone().next().is_some() {
                return self.one_of(consts, node, name);
            }
            let likeliest = trials
                .into_iter()
                .find(|(choice, _)| self.meant(choice)["type"] != "null");
            return self
                .found
                .extend(likeliest.map(|(_, mistakes)| mistakes).unwrap_or_default());
        };
        let may_be = |choice: &Value| {
            let properties = &self.meant(choice)["properties"];
            fields
                .iter()
                .any(|(key, _)| key.text().is_some_and(|key| !properties[key].is_null()))
                || (keys.is_empty() && self.meant(choice)["type"] == "object")
        };
        // The likeliest of several is the one with the least against it.
        let meant = trials
            .into_iter()
            .filter(|(choice, _)| may_be(choice))
            .min_by_key(|(_, mistakes)| mistakes.len());
        match (meant, fields.first().and_then(|(key, _)| Some((key, key.text()?)))) {
            (Some((_, mistakes)), _) => self.found.extend(mistakes),
            (None, Some((key, text))) if !keys.is_empty() => self.unknown(key, text, name, &keys),
            _ => self.say(node, format!("{name} is not one of {}", keys.join(", "))),
        }
    }

    /// The key of `fields` whose value says which of `choices` is meant: each of them has a text of its own there.
    fn tag<'n>(&self, choices: &'a [Value], fields: &'n [(Node, Node)]) -> Option<(&'n str, &'n Node)> {
        let is_tag = |key: &str| choices.iter().all(|choice| self.kind_by(key, choice).is_some());
        let mut found = fields.iter().filter_map(|(key, value)| Some((key.text()?, value)));
        found.find(|(key, _)| is_tag(key))
    }

    /// The text that `choice` must have at the key `tag`, where it must have one.
    fn kind_by(&self, tag: &str, choice: &'a Value) -> Option<&'a str> {
        self.meant(choice).get("properties")?.get(tag)?.get("const")?.as_str()
    }

    fn one_of(&mut self, values: impl Iterator<Item = &'a Value>, node: &Node, name: &str) {
        self.known(values.filter_map(Value::as_str).collect(), node, name);
    }

    fn known(&mut self, values: Vec<&str>, node: &Node, name: &str) {
        let given = node.text().unwrap_or_default();
        if values.contains(&given) || values.is_empty() {
            return;
        }
        let hint = nearest(given, &values).map_or_else(
            || format!("it is one of {}", values.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        self.say(node, format!("{name} {given:?} is not known: {hint}"));
    }

    fn unknown(&mut self, key: &Node, text: &str, name: &str, known: &[&str]) {
        let hint = nearest(text, known).map_or_else(
            || format!("it may hold {}", known.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        self.say(key, format!("{name} has no key {text:?}: {hint}"));
    }

    fn map(&mut self, schema: &'a Value, fields: &[(Node, Node)], node: &Node, name: &str) {
        let properties = schema["properties"].as_object();
        let known: Vec<&str> = properties.into_iter().flatten().map(|(key, _)| key.as_str()).collect();
        // A map by names: the parser looks at the names themselves.
        let named = schema["patternProperties"]
            .as_object()
            .and_then(|patterns| patterns.values().next());
        for (index, (key, value)) in fields.iter().enumerate() {
            let Some(text) = key.text() else { continue };
            if fields
                .iter()
                .take(index)
                .any(|(earlier, _)| earlier.text() == Some(text))
            {
                self.say(key, format!("{name} has the key {text:?} twice"));
                continue;
            }
            if let Some(of_key) = properties.and_then(|properties| properties.get(text)) {
                self.value(of_key, value, &format!("{text:?}"));
            } else if let Some(of_names) = named {
                self.value(of_names, value, &format!("{text:?}"));
            } else if schema["additionalProperties"] == false {
                self.unknown(key, text, name, &known);
            } else if schema["additionalProperties"].is_object() {
                self.value(&schema["additionalProperties"], value, &format!("{text:?}"));
            }
        }
        let required = schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let missing: Vec<String> = required
            .filter(|key| !fields.iter().any(|(there, _)| there.text() == Some(key)))
            .map(|key| format!("{key:?}"))
            .collect();
        if !missing.is_empty() && !self.partial {
            self.say(node, format!("{name} lacks {}", missing.join(", ")));
        }
    }

    /// Whether `text` is what the type behind `schema` reads.
    fn parses(&self, schema: &Value, text: &str) -> Result<(), String> {
        if schema["format"] == "uuid" {
            return Uuid::try_parse(text)
                .map(drop)
                .map_err(|_| format!("{text:?} is no UUID"));
        }
        schema["title"]
            .as_str()
            .map_or(Ok(()), |title| self.parsers.parse(title, text))
    }
}

/// The one key of a schema that is named by it, as a variant is.
fn only_key(schema: &Value) -> Option<&str> {
    match schema["required"].as_array()?.as_slice() {
        [only] => only.as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lens::Lens;
    use crate::plan::acceptance::AcceptancePlan;
    use crate::plan::monitor::MonitorPlan;
    use crate::plan::stress::StressPlan;
    use crate::template::Terms;

    fn told<T: schemars::JsonSchema>(text: &str) -> Vec<String> {
        told_by(&Shape::of::<T>(), text)
    }

    fn told_by(shape: &Shape, text: &str) -> Vec<String> {
        let found = mistakes(shape, text);
        found
            .iter()
            .map(|m| format!("{}:{}: {}", m.line, m.column, m.message))
            .collect()
    }

    #[test]
    fn every_mistake_of_a_lens_is_told_with_its_place_and_the_nearest_name() {
        let text = "lens: Faults!
domain: faults
rolse: [crew]
flags:
  - ' A B'
every: soon
users:
  hod: {id: 53fbdf09-b709-509d-aad0-3a6f50239a5x, role: chief}
slo: {p95_ms: {warn: many, fail: 2}}
signed_action: {name: x, entity_typ: y}
";
        let found = told_by(&Terms::usual("action-router".to_owned()).shape(), text);
        let expected = [
            "1:1: the file lacks \"roles\"",
            "1:7: \"lens\": lens id \"Faults!\" is not valid",
            "3:1: the file has no key \"rolse\": did you mean \"roles\"?",
            "5:5: an item of \"flags\": flag \" A B\" is not valid",
            "6:8: \"every\": ",
            "8:13: \"id\": a UUID is hexadecimal",
            "9:22: \"warn\" is a number, not text",
            "10:16: \"signed_action\" lacks \"entity_type\", \"entity_id_key\", \"signers\"",
            "10:26: \"signed_action\" has no key \"entity_typ\": did you mean \"entity_type\"?",
        ];
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn variants_are_told_apart_by_their_key() {
        let plan = |load: &str| {
            format!(
                "stress: x\ntenants: []\ntargets:\n  - name: a\n    request: {{get: /}}\n    load: {load}\n    expect: {{status: ok}}\n"
            )
        };
        let told_of = |load: &str| told::<StressPlan>(&plan(load));
        let all = told_of("{brust: 5}");
        assert!(
            all[0].contains("has no key \"brust\": did you mean \"burst\"?"),
            "{all:?}"
        );
        assert!(all[1].starts_with("7:22: \"status\""), "{all:?}");
        assert!(told_of("{open: {rate: 5}}")[0].contains("\"open\" lacks \"for\""));
        assert!(told_of("{open: {rate: 5, for: 1s, arrivals: poison}}")[0].contains("did you mean \"poisson\"?"));
        assert_eq!(told_of("{burst: 5}").len(), 1);
    }

    #[test]
    fn a_key_that_yaml_reads_as_a_word_of_its_own_is_a_key() {
        let step = "{as: x, send: y}";
        let plan = format!(
            "acceptance: x\ntenants: []\ndialects: {{}}\nrequests: {{}}\nscenarios: []\nflag_proof:\n  flag: F\n  off: {step}\n  on: {step}\n"
        );
        assert_eq!(told::<AcceptancePlan>(&plan), Vec::<String>::new());
    }

    #[test]
    fn a_key_that_stands_twice_hides_nothing_below_it() {
        let found = told::<Lens>("lens: parts\ndomain: parts\nroles: [crew]\nlens: stores\nevery: soon\n");
        assert_eq!(found.len(), 2, "{found:#?}");
        assert!(
            found[0].starts_with("4:1: the file has the key \"lens\" twice"),
            "{found:#?}"
        );
        assert!(found[1].starts_with("5:8: \"every\": "), "{found:#?}");
    }

    #[test]
    fn a_part_lacks_nothing_and_is_held_to_the_rest_of_the_schema() {
        let part = |text: &str| mistakes_of_part(&Shape::of::<MonitorPlan>(), text, &["overrides", "monitor"]);
        let good = "overrides: {monitor: {slo: null, probes: [{name: List endpoint, expect: {status: 204}}]}}\n";
        assert_eq!(part(good), Vec::new());
        assert_eq!(part("lens: x\n"), Vec::new());
        let found = part("overrides:\n  monitor:\n    porbes: []\n    probes:\n      - {name: x, timed: often}\n");
        let told: Vec<_> = found.iter().map(|m| (m.line, m.column, m.message.as_str())).collect();
        assert_eq!(told.len(), 2, "{told:#?}");
        assert_eq!((told[0].0, told[0].1), (3, 5));
        assert!(
            told[0]
                .2
                .starts_with("overrides.monitor has no key \"porbes\": did you mean \"probes\"?"),
            "{told:#?}"
        );
        assert_eq!((told[1].0, told[1].2), (5, "\"timed\" is true or false, not text"));
    }

    #[test]
    fn a_file_that_parses_has_no_mistake() {
        let monitor = include_str!("../../../lensops/sets/lens.yml");
        assert!(Node::read(monitor).is_none() || told::<MonitorPlan>("monitor: [").is_empty());
        let lens = "lens: parts\ndomain: parts\nroles: [crew]\npaused: null\nsamples: 9\n";
        assert_eq!(told::<Lens>(lens), Vec::<String>::new());
    }
}
