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

// What a box cuts off without a word: text that is longer than it, where nothing scrolls and no ellipsis tells. What is there for
// those who hear the page (.sr and its like) is a pixel wide by intent, and fields scroll.
const cut = () => [...document.querySelectorAll('body *')].filter((at) => {
  if (!(at instanceof HTMLElement) || at.matches('.sr, input, select, textarea, progress') || at.clientWidth <= 1) return false;
  const { overflowX, textOverflow } = getComputedStyle(at);
  return ['hidden', 'clip'].includes(overflowX) && textOverflow !== 'ellipsis' && at.scrollWidth > at.clientWidth;
}).map((at) => `${at.tagName.toLowerCase()}${at.id ? `#${at.id}` : ''}.${at.className} (${at.scrollWidth} in ${at.clientWidth})`);

/** Notes in `faults` what sticks out sideways of the page, or of a box that cuts it. */
export async function sides(page, name) {
  const width = page.viewportSize().width;
  const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (over > 0) faults.push(`${name} at ${width}: ${over} pixels stick out`);
  for (const box of await page.evaluate(cut)) faults.push(`${name} at ${width}: cut off by ${box}`);
}

/**
 * Takes the pictures `NAME-WIDTH[-dark].png`; notes each violation of accessibility, what sticks out sideways, and what is cut off, in `faults`.
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
    await sides(page, name);
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: null });
  await page.setViewportSize(before);
}
