//! Whether the processor's own virtualisation works here. That the device exists proves nothing (guests of a nested
//! machine may hang in it), so a probe boot decides, once per boot of this computer.
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::guest::Guest;
use super::kernel::Kernel;
use super::machine::Machine;
use super::qemu::{self, Accelerator, Boot};
use super::target::Target;

/// Under KVM a guest is up in a second or two.
const LIMIT: Duration = Duration::from_secs(15);

/// KVM when a probe boot has come up with it, emulation otherwise.
pub(super) fn accelerator(
    machine: &Machine,
    kernel: &Kernel,
    target: &Target,
    guest: &Guest,
    folder: &Path,
) -> Result<Accelerator> {
    if std::fs::File::options().read(true).write(true).open("/dev/kvm").is_err() || !machine.arch.is_ours() {
        return Ok(Accelerator::Tcg);
    }
    let memory = folder.join("kvm-probe");
    let this_boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    if let Some(works) = std::fs::read_to_string(&memory).ok().and_then(|known| answer(&known, &this_boot)) {
        return Ok(chosen(works));
    }
    let initramfs = folder.join("kvm-probe.initramfs");
    guest.write(kernel, &guest.plan(target), &initramfs)?;
    let boot = Boot {
        image: &kernel.image(),
        initramfs: &initramfs,
        log: &folder.join("kvm-probe.log"),
        accelerator: Accelerator::Kvm,
        limit: LIMIT,
        just_come_up: true,
        append: "",
        memory: target.kind.memory(),
        verbose: false,
    };
    let (console, _) = qemu::boot(machine, &boot)?;
    let _ = std::fs::remove_file(&initramfs);
    let works = console.boot.is_some();
    println!(
        "KVM: a probe boot {}",
        if works { "came up" } else { "did not come up, machines are emulated" }
    );
    let text = format!("{} {}\n", this_boot.trim(), if works { "works" } else { "hangs" });
    std::fs::write(&memory, text).with_context(|| format!("cannot write {}", memory.display()))?;
    Ok(chosen(works))
}

fn chosen(works: bool) -> Accelerator {
    if works { Accelerator::Kvm } else { Accelerator::Tcg }
}

/// What an earlier run of the same boot found out.
fn answer(known: &str, this_boot: &str) -> Option<bool> {
    match known.trim().split_once(' ')? {
        (boot, "works") if boot == this_boot.trim() => Some(true),
        (boot, "hangs") if boot == this_boot.trim() => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_one_boot() {
        assert_eq!(answer("1-2 works\n", "1-2\n"), Some(true));
        assert_eq!(answer("1-2 hangs\n", "1-2\n"), Some(false));
        assert_eq!(answer("1-2 works\n", "3-4\n"), None);
        assert_eq!(answer("", "3-4\n"), None);
    }
}
