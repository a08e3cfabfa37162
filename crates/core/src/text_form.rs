//! Types that files write as text: how their schema describes them.

/// The schema of a type that is written as text: what it is called, its pattern where one says it
/// all, and the rule for people.
macro_rules! text_form {
    ($name:ident, $what:literal, $pattern:literal, $rule:literal) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut schema = schemars::json_schema!({"type": "string", "title": $what, "description": $rule});
                if !$pattern.is_empty() {
                    schema.insert("pattern".to_owned(), $pattern.into());
                }
                schema
            }
        }
    };
}
pub(crate) use text_form;
