//! Reads the configuration file, the files that it includes, and the overrides of the command line.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    environment,
    key_path::{self, PathError, Step},
    tree::{Kind, Tree},
};
use crate::yaml;

/// Bytes of one configuration file.
const MAX_BYTES: u64 = 16 << 20;
/// An index beyond this in `-o list[n]` is a mistake, not a list.
const MAX_INDEX: usize = 4096;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Larger than any configuration.
    #[error("the configuration {path} has more than {MAX_BYTES} bytes")]
    TooBig {
        /// The file.
        path: PathBuf,
    },
    /// Not YAML.
    #[error("{place}: {reason}")]
    Yaml {
        /// `FILE:LINE:COLUMN`
        place: Arc<str>,
        /// What the parser says.
        reason: String,
    },
    /// Not a map at its top.
    #[error("{place}: a configuration is a map of keys to values")]
    NoMap {
        /// `FILE:LINE:COLUMN`
        place: Arc<str>,
    },
    /// A strategy that is unknown.
    #[error("{place}: `{found}` is not a merge strategy: use append, override or add-only")]
    Strategy {
        /// Where.
        place: Arc<str>,
        /// What stands there.
        found: String,
    },
    /// An entry of `config_files` that is neither a path nor a map with one.
    #[error("{place}: an entry of config_files is a path, or a map with path and strategy")]
    NoPath {
        /// Where.
        place: Arc<str>,
    },
    /// `-o` without `=`.
    #[error("`-o {0}` is not KEY=VALUE; for example: -o json_output=true")]
    NotKeyValue(String),
    /// `-o` with a broken key.
    #[error("`-o {argument}`: {reason}")]
    BadPath {
        /// As typed.
        argument: String,
        /// What is wrong.
        reason: PathError,
    },
    /// A file that includes itself, or others that do.
    #[error("{place}: config_files of an included file are not followed; name all files in the main one")]
    Nested {
        /// Where.
        place: Arc<str>,
    },
    /// `-o list[n]` far beyond its end.
    #[error("`-o {0}`: the index is beyond the end of the list; use `[]` to append")]
    BeyondEnd(String),
}

impl ConfigError {
    /// Where the mistake stands, when it stands in a file.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        match self {
            Self::Yaml { place, .. }
            | Self::NoMap { place }
            | Self::Strategy { place, .. }
            | Self::NoPath { place }
            | Self::Nested { place } => Some(place),
            Self::Read { .. }
            | Self::TooBig { .. }
            | Self::NotKeyValue(_)
            | Self::BadPath { .. }
            | Self::BeyondEnd(_) => None,
        }
    }
}

/// A configuration, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// All keys.
    pub tree: Tree,
    /// The files it was read from, in order.
    pub files: Vec<PathBuf>,
    /// Those that could change it: the main file, and what `config_files` names, there or not.
    pub named: Vec<PathBuf>,
}

/// Reads `path` (nothing when `None`), its `config_files`, and applies `overrides` (`KEY=VALUE`, in order).
pub fn load(path: Option<&Path>, overrides: &[String]) -> Result<Loaded, ConfigError> {
    let mut loaded = Loaded { tree: Tree::empty(), files: Vec::new(), named: Vec::new() };
    if let Some(path) = path {
        loaded.tree = read(path)?;
        loaded.files.push(path.to_owned());
        loaded.named.push(path.to_owned());
        for (file, strategy) in included(&loaded.tree, &mut loaded.named)? {
            let more = read(&file)?;
            if let Some(nested) = more.get("config_files") {
                return Err(ConfigError::Nested { place: Arc::clone(&nested.place) });
            }
            strategy.merge(&mut loaded.tree, more);
            loaded.files.push(file);
        }
    }
    for argument in overrides {
        apply(&mut loaded.tree, argument)?;
    }
    Ok(loaded)
}

fn read(path: &Path) -> Result<Tree, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_string(&mut text)).map_err(failed)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(ConfigError::TooBig { path: path.to_owned() });
    }
    parse(&text, &path.display().to_string())
}

fn parse(text: &str, name: &str) -> Result<Tree, ConfigError> {
    let place = |offset: usize| -> Arc<str> {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|character| *character != '\n').count() + 1;
        Arc::from(format!("{name}:{line}:{column}"))
    };
    let (documents, error) = yaml::read(text);
    if let Some((error, at)) = error {
        return Err(ConfigError::Yaml { place: place(at), reason: error.to_string() });
    }
    let Some(first) = documents.into_iter().next() else {
        return Ok(Tree::empty());
    };
    let mut tree = Tree::from_yaml(first, &place);
    match tree.kind {
        Kind::Map(_) => {}
        Kind::Null => return Ok(Tree::empty()),
        _ => return Err(ConfigError::NoMap { place: tree.place }),
    }
    tree.map_scalars(&expand);
    Ok(tree)
}

