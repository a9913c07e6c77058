import adapter from '@sveltejs/adapter-static';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';

/**
 * Moves SvelteKit's inline start script into a file named by its own hash, so that the page holds no
 * inline script at all and runs under `script-src 'self'` with neither nonce nor hash in the header.
 */
function withoutInlineScript(inner) {
  return {
    ...inner,
    async adapt(builder) {
      await inner.adapt(builder);
      const page = readFileSync('build/index.html', 'utf8');
      const inline = /<script>([\s\S]*?)<\/script>/;
      const script = inline.exec(page)?.[1];
      if (script === undefined) throw new Error('build/index.html holds no start script: SvelteKit has changed, look at svelte.config.js');
      const name = `start.${createHash('sha256').update(script).digest('hex').slice(0, 8)}.js`;
      writeFileSync(`build/_app/immutable/${name}`, script.trim());
      const out = page.replace(inline, `<script src="/_app/immutable/${name}"></script>`);
      if (inline.test(out) || /\sstyle="/.test(out)) throw new Error('build/index.html still holds something inline: the content security policy would block it');
      writeFileSync('build/index.html', out);
    },
  };
}

/** @type {import('@sveltejs/kit').Config} */
export default {
  compilerOptions: { runes: true },
  kit: {
    adapter: withoutInlineScript(adapter({ pages: 'build', assets: 'build', fallback: 'index.html' })),
    paths: { relative: false },
    alias: { $messages: 'messages' },
  },
};
