//! The definitions of flag services that come with lensops.

/// Every definition by its name.
pub const PRESETS: [(&str, &str); 6] = [
    ("flagsmith", include_str!("../../providers/flagsmith.yml")),
    ("growthbook", include_str!("../../providers/growthbook.yml")),
    ("launchdarkly", include_str!("../../providers/launchdarkly.yml")),
    ("ofrep", include_str!("../../providers/ofrep.yml")),
    ("posthog", include_str!("../../providers/posthog.yml")),
    ("unleash", include_str!("../../providers/unleash.yml")),
];

/// The definition of that name; `None` where there is none.
#[must_use]
pub fn preset(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
