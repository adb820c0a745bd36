// The web page on a phone, and with large text, in real headless Chromium: how much room rows take, where toasts are,
// and what the device has to pass things on. Started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { isAccessible, until } from './browser.mjs';
import { MIB, arrives, browser, bytesProxy, choose, create, faultProxy, file, isolated, listed, page, recordOf, sending, share } from './fixture.mjs';

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const LONG = `${'lecture-notes-on-graphs-and-'.repeat(4)}chapter-7.pdf`;
const MOST = 88;

// How high the rows are, and where their first button is beside their name; in pixels.
const measured = (rows) =>
  rows.evaluateAll((all) =>
    all.map((row) => {
      const { top, height } = row.getBoundingClientRect();
      const buttons = [...row.querySelectorAll('.row-buttons > button')].map((button) => button.getBoundingClientRect());
      const seen = buttons.filter(({ width }) => width > 0);
      return { name: row.querySelector('.name').textContent, height, isBeside: seen.every((box) => box.top < top + height / 2) };
    }),
  );

// What sticks out of the window, or out of its own box.
const sticksOut = (tab) =>
  tab.evaluate(() => {
    const isCut = (element) => element.scrollWidth > element.clientWidth + 1;
    const beyond = [...document.querySelectorAll('body *')].filter((element) => {
      const box = element.getBoundingClientRect();
      const isSeen = box.width > 1 && getComputedStyle(element).visibility === 'visible' && !element.closest('.unseen, .skip');
      return isSeen && (box.right > innerWidth + 1 || box.left < -1);
    });
    const cut = [...document.querySelectorAll('button, .button, h1, h2, h3, p, label, .chip')].filter(
      (element) => element.getBoundingClientRect().width > 1 && !element.matches('.unseen') && isCut(element),
    );
    // Of its own box, be that a row, a notice or the place where files come in.
    const boxes = [...document.querySelectorAll('.drop, .row, .notice, .selection, .panel-head, .batch-end, .empty, .bar, dialog')];
    const out = boxes.flatMap((box) => {
      const { left, right } = box.getBoundingClientRect();
      const isOut = (one) => one.width > 1 && (one.right > right + 1 || one.left < left - 1);
      return [...box.querySelectorAll('*')].filter((element) => isOut(element.getBoundingClientRect()) && !element.closest('.quiet, .name'));
    });
    return [...beyond, ...cut, ...out].map((element) => `${element.tagName}.${element.className}#${element.id}: ${element.textContent.slice(0, 40)}`);
  });

page(
  'rows are low, their buttons beside the name, and the rest is one touch away',
  async (open) => {
    await share(LONG);
    await share('short.txt');
    await create('on-its-way.txt', 5);
    const tab = await open(faultProxy.base);
    await listed(tab, 'short.txt').waitFor();
    for (const { name, height, isBeside } of await measured(tab.locator('#files-list .row'))) {
      assert.ok(height <= MOST && isBeside, `${name}: ${height} px, ${isBeside}`);
    }
    await isAccessible(tab, 'a list on a phone');
    await browser.picture(tab, '50-phone-list');
    const row = listed(tab, 'short.txt');
    assert.ok(await row.getByRole('button', { name: `Delete ${isolated('short.txt')}` }).isHidden());
    const more = row.getByRole('button', { name: /^More for .short\.txt/ });
    assert.equal(await more.getAttribute('aria-expanded'), 'false');
    await more.tap();
    await row.getByRole('button', { name: `Delete ${isolated('short.txt')}` }).waitFor();
    assert.equal(await more.getAttribute('aria-expanded'), 'true');
    await isAccessible(tab, 'a row that is open');
    await browser.picture(tab, '51-phone-open');

    // Its ending is seen, however little room there is.
    const tail = listed(tab, 'chapter-7.pdf').locator('.name-tail');
    const [box, text] = [await tail.boundingBox(), await tail.evaluate((one) => [one.scrollWidth, one.clientWidth])];
    assert.ok(box.x + box.width <= 390 && text[0] <= text[1], 'the whole ending');
    assert.equal(await listed(tab, 'chapter-7.pdf').locator('a.name').getAttribute('title'), LONG);
    assert.equal(await listed(tab, 'chapter-7.pdf').locator('a.name').textContent(), LONG);
  },
  PHONE,
);

page(
  'what is being sent takes no more room, and × has no line of its own',
  async (open) => {
    const tab = await open(faultProxy.base);
    bytesProxy().always({ method: 'PUT' }, { bytesPerSecond: MIB });
    const names = Array.from({ length: 4 }, (_, at) => `${'a-long-name-of-a-recording-'.repeat(3)}${at}.mp4`);
    await choose(tab, await Promise.all(names.map((name) => file(name, randomBytes(6 * MIB)))));
    await sending(tab, 'mp4').locator('.meta', { hasText: / left$/ }).first().waitFor();
    const rows = await measured(tab.locator('#uploads-list .row'));
    assert.equal(rows.length, 4);
    for (const { name, height, isBeside } of rows) {
      assert.ok(height <= MOST && isBeside, `${name}: ${height} px, ${isBeside}`);
    }
    await isAccessible(tab, 'sending on a phone');
    await browser.picture(tab, '52-phone-sending');
    await tab.getByRole('button', { name: 'Cancel all' }).tap();
    await until('all are cancelled', async () => (await tab.locator('#uploads-list .row[data-phase="cancelled"]').count()) === 4);
    for (const { name, height, isBeside } of await measured(tab.locator('#uploads-list .row'))) {
      assert.ok(height <= MOST && isBeside, `cancelled ${name}: ${height} px, ${isBeside}`);
    }
    await browser.picture(tab, '53-phone-cancelled');
    await tab.getByRole('button', { name: 'Clear what wasn’t sent' }).tap();
    await tab.locator('#uploads-list').waitFor({ state: 'hidden' });
  },
  PHONE,
);

