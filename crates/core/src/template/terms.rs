//! What a template set takes of a lens: the options that its manifest declares, held against a lens file as strictly
//! as lensops' own keys.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::error::TemplateError;
use super::manifest::{MANIFEST, SetManifest};
use super::option_rule::OptionRule;
use crate::ident::{Ident, nearest};
use crate::lens::Lens;
use crate::yaml::{self, Mistake, Shape, mistakes};

/// The keys of a lens that are a matter of its template set.
const KEYS: [&str; 8] = [
    "domain",
    "roles",
    "signed_action",
    "read_action",
    "endpoints",
    "health",
    "off",
    "denied",
];

/// The keys of `lensops.yml` that are a matter of a template set.
const PROJECT_KEYS: [&str; 1] = ["registry"];

/// The users that a template set may give a part.
const PARTS: [&str; 2] = ["probe", "denied"];

/// What a template set takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The set's name.
    set: String,
    options: IndexMap<Ident, OptionRule>,
    /// Keys of `lensops.yml` that are for this set.
    project: Vec<String>,
    users: IndexMap<String, Ident>,
}

impl Terms {
    /// Reads them from a manifest.
    ///
    /// # Errors
    /// A manifest that is none.
    pub fn read(manifest: &str) -> Result<Self, TemplateError> {
        Self::of(yaml::read::<SetManifest>(MANIFEST, manifest)?)
    }

    /// Those of `manifest`. One that declares nothing is of a time when every set took what `action-router` takes.
    pub(super) fn of(manifest: SetManifest) -> Result<Self, TemplateError> {
        let refuse = |message: String| TemplateError::Template {
            file: MANIFEST.to_owned(),
            line: 0,
            message,
        };
        let Some(options) = manifest.options else {
            return Ok(Self::usual(manifest.template_set));
        };
        for (name, rule) in &options {
            match (KEYS.contains(&name.as_str()), rule.takes) {
                (true, Some(_)) => {
                    return Err(refuse(format!("option {name} is a key of a lens: leave `takes` out")));
                }
                (false, None) => {
                    let hint = nearest(name.as_str(), &KEYS).map_or_else(
                        || "say what it takes: text, number, true_or_false, list or map".to_owned(),
                        |near| format!("did you mean {near:?}, or give it `takes`?"),
                    );
                    return Err(refuse(format!("option {name} is no key of a lens: {hint}")));
                }
                _ => {}
            }
        }
        let known = |word: &str, known: &[&str], what: &str| {
            let told = format!("{word:?} is no {what}: there are {}", known.join(", "));
            if known.contains(&word) {
                Ok(())
            } else {
                Err(refuse(told))
            }
        };
        let keys = manifest.project.iter();
        keys.map(|key| known(key, &PROJECT_KEYS, "key of lensops.yml that a set may take"))
            .chain(
                manifest
                    .users
                    .keys()
                    .map(|part| known(part, &PARTS, "part that a set may give to a user")),
            )
            .collect::<Result<Vec<()>, _>>()?;
        Ok(Self {
            set: manifest.template_set,
            options,
            project: manifest.project,
            users: manifest.users,
        })
    }

    /// What every set took before manifests declared it: what `action-router` takes.
    #[must_use]
    pub fn usual(set: String) -> Self {
        let rule = |(name, required): (&str, bool)| {
            let rule = OptionRule { required, takes: None };
            Some((name.parse().ok()?, rule))
        };
        let options = [
            ("domain", true),
            ("roles", true),
            ("signed_action", false),
            ("read_action", false),
        ];
        let part = |(part, name): (&str, &str)| Some((part.to_owned(), name.parse().ok()?));
        Self {
            set,
            options: options.into_iter().filter_map(rule).collect(),
            project: PROJECT_KEYS.map(str::to_owned).to_vec(),
            users: [("probe", "hod"), ("denied", "crew")]
                .into_iter()
                .filter_map(part)
                .collect(),
        }
    }

    /// The name of the set.
    #[must_use]
    pub fn set(&self) -> &str {
        &self.set
    }

    /// Whether the set takes `option` of a lens.
    #[must_use]
    pub fn takes(&self, option: &str) -> bool {
        self.options.contains_key(option)
    }

    /// Whether the set takes `key` of `lensops.yml`.
    #[must_use]
    pub fn takes_of_project(&self, key: &str) -> bool {
        self.project.iter().any(|known| known == key)
    }

    /// The usual name of the user who has `part`: `probe`, `denied`.
    #[must_use]
    pub fn user(&self, part: &str) -> Option<&Ident> {
        self.users.get(part)
    }

    /// The values of the set's own options, `null` where the lens leaves one out.
    pub(super) fn values(&self, lens: &Lens) -> Value {
        let own = self.options.iter().filter(|(_, rule)| rule.takes.is_some());
        own.map(|(name, _)| (name.to_string(), lens.options.get(name).cloned().unwrap_or_default()))
            .collect::<serde_json::Map<String, Value>>()
            .into()
    }