fn expand(text: &str) -> String {
    environment::expand(text, &|name| std::env::var(name).ok())
}

/// How an included file joins what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strategy {
    /// Lists are joined, everything else is replaced.
    Append,
    /// Keys are replaced.
    Override,
    /// Keys that are there stay.
    AddOnly,
}

impl Strategy {
    fn merge(self, into: &mut Tree, from: Tree) {
        let Kind::Map(entries) = from.kind else { return };
        for (key, value) in entries {
            if self == Self::AddOnly && into.get(&key).is_some() {
                continue;
            }
            let target = into.entry(&key, &value.place);
            match (self, &mut target.kind, value.kind) {
                (Self::Append, Kind::List(items), Kind::List(more)) => items.extend(more),
                (_, kind, more) => {
                    *kind = more;
                    target.place = value.place;
                }
            }
        }
    }
}

/// The files to read, in order; `named` gets the paths as they stand there.
fn included(tree: &Tree, named: &mut Vec<PathBuf>) -> Result<Vec<(PathBuf, Strategy)>, ConfigError> {
    let Some(Tree { kind: Kind::List(entries), .. }) = tree.get("config_files") else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in entries {
        let (path, how) = match &entry.kind {
            Kind::Scalar(path) => (path, Strategy::Append),
            Kind::Map(_) => {
                let path = entry.get("path").and_then(scalar);
                let path = path.ok_or_else(|| ConfigError::NoPath { place: Arc::clone(&entry.place) })?;
                let how = match entry.get("strategy").map(|strategy| (scalar(strategy), strategy)) {
                    None => Strategy::Append,
                    Some((Some(name), place)) => strategy(name, place)?,
                    Some((None, place)) => strategy("", place)?,
                };
                (path, how)
            }
            _ => return Err(ConfigError::NoPath { place: Arc::clone(&entry.place) }),
        };
        named.push(PathBuf::from(path));
        files.extend(below(Path::new(path))?.into_iter().map(|file| (file, how)));
    }
    Ok(files)
}

fn scalar(tree: &Tree) -> Option<&String> {
    match &tree.kind {
        Kind::Scalar(text) => Some(text),
        _ => None,
    }
}

fn strategy(name: &str, place: &Tree) -> Result<Strategy, ConfigError> {
    match name {
        "append" => Ok(Strategy::Append),
        "override" => Ok(Strategy::Override),
        "add-only" => Ok(Strategy::AddOnly),
        _ => Err(ConfigError::Strategy { place: Arc::clone(&place.place), found: name.to_owned() }),
    }
}

