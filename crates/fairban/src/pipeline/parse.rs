//! A block of lines into what they tell. A function of the block alone, so any thread may do any block.

use fairban_core::event::{AuthEvent, Service};
use fairban_parse::health::Health;
use fairban_parse::parser::{Parsed, Parser, Recent};
use fairban_parse::stamp::Stamp;
use memchr::memchr;

use crate::input::blocks::Block;

/// A line that matters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParsedLine {
    /// Where it stands in the block, in bytes, without its line feed.
    pub(crate) from: u32,
    pub(crate) to: u32,
    /// Lines before it in this block.
    pub(crate) lines_before: u32,
    /// Services with a line before it in this block, one bit each.
    pub(crate) services_before: u32,
    pub(crate) stamp: Stamp,
    pub(crate) told: Told,
}

/// What a line that matters tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// Something about a login: the block's event of this number.
    Event(u32),
    /// That the log lost lines of a service, or of any.
    Gap { lost: u32, service: Option<Service> },
}

/// The memory of a block that has been decided, for the next one.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    pub(crate) bytes: Vec<u8>,
    pub(crate) room: Room,
}

/// Room for what a block tells, without a block.
#[derive(Debug, Default)]
pub(crate) struct Room {
    lines: Vec<ParsedLine>,
    events: Vec<AuthEvent>,
}

/// A block that has been read.
#[derive(Debug, Default)]
pub(crate) struct ParsedBlock {
    pub(crate) block: Block,
    pub(crate) lines: Vec<ParsedLine>,
    /// What its lines tell about logins, times not yet set. Nobody moves them: they are large.
    pub(crate) events: Vec<AuthEvent>,
    pub(crate) health: Health,
    /// Lines in it, skipped ones included.
    pub(crate) line_count: u32,
    /// Services with a line in it, one bit each at [`Service::index`].
    pub(crate) services: u32,
}

/// The parser and what it is asked for.
#[derive(Debug)]
pub(crate) struct BlockParser {
    parser: Parser,
    /// Services whose events are wanted, one bit each at [`Service::index`].
    wanted: u32,
}

impl BlockParser {
    pub(crate) fn new(key: [u8; 16], wanted: u32) -> BlockParser {
        BlockParser { parser: Parser::new(key), wanted }
    }

    pub(crate) fn parse(&self, block: Block, room: Room) -> ParsedBlock {
        let Room { lines, events } = room;
        let mut parsed = ParsedBlock { lines, events, ..ParsedBlock::default() };
        let bytes = block.bytes();
        let mut recent = Recent::default();
        let mut from = 0;
        while from < bytes.len() {
            let to = memchr(b'\n', &bytes[from..]).map_or(bytes.len(), |at| from + at);
            self.line(&mut recent, &bytes[from..to], from as u32, &mut parsed);
            from = to + 1;
        }
        // The log's last line may lack the line feed that each line is counted with.
        parsed.health.bytes -= u64::from(from > bytes.len());
        if let Some(skipped) = block.skipped_bytes {
            parsed.count_skipped(skipped);
        }
        parsed.block = block;
        parsed
    }

    fn line(&self, recent: &mut Recent, line: &[u8], from: u32, into: &mut ParsedBlock) {
        let (lines_before, services_before) = (into.line_count, into.services);
        into.line_count += 1;
        let to = from + line.len() as u32;
        let line_of = |stamp, told| ParsedLine { from, to, lines_before, services_before, stamp, told };
        match self.parser.line_after(recent, line, &mut into.health) {
            Parsed::Event(stamp, event) => {
                into.services |= bit(event.service);
                if self.wanted & bit(event.service) != 0 {
                    into.lines.push(line_of(stamp, Told::Event(into.events.len() as u32)));
                    into.events.push(event);
                }
            }
            Parsed::Gap { stamp, service, lost } => {
                into.lines.push(line_of(stamp, Told::Gap { lost, service }));
            }
            Parsed::Nothing(service) => into.services |= bit(service),
            Parsed::Foreign | Parsed::NoFormat => {}
        }
    }

    /// Of the services in `seen`, those that are wanted.
    pub(crate) fn wanted(&self, seen: u32) -> impl Iterator<Item = Service> + use<> {
        let both = self.wanted & seen;
        Service::ALL.into_iter().filter(move |&service| both & bit(service) != 0)
    }
}

impl ParsedBlock {
    /// Its memory, emptied.
    pub(crate) fn into_buffer(mut self) -> Buffer {
        self.lines.clear();
        self.events.clear();
        Buffer { bytes: self.block.into_buffer(), room: Room { lines: self.lines, events: self.events } }
    }

    /// A line too long to be a record is a line of no known format.
    fn count_skipped(&mut self, bytes: u64) {
        self.line_count += 1;
        self.health.lines += 1;
        self.health.bytes += bytes;
        self.health.no_format += 1;
        self.health.too_long += 1;
    }
}

/// The bit of a service in a set of services.
pub(crate) fn bit(service: Service) -> u32 {
    1 << service.index()
}
