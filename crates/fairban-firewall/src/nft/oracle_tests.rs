//! Our bytes beside those of another encoder.

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_netfilter::nftables::{
    Bitwise, ChainAttribute, ChainMessage, Cmp, DataAttribute, Expressions, Hook, Immediate, InetHookNumber,
    ListAttribute, Lookup, Meta, MetaKey, NfTablesMessage, Operator, Payload, Register, RuleAttribute,
    RuleMessage, SetAttribute, SetElementAttribute, SetElementFlags, SetElementList, SetElementMessage,
    SetFlags, SetMessage, TableAttribute, TableFlags, TableMessage, Verdict, VerdictAttribute,
};
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterProtoFamily};

use super::encode::{Batch, NFTABLES, query};
use super::*;
use crate::netlink::{Message, messages};

/// What one call writes into a transaction.
fn written(write: impl FnOnce(&mut Batch)) -> Vec<u8> {
    let mut batch = Batch::begin(1, super::TABLE);
    write(&mut batch);
    let (bytes, last) = batch.finish();
    let all: Vec<Message<'_>> = messages(&bytes).collect();
    assert_eq!((all.len(), last), (3, 2), "begin, one message, end");
    let begin = all[0].body.len() + 16;
    let end = bytes.len() - all[2].body.len() - 16;
    bytes[begin..end].to_vec()
}

fn check(ours: &[u8], flags: u16, theirs: NfTablesMessage) {
    let header = NetfilterHeader::new(NetfilterProtoFamily::Inet, 0, 0);
    let mut message = NetlinkMessage::from(NetfilterMessage::new(header, theirs));
    message.header.flags = NLM_F_REQUEST | flags;
    message.header.sequence_number = 2;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    assert_eq!(ours, bytes, "{message:?}");
}

fn set(name: &str) -> SetId {
    SetId::from_name(name.as_bytes()).expect("one of ours")
}

fn value(bytes: &[u8]) -> DataAttribute {
    DataAttribute::Value(bytes.to_vec())
}

fn element(key: &[u8], more: Option<SetElementAttribute>) -> ListAttribute<SetElementAttribute> {
    ListAttribute::Element([SetElementAttribute::Key(value(key))].into_iter().chain(more).collect())
}

#[test]
fn elements() {
    let until = Element { key: IpAddr::from([192, 0, 2, 7]), timeout_ms: Some(3_600_000), is_end: false };
    let forever = Element { key: IpAddr::from([192, 0, 2, 8]), timeout_ms: None, is_end: false };
    let end = Element { key: IpAddr::from([192, 0, 3, 0]), timeout_ms: None, is_end: true };
    let list = |elements| SetElementMessage {
        attributes: vec![
            SetElementList::Table("fairban".to_owned()),
            SetElementList::Set("logins4_other".to_owned()),
            SetElementList::Elements(elements),
        ],
    };
    let all = vec![
        element(&[192, 0, 2, 7], Some(SetElementAttribute::Timeout(3_600_000))),
        element(&[192, 0, 2, 8], None),
        element(&[192, 0, 3, 0], Some(SetElementAttribute::Flags(SetElementFlags::IntervalEnd))),
    ];
    let ours = written(|batch| batch.add("logins4_other", &[until, forever, end]));
    check(&ours, NLM_F_CREATE | NLM_F_ACK, NfTablesMessage::NewSetElement(list(all)));
    let ours = written(|batch| batch.delete("logins4_other", &[until]));
    let one = vec![element(&[192, 0, 2, 7], None)];
    check(&ours, NLM_F_ACK, NfTablesMessage::DeleteSetElement(list(one)));
    // The other encoder does not know this kind; but for that it is a deletion.
    let mut destroy = written(|batch| batch.destroy("logins4_other", &[until]));
    assert_eq!(destroy[4..6], (NFTABLES | 0x1e).to_ne_bytes());
    destroy[4..6].copy_from_slice(&(NFTABLES | 0x0e).to_ne_bytes());
    assert_eq!(destroy, ours);
    let ours = written(|batch| batch.flush("logins6_64"));
    let named = [SetElementList::Table("fairban".to_owned()), SetElementList::Set("logins6_64".to_owned())];
    check(
        &ours,
        NLM_F_ACK,
        NfTablesMessage::DeleteSetElement(SetElementMessage { attributes: named.to_vec() }),
    );
}