/// The file itself, or the YAML files of a folder in the order of their names. What is not there is left out: a
/// configuration may name drop-in folders that nobody has made.
fn below(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    if !path.exists() {
        return Ok(Vec::new());
    }
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        let yaml = file.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        if yaml && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn apply(tree: &mut Tree, argument: &str) -> Result<(), ConfigError> {
    let not_key_value = || ConfigError::NotKeyValue(argument.to_owned());
    let (key, value) = argument.split_once('=').ok_or_else(not_key_value)?;
    let bad_path = |reason| ConfigError::BadPath { argument: argument.to_owned(), reason };
    let steps = key_path::parse(key.trim()).map_err(bad_path)?;
    let place: Arc<str> = Arc::from(format!("-o {argument}"));
    let mut target = &mut *tree;
    for step in &steps {
        target = match step {
            Step::Key(name) => target.entry(name, &place),
            Step::Index(_) | Step::Append => {
                if !matches!(target.kind, Kind::List(_)) {
                    target.kind = Kind::List(Vec::new());
                }
                let Kind::List(items) = &mut target.kind else { unreachable!("made a list just now") };
                let index = if let Step::Index(index) = step { *index } else { items.len() };
                if index > items.len() || index > MAX_INDEX {
                    return Err(ConfigError::BeyondEnd(argument.to_owned()));
                }
                if index == items.len() {
                    items.push(Tree { kind: Kind::Null, place: Arc::clone(&place) });
                }
                &mut items[index]
            }
        };
    }
    let value = value.trim();
    target.place = Arc::clone(&place);
    target.kind = if value.starts_with(['{', '[']) {
        let (documents, error) = yaml::read(value);
        match (documents.into_iter().next(), error) {
            (Some(node), None) => Tree::from_yaml(node, &|_| Arc::clone(&place)).kind,
            (_, Some((error, _))) => return Err(ConfigError::Yaml { place, reason: error.to_string() }),
            (None, None) => Kind::Null,
        }
    } else {
        Kind::Scalar(value.to_owned())
    };
    target.map_scalars(&expand);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, Kind, Loaded, Strategy, Tree, apply, load, parse};

    fn text(tree: &Tree, path: &[&str]) -> Option<String> {
        let found = path.iter().try_fold(tree, |tree, key| tree.get(key))?;
        match &found.kind {
            Kind::Scalar(text) => Some(text.clone()),
            Kind::List(items) => Some(format!("{} items", items.len())),
            other => Some(format!("{other:?}")),
        }
    }

    #[test]
    fn a_file_with_drop_ins_and_overrides() {
        let folder = tempfile::tempdir().unwrap();
        let drop_ins = folder.path().join("d");
        std::fs::create_dir(&drop_ins).unwrap();
        std::fs::write(drop_ins.join("20.yaml"), "priority: error\n").unwrap();
        std::fs::write(drop_ins.join("10.yaml"), "priority: debug\nrules_files: [b]\n").unwrap();
        std::fs::write(drop_ins.join("30.txt"), "priority: none\n").unwrap();
        let main = folder.path().join("main.yaml");
        let config = format!(
            "config_files: ['{}', /nowhere/at/all]\nrules_files: [a]\njson_output: false\n",
            drop_ins.display()
        );
        std::fs::write(&main, config).unwrap();
        let overrides = ["json_output=true".to_owned(), "rules_files[]=c".to_owned()];
        let Loaded { tree, files, named } = load(Some(&main), &overrides).unwrap();
        assert_eq!((files.len(), named.len()), (3, 3));
        assert_eq!(text(&tree, &["priority"]).as_deref(), Some("error"));
        assert_eq!(text(&tree, &["rules_files"]).as_deref(), Some("3 items"));
        assert_eq!(text(&tree, &["json_output"]).as_deref(), Some("true"));
        assert_eq!(&*tree.get("json_output").unwrap().place, "-o json_output=true");
    }

    #[test]
    fn strategies() {
        let merged = |strategy: Strategy| {
            let mut tree = parse("a: [1]\nb: 1\n", "x").unwrap();
            strategy.merge(&mut tree, parse("a: [2]\nb: 2\nc: 2\n", "y").unwrap());
            ["a", "b", "c"].map(|key| text(&tree, &[key]).unwrap())
        };
        assert_eq!(merged(Strategy::Append), ["2 items", "2", "2"]);
        assert_eq!(merged(Strategy::Override), ["1 items", "2", "2"]);
        assert_eq!(merged(Strategy::AddOnly), ["1 items", "1", "2"]);
    }

    #[test]
    fn overrides_make_what_is_missing() {
        let mut tree = Tree::empty();
        for argument in
            ["file_output.filename=/x=y", "a[0].b=1", "a[1]={c: 2}", "rules[]={enable: {rule: x}}"]
        {
            apply(&mut tree, argument).unwrap();
        }
        assert_eq!(text(&tree, &["file_output", "filename"]).as_deref(), Some("/x=y"));
        assert_eq!(text(&tree, &["a"]).as_deref(), Some("2 items"));
        assert!(matches!(apply(&mut tree, "a[9]=1"), Err(ConfigError::BeyondEnd(_))));
        assert!(matches!(apply(&mut tree, "a"), Err(ConfigError::NotKeyValue(_))));
        assert!(matches!(apply(&mut tree, ".=1"), Err(ConfigError::BadPath { .. })));
    }

    #[test]
    fn errors_say_file_line_and_column() {
        let error = parse("a: 1\nb: [\n", "f.yaml").unwrap_err().to_string();
        assert!(error.starts_with("f.yaml:"), "{error}");
        assert_eq!(
            parse("- a\n", "f.yaml").unwrap_err().to_string(),
            "f.yaml:1:1: a configuration is a map of keys to values"
        );
        let error = load(Some("/nowhere/at/all.yaml".as_ref()), &[]).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at/all.yaml"), "{error}");
    }
}
