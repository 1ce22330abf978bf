//! The list of the parts: every crate whose code is in the agent, with version, licence and check sum, as `CycloneDX`.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::Facts;
use crate::workspace::Workspace;
use crate::{build, command};

/// The agent, and the programs for the kernel that it carries.
const ROOTS: [&str; 2] = ["detector", "detector-ebpf"];

pub(super) fn write(workspace: &Workspace, facts: &Facts, to: &Path) -> Result<()> {
    let mut cargo = workspace.cargo();
    cargo.args(["metadata", "--format-version=1", "--locked", "--filter-platform"]).arg(build::musl_target());
    let metadata: Value =
        serde_json::from_str(&command::ask(&mut cargo)?).context("cannot read what cargo says")?;
    let lock = fs::read_to_string(workspace.root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let sbom = sbom(&metadata, &check_sums(&lock)?, facts)?;
    let name = format!("detector-{}-linux-{}.cdx.json", facts.version, facts.short_architecture());
    let path = to.join(name);
    let text = serde_json::to_string_pretty(&sbom).context("cannot write the SBOM")?;
    fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

/// Name and version of each package, and what Cargo.lock holds it to.
fn check_sums(lock: &str) -> Result<BTreeMap<(String, String), String>> {
    let lock: toml::Table = lock.parse().context("cannot read Cargo.lock")?;
    let packages =
        lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    let word = |package: &toml::Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
    Ok(packages
        .iter()
        .filter_map(|package| {
            Some(((word(package, "name")?, word(package, "version")?), word(package, "checksum")?))
        })
        .collect())
}

fn sbom(metadata: &Value, sums: &BTreeMap<(String, String), String>, facts: &Facts) -> Result<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (text(&package, "id"), package)).collect();
    let needs: BTreeMap<String, Vec<String>> = list(&metadata["resolve"]["nodes"])
        .iter()
        .map(|node| {
            (
                text(node, "id"),
                list(&node["deps"]).iter().filter(|dep| is_linked(dep)).map(|dep| text(dep, "pkg")).collect(),
            )
        })
        .collect();

    let is_root =
        |package: &Value| package["source"].is_null() && ROOTS.contains(&text(package, "name").as_str());
    let mut waiting: Vec<String> =
        packages.iter().filter(|(_, package)| is_root(package)).map(|(id, _)| id.clone()).collect();
    anyhow::ensure!(waiting.len() == ROOTS.len(), "cargo does not know {}", ROOTS.join(" and "));
    let mut linked = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if linked.insert(id.clone()) {
            waiting.extend(needs.get(&id).into_iter().flatten().cloned());
        }
    }

    let mut components = Vec::new();
    let mut dependencies = Vec::new();
    for id in &linked {
        let package = packages.get(id).with_context(|| format!("cargo does not describe {id}"))?;
        let pointers: Vec<_> =
            needs.get(id).into_iter().flatten().filter_map(|id| Some(purl(packages.get(id)?))).collect();
        dependencies.push(json!({"ref": purl(package), "dependsOn": pointers}));
        // The subject itself is in the metadata.
        if text(package, "name") != ROOTS[0] {
            components.push(component(package, sums, "library"));
        }
    }
    let agent =
        linked.iter().filter_map(|id| packages.get(id)).find(|package| text(package, "name") == ROOTS[0]);
    let mut subject = component(agent.context("cargo does not describe the agent")?, sums, "application");
    subject["version"] = json!(facts.version);
    Ok(json!({
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": subject},
        "components": components, "dependencies": dependencies,
    }))
}

/// Not what only builds or tests it.
fn is_linked(dependency: &Value) -> bool {
    dependency["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
}

fn component(package: &Value, sums: &BTreeMap<(String, String), String>, kind: &str) -> Value {
    let (name, version) = (text(package, "name"), text(package, "version"));
    let mut component = json!({
        "type": kind, "bom-ref": purl(package), "purl": purl(package), "name": name, "version": version,
    });
    if let Some(licence) = package["license"].as_str() {
        // Old crates write `MIT/Apache-2.0`.
        component["licenses"] = json!([{"expression": licence.replace('/', " OR ")}]);
    }
    if let Some(sum) = sums.get(&(name, version)) {
        component["hashes"] = json!([{"alg": "SHA-256", "content": sum}]);
    }
    component
}

fn purl(package: &Value) -> String {
    format!("pkg:cargo/{}@{}", text(package, "name"), text(package, "version"))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_builds_or_tests_is_no_part() {
        let package = |name: &str, source: Value| json!({"id": name, "name": name, "version": "1.0.0", "source": source, "license": "MIT/Apache-2.0"});
        let dep = |name: &str, kind: Value| json!({"pkg": name, "dep_kinds": [{"kind": kind}]});
        let registry = json!("registry+https://example.org");
        let metadata = json!({
            "packages": [
                package("detector", Value::Null), package("detector-ebpf", Value::Null),
                package("linked", registry.clone()), package("deeper", registry.clone()),
                package("builds", registry.clone()), package("other", registry),
            ],
            "resolve": {"nodes": [
                {"id": "detector", "deps": [dep("linked", Value::Null), dep("builds", json!("build"))]},
                {"id": "detector-ebpf", "deps": []},
                {"id": "linked", "deps": [dep("deeper", Value::Null), dep("other", json!("dev"))]},
                {"id": "deeper", "deps": []}, {"id": "builds", "deps": []}, {"id": "other", "deps": []},
            ]},
        });
        let sums = check_sums("[[package]]\nname = 'deeper'\nversion = '1.0.0'\nchecksum = 'ab'\n").unwrap();
        let facts = Facts { version: "1.0.0".to_owned(), architecture: "x86_64", time: 0 };
        let sbom = sbom(&metadata, &sums, &facts).unwrap();
        let names: Vec<_> =
            sbom["components"].as_array().unwrap().iter().map(|part| text(part, "name")).collect();
        assert_eq!(names, ["deeper", "detector-ebpf", "linked"]);
        assert_eq!(sbom["components"][0]["hashes"][0]["content"], "ab");
        assert_eq!(sbom["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(sbom["metadata"]["component"]["purl"], "pkg:cargo/detector@1.0.0");
    }
}
