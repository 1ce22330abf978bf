//! Output templates.

use detector_rule_lang::{Kind, Piece, Value, parse_template};

use crate::event::{Catalog, Event};

/// The pieces: literals as they are, fields as `{as_written|width|keys}`.
fn pieces(text: &str) -> String {
    let template = parse_template(text, &Catalog).unwrap();
    let show = |piece: &Piece<String>| match piece {
        Piece::Literal(text) => text.clone(),
        Piece::Field(f) => {
            let keys: Vec<_> = f.keys.iter().map(|key| key.key.as_str()).collect();
            format!(
                "{{{}|{}|{}}}",
                f.as_written,
                f.width.map_or(String::new(), |w| w.to_string()),
                keys.join(",")
            )
        }
    };
    template.pieces.iter().map(show).collect()
}

#[test]
fn fields_in_text() {
    for (text, expected) in [
        ("", ""),
        ("plain text", "plain text"),
        ("*plain", "plain"),
        ("**x", "*x"),
        ("%t.name", "{t.name||t.name}"),
        ("a=%t.name b=%t.arg[1])", "a={t.name||t.name} b={t.arg[1]||t.arg[1]})"),
        (
            "%t.name: %t.name. %t.name, (%t.name)",
            "{t.name||t.name}: {t.name||t.name}. {t.name||t.name}, ({t.name||t.name})",
        ),
        ("%t.name%t.path", "{t.name||t.name}{t.path||t.path}"),
        ("%t.arg['a b']", "{t.arg['a b']||t.arg[\"a b\"]}"),
        ("%<20>t.name|%5t.name|%05t.name", "{t.name|20|t.name}|{t.name|5|t.name}|{t.name|5|t.name}"),
        ("%tolower(t.name)!", "{tolower(t.name)||t.name}!"),
        ("%concat(t.name, \"%\", t.path)", "{concat(t.name, \"%\", t.path)||t.name,t.path}"),
        ("%<3>toupper(t.name)", "{toupper(t.name)|3|t.name}"),
        ("%other.x y", "{other.x||other.x} y"),
        ("%a.names %l.items", "{a.names||a.names} {l.items||l.items}"),
        ("größe %t.name ü", "größe {t.name||t.name} ü"),
        ("%t.name[", "{t.name||t.name}["),
        ("%t.name[]", "{t.name||t.name}[]"),
        ("%t.name [x]", "{t.name||t.name} [x]"),
    ] {
        assert_eq!(pieces(text), expected, "{text}");
    }
}

#[test]
fn mistakes_all_at_once() {
    for (text, expected) in [
        ("%", &[("%", "the output ends with `%`")][..]),
        ("50% of", &[("%", "no field follows `%`")]),
        ("100%%", &[("%", "no field follows `%`"), ("%", "the output ends with `%`")]),
        ("%name x", &[("%name", "no field follows `%`")]),
        ("%t.namex", &[("t.namex", "unknown field `t.namex` (did you mean `t.name`?)")]),
        ("%t.name.x", &[("t.name.x", "unknown field `t.name.x`")]),
        ("%t.arg", &[("t.arg", "needs an argument")]),
        ("%t.name[1]", &[("t.name[1]", "takes no argument")]),
        ("%frob(t.name)", &[("%frob", "no field follows `%`")]),
        ("%tolower(t.nam) %tolower(t.name", &[("t.nam", "did you mean `t.name`?"), ("(", "found the end")]),
        ("%len(n.signed)", &[("n.signed", "takes a text or a list")]),
        ("%tolower(t.fixed)", &[("t.fixed", "cannot be transformed")]),
        ("%<>t.name %<x>t.name %<5t.name", &[("<>", "written"), ("<", "written"), ("<5", "written")]),
        ("%99999t.name", &[("99999", "more than 4096")]),
        ("%99999999999999999999999t.name", &[("99999999999999999999999", "more than 4096")]),
        ("%5", &[("%5", "ends with")]),
        ("%\0 %ü", &[("%", "no field follows"), ("%", "no field follows")]),
    ] {
        let errors = parse_template(text, &Catalog).unwrap_err();
        let found: Vec<_> = errors.iter().map(|e| (&text[e.span.start..e.span.end], e.to_string())).collect();
        let fits = found.len() == expected.len()
            && found.iter().zip(expected).all(|(f, e)| f.0 == e.0 && f.1.contains(e.1));
        assert!(fits, "{text}\nexpected {expected:?}\nfound {found:?}");
        assert!(errors.iter().all(|e| e.kind != Kind::Suspicious));
    }
}

#[test]
fn values_come_from_the_input() {
    let template = parse_template("%toupper(t.name) %other.x %t.null %l.items", &Catalog).unwrap();
    let mut values = Vec::new();
    for piece in &template.pieces {
        if let Piece::Field(field) = piece {
            values.push(field.input.as_ref().and_then(|input| input.values(&mut Event)));
        }
    }
    let items = ["-c", "-x", "file"].map(Value::text).to_vec();
    assert_eq!(values, [Some(vec![Value::owned_text("SSHD")]), None, None, Some(items)]);
    let keys: Vec<_> = template.keys().map(|key| (key.key.as_str(), key.input.is_some())).collect();
    assert_eq!(keys, [("t.name", true), ("other.x", false), ("t.null", true), ("l.items", true)]);
}
