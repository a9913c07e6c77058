// What a browser must fetch before the first page of the desk works, compressed. Fails above the limit.
import { readFileSync, readdirSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const LIMIT_KB = 100;
const build = new URL('../build/', import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(new URL('../.svelte-kit/output/client/.vite/manifest.json', import.meta.url)));
const gzipped = (file) => gzipSync(readFileSync(build + file), { level: 9 }).length;

const seen = new Set();
function follow(key) {
  const entry = manifest[key];
  if (!entry || seen.has(entry.file)) return;
  seen.add(entry.file);
  for (const css of entry.css ?? []) seen.add(css);
  for (const next of entry.imports ?? []) follow(next);
}
const nodes = (match) => Object.keys(manifest).filter((key) => match.test(key));
// The start, the app, the frame, the page of calls, and one language.
[...nodes(/entry\/app\.js$|entry\.js$/), ...nodes(/messages\/en\.json$/)].forEach(follow);
const wanted = new Set(readFileSync(`${build}index.html`, 'utf8').match(/_app\/immutable\/[\w./-]+\.js/g));
wanted.forEach((file) => seen.add(file));
const calls = nodes(/nodes\/\d+\.js$/).filter((key) => /routes\/\(desk\)\/(\+layout|calls\/\+page)\.svelte/.test(readFileSync(new URL(`../.svelte-kit/generated/client-optimized/${key.split('client-optimized/')[1] ?? ''}`, import.meta.url), 'utf8')));
calls.forEach(follow);

const js = [...seen].filter((file) => file.endsWith('.js')).reduce((sum, file) => sum + gzipped(file), 0);
const css = [...seen].filter((file) => file.endsWith('.css')).reduce((sum, file) => sum + gzipped(file), 0);
const all = readdirSync(`${build}_app`, { recursive: true, withFileTypes: true }).filter((file) => file.isFile() && file.name.endsWith('.js')).reduce((sum, file) => sum + gzipSync(readFileSync(`${file.parentPath}/${file.name}`)).length, 0);
const kb = (bytes) => (bytes / 1000).toFixed(1);
console.log(`first load: ${kb(js)} kB of script, ${kb(css)} kB of styles (gzip); all pages together ${kb(all)} kB of script`);
if (js > LIMIT_KB * 1000) {
  console.error(`The first load may be ${LIMIT_KB} kB of script at most.`);
  process.exitCode = 1;
}
