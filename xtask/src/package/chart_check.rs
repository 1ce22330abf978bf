//! Is the chart what Helm and Kubernetes accept, and the plain manifest what the chart gives? Helm's own code and the
//! schemas of Kubernetes tell; both come as Python packages, into a folder of their own.
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::workspace::Workspace;
use crate::{apt, command};

/// Helm 4.2 as a library, and the schemas up to Kubernetes 1.37.
const PACKAGES: [&str; 3] = ["helm-python-sdk==0.2.2", "kubernetes-validate==1.37.0", "PyYAML==6.0.4"];

/// A check that can run.
pub(crate) struct ChartCheck {
    python: PathBuf,
    script: PathBuf,
}

/// Installs what is absent.
pub(crate) fn prepare(workspace: &Workspace) -> Result<ChartCheck> {
    let folder = workspace.target().join("tools/chart-check");
    let (python, done) = (folder.join("bin/python"), folder.join("installed"));
    let wanted = PACKAGES.join(" ");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == wanted) {
        println!("what checks the chart is here");
    } else {
        let mut venv = command::program("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        if command::find("python3").is_none() || command::run(&mut venv).is_err() {
            // Debian has the module in a package of its own.
            apt::ensure(&["python3", "python3-venv"], "check the Helm chart")?;
            command::run(&mut venv)?;
        }
        let mut pip = command::program(&python);
        command::run(pip.args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))
            .context("cannot install what checks the Helm chart")?;
        std::fs::write(&done, wanted).with_context(|| format!("cannot write {}", done.display()))?;
    }
    Ok(ChartCheck { python, script: workspace.root().join("packaging/helm/check.py") })
}

impl ChartCheck {
    pub(crate) fn run(&self) -> Result<()> {
        command::run(command::program(&self.python).arg(&self.script))
    }
}
