// Thousands of files in the web page, in real headless Chromium: finding, sorting, selecting, and how quick it is.
// Started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { isAccessible, until } from './browser.mjs';
import { api, browser, faultProxy, file, listed, page, share } from './fixture.mjs';

const MANY = 5000;
const NEWEST = Date.parse('2026-11-20T10:00:00Z');
const rows = (tab) => tab.locator('#files-list .row');
const said = (tab) => tab.locator('#found');

// As a service with so many files would answer.
function manyFiles(context, count) {
  const hex = (at, digits) => at.toString(16).padStart(digits, '0');
  const files = Array.from({ length: count }, (_, at) => ({
    id: `01a20c20-${hex(0xffff - at, 4)}-7000-8000-000000000000`,
    filename: `lecture_${at}_of_course_${at % 40}.pdf`,
    displayName: `lecture ${at} of course ${at % 40}.pdf`,
    size: 1000 + ((at * 7919) % 100_000),
    status: 'available',
    sha256: 'f'.repeat(64),
    createdAt: new Date(NEWEST - at * 60_000).toISOString(),
  }));
  return context.route(/\/v1\/files\?/, (route) => {
    const query = new URL(route.request().url()).searchParams;
    const from = Number(query.get('cursor') ?? 0);
    const to = from + Number(query.get('limit'));
    return route.fulfill({ json: { files: files.slice(from, to), nextCursor: to < count ? String(to) : null } });
  });
}

// How long the page takes until it shows what came of an event, in milliseconds.
const timed = (tab, selector, value) =>
  tab.evaluate(
    ([where, what]) =>
      new Promise((resolve) => {
        const field = document.querySelector(where);
        const began = performance.now();
        new MutationObserver((_, observer) => {
          observer.disconnect();
          requestAnimationFrame(() => requestAnimationFrame(() => resolve(Math.round(performance.now() - began))));
        }).observe(document.querySelector('#files-list'), { childList: true, subtree: true });
        field.value = what;
        field.dispatchEvent(new Event(field.matches('select') ? 'change' : 'input', { bubbles: true }));
      }),
    [selector, value],
  );

page('of 5,000 files any is found, sorted and reached, quickly, and the page says how far it has looked', async (open, context) => {
  await manyFiles(context, MANY);
  const tab = await open(faultProxy.base);
  const find = tab.getByRole('searchbox', { name: 'Find by name' });
  await find.fill('lecture 777');
  await said(tab).getByText(/^0 of the newest 50 files\. Older ones weren’t looked through\.$/).waitFor();
  await tab.getByRole('button', { name: 'Look through older files' }).click();
  // 777, 1777, 2777, 3777, 4777.
  await said(tab).getByText('5 of 5,000 files', { exact: true }).waitFor();
  assert.equal(await tab.locator('#files-more').isVisible(), false);
  assert.equal(await rows(tab).count(), 5);
  await find.fill('LECTURE 4999');
  await said(tab).getByText('1 of 5,000 files').waitFor();
  await rows(tab).getByText('lecture 4999 of course 39.pdf').waitFor();
  await isAccessible(tab, 'what was found');
  await browser.picture(tab, '40-found');
  await find.fill('');
  await said(tab).waitFor({ state: 'hidden' });

  const times = {
    find: await timed(tab, '#find', 'lecture 12'),
    all: await timed(tab, '#find', ''),
    oldest: await timed(tab, '#order', 'oldest'),
    byName: await timed(tab, '#order', 'name'),
    largest: await timed(tab, '#order', 'largest'),
    newest: await timed(tab, '#order', 'newest'),
  };
  const there = await rows(tab).count();
  assert.ok(there <= 150, `${there} rows of 5,000`);
  // Far more than it takes, for a busy machine; with all rows there it was seconds.
  assert.ok(Math.max(...Object.values(times)) < 3000, JSON.stringify(times));

  // Down to the last one, and every one on the way has its place.
  assert.equal(await rows(tab).first().getAttribute('aria-setsize'), '5000');
  for (const share of [0.37, 0.81, 1]) {
    await tab.evaluate((part) => scrollTo(0, part * document.documentElement.scrollHeight), share);
    await until('rows are where one is', () =>
      tab.evaluate(() => {
        const seen = document.elementFromPoint(innerWidth / 2, innerHeight / 2);
        return Boolean(seen?.closest('.row'));
      }),
    );
  }
  await rows(tab).getByText('lecture 4999 of course 39.pdf').waitFor();
  assert.equal(await rows(tab).last().getAttribute('aria-posinset'), '5000');
  await isAccessible(tab, 'the end of 5,000 files');
});

