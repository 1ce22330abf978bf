//! YAML to a tree that knows where each key and each scalar stands. Bounded: by bytes, by depth, and by how much
//! aliases may multiply.

mod padding;

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use padding::Padding;

/// Collections inside collections. A rule file needs six.
const MAX_DEPTH: usize = 32;
/// Nodes of one file, those that aliases repeat counted each time.
const MAX_NODES: usize = 1 << 20;
/// Bytes of text that aliases may repeat.
const MAX_REPEATED_BYTES: usize = 16 << 20;

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it is.
    pub value: Value,
    /// First byte in the file.
    pub start: usize,
    /// Byte behind the last one.
    pub end: usize,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, `~` or `null`.
    Null,
    /// Text, numbers and truth values too: what they mean depends on the key.
    Scalar(String, ScalarStyle),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys with values, in the order of the file.
    Mapping(Vec<(Node, Node)>),
}

/// Why a file is not YAML that we read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// The syntax.
    #[error("not valid YAML: {0}")]
    Syntax(String),
    /// Deeper than [`MAX_DEPTH`].
    #[error("collections are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// More than [`MAX_NODES`], or more repetition than [`MAX_REPEATED_BYTES`].
    #[error("more than {MAX_NODES} values, those that aliases repeat included")]
    TooMany,
    /// An alias inside the value that it names.
    #[error("an alias stands inside the very value that it repeats")]
    RecursiveAlias,
}

/// Bytes that may be parsed again because lines had to be moved.
const MAX_REPEATED_PARSING: usize = 256 << 20;

/// The documents of `text` that could be read, and the error behind them with its byte offset.
#[must_use]
pub fn read(text: &str) -> (Vec<Node>, Option<(YamlError, usize)>) {
    let mut padding = Padding::default();
    let mut parsed = 0;
    loop {
        let moved = padding.apply(text);
        let mut builder = Builder::new(&moved, &padding);
        let error = builder.run(&mut Parser::new_from_str(&moved)).err();
        let documents = builder.documents;
        parsed += moved.len();
        match error {
            Some(Failure { too_far_left: Some(line), .. })
                if parsed <= MAX_REPEATED_PARSING && padding.add(text, line) => {}
            error => return (documents, error.map(|failure| (failure.error, failure.at))),
        }
    }
}

/// Where reading stopped.
struct Failure {
    error: YamlError,
    /// Byte of the text.
    at: usize,
    /// The line (from 0), if all that is wrong is that it stands too far left.
    too_far_left: Option<usize>,
}

/// A collection whose end has not come yet.
struct Open {
    start: usize,
    anchor: usize,
    mapping: bool,
    children: Vec<Node>,
}

struct Builder<'p> {
    bytes: ByteOffsets,
    padding: &'p Padding,
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    repeated_bytes: usize,
}

impl<'p> Builder<'p> {
    fn new(text: &str, padding: &'p Padding) -> Self {
        Self {
            bytes: ByteOffsets::new(text),
            padding,
            documents: Vec::new(),
            open: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            repeated_bytes: 0,
        }
    }

