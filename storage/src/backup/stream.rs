//! The sealed chunks of a backup, as a stream.

use crate::seal::{SEAL_BYTES, SealKey};
use std::io::{self, Read, Write};

/// Plain bytes of a chunk.
const CHUNK_BYTES: usize = 64 << 10;

/// What a chunk is bound to. `bound` is the beginning of the file, so that it is authenticated with every chunk.
fn place(bound: &[u8], number: u64, last: bool) -> Vec<u8> {
    [bound, &number.to_be_bytes(), &[u8::from(last)]].concat()
}

/// Seals what is written.
pub(super) struct Sealing<W> {
    out: W,
    key: SealKey,
    bound: Vec<u8>,
    chunk: Vec<u8>,
    number: u64,
}

impl<W: Write> Sealing<W> {
    pub(super) fn new(out: W, key: SealKey, bound: Vec<u8>) -> Self {
        Self { out, key, bound, chunk: Vec::with_capacity(CHUNK_BYTES), number: 0 }
    }

    fn write_chunk(&mut self, last: bool) -> io::Result<()> {
        let sealed = self.key.seal(&place(&self.bound, self.number, last), &self.chunk).map_err(io::Error::other)?;
        self.out.write_all(&sealed)?;
        self.number += 1;
        self.chunk.clear();
        Ok(())
    }

    /// Nothing more follows.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_chunk(true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until it is known whether it is the last.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.write_chunk(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Opens what is read. Bytes that are given out are those that were written, in their place; where they are not, reading fails.
pub(super) struct Opening<R> {
    from: R,
    key: SealKey,
    bound: Vec<u8>,
    /// Sealed bytes read ahead: one chunk and what shows whether another follows.
    ahead: Vec<u8>,
    chunk: Vec<u8>,
    given: usize,
    number: u64,
    over: bool,
}

impl<R: Read> Opening<R> {
    pub(super) fn new(from: R, key: SealKey, bound: Vec<u8>) -> Self {
        Self { from, key, bound, ahead: Vec::new(), chunk: Vec::new(), given: 0, number: 0, over: false }
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        const SEALED: usize = CHUNK_BYTES + SEAL_BYTES;
        let wanted = (SEALED + 1).saturating_sub(self.ahead.len());
        (&mut self.from).take(wanted as u64).read_to_end(&mut self.ahead)?;
        let last = self.ahead.len() <= SEALED;
        let sealed = &self.ahead[..self.ahead.len().min(SEALED)];
        let opened = self.key.open(&place(&self.bound, self.number, last), sealed);
        self.chunk = opened
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it was changed, or its end is missing"))?;
        self.ahead.drain(..self.ahead.len().min(SEALED));
        (self.given, self.over) = (0, last);
        self.number += 1;
        Ok(())
    }

    /// Whether the last chunk has come, and all of it was given out.
    pub(super) fn is_over(&self) -> bool {
        self.over && self.given == self.chunk.len()
    }
}

impl<R: Read> Read for Opening<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.chunk.len() && !self.over {
            self.next_chunk()?;
        }
        let given = buffer.len().min(self.chunk.len() - self.given);
        buffer[..given].copy_from_slice(&self.chunk[self.given..self.given + given]);
        self.given += given;
        Ok(given)
    }
}
