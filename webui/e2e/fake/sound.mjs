// Sound for the recordings of the simulator: a voice-like tone wherever somebody speaks, silence elsewhere.
const RATE = 8000;

const speaking = (db, call) => db.turns.filter((turn) => turn.call === call.id).map((turn) => ({ left: turn.speaker === 'caller', from: turn.start_ms, to: turn.end_ms }));
/** Syllables: loudness rises and falls four times a second, a little differently each time. */
const loudness = (ms) => Math.abs(Math.sin(ms / 80)) * (0.45 + 0.4 * Math.abs(Math.sin(ms / 733)) + 0.15 * Math.abs(Math.sin(ms / 191)));

export function waveform(db, call, points) {
  const turns = speaking(db, call);
  const length = call.recording.length_ms;
  const side = (left) => Array.from({ length: points }, (_, index) => {
    const ms = (index / points) * length;
    return turns.some((turn) => turn.left === left && turn.from <= ms && ms < turn.to) ? Math.round(95 * loudness(ms * 3.1)) + 3 : 0;
  });
  return { rate_hz: RATE, length_ms: length, caller: side(true), clinic: side(false) };
}

export function wav(db, call) {
  const turns = speaking(db, call);
  const samples = Math.round((call.recording.length_ms / 1000) * RATE);
  const bytes = Buffer.alloc(44 + samples * 4);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(36 + samples * 4, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(2, 22);
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(RATE * 4, 28);
  bytes.writeUInt16LE(4, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.write('data', 36);
  bytes.writeUInt32LE(samples * 4, 40);
  for (const turn of turns) {
    for (let ms = turn.from; ms < Math.min(turn.to, call.recording.length_ms); ms += 1) {
      for (let step = 0; step < RATE / 1000; step += 1) {
        const at = ms * (RATE / 1000) + step;
        if (at < samples) bytes.writeInt16LE(Math.round(9000 * loudness(ms) * Math.sin((2 * Math.PI * (turn.left ? 210 : 140) * at) / RATE)), 44 + at * 4 + (turn.left ? 0 : 2));
      }
    }
  }
  return bytes;
}
