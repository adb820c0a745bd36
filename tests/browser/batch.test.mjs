// Many files at a time in the web page, in real headless Chromium: one figure, one end, and nothing dropped.
// Started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { isAccessible, until } from './browser.mjs';
import { MIB, api, arrives, browser, bytesProxy, choose, digest, faultProxy, file, isolated, page, recordOf, sending, share } from './fixture.mjs';

// Keeps all that the page shows as a figure, and all that it says, from now on.
function recordFigures(tab) {
  return tab.evaluate(() => {
    globalThis.figures = [];
    globalThis.said = [];
    const look = () => {
      for (const text of [document.querySelector('#uploads-summary').textContent, document.title]) {
        globalThis.figures.push(...[...text.matchAll(/(\d+) %/g)].map(([, figure]) => Number(figure)));
      }
    };
    const watch = (element, then) =>
      new MutationObserver(then).observe(element, { childList: true, characterData: true, subtree: true });
    watch(document.querySelector('#uploads-summary'), look);
    watch(document.querySelector('title'), look);
    watch(document.querySelector('#said'), () => globalThis.said.push(document.querySelector('#said').textContent));
  });
}

page('a batch has one figure that only grows, and an end that stays', async (open) => {
  const tab = await open(faultProxy.base);
  await recordFigures(tab);
  const content = randomBytes(3 * MIB);
  const names = Array.from({ length: 6 }, (_, at) => `of-a-batch-${at}.bin`);
  bytesProxy().always({ method: 'PUT' }, { bytesPerSecond: 12 * MIB });
  // One has to be sent twice, which takes back what it had sent.
  bytesProxy().next({ method: 'PUT' }, { cutAfter: 2 * MIB });
  bytesProxy().next({ method: 'PUT' }, { cutAfter: 2 * MIB });
  await choose(tab, await Promise.all(names.map((name) => file(name, content))));
  await until('time left', async () => /\d+ % · \d+ (s|min) left$/.test(await tab.locator('#uploads-summary').textContent()));
  await isAccessible(tab, 'a batch');
  await browser.picture(tab, '17-batch');
  await tab.locator('#uploads-summary', { hasText: /^6 files arrived · \d+ \w+ \d{4}, \d\d:\d\d:\d\d$/ }).waitFor();
  const figures = await tab.evaluate(() => globalThis.figures);
  assert.ok(new Set(figures).size >= 4, `${figures}`);
  assert.deepEqual(figures, [...figures].sort((a, b) => a - b), 'it only grows');
  assert.match(await tab.title(), /6 files arrived/);
  // Before anything is copied: what comes together is read together.
  const ends = await until('it is said', async () => {
    const said = await tab.evaluate(() => globalThis.said);
    const about = said.filter((sentence) => /arrived|is there|wasn’t sent/.test(sentence));
    return about.length > 0 && about;
  });
  assert.deepEqual(ends, ['6 files arrived'], 'one sentence');
  await isAccessible(tab, 'the end of a batch');
  await browser.picture(tab, '18-batch-end');

  await tab.getByRole('button', { name: 'Copy links' }).click();
  await tab.locator('.toast', { hasText: '6 links copied' }).waitFor();
  const links = (await tab.evaluate(() => navigator.clipboard.readText())).split('\n');
  assert.equal(links.length, 6);
  const [first] = (await api('GET', `/v1/files/${(await recordOf(names[0])).id}/links`)).body.links;
  assert.equal(new URL(links[0]).pathname, new URL(first.url).pathname);
  await tab.getByRole('button', { name: 'Copy receipt' }).click();
  const receipt = await until('the receipt', async () => {
    const text = await tab.evaluate(() => navigator.clipboard.readText());
    return text.includes('SHA-256') && text;
  });
  assert.ok(receipt.includes(digest(content)) && receipt.includes(`${faultProxy.base}f/`) && receipt.includes('3,145,728 bytes'), receipt);
  await tab.getByRole('button', { name: 'Close this summary' }).click();
  await tab.locator('#uploads').waitFor({ state: 'hidden' });
  assert.equal(await tab.title(), 'File Share');
});

