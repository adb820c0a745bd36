// How the pages that are passed on look, and those of boxes, in real headless Chromium: on a phone, a tablet, a laptop and a
// projector, in the light and in the dark, in both languages. Started by tests/it/web_page.rs.
//
// Invariant: on each of them nobody is kept from using a page, and nothing sticks out of the window. Each has a picture.
// Of screen, colours and language each two meet; all three don't, since what breaks a page is one of them or two.

import assert from 'node:assert/strict';
import { api, faultProxy, looksRight, page, share } from './fixture.mjs';
import { until } from './browser.mjs';

const HOUR = 60 * 60 * 1000;
const from = (ms) => new Date(Date.now() + ms).toISOString();
const tokenOf = ({ url }) => url.split('/').at(-1);
const touched = { isMobile: true, hasTouch: true };
const SCREENS = [
  ['phone', { viewport: { width: 390, height: 844 }, ...touched }],
  ['tablet', { viewport: { width: 820, height: 1180 }, ...touched }],
  ['laptop', { viewport: { width: 1280, height: 800 } }],
  ['projector', { viewport: { width: 1920, height: 1080 } }],
];
const SCHEMES = ['light', 'dark'];
const LOCALES = ['en-GB', 'de-DE'];

async function handIn(box, submitter, name) {
  const { body } = await api('POST', `/v1/drop/${tokenOf(box)}/files`, { filename: name, size: 5, submitter });
  const { url, headers } = body.upload;
  assert.equal((await fetch(url, { method: 'PUT', headers, body: 'hello' })).status, 200);
  await until('it is there', async () => (await api('GET', `/v1/files/${body.id}/metadata?wait=20`)).body.status === 'available');
}

let made = null;

// What the pages show, the same for all.
async function things() {
  const ids = [];
  for (const name of ['Lecture 7 – slides.pptx', 'Übungsblatt 7.pdf', 'מבוא לאלגוריתמים (final).pdf', `${'a-very-long-name-'.repeat(8)}.tar.gz`]) {
    ids.push((await share(name)).id);
  }
  const { body: link } = await api('POST', '/v1/links', { files: ids, title: 'Week 7', maxDownloads: 3, password: 'right' });
  const { body: box } = await api('POST', '/v1/boxes', { title: 'Exercise sheet 7', dueAt: from(HOUR / 2), closesAt: from(2 * HOUR), types: ['pdf', 'txt'] });
  await handIn(box, 'Ada', 'sheet 7.txt');
  await handIn(box, 'Ada', 'sheet 7, corrected.txt');
  await handIn(box, 'Grace Brewster Murray Hopper', 'a name of a file that is longer than most of them are.txt');
  await api('PATCH', `/v1/boxes/${box.id}`, { dueAt: from(-HOUR), overrides: [{ submitter: 'Ada', dueAt: from(HOUR), closesAt: from(3 * HOUR) }] });
  const { body: open } = await api('POST', '/v1/boxes', { title: 'Exercise sheet 8', dueAt: from(50 * HOUR), types: ['pdf', 'zip'] });
  return { link, box, open };
}

for (const [row, [screen, options]] of SCREENS.entries()) {
  for (const [column, colorScheme] of SCHEMES.entries()) {
    const locale = LOCALES[(row + column) % LOCALES.length];
    page(
      `pages look right on a ${screen}, ${colorScheme}, in ${locale}`,
      async (open) => {
        made ??= await things();
        for (const [name, url, isThere] of [
          ['link', `s/${tokenOf(made.link)}`, (tab) => tab.locator('#all:enabled').waitFor()],
          ['box', `b/${tokenOf(made.open)}`, (tab) => tab.locator('#give').waitFor()],
          ['box-late', `b/${tokenOf(made.box)}`, (tab) => tab.locator('#give').waitFor()],
          ['boxes', 'boxes', (tab) => tab.locator('.box-row').first().waitFor()],
          ['table', `boxes#${made.box.id}`, (tab) => tab.locator('.handed tbody tr').first().waitFor()],
          ['receipt', 'receipt', (tab) => tab.locator('#receipt textarea').waitFor()],
        ]) {
          const tab = await open(`${faultProxy.base}${url}`);
          await isThere(tab);
          await looksRight(tab, `${name} on a ${screen}, ${colorScheme}, in ${locale}`, `look-${name}-${screen}-${colorScheme}-${locale.slice(0, 2)}`);
          await tab.close();
        }
      },
      { ...options, colorScheme, locale },
    );
  }
}
