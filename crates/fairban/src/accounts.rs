//! Users and groups of this machine, from `/etc/passwd` and `/etc/group`: those that a service runs as stand there.

use std::fs;
use std::io;
use std::path::Path;

/// A user, with all groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    /// The main group.
    pub(crate) gid: u32,
    /// All others, in the order of `/etc/group`.
    pub(crate) groups: Vec<Group>,
    pub(crate) shell: String,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) gid: u32,
    pub(crate) members: Vec<String>,
}

/// What stands in the two files.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    pub(crate) users: Vec<User>,
    pub(crate) groups: Vec<Group>,
}

impl Accounts {
    /// Reads them below `/etc`.
    pub(crate) fn read() -> io::Result<Accounts> {
        Accounts::read_below(Path::new("/"))
    }

    /// The same of the machine whose files are below `root`.
    pub(crate) fn read_below(root: &Path) -> io::Result<Accounts> {
        let text = |path: &str| {
            let bytes = fs::read(root.join("etc").join(path))?;
            Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).into_owned())
        };
        Ok(Accounts::parse(&text("passwd")?, &text("group")?))
    }

    fn parse(passwd: &str, group: &str) -> Accounts {
        let groups: Vec<Group> = group.lines().filter_map(group_of).collect();
        let users = passwd.lines().filter_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [name, _, uid, gid, _, _, shell, ..] = fields[..] else { return None };
            let (name, gid) = (name.to_owned(), gid.parse().ok()?);
            let member = |group: &&Group| group.gid != gid && group.members.contains(&name);
            let groups = groups.iter().filter(member).cloned().collect();
            Some(User { uid: uid.parse().ok()?, gid, groups, shell: shell.to_owned(), name })
        });
        Accounts { users: users.collect(), groups }
    }

    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    pub(crate) fn user_of(&self, uid: u32) -> Option<&User> {
        self.users.iter().find(|user| user.uid == uid)
    }

    pub(crate) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    pub(crate) fn group_of(&self, gid: u32) -> Option<&Group> {
        self.groups.iter().find(|group| group.gid == gid)
    }

    /// Users of flesh and blood, as far as the files tell: with an id of their own kind and a shell to log in to.
    pub(crate) fn people(&self) -> impl Iterator<Item = &User> {
        self.users.iter().filter(|user| {
            let login = !["nologin", "false", "sync"].iter().any(|end| user.shell.ends_with(end));
            (1_000..60_000).contains(&user.uid) && login
        })
    }
}

impl User {
    /// Ids of all its groups, the main one first.
    pub(crate) fn gids(&self) -> Vec<u32> {
        std::iter::once(self.gid).chain(self.groups.iter().map(|group| group.gid)).collect()
    }
}

fn group_of(line: &str) -> Option<Group> {
    let mut fields = line.split(':');
    let (name, gid, members) = (fields.next()?, fields.nth(1)?, fields.next().unwrap_or_default());
    let members = members.split(',').map(str::trim).filter(|member| !member.is_empty());
    Some(Group {
        name: name.to_owned(),
        gid: gid.parse().ok()?,
        members: members.map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_their_groups() {
        let passwd = "root:x:0:0:root:/r:/bin/bash\nfairban:x:998:997::/var/lib/fairban:/usr/sbin/nologin\n\
                      dan:x:1000:1000:Dan,,,:/h:/bin/bash\nbroken:line\n";
        let group = "root:x:0:\nadm:x:4:syslog,fairban\nfairban:x:997:fairban\nstaff:x:50:dan\n";
        let accounts = Accounts::parse(passwd, group);
        let user = accounts.user("fairban").expect("it is there");
        assert_eq!((user.uid, user.gids()), (998, vec![997, 4]));
        assert_eq!(accounts.people().map(|user| user.name.as_str()).collect::<Vec<_>>(), ["dan"]);
        assert_eq!(accounts.user_of(0).map(|user| user.name.as_str()), Some("root"));
        assert_eq!(accounts.group("adm"), accounts.group_of(4));
        assert_eq!(accounts.users.len(), 3);
    }
}
