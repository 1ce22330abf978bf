//! Programs that say something about an execution when they have a part in it, by the names that the kernel gives
//! (at most 15 bytes).

use super::{Fact, Facts};

/// Bring files from elsewhere.
pub const NETWORK_TOOLS: [&str; 16] = [
    "curl", "wget", "nc", "ncat", "netcat", "socat", "scp", "sftp", "ssh", "rsync", "ftp", "tftp", "lftp",
    "aria2c", "axel", "telnet",
];

/// Answer requests from elsewhere.
pub const SERVICES: [&str; 30] = [
    "nginx",
    "apache2",
    "httpd",
    "php-fpm",
    "php",
    "php-cgi",
    "lighttpd",
    "caddy",
    "traefik",
    "haproxy",
    "envoy",
    "java",
    "node",
    "gunicorn",
    "uwsgi",
    "puma",
    "unicorn",
    "ruby",
    "tomcat",
    "postgres",
    "mysqld",
    "mariadbd",
    "mongod",
    "redis-server",
    "memcached",
    "sshd",
    "smbd",
    "vsftpd",
    "named",
    "rabbitmq-server",
];

/// Install files.
pub const PACKAGE_MANAGERS: [&str; 27] = [
    "apt",
    "apt-get",
    "aptitude",
    "dpkg",
    "dpkg-deb",
    "unattended-upgr",
    "apk",
    "yum",
    "dnf",
    "microdnf",
    "rpm",
    "zypper",
    "pacman",
    "pip",
    "pip3",
    "npm",
    "yarn",
    "pnpm",
    "gem",
    "bundle",
    "cargo",
    "go",
    "conda",
    "mamba",
    "composer",
    "snap",
    "flatpak",
];

/// Stand above nearly everything and so tell nothing.
pub const ORDINARY: [&str; 27] = [
    "sh",
    "bash",
    "dash",
    "ash",
    "zsh",
    "ksh",
    "busybox",
    "env",
    "sudo",
    "su",
    "tini",
    "dumb-init",
    "docker-init",
    "catatonit",
    "containerd-shim",
    "containerd",
    "dockerd",
    "conmon",
    "runc",
    "crun",
    "systemd",
    "init",
    "s6-svscan",
    "runsv",
    "xargs",
    "timeout",
    "nohup",
];

/// Names of those known to have had a part: the dropper, then the processes above, nearest first.
#[must_use]
pub fn of(facts: &Facts<'_>) -> Vec<Fact<String>> {
    let above = facts.ancestors().into_iter().filter_map(|one| one.name);
    facts.dropper().map(|dropper| dropper.map(|name| base(&name))).into_iter().chain(above).collect()
}

fn base(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// Whether a name says something about the cause.
#[must_use]
pub fn is_telling(name: &str) -> bool {
    !name.is_empty()
        && !ORDINARY.contains(&name)
        && !name.starts_with("runc:[")
        && !name.starts_with("containerd-shim")
}
