//! Reads the names that runtimes give to the cgroups of their containers. Pure: a cgroup path in, a claim out. How far
//! a claim can be believed depends on the name, and what is made of it is decided in `container_id`.

#[cfg(test)]
mod vectors;

use crate::event::{Cgroup, Cgroups, Runtime};

/// What a cgroup's name says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The whole id.
    pub(super) id: String,
    /// Who names cgroups so.
    pub(super) runtime: Runtime,
    /// How specific the name is.
    pub(super) strength: Strength,
}

/// How much a name says by itself, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Strength {
    /// Any two or one words: `/default/web`, `/web`. Only believed of a process that lives in a container by all other
    /// signs, and where all hierarchies agree.
    Words,
    /// Looks like an id or a machine's name, but others name cgroups like that too.
    Likely,
    /// Nobody but a container runtime names a cgroup so.
    Certain,
}

/// Length of the ids of Docker, Podman and the Kubernetes runtimes.
const ID_LENGTH: usize = 64;

/// The strongest claim of all hierarchies; of equally strong ones that of the first hierarchy.
pub(super) fn claim(cgroups: &Cgroups) -> Option<Claim> {
    let mut best: Option<Claim> = None;
    for cgroup in &cgroups.0 {
        let Some(found) = by_component(&cgroup.path) else { continue };
        if best.as_ref().is_none_or(|best| found.strength > best.strength) {
            best = Some(found);
        }
    }
    best.or_else(|| by_words(cgroups))
}

/// Goes from the leaf to the root, so that a process in a sub-cgroup of its container belongs to it, and a container
/// in a container is the inner one.
fn by_component(path: &[u8]) -> Option<Claim> {
    let path = std::str::from_utf8(path).ok()?;
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    (0..parts.len()).rev().find_map(|at| {
        let (above, name) = (&parts[..at], parts[at]);
        with_prefix(name).or_else(|| machine(above, name)).or_else(|| bare_id(above, name))
    })
}

fn certain(id: &str, runtime: Runtime) -> Option<Claim> {
    (!id.is_empty()).then(|| Claim { id: id.to_owned(), runtime, strength: Strength::Certain })
}

fn likely(id: &str, runtime: Runtime) -> Option<Claim> {
    (!id.is_empty()).then(|| Claim { id: id.to_owned(), runtime, strength: Strength::Likely })
}

fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What runtimes put before the id: `docker-ID.scope` where systemd makes the cgroups, `crio-ID` where they do
/// themselves, `SLICE:cri-containerd:ID` where the one was told to and the other was done.
const PREFIXES: [(&str, Runtime); 7] = [
    ("docker", Runtime::Docker),
    ("libpod-payload", Runtime::Podman),
    ("libpod", Runtime::Podman),
    ("cri-containerd", Runtime::Containerd),
    ("crio", Runtime::CriO),
    ("nerdctl", Runtime::Containerd),
    ("moby", Runtime::Docker),
];

fn with_prefix(name: &str) -> Option<Claim> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    // An id has no separator in it, so the last one ends the prefix.
    let (before, id) = name.rsplit_once(['-', ':'])?;
    if !is_id(id) {
        return None;
    }
    let word = before.rsplit_once(':').map_or(before, |(_, word)| word);
    let (_, runtime) = PREFIXES.iter().find(|(prefix, _)| *prefix == word)?;
    certain(id, *runtime)
}

