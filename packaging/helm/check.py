"""Renders the chart with Helm's own code, checks every object against the schemas of Kubernetes, and holds the plain
manifest to the chart: it is the chart's rendering with the default values. `--write` makes that manifest anew.

`cargo xtask package --check-chart` installs helm-python-sdk, kubernetes-validate and PyYAML, and calls this.
"""

import pathlib
import sys

import helm_python as helm
import kubernetes_validate
import yaml

HERE = pathlib.Path(__file__).resolve().parent
CHART = HERE / "detector"
MANIFEST = HERE.parent / "kubernetes" / "detector.yaml"
HEAD = """# The agent on every node, without Helm: kubectl apply -f detector.yaml
# This is the chart (packaging/helm/detector) with its default values; `packaging/helm/check.py --write` makes it.
# Set the image to where your registry has it. Before Kubernetes 1.30 replace `appArmorProfile` by the annotation
# `container.apparmor.security.beta.kubernetes.io/detector: unconfined` of the pod.
"""
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "detector", "labels": {
    # hostPID and hostPath are not of the stricter levels.
    "pod-security.kubernetes.io/enforce": "privileged",
}}}
# Kinds that Kubernetes itself does not define.
FOREIGN = {"ServiceMonitor", "SecurityContextConstraints"}
VERSIONS = ["1.31", "1.35"]
VARIANTS = {
    "defaults": {},
    "everything": {
        "customRules": {"local.yaml": "- list: known_drop_and_execute_containers\n  items: [a]\n  override: {items: append}\n"},
        "engines": {"docker": True, "crio": True},
        "config": {"webserver": {"enabled": True, "ssl_enabled": True}},
        "serviceMonitor": {"create": True, "labels": {"release": "prometheus"}},
        "scc": {"create": True},
        "priorityClassName": "system-node-critical",
        "imagePullSecrets": [{"name": "pull"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]}]}]}}},
        "seLinuxOptions": {"type": "spc_t"},
        "podAnnotations": {"a": "b"}, "podLabels": {"c": "d"},
        "serviceAccount": {"create": True, "name": "watcher", "annotations": {"e": "f"}},
        "extraArgs": ["-U"], "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "extraVolumes": [{"name": "x", "emptyDir": {}}], "extraVolumeMounts": [{"name": "x", "mountPath": "/x"}],
    },
    "no web server": {"config": {"webserver": {"enabled": False}}},
    "no account": {"serviceAccount": {"create": False}},
}


def objects(values):
    """The rendered objects; empty documents are none."""
    with helm.Chart.load(str(CHART)) as chart:
        files = chart.render(values, name="detector", namespace="detector")
    texts = [text for name, text in sorted(files.items()) if name.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


def plain(thing):
    """Without what only Helm needs."""
    if isinstance(thing, dict):
        own = {key: plain(value) for key, value in thing.items()
               if not key.startswith(("helm.sh/", "checksum/")) and key != "app.kubernetes.io/managed-by"}
        return {key: value for key, value in own.items() if not (key == "annotations" and not value)}
    return [plain(one) for one in thing] if isinstance(thing, list) else thing


class Dumper(yaml.SafeDumper):
    """Long texts stay readable."""


Dumper.add_representer(str, lambda dumper, text: dumper.represent_scalar(
    "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None))


def main():
    # 1.25 is the oldest that the chart allows; its AppArmor profile is an annotation.
    for version in ["v1.25.0", "v1.35.0"]:
        for variant, values in VARIANTS.items():
            report = helm.lint(str(CHART), values, strict=True, kube_version=version)
            if report["errors"] or any(message["severity"] > 1 for message in report["messages"]):
                sys.exit(f"helm lint, Kubernetes {version}, {variant}: {report}")
    checked = 0
    for version in VERSIONS:
        for variant, values in VARIANTS.items():
            for one in objects(values):
                if one["kind"] not in FOREIGN:
                    kubernetes_validate.validate(one, version, strict=True)
                checked += 1
            print(f"Kubernetes {version}, {variant}: {len(objects(values))} objects")
    try:
        objects({"serviceMonitor": {"create": True}, "config": {"webserver": {"enabled": False}}})
    except helm.HelmError as error:
        assert "needs config.webserver.enabled" in str(error), error
    else:
        sys.exit("a ServiceMonitor without a web server was accepted")

    wanted = [NAMESPACE] + [plain(one) for one in objects({})]
    if "--write" in sys.argv:
        text = yaml.dump_all(wanted, Dumper=Dumper, sort_keys=False, explicit_start=True, width=110)
        MANIFEST.write_text(HEAD + text)
    if list(yaml.safe_load_all(MANIFEST.read_text())) != wanted:
        sys.exit(f"{MANIFEST} is not what the chart gives: run packaging/helm/check.py --write")
    print(f"{checked} objects are valid; the manifest is the chart's")


main()
