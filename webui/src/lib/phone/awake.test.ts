import { describe, expect, it } from 'vitest';
import { awaken } from './awake';

/** A page, and something in it that wakes at the given attempt. */
function asleep(until: number) {
  const page = new EventTarget();
  let attempts = 0;
  const end = awaken(() => attempts >= until, () => (attempts += 1), page);
  const press = (kind: string): number => {
    page.dispatchEvent(new Event(kind));
    return attempts;
  };
  return { end, press, attempts: () => attempts };
}

describe('what a browser keeps silent', () => {
  it('is woken at once, and at every press until it is awake', () => {
    const sound = asleep(3);
    expect(sound.attempts()).toBe(1);
    expect([sound.press('pointermove'), sound.press('keydown'), sound.press('click')]).toEqual([1, 2, 3]);
    expect([sound.press('click'), sound.press('keydown')]).toEqual([3, 3]);
  });

  it('is left alone when it is over', () => {
    const sound = asleep(3);
    sound.end();
    expect(sound.press('click')).toBe(1);
  });
});
