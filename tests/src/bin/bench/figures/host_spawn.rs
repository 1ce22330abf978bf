//! What an exec on the host costs more with the agent: nothing that can be seen, is the goal. An empty program on the
//! same hook shows what any agent there must cost at least, and the baseline taken twice what the noise is.

use crate::Outcome;
use crate::results::{Report, Row};
use crate::rule_sets;
use crate::spawner::Job;
use crate::stage::Stage;
use crate::statistics::Series;
use detector_tests::bpf::attach_empty_program;

/// Spawns per variant and round: long enough to be warm, short enough for many rounds.
const SPAWNS: u64 = 250;
/// What is measured beside the agent with each set of rules.
const WITHOUT: [&str; 3] = ["agent off", "agent off, once more", "empty BPF program"];

pub(crate) fn take(stage: &Stage) -> Outcome<Report> {
    let (sets, mut notes) = rule_sets::all()?;
    let job = Job::quiet(stage.no_op(), SPAWNS, stage.cpu()).alone();
    let spawn = || -> Outcome<Vec<f64>> {
        Ok(Stage::on_host(&job)?.into_iter().map(|nanoseconds| nanoseconds / 1000.0).collect())
    };
    let mut order: Vec<usize> = (0..WITHOUT.len() + sets.len()).collect();
    let mut series: Vec<Series> = order.iter().map(|_| Series::default()).collect();
    stage.rounds(1.0, |_| {
        // Each variant takes each place equally often.
        order.rotate_left(1);
        for variant in &order {
            series[*variant].push(match variant {
                0 | 1 => spawn()?,
                2 => {
                    let _empty = attach_empty_program()?;
                    spawn()?
                }
                with => {
                    let mut agent = stage.start_agent_with(&sets[with - WITHOUT.len()].arguments())?;
                    let lasted = spawn()?;
                    agent.stop()?;
                    lasted
                }
            });
        }
        Ok(())
    })?;
    let row = |index: usize, name: &str| {
        Row::of(name, "us", &series[index]).against(WITHOUT[0], &series[index], &series[0])
    };
    let control = row(1, WITHOUT[1]);
    let mut rows = vec![Row::of(WITHOUT[0], "us", &series[0]), control.clone(), row(2, WITHOUT[2])];
    rows.extend(sets.iter().enumerate().map(|(index, set)| {
        row(WITHOUT.len() + index, &format!("agent on, {}", set.name)).ratio_is_one(&control)
    }));
    notes.push(format!("{} rounds of {SPAWNS} spawns each", series[0].rounds()));
    Ok(Report { rows, notes })
}
