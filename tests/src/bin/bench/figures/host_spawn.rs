//! What an exec on the host costs more with the agent: nothing that can be seen, is the goal. An empty program on the
//! same hook shows what any agent there must cost at least, and the baseline taken twice what the noise is.

use crate::Outcome;
use crate::results::{Report, Row};
use crate::spawner::Job;
use crate::stage::Stage;
use crate::statistics::Series;
use detector_tests::bpf::attach_empty_program;

/// Spawns per variant and round: long enough to be warm, short enough for many rounds.
const SPAWNS: u64 = 250;
const VARIANTS: [&str; 4] =
    ["agent off", "agent off, once more", "empty BPF program", "agent on, default rule"];

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let job = Job::quiet(stage.no_op(), SPAWNS, stage.cpu()).alone();
    let spawn = || -> Outcome<Vec<f64>> {
        Ok(Stage::on_host(&job)?.into_iter().map(|nanoseconds| nanoseconds / 1000.0).collect())
    };
    let mut series = VARIANTS.map(|_| Series::default());
    stage.rounds(1.0, |round| {
        let mut order = [0, 1, 2, 3];
        // Each variant takes each place equally often.
        order.rotate_left(round as usize % 4);
        for variant in order {
            series[variant].push(match variant {
                0 | 1 => spawn()?,
                2 => {
                    let _empty = attach_empty_program()?;
                    spawn()?
                }
                _ => {
                    let mut agent = stage.start_agent()?;
                    let lasted = spawn()?;
                    agent.stop()?;
                    lasted
                }
            });
        }
        Ok(())
    })?;
    let row = |index: usize| {
        Row::of(VARIANTS[index], "us", &series[index]).against(VARIANTS[0], &series[index], &series[0])
    };
    let control = row(1);
    let rows =
        vec![Row::of(VARIANTS[0], "us", &series[0]), control.clone(), row(2), row(3).ratio_is_one(&control)];
    Ok(Report { rows, notes: vec![format!("{} rounds of {SPAWNS} spawns each", series[0].rounds())] })
}
