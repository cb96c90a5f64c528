//! Accounts, their names and their secrets.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use fairban_core::account::AccountKey;
use fairban_core::time::Time;

use crate::rng::Rng;

/// What is typed as a name, and the account it is, if it is one.
#[derive(Clone, Debug)]
pub(crate) struct Name(Rc<Inner>);

#[derive(Debug)]
struct Inner {
    text: String,
    whole: AccountKey,
    local: AccountKey,
    account: Option<AccountId>,
}

/// Number of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AccountId(u32);

impl Name {
    fn new(text: &str, account: Option<AccountId>) -> Name {
        let local = text.rsplit_once('@').map_or(text, |(local, _)| local);
        let (whole, local) = (AccountKey::new(text.as_bytes()), AccountKey::new(local.as_bytes()));
        Name(Rc::new(Inner { text: text.to_owned(), whole, local, account }))
    }

    /// `user@domain`.
    pub(crate) fn text(&self) -> &str {
        &self.0.text
    }

    pub(crate) fn key(&self) -> &AccountKey {
        &self.0.whole
    }

    /// The part before the `@`: the name at sshd.
    pub(crate) fn local(&self) -> &str {
        let text = self.text();
        text.rsplit_once('@').map_or(text, |(local, _)| local)
    }

    pub(crate) fn local_key(&self) -> &AccountKey {
        &self.0.local
    }

    pub(crate) fn account(&self) -> Option<AccountId> {
        self.0.account
    }
}

/// What is typed as a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    /// One that nobody else has.
    Own(u64),
    /// The n-th of [`POPULAR`].
    Popular(usize),
    /// This text, for those who write into logs.
    Text(Rc<str>),
}

/// Passwords by how many people have them: the head of every published leak, and of what robots try first.
pub(crate) const POPULAR: [&str; 60] = [
    "123456",
    "password",
    "123456789",
    "12345678",
    "12345",
    "qwerty",
    "1234567",
    "111111",
    "123123",
    "abc123",
    "1234567890",
    "1234",
    "password1",
    "iloveyou",
    "000000",
    "qwerty123",
    "1q2w3e4r",
    "admin",
    "654321",
    "123321",
    "monkey",
    "dragon",
    "letmein",
    "football",
    "welcome",
    "666666",
    "sunshine",
    "princess",
    "master",
    "121212",
    "ashley",
    "shadow",
    "superman",
    "michael",
    "login",
    "passw0rd",
    "charlie",
    "starwars",
    "hello",
    "freedom",
    "whatever",
    "trustno1",
    "qazwsx",
    "baseball",
    "ninja",
    "azerty",
    "jordan",
    "hunter",
    "test",
    "summer2025",
    "Winter2025!",
    "welcome1",
    "zxcvbnm",
    "asdfgh",
    "flower",
    "cheese",
    "computer",
    "secret",
    "changeme",
    "letmein1",
];

impl Secret {
    pub(crate) fn fresh(rng: &mut Rng) -> Secret {
        Secret::Own(rng.bits())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Eleven letters and digits that are no digest.
            Secret::Own(bits) => write!(f, "Zx{:08x}q", (bits ^ bits >> 32) as u32),
            Secret::Popular(rank) => f.write_str(POPULAR[*rank % POPULAR.len()]),
            Secret::Text(text) => f.write_str(text),
        }
    }
}

#[derive(Clone, Debug)]
struct Account {
    name: Name,
    secret: Secret,
    /// Hired then.
    since: Time,
}

/// Everybody who may log in, and every name that was spelt so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    list: Vec<Account>,
    /// By lower-case text.
    by_text: BTreeMap<String, Name>,
    domains: Vec<&'static str>,
}

const DOMAINS: [&str; 6] =
    ["maple.example", "co-op.example", "clinic.example", "harbour.example", "print.example", "arts.example"];

/// Local parts that companies give to no person.
pub(crate) const ROLES: [&str; 40] = [
    "info",
    "admin",
    "sales",
    "support",
    "office",
    "contact",
    "test",
    "webmaster",
    "postmaster",
    "accounts",
    "billing",
    "hr",
    "jobs",
    "marketing",
    "noreply",
    "scanner",
    "printer",
    "backup",
    "mail",
    "user",
    "root",
    "help",
    "service",
    "team",
    "news",
    "press",
    "shop",
    "order",
    "orders",
    "invoice",
    "fax",
    "reception",
    "manager",
    "ftp",
    "guest",
    "demo",
    "abuse",
    "staff",
    "alerts",
    "it",
];

/// First names, as robots list them too.
pub(crate) const FIRST: [&str; 60] = [
    "james",
    "mary",
    "robert",
    "patricia",
    "john",
    "jennifer",
    "michael",
    "linda",
    "david",
    "elizabeth",
    "william",
    "barbara",
    "richard",
    "susan",
    "joseph",
    "jessica",
    "thomas",
    "sarah",
    "charles",
    "karen",
    "daniel",
    "nancy",
    "matthew",
    "lisa",
    "anthony",
    "betty",
    "mark",
    "margaret",
    "donald",
    "sandra",
    "steven",
    "ashley",
    "paul",
    "kimberly",
    "andrew",
    "emily",
    "joshua",
    "donna",
    "kenneth",
    "michelle",
    "kevin",
    "carol",
    "brian",
    "amanda",
    "george",
    "dorothy",
    "edward",
    "melissa",
    "ronald",
    "deborah",
    "timothy",
    "stephanie",
    "jason",
    "rebecca",
    "jeffrey",
    "laura",
    "ryan",
    "helen",
    "jacob",
    "sharon",
];

