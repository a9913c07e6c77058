/** Draws two mirrored rows of bars, the caller above and the clinic below, the part before `progress` in full colour. Below, the bars of the receptionist and of staff begin at the same line, the shorter one before the taller. */
export interface Wave { caller: readonly number[]; clinic: readonly number[]; staff: readonly number[]; progress: number }
export interface WaveColours { caller: string; clinic: string; staff: string; rest: string; line: string }

const BAR = 2;
const GAP = 1;

export function drawWave(canvas: HTMLCanvasElement, wave: Wave, colours: WaveColours): void {
  const scale = devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  if (width === 0 || height === 0) return;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext('2d');
  if (!pen) return;
  pen.scale(scale, scale);
  const middle = Math.round(height / 2);
  pen.fillStyle = colours.line;
  pen.fillRect(0, middle, width, 1);
  const bars = Math.floor(width / (BAR + GAP));
  for (let bar = 0; bar < bars; bar += 1) {
    const heard = bar / bars < wave.progress;
    const room = middle - 3;
    draw(pen, bar, middle, -1, peak(wave.caller, bar, bars), room, heard ? colours.caller : colours.rest);
    const below = [{ loud: peak(wave.clinic, bar, bars), colour: colours.clinic }, { loud: peak(wave.staff, bar, bars), colour: colours.staff }];
    below.sort((one, other) => other.loud - one.loud);
    for (const { loud, colour } of below) draw(pen, bar, middle, 1, loud, room, heard ? colour : colours.rest);
  }
}

function draw(pen: CanvasRenderingContext2D, bar: number, middle: number, side: 1 | -1, loud: number, room: number, colour: string): void {
  const tall = Math.round((loud / 100) * room);
  if (tall === 0) return;
  pen.fillStyle = colour;
  pen.fillRect(bar * (BAR + GAP), side < 0 ? middle - 1 - tall : middle + 2, BAR, tall);
}

/** The loudest point that falls into a bar. */
export function peak(points: readonly number[], bar: number, bars: number): number {
  const from = Math.floor((bar * points.length) / bars);
  const to = Math.max(from + 1, Math.floor(((bar + 1) * points.length) / bars));
  let loudest = 0;
  for (let at = from; at < to && at < points.length; at += 1) loudest = Math.max(loudest, points[at] ?? 0);
  return loudest;
}
