//! Session keys and what is done with them: counter mode with HMAC (RFC 3711 section 4), or Galois/counter mode
//! (RFC 7714 sections 8 and 9).

use aes::cipher::{InnerIvInit, KeyInit, StreamCipher};
use aes::{Aes128, Aes256};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ctr::{Ctr128BE, CtrCore};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::index::Index;
use super::key::{MasterKey, Suite};

/// Octets of the longest tag.
pub(super) const TAG_MAX: usize = 16;
/// Octets of the key that HMAC-SHA1 takes here (RFC 3711 section 8.2).
const AUTH_KEY: usize = 20;
/// Octets of the longest salt.
const SALT_MAX: usize = 14;

/// A block cipher with its key schedule.
#[derive(Clone)]
enum Aes {
    Short(Aes128),
    Long(Aes256),
}

impl Aes {
    /// Of the 32 octets, a short key is the first half.
    fn new(is_long: bool, key: &[u8; 32]) -> Self {
        if is_long { Self::Long(Aes256::new(key.into())) } else { Self::Short(Aes128::new(short(key).into())) }
    }

    /// Counter mode from this block on.
    fn apply(&self, counter: u128, data: &mut [u8]) {
        let counter = counter.to_be_bytes().into();
        match self {
            Self::Short(aes) => {
                Ctr128BE::from_core(CtrCore::inner_iv_init(aes, &counter)).apply_keystream(data);
            }
            Self::Long(aes) => {
                Ctr128BE::from_core(CtrCore::inner_iv_init(aes, &counter)).apply_keystream(data);
            }
        }
    }
}

enum Algorithm {
    Counter { aes: Aes, hmac: Hmac<Sha1>, salt: u128 },
    Gcm128 { gcm: Aes128Gcm, salt: [u8; 12] },
    Gcm256 { gcm: Aes256Gcm, salt: [u8; 12] },
}

/// The keys of one direction of RTP or of RTCP.
pub(super) struct Session {
    algorithm: Algorithm,
    tag_bytes: usize,
}

impl Session {
    pub(super) fn rtp(master: &MasterKey) -> Self {
        Self { algorithm: algorithm(master, [0, 1, 2]), tag_bytes: master.suite().tag_bytes() }
    }

    pub(super) fn rtcp(master: &MasterKey) -> Self {
        Self { algorithm: algorithm(master, [3, 4, 5]), tag_bytes: master.suite().rtcp_tag_bytes() }
    }

    /// With session keys, as the vectors of RFC 7714 give them; the short key is filled up behind.
    #[cfg(test)]
    pub(super) fn of_session_keys(suite: Suite, key: &[u8; 32], salt: &[u8; SALT_MAX]) -> Self {
        let algorithm = Algorithm::new(suite, key, &[0; AUTH_KEY], salt);
        Self { algorithm, tag_bytes: suite.tag_bytes() }
    }

    pub(super) fn tag_bytes(&self) -> usize {
        self.tag_bytes
    }

    pub(super) fn is_aead(&self) -> bool {
        !matches!(self.algorithm, Algorithm::Counter { .. })
    }

    /// Encrypts what follows the header, and gives the tag.
    pub(super) fn seal_rtp(&self, ssrc: u32, index: Index, packet: &mut [u8], header: usize) -> [u8; TAG_MAX] {
        let (associated, payload) = packet.split_at_mut(header);
        match &self.algorithm {
            Algorithm::Counter { aes, hmac, salt } => {
                aes.apply(counter(*salt, ssrc, index.get()), payload);
                let signed = hmac.clone().chain_update(&packet).chain_update(index.roll_over().to_be_bytes());
                left(&signed.finalize().into_bytes())
            }
            gcm => gcm.seal(rtp_nonce(ssrc, index), associated, payload),
        }
    }

    /// Checks the tag, then decrypts what follows the header. False, with the packet in whatever state, when it is forged.
    pub(super) fn open_rtp(&self, ssrc: u32, index: Index, packet: &mut [u8], header: usize, tag: &[u8]) -> bool {
        let Algorithm::Counter { aes, hmac, salt } = &self.algorithm else {
            let (associated, payload) = packet.split_at_mut(header);
            return self.algorithm.open(rtp_nonce(ssrc, index), associated, payload, tag);
        };
        let signed = hmac.clone().chain_update(&packet).chain_update(index.roll_over().to_be_bytes());
        let genuine = tag.len() == self.tag_bytes && signed.verify_truncated_left(tag).is_ok();
        if genuine {
            aes.apply(counter(*salt, ssrc, index.get()), &mut packet[header..]);
        }
        genuine
    }

