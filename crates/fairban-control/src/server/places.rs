//! How many clients there may be, and who makes room for whom.

use crate::rights::Class;

/// Places of root and the service's own user.
const ROOT_MAX: usize = 16;

/// Places of the group that may act.
const MEMBERS_MAX: usize = 16;

/// Places of those who may only read.
const READERS_MAX: usize = 32;

/// What counts of a client who has a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    /// The client's number.
    pub(super) client: u64,
    /// Whom it is counted among.
    pub(super) class: Class,
    /// Nothing is asked, half asked or being told.
    pub(super) idle: bool,
    /// When it last did something: greater is later.
    pub(super) active: u64,
}

/// What becomes of a client who has just come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// There is room.
    Free,
    /// There is, once this one is gone.
    InPlaceOf(u64),
    /// There is not.
    Full,
}

/// Decides about a newcomer. Each class has places of its own, so filling one gains nothing in another. Where all are
/// taken the longest idle of the same class goes; root gets in even where none is idle.
pub(super) fn admit(class: Class, seats: impl Iterator<Item = Seat>) -> Admission {
    let most = match class {
        Class::Root => ROOT_MAX,
        Class::Member => MEMBERS_MAX,
        Class::Reader => READERS_MAX,
    };
    let mut taken = 0;
    let mut goes: Option<Seat> = None;
    for seat in seats.filter(|seat| seat.class == class) {
        taken += 1;
        let better = |other: &Seat| (!seat.idle, seat.active) < (!other.idle, other.active);
        if goes.as_ref().is_none_or(better) {
            goes = Some(seat);
        }
    }
    match goes {
        _ if taken < most => Admission::Free,
        Some(seat) if seat.idle || class == Class::Root => Admission::InPlaceOf(seat.client),
        _ => Admission::Full,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(class: Class, count: usize, idle: bool) -> Vec<Seat> {
        let seat = |at: usize| Seat { client: at as u64, class, idle, active: 100 - at as u64 };
        (0..count).map(seat).collect()
    }

    #[test]
    fn a_class_is_full_for_itself_alone() {
        let readers = seats(Class::Reader, READERS_MAX, false);
        let admitted = |class| admit(class, readers.iter().copied());
        assert_eq!(admitted(Class::Reader), Admission::Full);
        assert_eq!(admitted(Class::Member), Admission::Free);
        assert_eq!(admitted(Class::Root), Admission::Free);
    }

    #[test]
    fn the_longest_idle_makes_room() {
        let mut members = seats(Class::Member, MEMBERS_MAX, true);
        let last = MEMBERS_MAX - 1;
        assert_eq!(admit(Class::Member, members.iter().copied()), Admission::InPlaceOf(last as u64));
        members[last].idle = false;
        assert_eq!(admit(Class::Member, members.iter().copied()), Admission::InPlaceOf(last as u64 - 1));
    }

    #[test]
    fn root_always_gets_in() {
        let busy = seats(Class::Root, ROOT_MAX, false);
        let last = ROOT_MAX as u64 - 1;
        assert_eq!(admit(Class::Root, busy.iter().copied()), Admission::InPlaceOf(last));
    }
}
