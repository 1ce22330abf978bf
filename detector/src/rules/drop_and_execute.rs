//! The stock rule, wired by hand as one condition.

use crate::{
    alert::Priority,
    event::{ContainerId, ExeFlags, ExecEvent},
};

pub(super) const NAME: &str = "Drop and execute new binary in container";
pub(super) const PRIORITY: Priority = Priority::Critical;
pub(super) const TAGS: [&str; 6] =
    ["PCI_DSS_11.5.1", "TA0003", "container", "maturity_stable", "mitre_persistence", "process"];
pub(super) const OUTPUT: &str = "Executing binary not part of base image | proc_exe=%proc.exe \
    proc_sname=%proc.sname gparent=%proc.aname[2] proc_exe_ino_ctime=%proc.exe_ino.ctime \
    proc_exe_ino_mtime=%proc.exe_ino.mtime \
    proc_exe_ino_ctime_duration_proc_start=%proc.exe_ino.ctime_duration_proc_start proc_cwd=%proc.cwd \
    container_start_ts=%container.start_ts evt_type=%evt.type user=%user.name user_uid=%user.uid \
    user_loginuid=%user.loginuid process=%proc.name proc_exepath=%proc.exepath parent=%proc.pname \
    command=%proc.cmdline terminal=%proc.tty exe_flags=%evt.arg.flags container_id=%container.id \
    container_name=%container.name container_image_repository=%container.image.repository \
    container_image_tag=%container.image.tag k8s_pod_name=%k8s.pod.name k8s_ns_name=%k8s.ns.name";

/// Whether the rule's condition holds. A container that could not be told is not taken for the host.
pub(super) fn matches(event: &ExecEvent) -> bool {
    event.container.id != ContainerId::Host && event.file.flags.has(ExeFlags::UPPER_LAYER)
}