page('once there are files the headline makes room for them, and the whole window takes a drop', async (open) => {
  const first = await open(faultProxy.base);
  const where = (tab) => tab.locator('#files').evaluate((element) => element.getBoundingClientRect().top + scrollY);
  await share('makes-room.txt');
  await listed(first, 'makes-room.txt').waitFor();
  const large = await where(first);
  await first.close();
  // While one looks nothing moves; the next time it is so from the beginning.
  const tab = await open(faultProxy.base);
  await listed(tab, 'makes-room.txt').waitFor();
  const small = await where(tab);
  assert.ok(small < 0.6 * large, `the list begins at ${small} px, where it began at ${large} px`);
  await isAccessible(tab, 'a page with files');
  await browser.picture(tab, '43-with-files');

  await tab.setViewportSize({ width: 1100, height: 400 });
  await tab.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  const session = await tab.context().newCDPSession(tab);
  const data = { items: [], files: [await file('dropped-below.txt', 'x')], dragOperationsMask: 1 };
  const drag = (type) => session.send('Input.dispatchDragEvent', { type, x: 40, y: 380, data });
  await drag('dragEnter');
  await drag('dragOver');
  await tab.locator('#drop-veil').getByText('Let go to send').waitFor();
  await browser.picture(tab, '44-drop-anywhere');
  await drag('drop');
  await tab.locator('#drop-veil').waitFor({ state: 'hidden' });
  await listed(tab, 'dropped-below.txt').and(tab.locator('[data-status="available"]')).waitFor();
});

page('a row with the focus stays, however far one scrolls', async (open, context) => {
  await manyFiles(context, 600);
  const tab = await open(faultProxy.base);
  await tab.getByLabel('Order').selectOption('oldest');
  await tab.getByRole('button', { name: 'Look through older files' }).click();
  await tab.locator('#files-more').waitFor({ state: 'hidden' });
  await tab.evaluate(() => scrollTo(0, 0));
  await rows(tab).getByRole('button', { name: /^Delete .lecture 599/ }).focus();
  await tab.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await rows(tab).getByText('lecture 0 of course 0.pdf').waitFor();
  assert.match(await tab.evaluate(() => document.activeElement.getAttribute('aria-label')), /^Delete .lecture 599/);
});

page('many files are selected, their links copied, and they are deleted after one question', async (open) => {
  const shared = [];
  for (let at = 0; at < 8; at += 1) {
    shared.push(await share(`of-many-${at}.txt`));
  }
  const ids = shared.map(({ id }) => id);
  const tab = await open(faultProxy.base);
  await listed(tab, 'of-many-0.txt').waitFor();
  await tab.getByRole('searchbox', { name: 'Find by name' }).fill('of-many');
  await said(tab).getByText(/^8 of /).waitFor();
  await tab.getByRole('button', { name: 'Select', exact: true }).click();
  const bar = tab.getByRole('group', { name: 'What is selected' });
  assert.ok(await bar.getByRole('button', { name: 'Delete' }).isDisabled());
  const box = (name) => listed(tab, name).getByRole('checkbox', { name: new RegExp(`Select .${name}`) });
  await box('of-many-7.txt').check();
  await box('of-many-5.txt').click({ modifiers: ['Shift'] });
  await bar.getByText('3 selected').waitFor();
  await isAccessible(tab, 'files that are selected');
  await browser.picture(tab, '41-selected');
  await bar.getByRole('button', { name: 'Copy links' }).click();
  await tab.locator('.toast', { hasText: '3 links copied' }).waitFor();
  const links = (await tab.evaluate(() => navigator.clipboard.readText())).split('\n');
  const made = await Promise.all([7, 6, 5].map((at) => api('GET', `/v1/files/${ids[at]}/links`)));
  const path = (url) => new URL(url).pathname;
  assert.deepEqual(links.map(path), made.map(({ body }) => path(body.links[0].url)));

  await bar.getByRole('button', { name: 'Select all' }).click();
  await box('of-many-0.txt').uncheck();
  await bar.getByText('7 selected').waitFor();
  await bar.getByRole('button', { name: 'Delete' }).click();
  const question = tab.getByRole('dialog');
  await question.getByText('Delete 7 files?').waitFor();
  await question.getByText(/of-many-7\.txt.*of-many-6\.txt.*of-many-5\.txt.*4 more/).waitFor();
  await isAccessible(tab, 'the question about many');
  await browser.picture(tab, '42-delete-many');
  await question.getByRole('button', { name: 'Keep' }).click();
  assert.equal(faultProxy.count({ method: 'DELETE' }), 0);
  // One has to be asked for twice, one isn't to be had.
  const one = (at) => ({ method: 'DELETE', path: new RegExp(ids[at]) });
  faultProxy.next(one(6), { answer: { status: 503 } });
  const refusal = { status: 403, headers: { 'Content-Type': 'application/problem+json' }, body: JSON.stringify({ code: 'not_allowed', detail: 'no' }) };
  faultProxy.next(one(3), { answer: refusal });
  await bar.getByRole('button', { name: 'Delete' }).click();
  await question.getByRole('button', { name: 'Delete 7 files' }).click();
  await tab.locator('#said', { hasText: /6 deleted\. 1 couldn’t be deleted: .of-many-3\.txt.\. Try again\./ }).waitFor();
  await bar.getByText('1 selected').waitFor();
  for (const [at, id] of ids.entries()) {
    const { status } = await api('GET', `/v1/files/${id}/metadata`);
    assert.equal(status, [0, 3].includes(at) ? 200 : 404, `${at}`);
  }
  await tab.keyboard.press('Escape');
  await bar.waitFor({ state: 'hidden' });
});
