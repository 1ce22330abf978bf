//! Reads which rooms and which watched crates a Rust file names. It works on tokens, not on lines: comments,
//! strings and attributes cannot be mistaken for code, and `use crate::{a, b::C}` is read as a and b.
use anyhow::{Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Something outside its own room that a file names.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reference {
    /// 1-based.
    pub(super) line: usize,
    pub(super) to: Named,
}

/// What is named.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Named {
    /// `crate::NAME`, or the same through `super`.
    Room(String),
    /// `crate::*` or `use crate as other`: every room at once.
    AllRooms,
    /// A crate of the watch list.
    Crate(String),
}

/// What a file names, and which of its modules are for tests only.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) references: Vec<Reference>,
    /// `#[cfg(test)] mod NAME;`: the file of that module is exempt.
    pub(super) test_modules: Vec<String>,
}

/// Reads `source`, the file of a module `depth` levels below the crate root (`kernel/load.rs` is 2). Items under
/// `#[cfg(test)]` are left out.
pub(super) fn read(source: &str, depth: usize, watched: &[&str]) -> Result<Names> {
    let tokens: TokenStream = source.parse().map_err(|error| anyhow!("cannot be read as Rust: {error}"))?;
    let mut reader = Reader { watched, names: Names::default() };
    let tokens: Vec<_> = tokens.into_iter().collect();
    if !is_test_file(&tokens) {
        reader.walk(&tokens, depth);
    }
    let mut names = reader.names;
    names.references.sort();
    names.references.dedup();
    Ok(names)
}

struct Reader<'a> {
    watched: &'a [&'a str],
    names: Names,
}

impl Reader<'_> {
    fn walk(&mut self, tokens: &[TokenTree], depth: usize) {
        let mut at = 0;
        while at < tokens.len() {
            if is_punct(tokens.get(at), '#') && is_cfg_test(tokens.get(at + 1)) {
                at = self.skip_item(tokens, at + 2);
                continue;
            }
            match &tokens[at] {
                TokenTree::Ident(word) if word == "crate" && is_path(tokens, at + 1) => {
                    self.rooms(tokens, at + 3);
                }
                // `use crate as other` hides the rooms behind another name. (`pub(crate)` stands alone.)
                TokenTree::Ident(word) if word == "crate" && is_word(tokens.get(at + 1), "as") => {
                    self.add(tokens, at, Named::AllRooms);
                }
                TokenTree::Ident(word) if word == "super" && is_path(tokens, at + 1) => {
                    let mut levels = 1;
                    while is_word(tokens.get(at + 3), "super") && is_path(tokens, at + 4) {
                        levels += 1;
                        at += 3;
                    }
                    if levels >= depth {
                        self.rooms(tokens, at + 3);
                    }
                }
                TokenTree::Ident(word) if self.is_watched(tokens, at) => {
                    self.add(tokens, at, Named::Crate(word.to_string()));
                }
                TokenTree::Group(group) => {
                    let is_module = at >= 2 && is_word(tokens.get(at - 2), "mod");
                    let inside: Vec<_> = group.stream().into_iter().collect();
                    self.walk(&inside, depth + usize::from(is_module));
                }
                _ => {}
            }
            at += 1;
        }
    }

    /// Reads what follows `crate::`: one name, a list in braces, or a star.
    fn rooms(&mut self, tokens: &[TokenTree], at: usize) {
        match tokens.get(at) {
            Some(TokenTree::Ident(room)) => self.add(tokens, at, Named::Room(room.to_string())),
            Some(TokenTree::Punct(star)) if star.as_char() == '*' => self.add(tokens, at, Named::AllRooms),
            Some(TokenTree::Group(list)) => {
                let list: Vec<_> = list.stream().into_iter().collect();
                for entry in list.split(|token| is_punct(Some(token), ',')).filter(|entry| !entry.is_empty())
                {
                    self.rooms(entry, 0);
                }
            }
            _ => {}
        }
    }

    /// A watched crate is named at the start of a path, or alone after `use` or `extern crate`.
    fn is_watched(&self, tokens: &[TokenTree], at: usize) -> bool {
        let TokenTree::Ident(word) = &tokens[at] else { return false };
        if !self.watched.iter().any(|watched| word == watched) {
            return false;
        }
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let inside_path = is_punct(before, ':') && at >= 3 && is_path_part(&tokens[at - 3]);
        let alone = is_word(before, "use") || is_word(before, "crate");
        !inside_path && (alone || is_path(tokens, at + 1))
    }

    /// Steps over one item after `#[cfg(test)]`; returns the index behind it.
    fn skip_item(&mut self, tokens: &[TokenTree], mut at: usize) -> usize {
        while is_punct(tokens.get(at), '#') {
            at += 2;
        }
        let start = at;
        while let Some(token) = tokens.get(at) {
            at += 1;
            let ends = match token {
                TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
                other => is_punct(Some(other), ';'),
            };
            if ends {
                break;
            }
        }
        if at >= start + 3
            && is_punct(tokens.get(at - 1), ';')
            && is_word(tokens.get(at - 3), "mod")
            && let TokenTree::Ident(name) = &tokens[at - 2]
        {
            self.names.test_modules.push(name.to_string());
        }
        at
    }

    fn add(&mut self, tokens: &[TokenTree], at: usize, to: Named) {
        self.names.references.push(Reference { line: tokens[at].span().start().line, to });
    }
}

