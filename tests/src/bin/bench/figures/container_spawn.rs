//! The same inside a container: a file of the image stays quiet, a dropped file alerts each time it runs.

use crate::Outcome;
use crate::results::{Report, Row};
use crate::spawner::{Drops, Job};
use crate::stage::{IMAGE_NO_OP, Stage, container, in_container};
use crate::statistics::{Series, counted};

const SPAWNS: u32 = 250;
const DROPPED: &str = "/tmp/dropped";

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let container = container()?;
    let image = Job::quiet(IMAGE_NO_OP, SPAWNS.into(), stage.cpu()).alone();
    let dropped = image.clone().drops(Drops::One(DROPPED.into()));
    let spawn = |job: &Job| -> Outcome<Vec<f64>> {
        Ok(in_container(&container, job)?.into_iter().map(|nanoseconds| nanoseconds / 1000.0).collect())
    };
    // Image file and dropped file: agent off, off once more, on.
    let mut series = [(); 6].map(|()| Series::default());
    let (mut alerts, mut lost) = (0, 0);
    let rounds = stage.rounds(1.0, |round| {
        let mut order = [0, 1, 2];
        order.rotate_left(round as usize % 3);
        for variant in order {
            let mut agent = if variant == 2 { Some(stage.start_agent()?) } else { None };
            series[variant].push(spawn(&image)?);
            series[3 + variant].push(spawn(&dropped)?);
            if let Some(agent) = &mut agent {
                let ended = agent.stop()?;
                alerts += ended.lines.iter().filter(|line| line.file == DROPPED).count();
                lost += ended.lost;
            }
        }
        Ok(())
    })?;
    let mut rows = Vec::new();
    for (index, file) in ["image file (quiet)", "dropped file (alert each)"].into_iter().enumerate() {
        let [off, again, on] = [0, 1, 2].map(|variant| &series[3 * index + variant]);
        let control =
            Row::of(format!("{file}, agent off, once more"), "us", again).against("agent off", again, off);
        let with_agent = Row::of(format!("{file}, agent on"), "us", on).against("agent off", on, off);
        rows.push(Row::of(format!("{file}, agent off"), "us", off));
        rows.push(control.clone());
        rows.push(if index == 0 { with_agent.ratio_is_one(&control) } else { with_agent });
    }
    let executed = f64::from(rounds) * f64::from(SPAWNS);
    rows.push(Row::counted("alerts about the dropped file", "", counted(alerts)).exactly(executed));
    rows.push(Row::counted("records lost", "", counted(lost)).exactly(0.0));
    Ok(Report { rows, notes: vec![format!("{rounds} rounds of {SPAWNS} spawns each")] })
}
