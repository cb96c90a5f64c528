//! From a path to what must be watched so that no change of what it leads to goes unseen: each symbolic link on the way,
//! the file's name in its folder, the first folder that does not exist yet.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// As many links as the kernel follows.
const LINKS_MAX: usize = 40;

/// A folder, and what in it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    pub(crate) folder: PathBuf,
    pub(crate) name: Name,
}

/// What matters in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// That this name comes, goes or changes its mode.
    Is(OsString),
    /// That any name comes or goes.
    Any,
    /// Only the folder itself: that it is moved or removed.
    Itself,
}

/// What a path led to.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    pub(crate) wants: Vec<Want>,
    /// The path without links, as far as it exists, and the missing rest.
    pub(crate) real: PathBuf,
    /// The folder that the file should be in exists: the last of the wants is the file's own name.
    pub(crate) reached: bool,
}

/// Follows `path`, which must be absolute. Never fails: what stands in the way is what is watched.
pub(crate) fn trace(path: &Path) -> Trace {
    let mut trace = Trace { wants: Vec::new(), real: PathBuf::from("/"), reached: false };
    let mut ahead: VecDeque<OsString> = names(path).collect();
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == OsStr::new("..") {
            trace.real.pop();
            continue;
        }
        let here = trace.real.join(&name);
        let found = fs::symlink_metadata(&here);
        let is_link = found.as_ref().is_ok_and(fs::Metadata::is_symlink);
        let target = if is_link && links < LINKS_MAX { fs::read_link(&here).ok() } else { None };
        if let Some(target) = target {
            links += 1;
            trace.want(Name::Is(name));
            if target.is_absolute() {
                trace.real = PathBuf::from("/");
            }
            for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                ahead.push_front(name);
            }
            continue;
        }
        let passable = found.as_ref().is_ok_and(fs::Metadata::is_dir);
        if ahead.is_empty() || !passable {
            trace.stop(name, found.err().as_ref());
            trace.reached = ahead.is_empty();
            trace.real.extend(ahead.iter());
            break;
        }
        trace.real = here;
        trace.want(Name::Itself);
    }
    trace
}

impl Trace {
    /// Wants something of the folder that `real` is.
    fn want(&mut self, name: Name) {
        self.wants.push(Want { folder: self.real.clone(), name });
    }

    /// `name` is the last that could be reached.
    fn stop(&mut self, name: OsString, error: Option<&io::Error>) {
        if error.is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
            // The folder may not be entered; its own mode is seen from the folder above.
            let (above, closed) = (self.real.parent(), self.real.file_name());
            if let (Some(above), Some(closed)) = (above, closed) {
                self.wants.push(Want { folder: above.to_owned(), name: Name::Is(closed.to_owned()) });
            }
        }
        self.real.push(&name);
        let folder = self.real.parent().unwrap_or(Path::new("/")).to_owned();
        self.wants.push(Want { folder, name: Name::Is(name) });
    }
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::from_bytes(b"..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn is(trace: &Trace, folder: &Path, name: &str) -> bool {
        trace.wants.contains(&Want { folder: folder.to_owned(), name: Name::Is(name.into()) })
    }

    #[test]
    fn a_missing_folder_is_awaited_in_the_nearest_that_exists() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        let found = trace(&top.join("a/b/log"));
        assert!(is(&found, &top, "a"), "{found:?}");
        assert_eq!(found.real, top.join("a/b/log"));
    }

    #[test]
    fn every_link_on_the_way_is_watched() {
        let top = tempfile::tempdir().unwrap();
        let top = top.path().canonicalize().unwrap();
        fs::create_dir_all(top.join("real/deep")).unwrap();
        symlink("real", top.join("folder")).unwrap();
        symlink("../other/log", top.join("real/log")).unwrap();
        fs::create_dir(top.join("other")).unwrap();
        let found = trace(&top.join("folder/log"));
        assert!(is(&found, &top, "folder") && is(&found, &top.join("real"), "log"), "{found:?}");
        assert!(is(&found, &top.join("other"), "log"), "{found:?}");
        assert_eq!(found.real, top.join("other/log"));
    }

    #[test]
    fn links_in_a_circle_end() {
        let top = tempfile::tempdir().unwrap();
        symlink("b", top.path().join("a")).unwrap();
        symlink("a", top.path().join("b")).unwrap();
        assert!(!trace(&top.path().join("a")).wants.is_empty());
    }
}