/// `#![cfg(test)]` among the inner attributes on top.
fn is_test_file(tokens: &[TokenTree]) -> bool {
    tokens.windows(3).any(|t| is_punct(t.first(), '#') && is_punct(t.get(1), '!') && is_cfg_test(t.get(2)))
}

/// `[cfg(test)]`, also `[cfg(all(test, ...))]`; not `[cfg(not(test))]`.
fn is_cfg_test(token: Option<&TokenTree>) -> bool {
    let Some(TokenTree::Group(attribute)) = token else { return false };
    let text: String = attribute.stream().to_string().split_whitespace().collect();
    text == "cfg(test)" || text.starts_with("cfg(all(test,")
}

/// A name before `::`; after a keyword, `::` opens a path instead (`use ::aya`, `dyn ::aya::T`).
fn is_path_part(token: &TokenTree) -> bool {
    const KEYWORDS: [&str; 7] = ["as", "dyn", "impl", "in", "mut", "return", "use"];
    matches!(token, TokenTree::Ident(ident) if !KEYWORDS.iter().any(|keyword| ident == keyword))
}

fn is_path(tokens: &[TokenTree], at: usize) -> bool {
    is_punct(tokens.get(at), ':') && is_punct(tokens.get(at + 1), ':')
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(source: &str, depth: usize) -> Vec<String> {
        let names = read(source, depth, &["aya", "detector_common"]).unwrap();
        let text = |reference: Reference| match reference.to {
            Named::Room(room) => format!("{}:{room}", reference.line),
            Named::AllRooms => format!("{}:*", reference.line),
            Named::Crate(name) => format!("{}:[{name}]", reference.line),
        };
        names.references.into_iter().map(text).collect()
    }

    #[test]
    fn every_form_of_a_path_is_seen() {
        assert_eq!(named("use crate::kernel::Ring;", 1), ["1:kernel"]);
        assert_eq!(
            named("use crate::{event::{A, B}, alert};\nfn f() { crate::rules::go() }", 1),
            ["1:alert", "1:event", "2:rules"]
        );
        assert_eq!(
            named("fn f(x: &[crate::event::E]) { select! { _ = crate::output::go() => {} } }", 1),
            ["1:event", "1:output"]
        );
        assert_eq!(named("use crate::*;\nuse crate as all;", 1), ["1:*", "2:*"]);
        assert_eq!(named("pub(crate) fn f() {}\npub(in crate::kernel) fn g() {}", 1), ["2:kernel"]);
    }

    #[test]
    fn super_counts_the_levels() {
        assert_eq!(named("use super::super::decode::D;", 2), ["1:decode"]);
        assert!(named("use super::ring::Ring;", 2).is_empty());
        assert_eq!(named("mod inner { use super::super::decode::D; }", 1), ["1:decode"]);
        assert!(named("mod inner { use super::Own; }", 1).is_empty());
    }

    #[test]
    fn watched_crates_are_seen_where_a_path_starts() {
        assert_eq!(named("use aya::Ebpf;", 1), ["1:[aya]"]);
        assert_eq!(
            named("use ::aya::Ebpf;\nextern crate detector_common;\nuse aya as other;", 1),
            ["1:[aya]", "2:[detector_common]", "3:[aya]"]
        );
        assert!(named("use crate::kernel::aya::X;", 1) == ["1:kernel"]);
        assert!(named("let aya = 1; f(aya);", 1).is_empty());
    }

    #[test]
    fn comments_strings_and_tests_do_not_count() {
        let source = "//! crate::kernel\n// use crate::kernel;\nconst S: &str = \"crate::kernel::x\";\n/* aya::Ebpf */";
        assert!(named(source, 1).is_empty());
        let tests =
            "#[cfg(test)]\n#[path = \"x.rs\"]\nmod tests { use crate::kernel::X; }\nuse crate::event::E;";
        assert_eq!(named(tests, 1), ["4:event"]);
        assert!(named("#![cfg(test)]\nuse crate::kernel::X;", 1).is_empty());
        assert_eq!(named("#[cfg(not(test))]\nuse crate::kernel::X;", 1), ["2:kernel"]);
    }

    #[test]
    fn a_test_module_in_its_own_file_is_reported() {
        let names = read("#[cfg(test)]\nmod cases;\nmod real;", 1, &[]).unwrap();
        assert_eq!(names.test_modules, ["cases"]);
    }

    #[test]
    fn what_is_no_rust_is_an_error() {
        assert!(read("fn f( {", 1, &[]).is_err());
    }
}
