import { describe, expect, it } from 'vitest';
import { HELLO_MS_MAX, Link, RETRY_MS_MAX, RETRY_MS_MIN, SILENCE_MS_MAX, type Output } from './link';

const frame = (body: object) => ({ kind: 'frame' as const, text: JSON.stringify(body) });
const hello = (seq: number) => frame({ type: 'hello', seq, at: '2026-01-01T00:00:00Z', version: '0.1.0' });
const event = (seq: number) => frame({ type: 'event', envelope: { seq, at: '', type: 'call.ended', call: 'c' } });
const sent = (out: Output[]) => out.flatMap((o) => (o.kind === 'send' ? [JSON.parse(o.text)] : []));
const told = (out: Output[]) => out.flatMap((o) => (o.kind === 'event' ? [o.envelope.seq] : []));

function opened(seq = 10): Link {
  const link = new Link(() => 0.5);
  link.handle({ kind: 'start' }, 0);
  link.handle(hello(seq), 100);
  return link;
}

describe('the link to the server', () => {
  it('connects once, follows from the head and has pages load what they hold', () => {
    const link = new Link(() => 0);
    expect(link.handle({ kind: 'start' }, 0)).toEqual([{ kind: 'connect' }]);
    expect(link.handle({ kind: 'start' }, 1)).toEqual([]);
    const out = link.handle(hello(41), 5);
    expect(sent(out)).toEqual([{ type: 'subscribe', since: 41 }]);
    expect(out.some((o) => o.kind === 'reload')).toBe(true);
    expect(link.phase).toBe('open');
  });

  it('hands each event on once and in order', () => {
    const link = opened(10);
    expect(told(link.handle(event(11), 1))).toEqual([11]);
    expect(told(link.handle(event(11), 2))).toEqual([]);
    expect(told(link.handle(event(9), 3))).toEqual([]);
    expect(told(link.handle(event(15), 4))).toEqual([15]);
  });

  // RT-02
  it('resumes after the last event it handed on, not from the new head', () => {
    const link = opened(10);
    link.handle(event(12), 200);
    link.handle({ kind: 'closed' }, 300);
    expect(link.phase).toBe('waiting');
    expect(link.handle({ kind: 'tick' }, link.nextWake() ?? 0)).toEqual([{ kind: 'connect' }]);
    const out = link.handle(hello(99), 2000);
    expect(sent(out)).toEqual([{ type: 'subscribe', since: 12 }]);
    expect(out.some((o) => o.kind === 'reload')).toBe(false);
    expect(told(link.handle(event(13), 2001))).toEqual([13]);
  });

  it('waits longer after each failure, with jitter, up to a ceiling', () => {
    const link = new Link(() => 1);
    link.handle({ kind: 'start' }, 0);
    const waits: number[] = [];
    let now = 0;
    for (let attempt = 0; attempt < 8; attempt += 1) {
      link.handle({ kind: 'closed' }, now);
      waits.push(link.retryAt - now);
      now = link.retryAt;
      link.handle({ kind: 'tick' }, now);
    }
    expect(waits[0]).toBe(RETRY_MS_MIN);
    expect(waits[1]).toBe(RETRY_MS_MIN * 2);
    expect(waits[7]).toBe(RETRY_MS_MAX);
    const low = new Link(() => 0);
    low.handle({ kind: 'start' }, 0);
    low.handle({ kind: 'closed' }, 0);
    expect(low.retryAt).toBe(RETRY_MS_MIN / 2);
  });

  it('tries at once when told that the network is back', () => {
    const link = opened();
    link.handle({ kind: 'closed' }, 1000);
    expect(link.handle({ kind: 'hurry' }, 1001)).toEqual([{ kind: 'connect' }]);
    expect(link.handle({ kind: 'hurry' }, 1002)).toEqual([]);
  });

  it('gives up a connection that has gone silent', () => {
    const link = opened();
    expect(link.handle({ kind: 'tick' }, 100 + SILENCE_MS_MAX - 1)).toEqual([]);
    expect(link.handle({ kind: 'tick' }, 100 + SILENCE_MS_MAX)).toEqual([{ kind: 'close' }]);
    expect(link.phase).toBe('waiting');
  });

  it('gives up an attempt that never says hello', () => {
    const link = new Link(() => 0);
    link.handle({ kind: 'start' }, 50);
    expect(link.handle({ kind: 'tick' }, 50 + HELLO_MS_MAX)).toEqual([{ kind: 'close' }]);
  });

  it('answers a ping with the place it has reached', () => {
    const link = opened(10);
    link.handle(event(17), 1);
    expect(sent(link.handle(frame({ type: 'ping' }), 2))).toEqual([{ type: 'ack', seq: 17 }]);
  });

  it('has pages load afresh after a gap and only then follows from the head', () => {
    const link = opened(10);
    expect(link.handle(frame({ type: 'gap', head: 20000, oldest: 10000 }), 1)).toEqual([{ kind: 'reload' }]);
    expect(told(link.handle(event(12), 2))).toEqual([]);
    expect(sent(link.handle({ kind: 'reloaded' }, 3))).toEqual([{ type: 'subscribe', since: 20000 }]);
    expect(told(link.handle(event(20001), 4))).toEqual([20001]);
  });

  it('follows a server whose numbers are lower than ours after the gap it announces', () => {
    const link = opened(500);
    link.handle({ kind: 'closed' }, 1);
    link.handle({ kind: 'tick' }, link.nextWake() ?? 0);
    expect(sent(link.handle(hello(3), 900))).toEqual([{ type: 'subscribe', since: 500 }]);
    link.handle(frame({ type: 'gap', head: 3, oldest: 1 }), 901);
    link.handle({ kind: 'reloaded' }, 902);
    expect(told(link.handle(event(4), 903))).toEqual([4]);
  });

  it('a reload that ends after the connection dropped does not move the mark', () => {
    const link = opened(10);
    link.handle(frame({ type: 'gap', head: 20000, oldest: 10000 }), 1);
    link.handle({ kind: 'closed' }, 2);
    expect(link.handle({ kind: 'reloaded' }, 3)).toEqual([]);
    expect(link.seq).toBe(10);
  });

  it('survives a frame that is not JSON and frames it does not know', () => {
    const link = opened();
    expect(link.handle(frame({ type: 'from_the_future' }), 1)).toEqual([]);
    expect(link.handle({ kind: 'frame', text: '{' }, 2)).toEqual([{ kind: 'close' }]);
    expect(link.phase).toBe('waiting');
  });

  it('ignores late frames of a connection it has left, and stops when told', () => {
    const link = opened(10);
    link.handle({ kind: 'closed' }, 1);
    expect(link.handle(event(11), 2)).toEqual([]);
    link.handle({ kind: 'hurry' }, 3);
    expect(link.handle({ kind: 'stop' }, 4)).toEqual([{ kind: 'close' }]);
    expect(link.nextWake()).toBeNull();
  });
});