/// Names that people gave to machines.
fn machine(above: &[&str], name: &str) -> Option<Claim> {
    let scope = name.strip_suffix(".scope");
    let parent = above.last().copied().unwrap_or_default();
    if let Some(name) = name.strip_suffix(".libvirt-lxc") {
        return certain(name, Runtime::LibvirtLxc);
    }
    if let Some((_, id)) = scope.and_then(|scope| scope.split_once(r"-lxc\x2d")) {
        return certain(id, Runtime::LibvirtLxc);
    }
    if let [.., "libvirt", "lxc"] = above {
        return certain(name, Runtime::LibvirtLxc);
    }
    if let Some(name) = name.strip_prefix("lxc.payload.") {
        return certain(name, Runtime::Lxc);
    }
    if matches!(parent, "lxc" | "lxc.payload") && !name.starts_with("lxc.") {
        return certain(name, Runtime::Lxc);
    }
    if let Some(id) = scope.and_then(|scope| scope.strip_prefix("bpm-")) {
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        return if plain { certain(id, Runtime::Bpm) } else { None };
    }
    if let Some(id) = name.strip_prefix("systemd-nspawn@").and_then(|rest| rest.strip_suffix(".service")) {
        return likely(&unescape(id), Runtime::Nspawn);
    }
    // Virtual machines are machines too, but what runs in their cgroups is the host's.
    if let Some(id) = scope.and_then(|scope| scope.strip_prefix("machine-"))
        && !id.starts_with(r"qemu\x2d")
    {
        return likely(&unescape(id), Runtime::Nspawn);
    }
    let oci = scope.and_then(|scope| scope.strip_prefix("runc-").or_else(|| scope.strip_prefix("crun-")));
    likely(oci?, Runtime::Oci)
}

/// Undoes the escaping of systemd's unit names: `\x2d` is `-`.
fn unescape(name: &str) -> String {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.strip_prefix(b"x").and_then(|digits| digits.get(..2));
        let code = code.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match code {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &after[3..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// An id alone: what is above it tells how far it can be believed.
fn bare_id(above: &[&str], name: &str) -> Option<Claim> {
    if !is_id(name) {
        return None;
    }
    if above.iter().any(|part| part.starts_with("kubepods")) {
        return certain(name, Runtime::Cri);
    }
    match above {
        [.., "docker"] => certain(name, Runtime::Docker),
        // nerdctl's and containerd's own default, below the root.
        ["default" | "k8s.io"] => likely(name, Runtime::Containerd),
        // `docker run --cgroup-parent` may put it anywhere.
        _ => likely(name, Runtime::Docker),
    }
}

/// Top-level groups that are no containerd namespace.
const NO_NAMESPACE: [&str; 6] = ["docker", "kubepods", "libpod_parent", "lxc", "machine", "user"];

/// containerd's `/NAMESPACE/ID` and an OCI runtime's `/ID`. Any two or one words can be that, so all hierarchies must
/// agree: a runtime joins all of them, while a host process is rarely in the same group everywhere.
fn by_words(cgroups: &Cgroups) -> Option<Claim> {
    // runc puts its group below its own where a hierarchy has put it into one: the shortest path is the name.
    let shortest = cgroups.0.iter().min_by_key(|cgroup| cgroup.path.len())?;
    let agree = |cgroup: &Cgroup| cgroup.complete && cgroup.path.ends_with(&shortest.path);
    if !cgroups.0.iter().all(agree) {
        return None;
    }
    let path = std::str::from_utf8(&shortest.path).ok()?.strip_prefix('/')?;
    let parts: Vec<&str> = path.split('/').collect();
    // systemd in a container makes units in its cgroup: what counts is what is above them.
    let words = parts.iter().position(|part| is_unit(part)).unwrap_or(parts.len());
    let (id, runtime) = match parts.split_at(words) {
        ([namespace, id], _) if is_namespace(namespace) => (*id, Runtime::Containerd),
        ([id], [] | ["init.scope", ..]) if is_namespace(id) => (*id, Runtime::Oci),
        _ => return None,
    };
    is_word(id).then(|| Claim { id: id.to_owned(), runtime, strength: Strength::Words })
}

fn is_unit(part: &str) -> bool {
    [".service", ".slice", ".scope"].iter().any(|suffix| part.ends_with(suffix))
}

fn is_word(text: &str) -> bool {
    (1..=ID_LENGTH).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
}

/// Letters and digits, with `._-` between them, at most 76, as containerd wants it; runc's ids are like that too.
fn is_namespace(text: &str) -> bool {
    let edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    text.len() <= 76
        && edge(text.bytes().next())
        && edge(text.bytes().last())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !NO_NAMESPACE.contains(&text)
        && !text.starts_with("lxc.")
}
