//! Evaluation of checks without transformers takes no memory, whichever operator and whether it matches or not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ops::ControlFlow;

use detector_rule_lang::{
    FieldCatalog, FieldError, FieldInfo, FieldSource, NoNames, Shape, Type, Value, compile, expand, parse,
};

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

struct Catalog;

impl FieldCatalog for Catalog {
    type Field = u8;

    fn resolve(&self, name: &str, _: Option<&str>) -> Result<FieldInfo<u8>, FieldError> {
        let shaped = |field, shape| FieldInfo { shape, ..FieldInfo::new(field, Type::Text) };
        Ok(match name {
            "t.name" => FieldInfo::new(0, Type::Text),
            "t.path" => FieldInfo::new(1, Type::Text),
            "n.tty" => FieldInfo::new(2, Type::Unsigned),
            "f.upper" => FieldInfo::new(3, Type::Bool),
            "t.null" => FieldInfo::new(4, Type::Text),
            "a.names" => shaped(5, Shape::Any),
            "l.items" => shaped(6, Shape::List),
            _ => return Err(FieldError::Unknown),
        })
    }

    fn suggestion(&self, _: &str) -> Option<String> {
        None
    }
}

struct Event;

impl<'e> FieldSource<'e, u8> for Event {
    fn value(&mut self, field: &u8) -> Option<Value<'e>> {
        match field {
            0 => Some(Value::text("bash")),
            1 => Some(Value::text("/usr/local/bin/bash")),
            2 => Some(Value::Unsigned(34816)),
            3 => Some(Value::Bool(true)),
            _ => None,
        }
    }

    fn values(&mut self, _: &u8, visit: &mut dyn FnMut(Value<'e>) -> ControlFlow<()>) -> bool {
        let _ = ["runc", "sh", "systemd"].iter().try_for_each(|name| visit(Value::text(*name)));
        true
    }
}

#[test]
fn checks_without_transformers_take_no_memory() {
    // `matches` of each, so that none is skipped by another.
    let checks = [
        ("t.name = bash", true),
        ("t.name != bash", false),
        ("t.name in (ash, bash, csh)", true),
        ("not t.name in (ash, csh)", true),
        ("t.path contains local", true),
        ("t.path icontains LOCAL/BIN", true),
        ("t.path startswith /usr", true),
        ("t.path endswith /sh", false),
        ("t.path glob /usr/*/b?n/[a-c]ash", true),
        ("t.path iglob /USR/*", true),
        ("t.path pmatch (/usr/*/bin, /etc, /var/lib)", true),
        ("t.path startswith anyof (/tmp, /dev/shm)", false),
        ("n.tty != 0 and n.tty >= 0x10", true),
        ("f.upper = true", true),
        ("t.null = x or t.null != x or t.null exists", false),
        ("a.names = systemd", true),
        ("a.names in (sshd, cron)", false),
        ("l.items intersects (sh, zsh)", true),
        ("l.items in (sh, runc)", false),
    ];
    for (text, expected) in checks {
        let expr = expand(&parse(text).expr.unwrap(), &NoNames).unwrap();
        let program = compile(&expr, &Catalog).unwrap();
        let before = TAKEN.with(Cell::get);
        let matches = program.matches(&mut Event);
        let taken = TAKEN.with(Cell::get) - before;
        assert_eq!(matches, expected, "{text}");
        assert_eq!(taken, 0, "{text}");
    }
}

/// The regular expression engine makes its work space once; after the first event there is nothing more.
#[test]
fn a_regular_expression_takes_memory_only_once() {
    let expr = parse("t.path regex '/usr/(local|share)/.*'").expr.unwrap();
    let program = compile(&expr, &Catalog).unwrap();
    assert!(program.matches(&mut Event));
    let before = TAKEN.with(Cell::get);
    assert!(program.matches(&mut Event));
    assert_eq!(TAKEN.with(Cell::get) - before, 0);
}

/// The counter counts: a transformer that changes its text has to keep the new one somewhere.
#[test]
fn the_counter_sees_a_transformer() {
    let program = compile(&parse("toupper(t.name) = BASH").expr.unwrap(), &Catalog).unwrap();
    let before = TAKEN.with(Cell::get);
    assert!(program.matches(&mut Event));
    assert!(TAKEN.with(Cell::get) > before);
}
