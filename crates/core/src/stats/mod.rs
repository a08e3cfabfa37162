//! Figures: quantiles over histograms, intervals around them, and the lines of a chart.

pub mod chart;
pub mod confidence;
pub mod exact;
pub mod histogram;
