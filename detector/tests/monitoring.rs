//! The dashboard and the alerting rules ask for metrics that exist.

#![expect(clippy::unwrap_used, reason = "a file that cannot be read shall fail the test")]

use std::{collections::BTreeSet, fs, path::Path};

use detector::telemetry::metric_names;

/// All words that look like one of our metrics.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|one: char| !(one.is_ascii_alphanumeric() || one == '_'));
    words.filter(|word| word.starts_with("falcosecurity_") || word.starts_with("detector_")).collect()
}

fn assert_known(file: &str, least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/monitoring").join(file);
    let text = fs::read_to_string(path).unwrap();
    let used = metrics_in(&text);
    let known: BTreeSet<&str> = metric_names::ALL.iter().map(|metric| metric.name).collect();
    let unknown: Vec<&&str> = used.difference(&known).collect();
    assert!(unknown.is_empty(), "{file} asks for {unknown:?}, which telemetry/metric_names.rs does not have");
    assert!(used.len() >= least, "{file} was not understood: {used:?}");
}

#[test]
fn the_dashboard_asks_for_metrics_that_exist() {
    assert_known("grafana-dashboard.json", 10);
}

#[test]
fn the_alerting_rules_ask_for_metrics_that_exist() {
    assert_known("alerts.yaml", 6);
}

#[test]
fn the_dashboard_is_json_whose_panels_do_not_overlap() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/monitoring/grafana-dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(x < 24 && taken.insert((x, y)), "{}", panel["title"]);
            }
        }
    }
}