#[test]
fn tables_sets_and_chains() {
    let name = || TableAttribute::Name("fairban".to_owned());
    let table =
        TableMessage { attributes: vec![name(), TableAttribute::Flags(TableFlags::from_bits_retain(6))] };
    check(&written(|batch| batch.table(6)), NLM_F_CREATE | NLM_F_ACK, NfTablesMessage::NewTable(table));
    let table = TableMessage { attributes: vec![name()] };
    check(&written(Batch::delete_table), NLM_F_ACK, NfTablesMessage::DeleteTable(table));
    for (name, flags, key_type, key_len) in [("smtp6_56", 0x10, 8, 16), ("all4_other", 0x14, 7, 4)] {
        let attributes = vec![
            SetAttribute::Table("fairban".to_owned()),
            SetAttribute::Name(name.to_owned()),
            SetAttribute::Flags(SetFlags::from_bits_retain(flags)),
            SetAttribute::KeyType(key_type),
            SetAttribute::KeyLen(key_len),
            SetAttribute::Id(9),
        ];
        let ours = written(|batch| batch.set(set(name), 9));
        check(&ours, NLM_F_CREATE | NLM_F_ACK, NfTablesMessage::NewSet(SetMessage { attributes }));
    }
    let attributes = vec![
        ChainAttribute::Table("fairban".to_owned()),
        ChainAttribute::Name("pre".to_owned()),
        ChainAttribute::Hook(vec![
            Hook::Number(InetHookNumber::PreRouting.into()),
            Hook::Priority(-300_i32 as u32),
        ]),
        ChainAttribute::Policy(1),
        ChainAttribute::Type("filter".to_owned()),
    ];
    let ours = written(Batch::base_chain);
    check(&ours, NLM_F_CREATE | NLM_F_ACK, NfTablesMessage::NewChain(ChainMessage { attributes }));
}

fn check_rule(ours: &[u8], chain: &str, expressions: Vec<Expressions>) {
    let attributes = vec![
        RuleAttribute::Table("fairban".to_owned()),
        RuleAttribute::Chain(chain.to_owned()),
        RuleAttribute::Expressions(expressions.into_iter().map(Into::into).collect()),
    ];
    let theirs = NfTablesMessage::NewRule(RuleMessage { attributes });
    check(ours, NLM_F_CREATE | NLM_F_APPEND | NLM_F_ACK, theirs);
}

fn meta_is(key: MetaKey, is: u8) -> [Expressions; 2] {
    let equal = Cmp::Op(Operator::Equal);
    [
        Expressions::Meta(vec![Meta::Key(key), Meta::DestinationRegister(Register::Reg1)]),
        Expressions::Cmp(vec![Cmp::SourceRegister(Register::Reg1), equal, Cmp::Data(value(&[is]))]),
    ]
}

fn load(base: u32, offset: u32, len: u32) -> Expressions {
    let register = Payload::DestinationRegister(Register::Reg1);
    Expressions::Payload(vec![register, Payload::Base(base), Payload::Offset(offset), Payload::Len(len)])
}

fn lookup(set: &str) -> Expressions {
    Expressions::Lookup(vec![Lookup::Set(set.to_owned()), Lookup::SourceRegister(Register::Reg1)])
}

fn verdict(attributes: Vec<VerdictAttribute>) -> Expressions {
    let register = Immediate::DestinationRegister(Register::Verdict);
    Expressions::Immediate(vec![register, Immediate::Data(DataAttribute::Verdict(attributes))])
}

#[test]
fn rules() {
    let counter = Expressions::Other { expression_type: "counter".to_owned(), attributes: Vec::new() };
    let drop = verdict(vec![VerdictAttribute::Code(Verdict::Other(0))]);
    let mask = [vec![255; 7], vec![0; 9]].concat();
    let bitwise = Expressions::Bitwise(vec![
        Bitwise::SourceRegister(Register::Reg1),
        Bitwise::DestinationRegister(Register::Reg1),
        Bitwise::Length(16),
        Bitwise::Mask(value(&mask)),
        Bitwise::Xor(value(&[0; 16])),
    ]);
    let [meta, is_v6] = meta_is(MetaKey::Nfproto, 10);
    let expressions = vec![meta, is_v6, load(1, 8, 16), bitwise, lookup("logins6_56"), counter, drop];
    check_rule(&written(|batch| batch.lookup_rule("logins", set("logins6_56"))), "logins", expressions);
    let [meta, is_tcp] = meta_is(MetaKey::L4Proto, 6);
    let jump =
        verdict(vec![VerdictAttribute::Code(Verdict::Jump), VerdictAttribute::Chain("smtp".to_owned())]);
    let expressions = vec![meta, is_tcp, load(2, 2, 2), lookup("smtp"), jump];
    check_rule(&written(|batch| batch.ports_rule(Group::Smtp)), "pre", expressions);
}

#[test]
fn the_ends_of_a_transaction_and_questions() {
    let mut batch = Batch::begin(5, super::TABLE);
    batch.table(0);
    let (bytes, last) = batch.finish();
    assert_eq!(last, 6);
    let kinds: Vec<u32> = messages(&bytes).map(|message| u32::from(message.kind)).collect();
    assert_eq!(kinds, [0x10, 0x0a00, 0x11]);
    // The subsystem stands in network order after family and version.
    assert_eq!(bytes[16..20], [0, 0, 0, 10]);
    let question = query(1, true, 7, |_| {});
    let message = NetlinkMessage::<NetfilterMessage>::deserialize(&question).expect("understood");
    assert_eq!((message.header.flags, message.header.sequence_number), (0x301, 7));
    let NetlinkPayload::InnerMessage(message) = message.payload else { panic!("no question") };
    let tables = NfTablesMessage::GetTable(TableMessage { attributes: Vec::new() });
    let header = NetfilterHeader::new(NetfilterProtoFamily::Inet, 0, 0);
    assert_eq!(message, NetfilterMessage::new(header, tables));
}
