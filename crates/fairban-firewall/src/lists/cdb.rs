//! Writes a constant data base in Bernstein's format: 256 hash tables after the records, and where they are before.

const TABLES: usize = 256;
const HEAD_LEN: usize = TABLES * 8;

/// A data base in the making. Of two records with one key readers find the first.
#[derive(Debug, Default)]
pub(super) struct Cdb {
    count: usize,
    records: Vec<u8>,
    /// Hash and position of each record, by table.
    tables: Vec<Vec<(u32, u32)>>,
}

impl Cdb {
    pub(super) fn new() -> Cdb {
        Cdb { count: 0, records: Vec::new(), tables: vec![Vec::new(); TABLES] }
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn add(&mut self, key: &[u8], data: &[u8]) {
        self.count += 1;
        let hash = hash(key);
        let position = (HEAD_LEN + self.records.len()) as u32;
        self.tables[hash as usize % TABLES].push((hash, position));
        self.put(key.len() as u32);
        self.put(data.len() as u32);
        self.records.extend(key);
        self.records.extend(data);
    }

    /// The whole; `None` if it does not fit into the format's four gigabytes.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        let mut head = Vec::with_capacity(HEAD_LEN);
        let mut tail: Vec<u8> = Vec::new();
        for table in &self.tables {
            let slots = table.len() * 2;
            head.extend(u32::try_from(HEAD_LEN + self.records.len() + tail.len()).ok()?.to_le_bytes());
            head.extend((slots as u32).to_le_bytes());
            let mut filled = vec![(0, 0); slots];
            for (hash, position) in table {
                let mut slot = (hash >> 8) as usize % slots;
                while filled[slot].1 != 0 {
                    slot = (slot + 1) % slots;
                }
                filled[slot] = (*hash, *position);
            }
            for (hash, position) in filled {
                tail.extend(hash.to_le_bytes());
                tail.extend(position.to_le_bytes());
            }
        }
        Some([head, self.records, tail].concat())
    }

    fn put(&mut self, number: u32) {
        self.records.extend(number.to_le_bytes());
    }
}

fn hash(key: &[u8]) -> u32 {
    key.iter().fold(5_381, |hash: u32, byte| hash.wrapping_mul(33) ^ u32::from(*byte))
}
