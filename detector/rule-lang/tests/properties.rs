//! What must hold for every text and every tree.

#[cfg(test)]
#[path = "language/event.rs"]
#[expect(dead_code, reason = "only the catalog and the event are needed here")]
mod event;

use detector_rule_lang::{
    Check, Expr, ExprKind, FieldRef, List, Literal, Modifier, NoNames, Operand, Operator, SourceId, Span,
    Transform, Transformer, Value, compile, did_you_mean, expand, parse, parse_list_item, parse_template,
};
use event::{Catalog, Event};
use proptest::prelude::*;

const NOWHERE: Span = Span { source: SourceId(0), start: 0, end: 0 };

fn literal(
    bytes: impl Strategy<Value = Vec<u8>> + Clone,
    bare: bool,
) -> impl Strategy<Value = Operand> + Clone {
    bytes.prop_map(move |bytes| Operand::Literal(Literal { bytes, bare, span: NOWHERE }))
}

/// Bare and quoted values; the quoted ones of any bytes but NUL.
fn value() -> impl Strategy<Value = Operand> + Clone {
    prop_oneof![
        literal("[a-zäß/*:<>.!\\\\-][a-z0-9äß/*:<>.!\\\\\\[\\]-]{0,8}".prop_map(String::into_bytes), true),
        literal(prop::collection::vec(1_u8..=255, 0..10), false),
    ]
}

fn number() -> impl Strategy<Value = Operand> + Clone {
    literal("-?[0-9]{1,20}|0x[0-9a-fA-F]{1,17}|[0-9]{1,3}\\.[0-9]".prop_map(String::into_bytes), true)
}

/// Fields of the test catalog, and unknown ones.
fn field() -> impl Strategy<Value = Operand> + Clone {
    let name = prop_oneof![
        4 => prop::sample::select(vec![
            "t.name", "t.same", "t.path", "t.empty", "t.null", "t.arg", "b.bytes", "n.signed", "n.unsigned", "n.null",
            "n.float", "f.yes", "a.names", "l.items", "l.null", "other.x",
        ])
        .prop_map(str::to_owned),
        1 => "[a-z][a-z0-9_]{0,4}(\\.[a-z][a-z0-9_]{0,4}){1,3}",
    ];
    (name, prop::option::weighted(0.2, "[a-z0-9 \"'\\[\\]ä\\\\]{1,5}"))
        .prop_map(|(name, argument)| Operand::Field(FieldRef { name, argument, span: NOWHERE }))
}

fn transformed(inner: impl Strategy<Value = Operand> + Clone) -> impl Strategy<Value = Operand> + Clone {
    let one = prop::sample::select(vec![
        Transformer::ToLower,
        Transformer::ToUpper,
        Transformer::Base64,
        Transformer::Basename,
        Transformer::Len,
    ]);
    let call = |function, arguments, index| {
        Operand::Transform(Transform { function, arguments, index, span: NOWHERE })
    };
    let quoted = literal(prop::collection::vec(1_u8..=255, 0..4), false);
    prop_oneof![
        (one, inner.clone()).prop_map(move |(function, argument)| call(function, vec![argument], None)),
        (inner.clone(), quoted.clone()).prop_map(move |(a, b)| call(Transformer::Concat, vec![a, b], None)),
        (quoted.clone(), inner.clone(), inner.clone()).prop_map(move |(separator, a, b)| {
            let list = Operand::List(List { items: vec![a, b], span: NOWHERE });
            call(Transformer::Join, vec![separator, list], None)
        }),
        (inner, quoted, "[a-z]").prop_map(move |(a, b, option)| call(
            Transformer::Getopt,
            vec![a, b],
            Some(option)
        )),
    ]
}

fn left() -> impl Strategy<Value = Operand> + Clone {
    field().prop_recursive(3, 6, 2, transformed)
}

fn right() -> impl Strategy<Value = Operand> + Clone {
    let val = field().prop_map(|field| {
        Operand::Transform(Transform {
            function: Transformer::Val,
            arguments: vec![field],
            index: None,
            span: NOWHERE,
        })
    });
    prop_oneof![val, transformed(field())]
}

fn list() -> impl Strategy<Value = Operand> + Clone {
    let of = |items| Operand::List(List { items, span: NOWHERE });
    prop::collection::vec(value(), 0..5).prop_map(of).prop_recursive(3, 12, 4, move |inner| {
        prop::collection::vec(prop_oneof![value(), inner], 0..4).prop_map(of)
    })
}

fn check() -> impl Strategy<Value = ExprKind> + Clone {
    let text_operators =
        Operator::ALL.into_iter().filter(|o| !is_order(*o) && !is_list(*o)).collect::<Vec<_>>();
    let orders = Operator::ALL.into_iter().filter(|o| is_order(*o)).collect::<Vec<_>>();
    let lists = Operator::ALL.into_iter().filter(|o| is_list(*o)).collect::<Vec<_>>();
    let text_operator = prop::sample::select(text_operators);
    let build = |left, operator, modifier, right| {
        ExprKind::Check(Box::new(Check { left, operator, modifier, right }))
    };
    prop_oneof![
        (left(), text_operator.clone(), prop_oneof![value(), number(), right()])
            .prop_map(move |(l, o, r)| build(l, o, None, r)),
        (left(), prop::sample::select(orders), prop_oneof![number(), right()])
            .prop_map(move |(l, o, r)| build(l, o, None, r)),
        (left(), prop::sample::select(lists), prop_oneof![list(), right()])
            .prop_map(move |(l, o, r)| build(l, o, None, r)),
        (left(), text_operator, prop::sample::select(Modifier::ALL.to_vec()), list())
            .prop_map(move |(l, o, m, r)| build(l, o, Some(m), r)),
        left().prop_map(ExprKind::Exists),
    ]
}