    /// Encrypts what follows the first `clear` octets, and gives the tag. The trailer is the word with the index.
    pub(super) fn seal_rtcp(&self, ssrc: u32, trailer: [u8; 4], packet: &mut [u8], clear: usize) -> [u8; TAG_MAX] {
        match &self.algorithm {
            Algorithm::Counter { aes, hmac, salt } => {
                aes.apply(counter(*salt, ssrc, rtcp_index(trailer)), &mut packet[clear..]);
                left(&hmac.clone().chain_update(&packet).chain_update(trailer).finalize().into_bytes())
            }
            gcm => {
                let (head, body) = packet.split_at_mut(clear);
                gcm.seal(rtcp_nonce(ssrc, trailer), &associated(head, trailer), body)
            }
        }
    }

    /// The reverse. With nothing encrypted, `clear` is all of the packet.
    pub(super) fn open_rtcp(&self, ssrc: u32, trailer: [u8; 4], packet: &mut [u8], clear: usize, tag: &[u8]) -> bool {
        let Algorithm::Counter { aes, hmac, salt } = &self.algorithm else {
            let (head, body) = packet.split_at_mut(clear);
            return self.algorithm.open(rtcp_nonce(ssrc, trailer), &associated(head, trailer), body, tag);
        };
        let signed = hmac.clone().chain_update(&packet).chain_update(trailer);
        let genuine = tag.len() == self.tag_bytes && signed.verify_truncated_left(tag).is_ok();
        if genuine {
            aes.apply(counter(*salt, ssrc, rtcp_index(trailer)), &mut packet[clear..]);
        }
        genuine
    }
}

impl Algorithm {
    /// With session keys.
    fn new(suite: Suite, key: &[u8; 32], auth_key: &[u8; AUTH_KEY], salt: &[u8; SALT_MAX]) -> Self {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&salt[..12]);
        match (suite.is_aead(), suite.is_long()) {
            (true, true) => Self::Gcm256 { gcm: Aes256Gcm::new(key.into()), salt: nonce },
            (true, false) => Self::Gcm128 { gcm: Aes128Gcm::new(short(key).into()), salt: nonce },
            (false, is_long) => {
                // The key of an HMAC is a whole block; a shorter one is filled up with zeros (RFC 2104 section 2).
                let mut block = Zeroizing::new([0; 64]);
                block[..AUTH_KEY].copy_from_slice(auth_key);
                Self::Counter { aes: Aes::new(is_long, key), hmac: Hmac::new((&*block).into()), salt: wide(salt) }
            }
        }
    }

    fn seal(&self, nonce: [u8; 12], associated: &[u8], body: &mut [u8]) -> [u8; TAG_MAX] {
        let tag = match self {
            Self::Gcm128 { gcm, salt } => {
                gcm.encrypt_inout_detached(&salted(nonce, salt).into(), associated, body.into())
            }
            Self::Gcm256 { gcm, salt } => {
                gcm.encrypt_inout_detached(&salted(nonce, salt).into(), associated, body.into())
            }
            Self::Counter { .. } => Err(aes_gcm::Error),
        };
        // Only packets of 64 GiB cannot be sealed. A zero tag would be refused like any wrong one.
        tag.map_or([0; TAG_MAX], Into::into)
    }

    fn open(&self, nonce: [u8; 12], associated: &[u8], body: &mut [u8], tag: &[u8]) -> bool {
        let Ok(tag) = <[u8; TAG_MAX]>::try_from(tag) else { return false };
        let opened = match self {
            Self::Gcm128 { gcm, salt } => {
                gcm.decrypt_inout_detached(&salted(nonce, salt).into(), associated, body.into(), &tag.into())
            }
            Self::Gcm256 { gcm, salt } => {
                gcm.decrypt_inout_detached(&salted(nonce, salt).into(), associated, body.into(), &tag.into())
            }
            Self::Counter { .. } => Err(aes_gcm::Error),
        };
        opened.is_ok()
    }
}

/// The session keys for the labels of encryption, authentication and salt (RFC 3711 section 4.3).
fn algorithm(master: &MasterKey, [encryption, authentication, salting]: [u8; 3]) -> Algorithm {
    let suite = master.suite();
    let (mut key, mut auth_key, mut salt) =
        (Zeroizing::new([0; 32]), Zeroizing::new([0; AUTH_KEY]), Zeroizing::new([0; SALT_MAX]));
    derive(master, encryption, &mut key[..suite.key_bytes()]);
    derive(master, authentication, &mut auth_key[..]);
    derive(master, salting, &mut salt[..suite.salt_bytes()]);
    Algorithm::new(suite, &key, &auth_key, &salt)
}

/// The key stream of the master key from the label on. A salt of 12 octets is taken as 14 with two zeros behind
/// (RFC 7714 section 11, erratum 4938).
fn derive(master: &MasterKey, label: u8, out: &mut [u8]) {
    let mut key = Zeroizing::new([0; 32]);
    key[..master.key().len()].copy_from_slice(master.key());
    let counter = wide(master.salt()) ^ u128::from(label) << 64;
    Aes::new(master.suite().is_long(), &key).apply(counter, out);
}

