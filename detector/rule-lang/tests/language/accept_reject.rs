//! Texts that are conditions, as the tree they mean, and texts that are not, with all that is wrong with them.

use detector_rule_lang::{Kind, parse};

/// Accepted, and printed in the plain form on the right; the plain form parses to the same tree.
#[test]
fn accepted() {
    for (text, plain) in [
        // Precedence.
        ("a or b and c", "a or b and c"),
        ("(a or b) and c", "(a or b) and c"),
        ("a and b or c and d or e", "a and b or c and d or e"),
        ("not a and b", "not a and b"),
        ("not (a and b)", "not (a and b)"),
        ("not not a", "not not a"),
        ("not(a)or(b)and(c)", "not a or b and c"),
        ("not(not(a or b))", "not not (a or b)"),
        ("a and (b and c)", "a and (b and c)"),
        ("a or (b or c)", "a or (b or c)"),
        ("((((a))))", "a"),
        (" \t\r\n a \n and \t b \n", "a and b"),
        ("(a)and(b)", "a and b"),
        // Words that only look like keywords.
        ("android or order and nothing", "android or order and nothing"),
        (
            "proc.name = and and proc.name = or or proc.name = not",
            "proc.name = and and proc.name = or or proc.name = not",
        ),
        ("proc.name in (and, or, not, exists, in)", "proc.name in (and, or, not, exists, in)"),
        ("exists", "exists"),
        // Fields.
        ("proc.aname[2] = x", "proc.aname[2] = x"),
        ("proc.env[\"A B\"] exists", "proc.env[\"A B\"] exists"),
        ("proc.env['A'] exists", "proc.env[A] exists"),
        ("proc.env['a]b'] exists", "proc.env[\"a]b\"] exists"),
        ("k8s.ns.name exists", "k8s.ns.name exists"),
        ("a.b_c1.d exists", "a.b_c1.d exists"),
        ("proc.args[*=,()] exists", "proc.args[*=,()] exists"),
        // Operators, with and without blanks.
        ("a.b=x", "a.b = x"),
        ("a.b==x", "a.b = x"),
        ("a.b!=x", "a.b != x"),
        ("a.b<1 and a.b<=1 and a.b>1 and a.b>=1", "a.b < 1 and a.b <= 1 and a.b > 1 and a.b >= 1"),
        ("a.b >= -1 or a.b < 0x1F or a.b > 1.5e+3", "a.b >= -1 or a.b < 0x1F or a.b > 1.5e+3"),
        ("a.b contains x", "a.b contains x"),
        ("a.b icontains x", "a.b icontains x"),
        ("a.b startswith /tmp/", "a.b startswith /tmp/"),
        ("a.b endswith .so", "a.b endswith .so"),
        ("a.b bcontains cafe and a.b bstartswith CAFE", "a.b bcontains cafe and a.b bstartswith CAFE"),
        ("a.b glob /etc/*[0-9]? or a.b iglob *", "a.b glob /etc/*[0-9]? or a.b iglob *"),
        ("a.b regex ^a.*$", "a.b regex ^a.*$"),
        ("a.b regex '(a|b)'", "a.b regex \"(a|b)\""),
        ("a.b in ()", "a.b in ()"),
        ("a.b in(x,y)", "a.b in (x, y)"),
        ("a.b in ( x , (y, (z)) )", "a.b in (x, (y, (z)))"),
        ("a.b in some_list", "a.b in some_list"),
        ("a.b in some-list", "a.b in some-list"),
        ("a.b intersects (x) and a.b pmatch (/var/run)", "a.b intersects (x) and a.b pmatch (/var/run)"),
        ("a.b startswith anyof (/a, /b)", "a.b startswith anyof (/a, /b)"),
        ("a.b = oneof(x) or a.b contains allof list", "a.b = oneof (x) or a.b contains allof list"),
        ("a.b = anyof", "a.b = anyof"),
        ("a.b = anyof and c", "a.b = anyof and c"),
        ("(a.b = anyof)", "a.b = anyof"),
        ("a.b exists and(c)", "a.b exists and c"),
        // Values.
        ("a.b = runc:[0:PARENT]", "a.b = runc:[0:PARENT]"),
        ("a.b = <NA>", "a.b = <NA>"),
        ("a.b = \"<NA>\"", "a.b = \"<NA>\""),
        ("a.b = \"\"", "a.b = \"\""),
        ("a.b = -c", "a.b = -c"),
        ("a.b = 'it is \"x\"'", "a.b = \"it is \\\"x\\\"\""),
        ("a.b = a\\b", "a.b = a\\b"),
        (r#"a.b = "\b\f\n\r\t\\\/\"\x41\xff""#, r#"a.b = "\b\f\n\r\t\\/\"A\xff""#),
        (r"a.b = '\''", "a.b = \"'\""),
        (r#"a.b = "a\ b""#, r#"a.b = "a\\b""#),
        ("a.b = \"two\nlines\"", "a.b = \"two\\nlines\""),
        ("a.b = größe", "a.b = größe"),
        ("a.b = \"größe x\"", "a.b = \"größe x\""),
        ("a.b = proc.name", "a.b = proc.name"),
        ("a.b = x!y<z>", "a.b = x!y<z>"),
        // Transformers.
        ("tolower(a.b) = x", "tolower(a.b) = x"),
        ("tolower( a.b ) = x", "tolower(a.b) = x"),
        ("basename(tolower(a.b[1])) exists", "basename(tolower(a.b[1])) exists"),
        ("len(a.b) > 3", "len(a.b) > 3"),
        ("a.b = val(c.d)", "a.b = val(c.d)"),
        ("a.b > val(c.d)", "a.b > val(c.d)"),
        ("a.b in val(c.d)", "a.b in val(c.d)"),
        ("a.b = tolower(\"X Y\")", "a.b = tolower(\"X Y\")"),
        ("a.b = tolower(/usr/bin/X)", "a.b = tolower(/usr/bin/X)"),
        ("a.b contains concat(c.d, \"/\", e.f)", "a.b contains concat(c.d, \"/\", e.f)"),
        ("join(\",\", (a.b, c.d)) = x", "join(\",\", (a.b, c.d)) = x"),
        ("getopt(a.b, \"c:\")[c] = x", "getopt(a.b, \"c:\")[c] = x"),
        ("concat(a.b, a.b/c) = x", "concat(a.b, a.b/c) = x"),
        ("concat(a.b, \"a.b\") = x", "concat(a.b, \"a.b\") = x"),
    ] {
        let parsed = parse(text);
        assert_eq!(parsed.errors, [], "{text}");
        let expr = parsed.expr.unwrap();
        assert_eq!(expr.to_string(), plain, "{text}");
        let again = parse(plain).expr.unwrap_or_else(|| panic!("{plain}"));
        assert_eq!(again.without_spans(), expr.without_spans(), "{text}");
    }
}

/// Refused: each mistake as the marked text and a part of its words.
#[test]
fn rejected() {
    type Case<'c> = (&'c str, &'c [(&'c str, &'c str)]);
    let cases: &[Case<'_>] = &[
        ("", &[("", "the condition is empty")]),
        (" \n ", &[("", "the condition is empty")]),
        ("()", &[(")", "expected a condition, found `)`")]),
        ("(a", &[("(", "a parenthesis is not closed")]),
        ("a)", &[(")", "a closing parenthesis too many")]),
        ("((a) and (b", &[("(", "a parenthesis is not closed"), ("(", "a parenthesis is not closed")]),
        ("a and", &[("", "expected a condition, found the end")]),
        ("and a", &[("and", "expected a condition, found `and`")]),
        ("a and or b", &[("or", "expected a condition, found `or`")]),
        ("not", &[("", "expected a condition, found the end")]),
        ("a not b", &[("not", "`and` or `or` must stand before `not`")]),
        ("a AND b", &[("AND", "keywords are lower case: `and`")]),
        ("a && b", &[("&&", "written `and`")]),
        ("a || b", &[("||", "written `or`")]),
        ("!a", &[("!a", "negation is written `not`")]),
        ("a b", &[("b", "expected `and`, `or` or the end, found `b`")]),
        ("a-b", &[("-b", "expected `and`, `or` or the end, found `-b`")]),
        ("name = x", &[("name", "`name` is not a field")]),
        ("name in (x)", &[("name", "`name` is not a field")]),
        ("name exists", &[("name", "`name` is not a field")]),
        ("1.b = x", &[("1.b", "expected a field, a macro or `(`")]),
        ("\"x\" = a.b", &[("\"", "the field stands on the left")]),
        (".b = x", &[(".b", "expected a field")]),
        ("a.b", &[("", "expected an operator after `a.b`, found the end")]),
        ("a.b. = x", &[(".", "expected an operator after `a.b`")]),
        ("a.b and c", &[("and", "a field alone is no condition")]),
        ("a.b = ", &[("", "expected a value after `=`, found the end")]),
        ("a.b = = x", &[("=", "expected a value after `=`, found `=`")]),
        ("a.b =~ x", &[("x", "expected `and`, `or` or the end")]),
        ("a.b = ,", &[(",", "expected a value after `=`")]),
        ("a.b = a=b", &[("=", "needs quotes around all of it")]),
        ("a.b = foo bar", &[("bar", "a value with blanks")]),
        ("a.b equals x", &[("equals", "expected an operator after `a.b`")]),
        ("a.b contain x", &[("contain", "did you mean `contains`?")]),
        ("a.b CONTAINS x", &[("CONTAINS", "did you mean `contains`?")]),
        ("a.b startswith (x, y)", &[("(", "use `startswith anyof (...)`")]),
        ("a.b = (x)", &[("(", "use `in`")]),
        ("a.b != (x)", &[("(", "use `not ... in`")]),
        ("a.b > \"1\"", &[("\"1\"", "`>` needs a number")]),
        ("a.b > -", &[("-", "`>` needs a number")]),
        ("a.b > 1x", &[("1x", "`>` needs a number")]),
        ("a.b >= (1)", &[("(", "compare with one number")]),
        ("a.b in \"x\"", &[("\"x\"", "put it in parentheses: `(\"x\")`")]),
        ("a.b in", &[("", "expected a list after `in`")]),
        ("a.b in (x y)", &[("y", "expected `,` or `)`, found `y`")]),
        ("a.b in (x,)", &[(")", "expected a value, found `)`")]),
        ("a.b in (,x)", &[(",", "expected a value, found `,`")]),
        ("a.b in (x", &[("(", "expected `,` or `)`, found the end")]),
        ("a.b in (val(c.d))", &[("(", "expected `,` or `)`, found `(`")]),
        ("a.b[ = x", &[("[", "nothing stands in the brackets")]),
        ("a.b[] = x", &[("[", "nothing stands in the brackets")]),
        ("a.b['x = y", &[("'x = y", "a quoted string does not end")]),
        ("a.b[x y] = z", &[(" ", "expected `]`")]),
        ("a.b['\\xff'] exists", &[("'\\xff'", "must be UTF-8")]),
        ("a.b = \"x", &[("\"x", "a quoted string does not end")]),
        ("a.b = 'x\"", &[("'x\"", "a quoted string does not end")]),
        (r#"a.b = "\q""#, &[(r"\q", "unknown escape `\\q`")]),
        (r#"a.b = "\'""#, &[(r"\'", "unknown escape")]),
        (r#"a.b = "\x4""#, &[(r"\x4", "two hexadecimal digits")]),
        (r#"a.b = "\x00""#, &[(r"\x00", "NUL")]),
        ("a.b = \"\0\"", &[("\0", "NUL")]),
        ("a.b = x\0y", &[("\0", "expected `and`, `or` or the end")]),
        (r#"a.b = "\ü""#, &[(r"\ü", "unknown escape")]),
        ("tolowr(a.b) = x", &[("tolowr", "did you mean `tolower()`?")]),
        ("frob(a.b) = x", &[("frob", "the transformers are")]),
        ("a.b = frob(x)", &[("frob", "unknown transformer `frob()`")]),
        ("tolower() = x", &[("tolower()", "takes 1 argument")]),
        ("tolower(a.b, c.d) = x", &[("tolower(a.b, c.d)", "takes 1 argument")]),
        ("join(a.b) = x", &[("join(a.b)", "takes 2 arguments")]),
        ("tolower(\"x\") = x", &[("tolower(\"x\")", "the left side names no field")]),
        ("val(a.b) = x", &[("val(a.b)", "belongs on the right side")]),
        ("a.b = val(x)", &[("x", "`val()` takes a field")]),
        ("a.b = val(tolower(c.d))", &[("tolower(c.d)", "`val()` takes a field")]),
        ("tolower(a.b = x", &[("=", "expected `,` or `)`")]),
        ("tolower (a.b) = x", &[("(", "expected `and`, `or` or the end")]),
        ("ä.b = x", &[("ä.b", "expected a field")]),
        // All in one go.
        (
            "a.b = \"\\q\" and name = x or (a.c in (x y) and not a.d > z\") or e.f startwith /x",
            &[
                (r"\q", "unknown escape"),
                ("name", "is not a field"),
                ("y", "expected `,` or `)`"),
                ("\"", "expected `and`, `or` or the end"),
                ("startwith", "did you mean `startswith`?"),
            ],
        ),
        (
            "a.b contain x and b.c in (x y) or foo bar and ()",
            &[
                ("contain", "did you mean `contains`?"),
                ("y", "expected `,` or `)`"),
                ("bar", "expected `and`, `or` or the end"),
                (")", "expected a condition"),
            ],
        ),
    ];
    for (text, expected) in cases {
        let parsed = parse(text);
        let found: Vec<(&str, String)> =
            parsed.errors.iter().map(|e| (&text[e.span.start..e.span.end], e.to_string())).collect();
        let fits = |(f, e): (&(&str, String), &(&str, &str))| f.0 == e.0 && f.1.contains(e.1);
        let all_fit = found.len() == expected.len() && found.iter().zip(*expected).all(fits);
        assert!(all_fit, "{text:?}\nexpected {expected:#?}\nfound {found:#?}");
        assert_eq!(parsed.expr, None, "{text}");
        assert!(parsed.errors.iter().all(|e| e.kind == Kind::Syntax), "{text}");
        assert!(parsed.errors.is_sorted_by_key(|e| e.span.start), "{text}");
    }
}