page(
  'a toast covers nothing that can be touched, wherever one has scrolled to',
  async (open) => {
    for (let at = 0; at < 12; at += 1) {
      await share(`toasted-${at}.txt`);
    }
    const tab = await open(faultProxy.base);
    await listed(tab, 'toasted-0.txt').waitFor();
    const covered = () =>
      tab.evaluate(() => {
        const toast = document.querySelector('.toast').getBoundingClientRect();
        const overlaps = (box) => box.width > 0 && box.left < toast.right && toast.left < box.right && box.top < toast.bottom && toast.top < box.bottom;
        const isInside = toast.left >= 0 && toast.right <= innerWidth && toast.top >= 0 && toast.bottom <= innerHeight;
        const under = [...document.querySelectorAll('button, .button, input, select')].filter((one) => overlaps(one.getBoundingClientRect()));
        return [isInside, under.map((one) => one.id || one.ariaLabel)];
      });
    for (const name of ['toasted-11.txt', 'toasted-5.txt', 'toasted-0.txt']) {
      const copy = listed(tab, name).getByRole('button', { name: /^Copy link/ });
      await copy.tap();
      await tab.locator('.toast.is-shown', { hasText: 'Link copied' }).waitFor();
      assert.deepEqual(await covered(), [true, []], name);
    }
    await browser.picture(tab, '54-phone-toast');
    await tab.evaluate(() => scrollBy(0, -150));
    await until('it moves out of the way', async () => JSON.stringify(await covered()) === '[true,[]]');
  },
  PHONE,
);

page(
  'a phone’s own way to share is used where there is one, and its screen stays on while something is sent',
  async (open, context) => {
    await context.addInitScript(() => {
      globalThis.shared = [];
      globalThis.locks = { asked: 0, held: 0 };
      navigator.share = async (what) => globalThis.shared.push(what);
      const request = async () => {
        globalThis.locks.asked += 1;
        globalThis.locks.held += 1;
        const lock = { released: false };
        lock.release = async () => {
          globalThis.locks.held -= Number(!lock.released);
          lock.released = true;
        };
        return lock;
      };
      Object.defineProperty(navigator, 'wakeLock', { value: { request } });
    });
    const tab = await open(faultProxy.base);
    assert.deepEqual(await tab.evaluate(() => globalThis.locks), { asked: 0, held: 0 });
    let release;
    bytesProxy().next({ method: 'PUT' }, { hold: new Promise((resolve) => (release = resolve)) });
    await choose(tab, [await file('passed on.txt', 'x'), await file('too.txt', 'y')]);
    await until('the screen stays on', () => tab.evaluate(() => globalThis.locks.held === 1));
    release();
    await arrives(tab, 'passed on.txt');
    await arrives(tab, 'too.txt');
    await until('it may go off', () => tab.evaluate(() => globalThis.locks.held === 0));
    assert.equal(await tab.evaluate(() => globalThis.locks.asked), 1);
    const link = `${faultProxy.base}f/${(await recordOf('passed_on.txt')).id}`;
    const row = listed(tab, 'passed on.txt');
    await row.getByRole('button', { name: /^More for/ }).tap();
    await row.getByRole('button', { name: /^Share .passed on\.txt/ }).tap();
    assert.deepEqual(await tab.evaluate(() => globalThis.shared.at(-1)), { title: 'passed on.txt', url: link });
    await tab.locator('#batch-end').getByRole('button', { name: 'Share' }).tap();
    const both = await tab.evaluate(() => globalThis.shared.at(-1));
    assert.equal(both.title, '2 files arrived');
    assert.ok(both.text.includes(link) && both.text.split('\n').length === 2, both.text);
    await isAccessible(tab, 'a phone that can share');
    await browser.picture(tab, '55-phone-share');
  },
  PHONE,
);

for (const [what, options] of [
  ['a phone', PHONE],
  ['a tablet', { viewport: { width: 820, height: 1180 }, isMobile: true, hasTouch: true }],
  ['a laptop', { viewport: { width: 1366, height: 768 } }],
]) {
  page(
    `with text of twice the size nothing leaves its box on ${what}`,
    async (open) => {
      await share(LONG);
      await create('waits-for-bytes.txt', 5);
      const tab = await open(faultProxy.base);
      await tab.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
      bytesProxy().next({ method: 'PUT' }, { answer: { status: 507, headers: { 'Access-Control-Allow-Origin': '*' }, body: '<Error><Code>Full</Code></Error>' } });
      // One after the other: of two that are sent at once either could be the one that is refused.
      await choose(tab, [await file(`refused-${LONG}`, 'x')]);
      await tab.locator('#uploads-summary', { hasText: '1 wasn’t sent' }).waitFor();
      await choose(tab, [await file('large-text.txt', 'y')]);
      await arrives(tab, 'large-text.txt');
      assert.deepEqual(await sticksOut(tab), []);
      await browser.picture(tab, `56-large-text-${what.split(' ')[1]}`);
      if (await tab.locator('#select').isVisible()) {
        await tab.locator('#select').click();
        assert.deepEqual(await sticksOut(tab), []);
      }
      assert.ok((await tab.evaluate(() => document.documentElement.scrollWidth - innerWidth)) <= 1);
    },
    options,
  );
}
