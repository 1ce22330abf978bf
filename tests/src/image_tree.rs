//! The tree of files that serves as container image: a static busybox, the probe, and what a shell needs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::helper_binaries;

/// The applets that scripts of the cases use; each is a link to `/bin/busybox` as in the official image.
const APPLETS: &[&str] = &[
    "cat", "chmod", "chown", "cp", "dd", "echo", "false", "id", "ln", "ls", "mkdir", "mv", "printf",
    "readlink", "rm", "sh", "sleep", "stat", "touch", "true",
];

/// A program of the image that no applet link leads to: cases change it and run it. It is the probe.
pub const TOOL: &str = "/usr/bin/tool";

/// Fills the empty folder `root` with the image.
pub fn build(root: &Path) {
    for folder in ["bin", "dev", "etc", "host-proc", "proc", "root", "tmp", "usr/bin"] {
        must(fs::create_dir_all(root.join(folder)), "make the image folder", folder);
    }
    must(fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)), "open", "tmp");
    copy_program(&busybox(), &root.join("bin/busybox"));
    for applet in APPLETS {
        must(symlink("/bin/busybox", root.join("bin").join(applet)), "link the applet", applet);
    }
    let probe = helper_binaries::path("probe");
    copy_program(&probe, &root.join("bin/probe"));
    copy_program(&probe, &root.join(TOOL.trim_start_matches('/')));
    must(fs::write(root.join("dev/null"), ""), "make", "dev/null");
    let passwd = "root:x:0:0:root:/root:/bin/sh\ncarol:x:1000:1000::/tmp:/bin/sh\n";
    must(fs::write(root.join("etc/passwd"), passwd), "write", "etc/passwd");
    must(fs::write(root.join("etc/group"), "root:x:0:\ncarol:x:1000:\n"), "write", "etc/group");
}

/// The host's busybox; the package is named when it is missing.
#[must_use]
pub fn busybox() -> PathBuf {
    for path in ["/bin/busybox", "/usr/bin/busybox"] {
        if Path::new(path).is_file() {
            return path.into();
        }
    }
    panic!("no /bin/busybox: the containers of the tests are made of it (apt-get install busybox-static)");
}

/// Copies a program and makes it executable for all.
fn copy_program(from: &Path, to: &Path) {
    must(fs::copy(from, to), "copy a program to", &to.display().to_string());
    must(
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)),
        "make executable",
        &to.display().to_string(),
    );
}

#[track_caller]
fn must<T>(result: std::io::Result<T>, doing: &str, on: &str) -> T {
    result.unwrap_or_else(|error| panic!("cannot {doing} {on}: {error}"))
}