page('the end of a batch names what was not sent, and why', async (open) => {
  const tab = await open(faultProxy.base);
  bytesProxy().next({ method: 'PUT' }, { answer: { status: 507, headers: { 'Access-Control-Allow-Origin': '*' }, body: FULL } });
  await choose(tab, [await file('no-room.txt', 'x')]);
  await sending(tab, 'no-room.txt').getByText('The service has no room left').waitFor();
  await tab.locator('#uploads-summary', { hasText: '1 wasn’t sent' }).waitFor();
  await tab.locator('#said', { hasText: /1 wasn’t sent\. .no-room\.txt.\. The service has no room left/ }).waitFor();
  await tab.getByRole('button', { name: `Try again: ${isolated('no-room.txt')}` }).click();
  await arrives(tab, 'no-room.txt');
  await tab.locator('#uploads-summary', { hasText: /^1 file arrived/ }).waitFor();
});

const FULL = '<?xml version="1.0"?><Error><Code>InsufficientStorage</Code></Error>';

page('of 620 files at once none is dropped', async (open) => {
  const tab = await open(faultProxy.base);
  let release;
  const hold = new Promise((resolve) => (release = resolve));
  faultProxy.always({ method: 'POST', path: /^\/v1\/files$/ }, { hold });
  await tab.evaluate(() => {
    const clipboard = new DataTransfer();
    for (let at = 0; at < 620; at += 1) {
      clipboard.items.add(new File([String(at)], `of-620-${at}.txt`));
    }
    document.body.dispatchEvent(new ClipboardEvent('paste', { clipboardData: clipboard, bubbles: true }));
  });
  await tab.locator('#uploads-summary', { hasText: '0 of 620 files' }).waitFor();
  await tab.getByText('517 more files wait for their turn').waitFor();
  assert.equal(await tab.locator('#uploads-list .row').count(), 103);
  assert.ok(await tab.locator('#uploads-note').isHidden());
  await browser.picture(tab, '19-many');
  release();
  await until('some are through', async () => {
    const [, through] = /^(\d+) of 620 files/.exec(await tab.locator('#uploads-summary').textContent()) ?? [];
    return Number(through) >= 20;
  });
  await tab.getByRole('button', { name: 'Cancel all' }).click();
  const counts = await until('the end', async () =>
    /^(\d+) files arrived · (\d+) cancelled/.exec(await tab.locator('#uploads-summary').textContent()),
  );
  assert.equal(Number(counts[1]) + Number(counts[2]), 620);
  const created = faultProxy.count({ method: 'POST', path: /^\/v1\/files$/ });
  assert.ok(created <= Number(counts[1]) + 6, `cancelling sends nothing: ${created} creations, ${counts[0]}`);
});

page('names keep their own direction and their ending, whatever stands around them', async (open) => {
  const name = 'محاضرة-١.pdf';
  const { id } = await share(name);
  const long = await share(`${'lecture-notes-'.repeat(12)}chapter-7.pdf`);
  const tab = await open(faultProxy.base);
  const style = (link) =>
    link.evaluate((element) => {
      const { direction, unicodeBidi } = getComputedStyle(element);
      return [direction, unicodeBidi, element.title];
    });
  const link = tab.locator(`a.name[href$="${id}"]`);
  assert.deepEqual(await style(link), ['rtl', 'isolate', name]);
  const shown = tab.locator(`a.name[href$="${long.id}"]`);
  assert.deepEqual(await style(shown), ['ltr', 'isolate', long.filename]);
  assert.equal(await shown.textContent(), long.filename);
  const tail = await shown.locator('.name-tail').evaluate((one) => [one.textContent, one.scrollWidth <= one.clientWidth]);
  assert.deepEqual(tail, ['hapter-7.pdf', true], 'its ending is seen');
  const head = await shown.locator('.name-head').evaluate((one) => one.scrollWidth > one.clientWidth);
  assert.ok(head, 'what there is no room for is left out before it');
  await tab.getByRole('button', { name: `Delete ${isolated(name)}` }).click();
  await tab.getByRole('dialog').getByText(`\u2068${name}\u2069 is deleted for everybody`).waitFor();
  await browser.picture(tab, '20-directions');
});
