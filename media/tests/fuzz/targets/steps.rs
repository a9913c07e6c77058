//! Inputs that are sequences: records of a kind, an argument and bytes. And names that only the running machine knows,
//! written as `{tag}` and the like, so that a stored input can belong to its calls.

/// One record.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    pub kind: u8,
    pub argument: u8,
    pub bytes: &'a [u8],
}

/// Records at most; what comes after is ignored.
const STEPS_MAX: usize = 64;

/// Splits an input: kind, argument, length in two octets, bytes. A length beyond the end takes what is left.
pub fn steps(mut bytes: &[u8]) -> impl Iterator<Item = Step<'_>> {
    std::iter::from_fn(move || {
        let ([kind, argument, high, low], rest) = bytes.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (taken, after) = rest.split_at(length);
        bytes = after;
        Some(Step { kind: *kind, argument: *argument, bytes: taken })
    })
    .take(STEPS_MAX)
}

/// What the machine said last.
#[derive(Default)]
pub struct Names {
    /// The To tag of our last response.
    pub tag: Vec<u8>,
    /// The branch of our last request.
    pub branch: Vec<u8>,
    /// Its Call-ID.
    pub call: Vec<u8>,
    /// Its From tag.
    pub ours: Vec<u8>,
}

/// Longest name that is taken from a message.
const NAME_MAX: usize = 64;

impl Names {
    /// Takes the names out of a message of ours.
    pub fn learn(&mut self, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let head = text.split("\r\n\r\n").next().unwrap_or_default();
        let line = |name: &str| head.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let after = |line: &str, mark: &str| -> Vec<u8> {
            let value = line.split_once(mark).map_or("", |(_, rest)| rest);
            value.split(';').next().unwrap_or_default().bytes().take(NAME_MAX).collect()
        };
        if head.starts_with("SIP/2.0") {
            if line("CSeq:").ends_with("INVITE") {
                self.tag = after(line("To:"), ";tag=");
            }
        } else {
            self.branch = after(line("Via:"), "branch=");
            self.call = line("Call-ID: ").bytes().take(NAME_MAX).collect();
            self.ours = after(line("From:"), ";tag=");
        }
    }
}

/// Puts the names where the input asks for them.
pub fn fill(bytes: &[u8], names: &Names) -> Vec<u8> {
    let table: [(&[u8], &[u8]); 4] =
        [(b"{tag}", &names.tag), (b"{branch}", &names.branch), (b"{call}", &names.call), (b"{ours}", &names.ours)];
    let mut filled = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        match table.iter().find(|(mark, _)| rest.starts_with(mark)) {
            Some((mark, name)) => {
                filled.extend_from_slice(name);
                rest = &rest[mark.len()..];
            }
            None => {
                filled.push(*first);
                rest = after;
            }
        }
    }
    filled
}
