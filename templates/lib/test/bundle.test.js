import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const templates = fileURLToPath(new URL('../../', import.meta.url));
const modules = readdirSync(path.join(templates, 'lib')).filter((f) => f.endsWith('.js'));

test('no module touches the page, an HTML sink or eval; none reads a challenge from an answer', () => {
  for (const name of modules) {
    const source = readFileSync(path.join(templates, 'lib', name), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, '');
    assert.doesNotMatch(source, /\b(document|window|innerHTML|outerHTML|insertAdjacentHTML|setAttribute|localStorage|sessionStorage|console)\b|\b(eval|Function)\(/, name);
    assert.doesNotMatch(source, /(start|answer|opening|evidence|given)\.challenge\b/, name);
    assert.doesNotMatch(source, /parse(Creation|Request)OptionsFromJSON|\.toJSON\(/, name);
  }
});

test('the same bytes twice, each with its hash in the manifest', () => {
  const dirs = [0, 1].map(() => mkdtempSync(path.join(tmpdir(), 'bundle-')));
  try {
    for (const d of dirs) execFileSync(process.execPath, [path.join(templates, 'bundle.mjs'), d], { stdio: 'pipe' });
    const [a, b] = dirs.map((d) => JSON.parse(readFileSync(path.join(d, 'manifest.json'))));
    assert.deepEqual(a, b);
    assert.deepEqual(readdirSync(dirs[0]).sort(), [...Object.keys(a), 'manifest.json'].sort());
    for (const [name, sha256] of Object.entries(a)) {
      const bytes = readFileSync(path.join(dirs[0], name));
      assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
      if (name.endsWith('.js')) assert.doesNotMatch(bytes.toString(), new RegExp(templates.slice(1, -1).replaceAll('/', '.')), 'a path of this machine');
    }
  } finally {
    dirs.forEach((d) => rmSync(d, { recursive: true }));
  }
});
