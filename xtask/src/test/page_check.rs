//! Are the HTML reports what browsers and the standard take for HTML and CSS? The W3C's checker tells (vnu, a Java program
//! that comes as an npm package), about the pages that the built agent makes of the alerts of the golden reports.
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, anyhow, ensure};

use super::not_run::{Class, NotRun};
use crate::workspace::Workspace;
use crate::{apt, command};

const CHECKER: &str = "vnu-jar@26.9.27";
const JAR: &str = "node_modules/vnu-jar/build/dist/vnu.jar";

/// A check that can run.
pub(super) struct PageCheck {
    jar: PathBuf,
}

/// Installs what is absent. What the registry refuses to hand out cannot be had; the rest, and be it that the registry did not
/// answer, is a gap of this machine.
pub(super) fn prepare(workspace: &Workspace) -> Result<PageCheck, NotRun> {
    let gap = |class| {
        move |error: anyhow::Error| {
            let name = "the validity of HTML reports".to_owned();
            NotRun { name, class, reason: format!("{error:#}") }
        }
    };
    let folder = workspace.target().join("tools/page-check");
    let (jar, done) = (folder.join(JAR), folder.join("installed"));
    if command::find("java").is_none() {
        apt::ensure(&["default-jre-headless"], "check the HTML reports").map_err(gap(Class::Missing))?;
    }
    if jar.is_file() && std::fs::read_to_string(&done).is_ok_and(|installed| installed == CHECKER) {
        println!("what checks the HTML reports is here");
        return Ok(PageCheck { jar });
    }
    if command::find("npm").is_none() {
        apt::ensure(&["npm"], "get what checks the HTML reports").map_err(gap(Class::Missing))?;
    }
    download(&folder, &jar).map_err(|(class, error)| gap(class)(error))?;
    std::fs::write(&done, CHECKER)
        .with_context(|| format!("cannot write {}", done.display()))
        .map_err(gap(Class::Missing))?;
    Ok(PageCheck { jar })
}

fn download(folder: &Path, jar: &Path) -> Result<(), (Class, anyhow::Error)> {
    let missing = |error| (Class::Missing, error);
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))
        .map_err(missing)?;
    let mut npm = command::program("npm");
    npm.args(["install", "--no-fund", "--no-audit", "--ignore-scripts", "--loglevel=error", "--prefix"]);
    npm.arg(folder).arg(CHECKER);
    command::show(&npm);
    let output = npm.stdin(Stdio::null()).output().context("cannot start npm").map_err(missing)?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        let class = if is_refusal(&told) { Class::Unobtainable } else { Class::Missing };
        return Err((class, anyhow!("cannot install {CHECKER} ({}): {}", output.status, told.trim())));
    }
    if !jar.is_file() {
        return Err(missing(anyhow!("{CHECKER} is installed, but has no {JAR}")));
    }
    Ok(())
}

/// Whether npm says that the registry has answered, and hands this out to nobody here.
fn is_refusal(told: &str) -> bool {
    const CODES: [&str; 5] = ["E401", "E403", "E404", "E451", "ETARGET"];
    told.lines().any(|line| CODES.iter().any(|code| line.trim_end().ends_with(&format!(" code {code}"))))
}

impl PageCheck {
    /// Makes a page of each alert and checks it; warnings count.
    pub(super) fn run(&self, workspace: &Workspace) -> Result<()> {
        let pages = workspace.target().join("pages");
        std::fs::create_dir_all(&pages).with_context(|| format!("cannot create {}", pages.display()))?;
        let alerts = workspace.root().join("detector/tests/golden_reports/alerts");
        let all = made(workspace, &alerts, &pages)?;
        ensure!(!all.is_empty(), "no alert in {}", alerts.display());
        let mut java = command::program("java");
        java.arg("-jar").arg(&self.jar).args(["--Werror", "--html"]).args(&all);
        command::run(&mut java).context("an HTML report is not valid")?;
        println!("{} HTML reports are valid: {}", all.len(), pages.display());
        Ok(())
    }
}

fn made(workspace: &Workspace, alerts: &Path, pages: &Path) -> Result<Vec<PathBuf>> {
    let entries = alerts.read_dir().with_context(|| format!("cannot read {}", alerts.display()))?;
    let mut all = Vec::new();
    for entry in entries {
        let alert = entry.with_context(|| format!("cannot read {}", alerts.display()))?.path();
        let page = pages.join(alert.file_stem().unwrap_or_default()).with_extension("html");
        let mut report = command::program(workspace.agent());
        command::run(report.arg("report").arg(&alert).arg("--output").arg(&page))?;
        all.push(page);
    }
    all.sort();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::is_refusal;

    /// Nobody would see that the pages are no longer checked if each failure passed for a refusal.
    #[test]
    fn a_registry_that_does_not_answer_has_refused_nothing() {
        for (told, expected) in [
            ("npm error code E404\nnpm error 404 Not Found - GET https://registry.example/vnu-jar\n", true),
            ("npm ERR! code ETARGET\nnpm ERR! notarget No matching version found\n", true),
            ("npm error code ENOTFOUND\nnpm error errno ENOTFOUND\n", false),
            ("npm error code ENOSPC\nnpm error syscall write\n", false),
            ("npm error 404 is no code here\n", false),
            ("", false),
        ] {
            assert_eq!(is_refusal(told), expected, "{told}");
        }
    }
}
