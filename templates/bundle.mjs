// Bundles what the pages load into target/web (or the directory given): one script a page, one style sheet (style/style.css),
// pictures (style/*.svg), the fonts, and a
// manifest {file name: SHA-256 in hex, as `sha256sum` prints it}. Same input, same bytes. Files of earlier runs are removed.
//
//   node templates/bundle.mjs [DIR]

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const templates = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(templates);
const out = path.resolve(process.argv[2] ?? path.join(root, 'target', 'web'));
const require = createRequire(import.meta.url);
const NOT_PAGES = new Set(['lib', 'page', 'style']);

const sorted = async (dir) => (await readdir(dir, { withFileTypes: true }).catch(() => [])).sort((a, b) => (a.name < b.name ? -1 : 1));

async function pages() {
  const entries = {};
  for (const domain of await sorted(templates)) {
    if (!domain.isDirectory() || NOT_PAGES.has(domain.name)) continue;
    for (const file of await sorted(path.join(templates, domain.name))) {
      if (file.isFile() && file.name.endsWith('.js')) entries[`${domain.name}-${file.name.slice(0, -3)}`] = path.join(templates, domain.name, file.name);
    }
  }
  return entries;
}

// Readable on purpose: whoever reads what a page loads should find this source again. Only names of files differ.
const common = { absWorkingDir: root, bundle: true, write: false, charset: 'utf8', legalComments: 'inline', logLevel: 'warning' };

async function scripts() {
  const entryPoints = await pages();
  if (Object.keys(entryPoints).length === 0) return [];
  const { outputFiles } = await build({ ...common, entryPoints, outdir: out, format: 'esm', platform: 'browser', target: 'es2022' });
  return outputFiles.map((f) => [path.basename(f.path), f.contents]);
}

async function style() {
  const dir = path.join(templates, 'style');
  const files = await sorted(dir);
  const pictures = files.filter((f) => f.name.endsWith('.svg')).map(async (f) => [f.name, await readFile(path.join(dir, f.name))]);
  const found = await Promise.all(pictures);
  if (!files.some((f) => f.name === 'style.css')) return found;
  const { outputFiles } = await build({ ...common, entryPoints: [path.join(dir, 'style.css')], outdir: out, target: 'esnext', external: ['/assets/*'] });
  return [...found, ...outputFiles.map((f) => [path.basename(f.path), f.contents])];
}

async function fonts() {
  const found = [];
  for (const family of ['inter', 'jetbrains-mono']) {
    const dir = path.join(path.dirname(require.resolve(`@fontsource-variable/${family}/package.json`)), 'files');
    for (const subset of ['latin', 'latin-ext']) {
      const name = `${family}-${subset}-wght-normal.woff2`;
      found.push([name, await readFile(path.join(dir, name))]);
    }
  }
  return found;
}

const files = (await Promise.all([scripts(), style(), fonts()])).flat().sort(([a], [b]) => (a < b ? -1 : 1));
const manifest = Object.fromEntries(files.map(([name, bytes]) => [name, createHash('sha256').update(bytes).digest('hex')]));
await mkdir(out, { recursive: true });
for (const f of await sorted(out)) if (f.isFile() && /\.(?:js|css|svg|woff2)$/.test(f.name) && !Object.hasOwn(manifest, f.name)) await rm(path.join(out, f.name));
await Promise.all(files.map(([name, bytes]) => writeFile(path.join(out, name), bytes)));
await writeFile(path.join(out, 'manifest.json'), JSON.stringify(manifest, null, 1) + '\n');
