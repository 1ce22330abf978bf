//! An exec that no rule wants costs no memory: neither decoding it into the memory of the one before, nor judging it by
//! the built-in rules takes any.

mod synthetic;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
};

use detector::{decode::decode_into, event::ExecEvent, rules::RuleChoice};
use detector_common::{
    exe_flags,
    record::exec::{Origin, SectionKind, known},
};
use synthetic::{CLOCK, CONTAINER, Record, leaf_first};

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
fn decoding_into_the_memory_of_an_event_that_is_alike_takes_no_memory() {
    let mut record = Record::drop_in_docker()
        .with(SectionKind::Env, b"HOME=/root\0A=b\0")
        .with(SectionKind::AncestorExe0, &leaf_first(&["bin", "busybox"]))
        .with(SectionKind::CgroupMemory, &leaf_first(&["docker", CONTAINER]))
        .with(SectionKind::StdinPath, &leaf_first(&["dev", "null"]));
    record.fixed.known |= known::STDIO;
    let bytes = record.bytes();
    let decode = |event: &mut ExecEvent| {
        decode_into(event, &bytes, CLOCK, 1).unwrap_or_else(|error| panic!("{error}"));
    };
    let (mut reused, mut fresh) = (ExecEvent::default(), ExecEvent::default());
    decode(&mut reused);
    let before = TAKEN.with(Cell::get);
    decode(&mut reused);
    assert_eq!(TAKEN.with(Cell::get) - before, 0);
    decode(&mut fresh);
    assert_eq!(reused, fresh);
}

#[test]
fn allocations_are_counted() {
    let (alerts, taken) = evaluated(&Record::drop_in_docker().event());
    assert!(alerts == 1 && taken > 0, "{alerts} alerts, {taken} allocations");
}