    /// What `text`, the file of `lens`, says that the set does not take, or leaves out that it needs.
    #[must_use]
    pub fn mistakes(&self, lens: &Lens, text: &str) -> Vec<Mistake> {
        if self.fits(lens) {
            return Vec::new();
        }
        mistakes(&self.shape(), text)
    }

    /// Whether nothing of `lens` needs a closer look.
    fn fits(&self, lens: &Lens) -> bool {
        let given = |key: &str| match key {
            "domain" => lens.domain.is_some(),
            "roles" => !lens.roles.is_empty(),
            "signed_action" => lens.signed_action.is_some(),
            "read_action" => lens.read_action.is_some(),
            "endpoints" => !lens.endpoints.is_empty(),
            "health" => lens.health.is_some(),
            "off" => lens.off.is_some(),
            "denied" => lens.denied.is_some(),
            _ => false,
        };
        let needed = self.options.iter().filter(|(_, rule)| rule.required);
        let has_own = !lens.options.is_empty() || self.options.values().any(|rule| rule.takes.is_some());
        !has_own
            && KEYS.iter().all(|key| self.takes(key) || !given(key))
            && needed.into_iter().all(|(name, _)| given(name.as_str()))
    }

    /// The shape of a lens file of this set.
    #[must_use]
    pub fn shape(&self) -> Shape {
        let mut shape = Shape::of::<Lens>();
        for key in KEYS.iter().filter(|key| !self.takes(key)) {
            shape = shape.without(key);
        }
        let (own, keys): (Vec<_>, Vec<_>) = self.options.iter().partition(|(_, rule)| rule.takes.is_some());
        for (name, _) in keys.iter().filter(|(_, rule)| rule.required) {
            shape = shape.requiring(name.as_str());
        }
        if own.is_empty() {
            return shape.without("options");
        }
        let needed: Vec<&Ident> = own
            .iter()
            .filter(|(_, rule)| rule.required)
            .map(|(name, _)| *name)
            .collect();
        let properties = own
            .iter()
            .filter_map(|(name, rule)| Some((name.to_string(), rule.takes?.schema())));
        let properties: serde_json::Map<String, Value> = properties.collect();
        let needs = !needed.is_empty();
        let schema =
            json!({"type": "object", "properties": properties, "additionalProperties": false, "required": needed});
        let shape = shape.with("options", schema);
        if needs { shape.requiring("options") } else { shape }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(manifest: &str, lens: &str) -> Vec<String> {
        let terms = Terms::read(&format!("template_set: own\noutputs: []\n{manifest}")).unwrap();
        let text = format!("lens: x\ntenants: [acme]\nusers: {{a: {{id: a, role: a}}}}\n{lens}");
        let lens: Lens = yaml::read("x", &text).unwrap();
        terms
            .mistakes(&lens, &text)
            .into_iter()
            .map(|it| format!("{}: {}", it.line, it.message))
            .collect()
    }

    #[test]
    fn what_a_set_does_not_take_is_told_as_a_key_of_lensops_is() {
        let own = "options: {domain: {required: true}, region: {takes: text, required: true}, sizes: {takes: list}}";
        let table = [
            ("", "domain: d\nroles: [a]\n", vec![]),
            (
                "",
                "roles: [a]\nhealth: /x\n",
                vec!["1: the file lacks \"domain\"", "5: the file has no key \"health\""],
            ),
            (
                "",
                "domain: d\nroles: [a]\noptions: {x: 1}\n",
                vec!["6: the file has no key \"options\""],
            ),
            (own, "domain: d\noptions: {region: eu, sizes: [s]}\n", vec![]),
            (own, "domain: d\n", vec!["1: the file lacks \"options\""]),
            (
                own,
                "domain: d\nroles: [a]\noptions: {regoin: eu, sizes: 5}\n",
                vec![
                    "5: the file has no key \"roles\"",
                    "6: \"options\" has no key \"regoin\": did you mean \"region\"?",
                    "6: \"options\" lacks \"region\"",
                    "6: \"sizes\" is a list",
                ],
            ),
        ];
        for (manifest, lens, expected) in table {
            let mut found = told(manifest, lens);
            found.sort();
            assert_eq!(found.len(), expected.len(), "{lens}: {found:#?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.starts_with(expected), "{lens}: {found} is not {expected}");
            }
        }
    }

    #[test]
    fn a_manifest_declares_what_there_is() {
        for (manifest, expected) in [
            ("options: {domian: {}}", "did you mean \"domain\""),
            ("options: {region: {}}", "say what it takes"),
            ("options: {domain: {takes: text}}", "leave `takes` out"),
            ("options: {}\nproject: [registri]", "is no key of lensops.yml"),
            ("options: {}\nusers: {proeb: hod}", "is no part"),
        ] {
            let error = Terms::read(&format!("template_set: own\noutputs: []\n{manifest}\n")).unwrap_err();
            assert!(error.to_string().contains(expected), "{manifest}: {error}");
        }
    }
}