fn is_order(operator: Operator) -> bool {
    matches!(operator, Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual)
}

fn is_list(operator: Operator) -> bool {
    matches!(operator, Operator::In | Operator::Intersects | Operator::Pmatch)
}

fn tree() -> impl Strategy<Value = Expr> + Clone {
    let leaf = prop_oneof![
        4 => check(),
        1 => "m_[a-z0-9_]{0,6}".prop_map(ExprKind::Macro),
    ]
    .prop_map(|kind| Expr { kind, span: NOWHERE });
    leaf.prop_recursive(4, 24, 4, |inner| {
        let some = prop::collection::vec(inner.clone(), 2..5);
        prop_oneof![
            some.clone().prop_map(ExprKind::And),
            some.prop_map(ExprKind::Or),
            inner.prop_map(|inner| ExprKind::Not(Box::new(inner))),
        ]
        .prop_map(|kind| Expr { kind, span: NOWHERE })
    })
}

/// Pieces of the language in any order: finds more than random letters do.
fn soup() -> impl Strategy<Value = String> + Clone {
    let piece = prop::sample::select(vec![
        "and",
        "or",
        "not",
        "(",
        ")",
        "[",
        "]",
        ",",
        "=",
        "!=",
        "<",
        ">=",
        "\"",
        "'",
        "\\",
        "\\x4",
        "in",
        "exists",
        "glob",
        "contains",
        "pmatch",
        "regex",
        "anyof",
        "allof",
        "tolower(",
        "val(",
        "concat(",
        "join(",
        "getopt(",
        "t.name",
        "l.items",
        "n.signed",
        "a.b",
        "m",
        "x",
        "1",
        "0x",
        "-",
        "*",
        "%",
        "%t.name",
        "%<5>",
        "\0",
        "ä",
        "\u{1f980}",
        "\n",
        "((",
        "\"q\"",
    ]);
    prop::collection::vec((piece, prop::bool::weighted(0.7)), 0..24).prop_map(|pieces| {
        pieces.into_iter().flat_map(|(piece, blank)| [piece, if blank { " " } else { "" }]).collect()
    })
}

/// Every stage that accepts the text; spans lie in the text and on its characters.
fn survives(text: &str) {
    let parsed = parse(text);
    assert_eq!(parsed.expr.is_none(), !parsed.errors.is_empty(), "a tree exactly when there is no error");
    for error in &parsed.errors {
        assert!(text.get(error.span.start..error.span.end).is_some(), "{:?}", error.span);
        assert!(!error.message.is_empty());
    }
    if let Some(expr) = parsed.expr {
        let printed = expr.to_string();
        assert_eq!(
            parse(&printed).expr.map(Expr::without_spans),
            Some(expr.clone().without_spans()),
            "{printed}"
        );
        if let Ok(expr) = expand(&expr, &NoNames) {
            runs(&expr);
        }
    }
    for error in parse_template(text, &Catalog).err().into_iter().flatten() {
        assert!(text.get(error.span.start..error.span.end).is_some(), "{:?}", error.span);
    }
    for error in parse_list_item(text, SourceId(0)).err().into_iter().flatten() {
        assert!(text.get(error.span.start..error.span.end).is_some(), "{:?}", error.span);
    }
}

/// Compiles or explains why not; evaluation and explanation agree; allowed values are sound.
fn runs(expr: &Expr) {
    match compile(expr, &Catalog) {
        Err(errors) => assert!(!errors.is_empty()),
        Ok(program) => {
            let matches = program.matches(&mut Event);
            assert_eq!(program.explain(&mut Event).holds, matches, "{expr}");
            assert!(program.constant().is_none_or(|constant| constant == matches), "{expr}");
            let allowed = program.values_allowed(|field| field == "t.name", &[Value::text("Sshd")]);
            assert!(allowed[0] || !matches, "{expr}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn a_printed_tree_parses_to_the_same_tree(expr in tree()) {
        let printed = expr.to_string();
        let parsed = parse(&printed);
        prop_assert_eq!(&parsed.errors, &[], "{}", printed);
        prop_assert_eq!(parsed.expr.unwrap().without_spans(), expr, "{}", printed);
    }

    #[test]
    fn compiling_a_tree_never_panics(expr in tree()) {
        let _ = compile(&expr, &Catalog);
        runs(&expr);
    }

    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_soup_of_the_language_is_survived(text in soup()) {
        survives(&text);
    }

    #[test]
    fn a_suggestion_is_one_of_the_known(wrong in any::<String>(), known in prop::collection::vec("[a-z.]{0,8}", 0..8)) {
        let suggestion = did_you_mean(&wrong, known.iter().map(String::as_str));
        prop_assert!(suggestion.is_none_or(|name| known.iter().any(|k| k == name)));
    }
}