/// The first half of a long key's place.
fn short(key: &[u8; 32]) -> &[u8; 16] {
    &key.as_chunks().0[0]
}

/// Up to 14 octets at the top of a block.
fn wide(salt: &[u8]) -> u128 {
    let mut block = [0; 16];
    for (octet, salt) in block.iter_mut().zip(salt) {
        *octet = *salt;
    }
    u128::from_be_bytes(block)
}

/// The first block of a packet's key stream (RFC 3711 section 4.1.1).
fn counter(salt: u128, ssrc: u32, index: u64) -> u128 {
    salt ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16
}

fn rtcp_index(trailer: [u8; 4]) -> u64 {
    u64::from(u32::from_be_bytes(trailer) & 0x7fff_ffff)
}

/// RFC 7714 section 8.1: two zeros, source, roll-over counter, sequence number.
fn rtp_nonce(ssrc: u32, index: Index) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[6..].copy_from_slice(&index.get().to_be_bytes()[2..]);
    nonce
}

/// RFC 7714 section 9.1: two zeros, source, two zeros, index.
fn rtcp_nonce(ssrc: u32, trailer: [u8; 4]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[2..6].copy_from_slice(&ssrc.to_be_bytes());
    nonce[8..].copy_from_slice(&(rtcp_index(trailer) as u32).to_be_bytes());
    nonce
}

fn salted(mut nonce: [u8; 12], salt: &[u8; 12]) -> [u8; 12] {
    for (octet, salt) in nonce.iter_mut().zip(salt) {
        *octet ^= salt;
    }
    nonce
}

/// What is signed but not encrypted: the clear octets, then the trailer (RFC 7714 section 9.2).
fn associated(clear: &[u8], trailer: [u8; 4]) -> Vec<u8> {
    [clear, &trailer].concat()
}

/// The first octets of an HMAC.
fn left(digest: &[u8]) -> [u8; TAG_MAX] {
    let mut tag = [0; TAG_MAX];
    for (octet, digest) in tag.iter_mut().zip(digest) {
        *octet = *digest;
    }
    tag
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tests::octets;
    use super::*;

    fn key(hex: &str) -> [u8; 32] {
        let mut key = [0; 32];
        let octets = octets(hex);
        key[..octets.len()].copy_from_slice(&octets);
        key
    }

    fn stream(is_long: bool, key_hex: &str, counter: u128, blocks: usize) -> Vec<u8> {
        let mut out = vec![0; blocks * 16];
        Aes::new(is_long, &key(key_hex)).apply(counter, &mut out);
        out
    }

    /// RFC 3711 appendix B.2 and RFC 6188 section 7.1.
    #[test]
    fn key_streams_are_those_of_the_rfcs() {
        const OFFSET: u128 = 0xf0f1_f2f3_f4f5_f6f7_f8f9_fafb_fcfd_0000;
        let short = "2B7E151628AED2A6ABF7158809CF4F3C";
        let long = "57f82fe3613fd170a85ec93c40b1f0922ec4cb0dc025b58272147cc438944a98";
        let table = [
            (false, short, OFFSET, "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB"),
            (false, short, OFFSET + 2, "41E95B3BB0A2E8DD477901E4FCA894C0"),
            (false, short, OFFSET + 0xfeff, "EC8CDF7398607CB0F2D21675EA9EA1E4362B7C3C6773516318A077D7FC5073AE"),
            (true, long, OFFSET, "92bdd28a93c3f52511c677d08b5515a49da71b2378a854f67050756ded165bac"),
            (true, long, OFFSET + 2, "63c4868b7096d88421b563b8c94c9a31"),
        ];
        for (is_long, key, counter, expected) in table {
            let expected = octets(expected);
            assert_eq!(stream(is_long, key, counter, expected.len() / 16), expected, "{counter:#x}");
        }
    }

    /// RFC 3711 appendix B.3 and RFC 6188 section 7.2.
    #[test]
    fn session_keys_are_those_of_the_rfcs() {
        let table = [
            (
                Suite::AesCm128Sha80,
                "E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6",
                "C61E7A93744F39EE10734AFE3FF7A087",
                "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF722709863\
                 71C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2",
                "30CBBC08863D8C85D49DB34A9AE1",
            ),
            (
                Suite::AesCm256Sha80,
                "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b63b04803de51ee7c96423ab5b78d2",
                "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
                "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
                "fa31791685ca444a9e07c6c64e93",
            ),
        ];
        for (suite, master, encryption, authentication, salt) in table {
            let master = MasterKey::new(suite, &octets(master)).unwrap();
            for (label, expected) in [(0, encryption), (1, authentication), (2, salt)] {
                let expected = octets(expected);
                let mut derived = vec![0; expected.len()];
                derive(&master, label, &mut derived);
                assert_eq!(derived, expected, "{suite:?} label {label}");
            }
        }
    }
}
