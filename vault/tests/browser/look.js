// Every page is looked at twice: by axe, and by a person, in four pictures under target/screenshots/.

import { mkdir } from 'node:fs/promises';
import AxeBuilder from '@axe-core/playwright';
import { out } from './vitrine.js';

const WIDTHS = [390, 1280];
const SCHEMES = ['light', 'dark'];
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What was found wrong, page by page; empty at the end. */
export const faults = [];

const said = (violations) => violations.map((v) => `${v.id} (${v.impact}): ${v.help}\n${v.nodes.map((n) => `  ${n.target.join(' ')}: ${n.failureSummary?.replace(/\s+/g, ' ')}`).join('\n')}`).join('\n');

/**
 * Takes the pictures `NAME-WIDTH[-dark].png`; notes each violation of accessibility, and what sticks out sideways, in `faults`.
 * @param {import('playwright-core').Page} page @param {string} name
 */
export async function look(page, name) {
  const dir = out('target', 'screenshots');
  await mkdir(dir, { recursive: true });
  const before = page.viewportSize();
  for (const width of WIDTHS) {
    await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      // What scrolls in itself is painted a frame later.
      await page.evaluate(() => new Promise((go) => { requestAnimationFrame(() => requestAnimationFrame(go)); }));
      await page.screenshot({ path: `${dir}/${name}-${width}${colorScheme === 'dark' ? '-dark' : ''}.png`, fullPage: true });
      const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).withTags(TAGS).analyze();
      if (violations.length) faults.push(`${name} at ${width}, ${colorScheme}:\n${said(violations)}`);
    }
    const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) faults.push(`${name} at ${width}: ${over} pixels stick out`);
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: null });
  await page.setViewportSize(before);
}