    fn run<'t>(&mut self, parser: &mut Parser<'t, StrInput<'t>>) -> Result<(), Failure> {
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| Failure {
                at: self.offset(error.marker().index()),
                // The scanner says so only of lines inside of brackets.
                too_far_left: ["invalid indentation", "invalid indentation in flow construct"]
                    .contains(&error.info())
                    .then(|| error.marker().line().saturating_sub(1)),
                error: YamlError::Syntax(error.info().to_owned()),
            })?;
            let start = self.offset(span.start.index());
            let end = self.offset(span.end.index());
            self.take(event, start, end).map_err(|error| Failure { error, at: start, too_far_left: None })?;
        }
        Ok(())
    }

    fn offset(&self, character: usize) -> usize {
        self.padding.original(self.bytes.of(character))
    }

    fn take(&mut self, event: Event<'_>, start: usize, end: usize) -> Result<(), YamlError> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
            // Anchors end with their document.
            Event::DocumentEnd => self.anchors.clear(),
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).ok_or(YamlError::RecursiveAlias)?;
                let (nodes, text) = size(node);
                self.nodes += nodes;
                self.repeated_bytes += text;
                if self.nodes > MAX_NODES || self.repeated_bytes > MAX_REPEATED_BYTES {
                    return Err(YamlError::TooMany);
                }
                let node = node.clone();
                self.put(node, 0)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let null = style == ScalarStyle::Plain
                    && tag.is_none()
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if null { Value::Null } else { Value::Scalar(text.into_owned(), style) };
                self.put(Node { value, start, end }, anchor)?;
            }
            Event::SequenceStart(anchor, _) => self.begin(start, anchor, false)?,
            Event::MappingStart(anchor, _) => self.begin(start, anchor, true)?,
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(Open { start, anchor, mapping, children }) = self.open.pop() else { return Ok(()) };
                let value = if mapping { Value::Mapping(pairs(children)) } else { Value::Sequence(children) };
                self.put(Node { value, start, end }, anchor)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, start: usize, anchor: usize, mapping: bool) -> Result<(), YamlError> {
        if self.open.len() == MAX_DEPTH {
            return Err(YamlError::TooDeep);
        }
        self.open.push(Open { start, anchor, mapping, children: Vec::new() });
        Ok(())
    }

    fn put(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(YamlError::TooMany);
        }
        if anchor != 0 {
            self.repeated_bytes += size(&node).1;
            if self.repeated_bytes > MAX_REPEATED_BYTES {
                return Err(YamlError::TooMany);
            }
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.documents.push(node),
        }
        Ok(())
    }
}

fn pairs(children: Vec<Node>) -> Vec<(Node, Node)> {
    let mut pairs = Vec::with_capacity(children.len() / 2);
    let mut children = children.into_iter();
    while let (Some(key), Some(value)) = (children.next(), children.next()) {
        pairs.push((key, value));
    }
    pairs
}

/// How many nodes a node is, and how many bytes of text they hold. Depth is bounded by [`MAX_DEPTH`] for each
/// document, and by the bound on nodes for what aliases build.
fn size(node: &Node) -> (usize, usize) {
    let add = |(nodes, text): (usize, usize), (more, bytes): (usize, usize)| (nodes + more, text + bytes);
    match &node.value {
        Value::Null => (1, 0),
        Value::Scalar(text, _) => (1, text.len()),
        Value::Sequence(items) => items.iter().map(size).fold((1, 0), add),
        Value::Mapping(pairs) => {
            pairs.iter().map(|(key, value)| add(size(key), size(value))).fold((1, 0), add)
        }
    }
}

/// From character numbers, which the parser counts, to bytes.
struct ByteOffsets {
    text_len: usize,
    /// Byte offset of every `EVERY`th character; empty when the text is ASCII.
    marks: Vec<usize>,
    /// Length in bytes of each character; empty when the text is ASCII.
    lengths: Vec<u8>,
}

impl ByteOffsets {
    const EVERY: usize = 256;

    fn new(text: &str) -> Self {
        if text.is_ascii() {
            return Self { text_len: text.len(), marks: Vec::new(), lengths: Vec::new() };
        }
        let marks = text.char_indices().step_by(Self::EVERY).map(|(at, _)| at).collect();
        // A character has 1 to 4 bytes.
        let lengths = text.chars().map(|character| u8::try_from(character.len_utf8()).unwrap_or(4)).collect();
        Self { text_len: text.len(), marks, lengths }
    }

