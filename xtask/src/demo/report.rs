//! The alert once more, for people.
use serde_json::Value;

/// Prints what the alert says, one fact per line; fields that the agent does not know are left out.
pub(super) fn print(alert: &Value) {
    println!("\nThe agent saw it. What the alert above says:\n");
    for line in lines(alert) {
        println!("{line}");
    }
    println!("\nNext: `cargo xtask run` runs the agent with the default rules.");
}

/// Where the values start, for all names that are not longer.
const WIDTH: usize = 22;

fn lines(alert: &Value) -> Vec<String> {
    let top = ["rule", "priority", "time"].iter().map(|key| (*key, &alert[*key]));
    let fields =
        alert["output_fields"].as_object().into_iter().flatten().map(|(key, value)| (key.as_str(), value));
    let known: Vec<_> = top.chain(fields).filter(|(_, value)| !value.is_null()).collect();
    // One very long name must not push everything to the right.
    let width = known.iter().map(|(key, _)| key.len()).max().unwrap_or(0).min(WIDTH);
    known.into_iter().map(|(key, value)| format!("  {key:width$}  {}", text(value))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_facts_are_aligned_and_unknown_ones_left_out() {
        let alert = serde_json::json!({
            "rule": "Drop and execute",
            "output_fields": { "proc.exepath": "/tmp/dropped", "container.name": null, "proc.pid": 7 }
        });
        assert_eq!(
            lines(&alert),
            ["  rule          Drop and execute", "  proc.exepath  /tmp/dropped", "  proc.pid      7",]
        );
    }
}
