// Sound for the recordings of the simulator: a voice-like tone wherever somebody speaks, silence elsewhere.
const RATE = 8000;
const CHANNELS = ['caller', 'receptionist', 'staff'];
const FRAME = 2 * CHANNELS.length;
const HEADER = 68;
const PITCH_HZ = [210, 140, 175];

const speaking = (db, call) => db.turns.filter((turn) => turn.call === call.id).map((turn) => ({ channel: CHANNELS.indexOf(turn.speaker), from: turn.start_ms, to: turn.end_ms }));
/** Syllables: loudness rises and falls four times a second, a little differently each time. */
const loudness = (ms) => Math.abs(Math.sin(ms / 80)) * (0.45 + 0.4 * Math.abs(Math.sin(ms / 733)) + 0.15 * Math.abs(Math.sin(ms / 191)));

export function waveform(db, call, points) {
  const turns = speaking(db, call);
  const length = call.recording.length_ms;
  const side = (channel) => Array.from({ length: points }, (_, index) => {
    const ms = (index / points) * length;
    return turns.some((turn) => turn.channel === channel && turn.from <= ms && ms < turn.to) ? Math.round(95 * loudness(ms * 3.1)) + 3 : 0;
  });
  return { rate_hz: RATE, length_ms: length, caller: side(0), receptionist: side(1), staff: side(2) };
}

export function wav(db, call) {
  const turns = speaking(db, call);
  const samples = Math.round((call.recording.length_ms / 1000) * RATE);
  const bytes = Buffer.alloc(HEADER + samples * FRAME);
  bytes.write('RIFF', 0);
  bytes.writeUInt32LE(HEADER - 8 + samples * FRAME, 4);
  bytes.write('WAVEfmt ', 8);
  bytes.writeUInt32LE(40, 16);
  bytes.writeUInt16LE(0xfffe, 20);
  bytes.writeUInt16LE(CHANNELS.length, 22);
  bytes.writeUInt32LE(RATE, 24);
  bytes.writeUInt32LE(RATE * FRAME, 28);
  bytes.writeUInt16LE(FRAME, 32);
  bytes.writeUInt16LE(16, 34);
  bytes.writeUInt16LE(22, 36);
  bytes.writeUInt16LE(16, 38);
  bytes.writeUInt32LE(7, 40);
  bytes.write('0100000000001000800000aa00389b71', 44, 'hex');
  bytes.write('data', 60);
  bytes.writeUInt32LE(samples * FRAME, 64);
  for (const turn of turns) {
    for (let ms = turn.from; ms < Math.min(turn.to, call.recording.length_ms); ms += 1) {
      for (let step = 0; step < RATE / 1000; step += 1) {
        const at = ms * (RATE / 1000) + step;
        if (at < samples) bytes.writeInt16LE(Math.round(9000 * loudness(ms) * Math.sin((2 * Math.PI * PITCH_HZ[turn.channel] * at) / RATE)), HEADER + at * FRAME + 2 * turn.channel);
      }
    }
  }
  return bytes;
}
