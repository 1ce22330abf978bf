//! Nesting at the bound goes through every stage on the stack of a test thread (2 MiB, without optimisation); one more
//! level is an error, a hundred times more too.

use detector_rule_lang::{Kind, NoNames, Value, compile, expand, limits, parse};

use crate::event::{Catalog, Event, Named, build};

fn nested(levels: usize) -> String {
    // Two levels of the tree for each parenthesis: the deepest that the bound allows.
    format!("{}t.name = Sshd{}", "(t.name = x or t.name = Sshd and ".repeat(levels), ")".repeat(levels))
}

#[test]
fn the_bound_is_reached_by_every_stage() {
    for text in [
        nested(limits::NESTING),
        format!("{}t.name = Sshd", "not ".repeat(limits::NESTING)),
        format!("{}t.name = Sshd{}", "(".repeat(limits::NESTING), ")".repeat(limits::NESTING)),
    ] {
        let parsed = parse(&text);
        assert_eq!(parsed.errors, []);
        let expr = expand(&parsed.expr.unwrap(), &NoNames).unwrap();
        let printed = expr.to_string();
        assert_eq!(parse(&printed).expr.unwrap().to_string(), printed);
        let program = compile(&expr, &Catalog).unwrap();
        assert!(program.matches(&mut Event));
        assert!(program.explain(&mut Event).holds);
        assert_eq!(program.constant(), None);
        assert_eq!(program.values_allowed(|f| f == "t.name", &[Value::text("Sshd")]), [true]);
    }
}

#[test]
fn one_level_more_is_an_error() {
    for text in [
        nested(limits::NESTING + 1),
        nested(100 * limits::NESTING),
        "not ".repeat(limits::NESTING + 1) + "t.name = x",
        "(".repeat(1_000_000),
    ] {
        let errors = parse(&text).errors;
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].kind, Kind::TooLarge);
    }
}

#[test]
fn operands_have_a_bound_of_their_own() {
    let fits = limits::OPERAND_NESTING;
    let list = |levels: usize| format!("t.name in {}Sshd{}", "(".repeat(levels), ")".repeat(levels));
    assert!(build(&list(fits), &Named::default()).unwrap().matches(&mut Event));
    assert_eq!(parse(&list(fits + 1)).errors[0].kind, Kind::TooLarge);
    let call = |levels: usize| format!("{}t.name{} = sshd", "tolower(".repeat(levels), ")".repeat(levels));
    assert!(build(&call(fits), &Named::default()).unwrap().matches(&mut Event));
    assert_eq!(parse(&call(fits + 1)).errors[0].kind, Kind::TooLarge);
}

#[test]
fn macros_that_double_are_stopped() {
    let mut names = Named::default().with_macro("m0", "t.name = x and t.name = y");
    for i in 1..60 {
        names = names.with_macro(&format!("m{i}"), &format!("m{0} and m{0}", i - 1));
    }
    let errors = build("m59", &names).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind, Kind::TooLarge);
}

#[test]
fn macros_that_stack_up_are_stopped() {
    let mut names = Named::default().with_macro("m0", &nested(limits::NESTING - 1));
    for i in 1..10 {
        let text = format!("{}m{}{}", "(t.name = x or ".repeat(900), i - 1, ")".repeat(900));
        names = names.with_macro(&format!("m{i}"), &text);
    }
    assert_eq!(build("m9", &names).unwrap_err()[0].kind, Kind::TooLarge);
}

/// Skipping over a broken check looks at each byte a bounded number of times: else this does not come to an end in a
/// time that anyone waits for.
#[test]
fn skipping_over_mistakes_is_linear() {
    for junk in ["\"\\\"", "'\\'", "( \"", "a.b = (", "\"'", "x ", "a.b and ", ") ", "a.b[ ", "\\\""] {
        let text = format!("? \"{}", junk.repeat(60_000));
        assert!(!parse(&text).errors.is_empty());
    }
}