const LAST: [&str; 60] = [
    "smith",
    "johnson",
    "williams",
    "brown",
    "jones",
    "garcia",
    "miller",
    "davis",
    "rodriguez",
    "martinez",
    "hernandez",
    "lopez",
    "gonzalez",
    "wilson",
    "anderson",
    "thomas",
    "taylor",
    "moore",
    "jackson",
    "martin",
    "lee",
    "perez",
    "thompson",
    "white",
    "harris",
    "sanchez",
    "clark",
    "ramirez",
    "lewis",
    "robinson",
    "walker",
    "young",
    "allen",
    "king",
    "wright",
    "scott",
    "torres",
    "nguyen",
    "hill",
    "flores",
    "green",
    "adams",
    "nelson",
    "baker",
    "hall",
    "rivera",
    "campbell",
    "mitchell",
    "carter",
    "roberts",
    "gomez",
    "phillips",
    "evans",
    "turner",
    "diaz",
    "parker",
    "cruz",
    "edwards",
    "collins",
    "reyes",
];

/// One account in a hundred falls to ten well-chosen guesses (Bonneau, "The science of guessing", 2012: less than ten
/// bits against online guessing).
const TOP_TEN: f64 = 0.01;
/// And as many again to the fifty after them (the same curve).
const TOP_SIXTY: f64 = 0.01;

impl Accounts {
    pub(crate) fn new(domains: usize) -> Accounts {
        let domains = DOMAINS[..domains.clamp(1, DOMAINS.len())].to_vec();
        Accounts { domains, ..Accounts::default() }
    }

    pub(crate) fn domains(&self) -> &[&'static str] {
        &self.domains
    }

    /// A new account of somebody, who exists since `since`.
    pub(crate) fn hire(&mut self, rng: &mut Rng, since: Time) -> Name {
        let secret = secret_of_somebody(rng);
        loop {
            let text = person(rng, &self.domains);
            if !self.by_text.contains_key(&text) {
                return self.add(&text, secret, since);
            }
        }
    }

    /// A role that exists, if it is free.
    pub(crate) fn role(&mut self, rng: &mut Rng, since: Time) -> Name {
        let secret = secret_of_somebody(rng);
        for _ in 0..8 {
            let text = format!("{}@{}", rng.pick(&ROLES), rng.pick(&self.domains));
            if !self.by_text.contains_key(&text) {
                return self.add(&text, secret, since);
            }
        }
        self.hire(rng, since)
    }

    fn add(&mut self, text: &str, secret: Secret, since: Time) -> Name {
        let name = Name::new(text, Some(AccountId(self.list.len() as u32)));
        self.by_text.insert(text.to_owned(), name.clone());
        self.list.push(Account { name: name.clone(), secret, since });
        name
    }

    /// A name as it is typed. Lower and upper case are one account.
    pub(crate) fn name(&mut self, text: &str) -> Name {
        let lower = text.to_ascii_lowercase();
        match self.by_text.get(&lower) {
            Some(name) => name.clone(),
            None => Name::new(&lower, None),
        }
    }

    /// A name of a person who does not exist.
    pub(crate) fn nobody(&mut self, rng: &mut Rng) -> Name {
        loop {
            let name = person(rng, &self.domains);
            let name = self.name(&name);
            if name.account().is_none() {
                return name;
            }
        }
    }

    /// All names of accounts, hired or yet to be.
    pub(crate) fn all(&self) -> Vec<Name> {
        self.list.iter().map(|account| account.name.clone()).collect()
    }

    pub(crate) fn exists(&self, id: AccountId, now: Time) -> bool {
        self.list[id.0 as usize].since <= now
    }

    pub(crate) fn secret(&self, id: AccountId) -> &Secret {
        &self.list[id.0 as usize].secret
    }

    pub(crate) fn change_secret(&mut self, id: AccountId, secret: Secret) {
        self.list[id.0 as usize].secret = secret;
    }
}

fn secret_of_somebody(rng: &mut Rng) -> Secret {
    let luck = rng.unit();
    if luck < TOP_TEN {
        Secret::Popular(rng.below(10))
    } else if luck < TOP_TEN + TOP_SIXTY {
        Secret::Popular(10 + rng.below(POPULAR.len() - 10))
    } else {
        Secret::fresh(rng)
    }
}

/// A name as mail accounts have: `john`, `john.smith`, `jsmith`, `johns`, some with a number.
fn person(rng: &mut Rng, domains: &[&str]) -> String {
    let (first, last, domain) = (*rng.pick(&FIRST), *rng.pick(&LAST), *rng.pick(domains));
    let number = if rng.chance(0.15) { rng.whole(1, 99).to_string() } else { String::new() };
    let local = match rng.below(8) {
        0 => first.to_owned(),
        1..=4 => format!("{first}.{last}"),
        5 | 6 => format!("{}{last}", &first[..1]),
        _ => format!("{first}{}", &last[..1]),
    };
    format!("{local}{number}@{domain}")
}

/// A slip of the finger in the local part: one letter left out, put in, changed, or two swapped.
pub(crate) fn slip(rng: &mut Rng, text: &str) -> String {
    let (local, rest) = text.split_at(text.find('@').unwrap_or(text.len()));
    let mut letters = local.as_bytes().to_vec();
    if letters.len() < 2 {
        letters.push(b'e');
    } else {
        let at = rng.below(letters.len() - 1);
        match rng.below(4) {
            0 => drop(letters.remove(at)),
            1 => letters.insert(at, letters[at]),
            2 => letters[at] = if letters[at] == b'e' { b'r' } else { b'e' },
            _ => letters.swap(at, at + 1),
        }
    }
    let slipped = format!("{}{rest}", String::from_utf8_lossy(&letters));
    if slipped == text { format!("{local}e{rest}") } else { slipped }
}
