//! Threads for lookups that may hang: what a container's file system does is not ours to say. A job that finds all of
//! them taken is refused at once, so nothing ever queues up behind what hangs for longer than its own bound.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

/// Stack of a thread: JSON nests at most 128 deep.
const STACK_BYTES: usize = 512 * 1024;

type Job = Box<dyn FnOnce() + Send>;

/// All threads are taken and the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy;

/// Some threads and a bounded queue. The threads end when this is dropped and their job is done; a process does not
/// wait for them when it ends.
pub(super) struct Workers {
    queue: SyncSender<Job>,
}

impl Workers {
    pub(super) fn start(name: &str, threads: usize, waiting: usize) -> io::Result<Self> {
        let (queue, jobs) = sync_channel::<Job>(waiting);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..threads {
            let jobs = Arc::clone(&jobs);
            thread::Builder::new()
                .name(name.to_owned())
                .stack_size(STACK_BYTES)
                .spawn(move || while run_next(&jobs) {})?;
        }
        Ok(Self { queue })
    }

    pub(super) fn try_run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Busy> {
        self.queue.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) | TrySendError::Disconnected(_) => Busy,
        })
    }
}

fn run_next(jobs: &Mutex<Receiver<Job>>) -> bool {
    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
    job.map(|job| job()).is_ok()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::{Busy, Workers};

    #[test]
    fn jobs_run() {
        let workers = Workers::start("test", 2, 8).unwrap();
        let (done, results) = channel();
        for number in 0..8 {
            let done = done.clone();
            workers.try_run(move || done.send(number).unwrap()).unwrap();
        }
        let mut numbers: Vec<i32> = results.iter().take(8).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn when_all_hang_a_job_is_refused_and_afterwards_not() {
        let workers = Workers::start("test", 1, 1).unwrap();
        let (started, start) = channel();
        let (release, hang) = channel::<()>();
        workers
            .try_run(move || {
                started.send(()).unwrap();
                let _ = hang.recv();
            })
            .unwrap();
        start.recv().unwrap();
        let (done, end) = channel();
        workers.try_run(move || done.send(()).unwrap()).unwrap();
        assert_eq!(workers.try_run(|| ()), Err(Busy));
        release.send(()).unwrap();
        end.recv().unwrap();
    }
}