    fn of(&self, character: usize) -> usize {
        if self.lengths.is_empty() {
            return character.min(self.text_len);
        }
        if character >= self.lengths.len() {
            return self.text_len;
        }
        let mark = character / Self::EVERY;
        let behind = &self.lengths[mark * Self::EVERY..character];
        self.marks[mark] + behind.iter().map(|&length| usize::from(length)).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::{Node, Value, YamlError, read};

    fn only(text: &str) -> Node {
        let (mut documents, error) = read(text);
        assert_eq!(error, None);
        assert_eq!(documents.len(), 1);
        documents.remove(0)
    }

    fn error(text: &str) -> YamlError {
        read(text).1.expect("the text is refused").0
    }

    #[test]
    fn places_are_bytes_also_behind_other_scripts() {
        let text = "# ünïcödé\n- a: 'ä'\n  b: x\n";
        let Value::Sequence(items) = only(text).value else { panic!("a list") };
        let Value::Mapping(pairs) = &items[0].value else { panic!("a map") };
        let cut: Vec<&str> = pairs
            .iter()
            .flat_map(|(key, value)| [&text[key.start..key.end], &text[value.start..value.end]])
            .collect();
        assert_eq!(cut, ["a", "'ä'", "b", "x"]);
    }

    #[test]
    fn places_are_right_in_a_long_text() {
        let text = format!("- {}\n- ende\n", "ü".repeat(1000));
        let Value::Sequence(items) = only(&text).value else { panic!("a list") };
        assert_eq!(&text[items[1].start..items[1].end], "ende");
    }

    #[test]
    fn documents_before_an_error_are_kept() {
        let (documents, error) = read("- a\n---\n- b: [\n");
        assert_eq!(documents.len(), 1);
        assert!(matches!(error, Some((YamlError::Syntax(_), _))), "{error:?}");
    }

    #[test]
    fn lines_in_brackets_may_stand_as_far_left_as_they_like() {
        let text = "- list: a\n  items: [\nx,\n   'y z'\n]\n- list: b\n  items: [\n    w\n  ]\n- {\n}\n";
        let Value::Sequence(items) = only(text).value else { panic!("a list") };
        let Value::Mapping(pairs) = &items[0].value else { panic!("a map") };
        let Value::Sequence(values) = &pairs[1].1.value else { panic!("a list") };
        let cut: Vec<&str> = values.iter().map(|value| &text[value.start..value.end]).collect();
        assert_eq!(cut, ["x", "'y z'"]);
        let Value::Mapping(pairs) = &items[1].value else { panic!("a map") };
        assert_eq!(&text[pairs[0].1.start..pairs[0].1.end], "b");
        assert_eq!(items.len(), 3);
    }

    #[test]
    fn a_bracket_that_is_not_closed_is_an_error_all_the_same() {
        assert!(matches!(error("- items: [\na,\nb\n- c\n"), YamlError::Syntax(_)));
    }

    #[test]
    fn deep_nesting_is_refused() {
        assert_eq!(error(&"- ".repeat(100_000)), YamlError::TooDeep);
        assert_eq!(error(&"[".repeat(100)), YamlError::TooDeep);
    }

    #[test]
    fn aliases_repeat_but_not_without_bound() {
        let Value::Sequence(items) = only("- &a [x, y]\n- *a\n").value else { panic!("a list") };
        assert_eq!(items[0], items[1]);
        let mut bomb = String::from("- &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..9 {
            let alias = format!("*a{}", level - 1);
            let items = vec![alias; 10].join(",");
            bomb = format!("{bomb}- &a{level} [{items}]\n");
        }
        assert_eq!(error(&bomb), YamlError::TooMany);
        let mut long = format!("- &a {}\n", "x".repeat(1 << 20));
        long.push_str(&"- *a\n".repeat(100));
        assert_eq!(error(&long), YamlError::TooMany);
    }

    #[test]
    fn an_alias_of_what_it_stands_in_is_refused() {
        assert_eq!(error("- &a [*a]\n"), YamlError::RecursiveAlias);
    }

    #[test]
    fn nothing_is_null_but_quoted_nothing_is_text() {
        let Value::Sequence(items) = only("- \n- ~\n- ''\n").value else { panic!("a list") };
        assert_eq!((&items[0].value, &items[1].value), (&Value::Null, &Value::Null));
        assert!(matches!(&items[2].value, Value::Scalar(text, _) if text.is_empty()));
    }
}
