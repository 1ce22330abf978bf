//! Threads for lookups that may hang: what a container's file system does is not ours to say. There are few until all
//! of them are busy, and never more than a bound; a job for which there is no room is refused at once.

use std::{
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
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

/// How many threads, and how many jobs can wait for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// Threads that are there from the start.
    pub(super) threads: usize,
    /// Threads when all others are busy.
    pub(super) most: usize,
    /// Jobs in the queue.
    pub(super) waiting: usize,
}

/// Some threads and a bounded queue. The threads end when this is dropped and their job is done; a process does not
/// wait for them when it ends.
pub(super) struct Workers {
    name: &'static str,
    most: usize,
    threads: AtomicUsize,
    /// Jobs that wait or run.
    load: Arc<AtomicUsize>,
    queue: SyncSender<Job>,
    jobs: Arc<Mutex<Receiver<Job>>>,
}

impl Workers {
    pub(super) fn start(name: &'static str, size: Size) -> io::Result<Self> {
        let (queue, jobs) = sync_channel::<Job>(size.waiting);
        let workers = Self {
            name,
            most: size.most,
            threads: AtomicUsize::new(0),
            load: Arc::default(),
            queue,
            jobs: Arc::new(Mutex::new(jobs)),
        };
        for _ in 0..size.threads {
            workers.spawn()?;
        }
        Ok(workers)
    }

    pub(super) fn try_run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Busy> {
        let load = self.load.fetch_add(1, Ordering::Relaxed) + 1;
        if load > self.threads.load(Ordering::Relaxed)
            && self.threads.load(Ordering::Relaxed) < self.most
            && let Err(error) = self.spawn()
        {
            // Those that are there go on.
            log::debug!("no further thread for {}: {error}", self.name);
        }
        self.queue.try_send(Box::new(job)).map_err(|error| {
            self.load.fetch_sub(1, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) | TrySendError::Disconnected(_) => Busy,
            }
        })
    }

    fn spawn(&self) -> io::Result<()> {
        let (jobs, load) = (Arc::clone(&self.jobs), Arc::clone(&self.load));
        let run = move || while run_next(&jobs, &load) {};
        thread::Builder::new().name(self.name.to_owned()).stack_size(STACK_BYTES).spawn(run)?;
        self.threads.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

fn run_next(jobs: &Mutex<Receiver<Job>>, load: &AtomicUsize) -> bool {
    let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
    let ran = job.map(|job| job()).is_ok();
    load.fetch_sub(usize::from(ran), Ordering::Relaxed);
    ran
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::{Busy, Size, Workers};

    #[test]
    fn jobs_run() {
        let workers = Workers::start("test", Size { threads: 2, most: 2, waiting: 8 }).unwrap();
        let (done, results) = channel();
        for number in 0..8 {
            let done = done.clone();
            workers.try_run(move || done.send(number).unwrap()).unwrap();
        }
        let mut numbers: Vec<i32> = results.iter().take(8).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    /// Takes one thread until the answer is dropped.
    fn hang(workers: &Workers) -> std::sync::mpsc::Sender<()> {
        let (started, start) = channel();
        let (release, hang) = channel::<()>();
        let job = move || {
            started.send(()).unwrap();
            let _ = hang.recv();
        };
        workers.try_run(job).unwrap();
        start.recv().unwrap();
        release
    }

    #[test]
    fn when_all_hang_a_job_is_refused_and_afterwards_not() {
        let workers = Workers::start("test", Size { threads: 1, most: 1, waiting: 1 }).unwrap();
        let release = hang(&workers);
        let (done, end) = channel();
        workers.try_run(move || done.send(()).unwrap()).unwrap();
        assert_eq!(workers.try_run(|| ()), Err(Busy));
        drop(release);
        end.recv().unwrap();
    }

    #[test]
    fn threads_that_hang_are_made_up_for_up_to_a_bound() {
        let workers = Workers::start("test", Size { threads: 1, most: 3, waiting: 1 }).unwrap();
        let (_one, _two, _three) = (hang(&workers), hang(&workers), hang(&workers));
        workers.try_run(|| ()).unwrap();
        assert_eq!(workers.try_run(|| ()), Err(Busy));
    }
}
