//! Shell patterns: which files they name now, and what must be watched to learn of those that come.

use std::fs;
use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};

use crate::happening::FollowError;
use crate::trace::{Name, Want, trace};

/// Most folders that one pattern looks into.
const FOLDERS_MAX: usize = 1_024;

/// Most names in one folder that a pattern is tried on.
const NAMES_MAX: usize = 65_536;

const OPTIONS: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// A pattern of paths.
#[derive(Debug)]
pub(crate) struct PathPattern {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    Wild(Pattern),
}

/// What a pattern names.
#[derive(Debug, Default)]
pub(crate) struct Expansion {
    /// Regular files, or links to some, in order.
    pub(crate) files: Vec<PathBuf>,
    pub(crate) wants: Vec<Want>,
}

impl PathPattern {
    pub(crate) fn new(text: &str) -> Result<PathPattern, FollowError> {
        let wrong = |why: String| FollowError::Pattern { pattern: text.to_owned(), why };
        if !Path::new(text).is_absolute() {
            return Err(FollowError::Relative { path: PathBuf::from(text) });
        }
        let mut parts = Vec::new();
        for component in Path::new(text).components() {
            let Component::Normal(name) = component else { continue };
            // A part of a str is one.
            let name = name.to_string_lossy().into_owned();
            if name.contains("**") {
                return Err(wrong(
                    "** is not understood; name the folders, as in /var/log/*/*.log".to_owned(),
                ));
            }
            let is_wild = name.contains(['*', '?', '[']);
            parts.push(if is_wild {
                Part::Wild(Pattern::new(&name).map_err(|error| wrong(error.to_string()))?)
            } else {
                Part::Literal(name)
            });
        }
        Ok(PathPattern { parts })
    }

    pub(crate) fn expand(&self) -> Expansion {
        let mut found = Expansion::default();
        let mut paths = vec![PathBuf::from("/")];
        for part in &self.parts {
            match part {
                Part::Literal(name) => paths.iter_mut().for_each(|path| path.push(name)),
                Part::Wild(pattern) => {
                    paths.truncate(FOLDERS_MAX);
                    paths = paths.iter().flat_map(|folder| found.matching(folder, pattern)).collect();
                }
            }
        }
        if matches!(self.parts.last(), Some(Part::Literal(_))) {
            paths.truncate(FOLDERS_MAX);
            for path in &paths {
                found.want(trace(path).wants);
            }
        }
        paths.retain(|path| fs::metadata(path).is_ok_and(|metadata| metadata.is_file()));
        paths.sort();
        found.files = paths;
        found
    }
}

impl Expansion {
    fn want(&mut self, wants: Vec<Want>) {
        for want in wants {
            if !self.wants.contains(&want) {
                self.wants.push(want);
            }
        }
    }

    fn matching(&mut self, folder: &Path, pattern: &Pattern) -> Vec<PathBuf> {
        let way = trace(folder);
        self.want(way.wants);
        self.want(vec![Want { folder: folder.to_owned(), name: Name::Any }]);
        let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(NAMES_MAX);
        let names = entries.filter(|entry| {
            // A pattern is text: a name that is none cannot be meant.
            entry.file_name().to_str().is_some_and(|name| pattern.matches_with(name, OPTIONS))
        });
        names.map(|entry| entry.path()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_files_in_several_folders() {
        let top = tempfile::tempdir().unwrap();
        for name in ["a/mail.log", "b/mail.log", "b/mail.err", "b/.hidden.log", "c/other"] {
            let path = top.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let expand = |pattern: &str| {
            let text = format!("{}/{pattern}", top.path().display());
            let files = PathPattern::new(&text).unwrap().expand().files;
            let name = |path: &PathBuf| path.strip_prefix(top.path()).unwrap().display().to_string();
            files.iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(expand("*/mail.log"), ["a/mail.log", "b/mail.log"]);
        assert_eq!(expand("[bc]/*"), ["b/mail.err", "b/mail.log", "c/other"]);
        assert_eq!(expand("b/*.log"), ["b/mail.log"]);
        assert_eq!(expand("*"), [""; 0]);
    }

    #[test]
    fn what_is_no_pattern_is_refused_with_a_remedy() {
        assert!(matches!(PathPattern::new("var/log/*"), Err(FollowError::Relative { .. })));
        let error = PathPattern::new("/var/**/x").unwrap_err().to_string();
        assert!(error.contains("name the folders"), "{error}");
        assert!(matches!(PathPattern::new("/var/[a"), Err(FollowError::Pattern { .. })));
    }
}
