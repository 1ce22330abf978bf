//! An exec that no rule wants costs no memory: evaluation against the built-in rules takes none.

mod synthetic;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
};

use detector::{event::ExecEvent, rules::RuleChoice};
use detector_common::{exe_flags, record::exec::Origin};
use synthetic::Record;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

/// Counts what this thread takes.
struct Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter has no destructor and takes no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.with(|taken| taken.set(taken.get() + 1));
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Alerts that the built-in rules give for this event, and allocations of a second evaluation: the first may fill what
/// is made once.
fn evaluated(event: &ExecEvent) -> (u32, u64) {
    let choice = RuleChoice::default();
    let engine = match choice.engine(choice.load(), "evt.time") {
        Ok(engine) => engine,
        Err(error) => panic!("the built-in rules do not load: {error}"),
    };
    let mut alerts = 0;
    engine.evaluate(event, |alert| drop(black_box(alert)));
    let before = TAKEN.with(Cell::get);
    engine.evaluate(event, |_| alerts += 1);
    (alerts, TAKEN.with(Cell::get) - before)
}

#[test]
fn an_exec_that_no_rule_wants_takes_no_memory() {
    let mut of_image = Record::drop_in_docker();
    of_image.fixed.exe.origin = Origin::Image as u8;
    of_image.fixed.exe.flags = exe_flags::EXE_LOWER_LAYER;
    assert_eq!(evaluated(&of_image.event()), (0, 0), "a file of the image");
    let mut on_host = Record::drop_in_docker();
    on_host.fixed.task.pidns_level = 0;
    on_host.fixed.namespaces.mnt = on_host.fixed.namespaces.host_mnt;
    assert_eq!(evaluated(&on_host.event()), (0, 0), "a process of the host");
}

#[test]
fn allocations_are_counted() {
    let (alerts, taken) = evaluated(&Record::drop_in_docker().event());
    assert!(alerts == 1 && taken > 0, "{alerts} alerts, {taken} allocations");
}
