import { sveltekit } from '@sveltejs/kit/vite';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** The route announcer comes with a style attribute, which `style-src 'self'` would block; base.css styles it instead. */
const announcerWithoutStyle: Plugin = {
  name: 'announcer-without-style',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith('generated/root.svelte')) return;
    return code.replace(/(id="svelte-announcer"[^>]*?)\s+style="[^"]*"/, '$1');
  },
};

const server = process.env.AURICLE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [announcerWithoutStyle, sveltekit()],
  build: { target: 'es2022', cssTarget: ['chrome123', 'firefox120', 'safari17.5'] },
  server: { host: '127.0.0.1', proxy: { '/api': server, '/ws': { target: server, ws: true } } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
});
