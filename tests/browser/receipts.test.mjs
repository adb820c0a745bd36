// Receipts and files that people check, in real headless Chromium, against the real programs. Started by
// tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { LIMIT_MS, chooser, drop, isAccessible } from './browser.mjs';
import { PHONE, api, browser, digest, faultProxy, file, looksRight, origins, page, share } from './fixture.mjs';

const NAME = 'résumé "final" – 🎉.txt';

const pageOf = ({ id }, base = faultProxy.base) => `${base}f/${id}`;
const dialogOf = (tab) => tab.locator('dialog.receipt');
const modules = () => faultProxy.requests.map(({ path }) => path.split('/').pop());

async function receiptOf({ id }) {
  const receipt = await fetch(new URL(`v1/files/${id}/receipt`, faultProxy.base));
  assert.equal(receipt.status, 200);
  return receipt.text();
}

async function openChecks(tab) {
  await tab.getByText('Is it complete?').click();
  await tab.getByLabel('Check a receipt').waitFor();
}

const verdictOn = (tab, which) => tab.locator('#card .check [role="status"]').nth(which === 'file' ? 0 : 1);

page('a receipt is shown, saved under the file’s name, copied and printed', async (open) => {
  const record = await share(NAME, 'what was handed in');
  faultProxy.clear();
  const tab = await open(pageOf(record));
  await tab.getByRole('button', { name: 'Receipt' }).waitFor();
  // What few people ask for comes when they do.
  assert.ok(!modules().includes('receipt.js'), modules().join());
  await tab.getByRole('button', { name: 'Receipt' }).click();
  const dialog = dialogOf(tab);
  await dialog.getByText(digest('what was handed in')).waitFor();
  assert.ok(modules().includes('receipt.js'), modules().join());
  for (const text of [NAME, '18 bytes', new URL(faultProxy.base).origin]) {
    await dialog.getByText(text, { exact: true }).first().waitFor();
  }
  const time = dialog.locator('time');
  assert.equal(await time.getAttribute('datetime'), record.uploadedAt);
  // With seconds and a zone, to be read without hovering.
  assert.match(await time.textContent(), /\d{4}.*\d{1,2}:\d{2}:\d{2}.*(UTC|GMT|[A-Z]{3,4}|GMT[+-]\d+)$/);
  await isAccessible(tab, 'a receipt');
  await browser.picture(tab, '30-receipt');

  const text = await dialog.locator('.receipt-text').textContent();
  const saving = tab.waitForEvent('download');
  await dialog.getByRole('button', { name: 'Save' }).click();
  const saved = await saving;
  assert.equal(saved.suggestedFilename(), 'résumé _final_ – 🎉.txt.receipt.jws');
  assert.equal(await readFile(await saved.path(), 'utf8'), `${text}\n`);
  await dialog.getByRole('button', { name: 'Copy receipt' }).click();
  await tab.locator('.toast', { hasText: 'Receipt copied' }).waitFor();
  assert.equal(await tab.evaluate(() => navigator.clipboard.readText()), text);

  await tab.evaluate(() => (globalThis.print = () => (globalThis.isPrinted = true)));
  await dialog.getByRole('button', { name: 'Print' }).click();
  assert.equal(await tab.evaluate(() => globalThis.isPrinted), true);
  const others = [tab.locator('#card'), dialog.getByRole('button', { name: 'Print' })];
  for (const other of others) {
    assert.ok(await other.isVisible(), 'it is there on a screen');
  }
  await tab.emulateMedia({ media: 'print' });
  assert.ok(await dialog.locator('.receipt-text').isVisible());
  for (const other of others) {
    assert.ok(!(await other.isVisible()), 'the receipt alone is printed');
  }
  await browser.picture(tab, '31-receipt-printed');
  await tab.emulateMedia({ media: 'screen' });
  await dialog.getByRole('button', { name: 'Close' }).click();
  await dialog.waitFor({ state: 'detached' });
});

page('what somebody has opened before the page’s script knows the file stays open, and the keyboard where it is', async (open) => {
  const record = await share('early bird.txt', 'early');
  let hear;
  const held = new Promise((resolve) => { hear = resolve; });
  faultProxy.always({ method: 'GET', path: /\/metadata/ }, { hold: held });
  const tab = await open(pageOf(record));
  await tab.locator('summary', { hasText: 'Is it complete?' }).focus();
  await tab.keyboard.press('Enter');
  await tab.locator('#card .digest').waitFor();
  hear();
  await tab.getByLabel('Check a receipt').waitFor();
  assert.equal(await tab.evaluate(() => document.activeElement.textContent), 'Is it complete?');
  // What there is nothing of, such as the end of a file that stays, leaves no trace.
  assert.doesNotMatch(await tab.locator('#card').textContent(), /null|undefined/);
});

page('a receipt is checked where it is pasted or dropped, and what isn’t genuine is said', async (open) => {
  const record = await share(NAME, 'what was handed in');
  const receipt = await receiptOf(record);
  const [header, claims, signature] = receipt.split('.');
  const tab = await open(pageOf(record));
  await openChecks(tab);
  const place = tab.getByLabel('Check a receipt');
  const verdict = verdictOn(tab, 'receipt');
  await place.fill(receipt);
  await verdict.getByText('Genuine: this service has signed that').waitFor();
  const said = await verdict.textContent();
  for (const part of [NAME, '18 bytes', 'It is the receipt of this file.']) {
    assert.ok(said.includes(part), said);
  }
  await isAccessible(tab, 'a receipt that was checked');
  await browser.picture(tab, '32-receipt-checked');

  const other = JSON.parse(Buffer.from(claims, 'base64url'));
  other.uploadedAt = '2026-01-01T00:00:00.000Z';
  const changed = `${header}.${Buffer.from(JSON.stringify(other)).toString('base64url')}.${signature}`;
  await place.fill(changed);
  await verdict.getByText('Not genuine').waitFor();
  for (const [name, content] of [
    ['words.txt', 'I handed it in, honestly.'],
    ['long.jws', 'A'.repeat(5_000_000)],
    ['cut.jws', receipt.slice(0, 100)],
  ]) {
    // So that the answer of before is gone.
    await place.fill(receipt);
    await verdict.getByText('Genuine: this service has signed that').waitFor();
    await drop(tab, [await file(name, content)], await middleOf(place));
    await verdict.getByText('That isn’t a receipt').waitFor();
  }
  const another = await share('another.txt', 'b');
  const others = await file('another.jws', await receiptOf(another));
  for (const state of ['there', 'gone']) {
    await place.fill('');
    assert.equal(await verdict.textContent(), '');
    await drop(tab, [others], await middleOf(place));
    await verdict.getByText('It is the receipt of another file.').waitFor();
    assert.ok((await verdict.textContent()).includes('another.txt'), state);
    // Also once that is gone.
    await api('DELETE', `/v1/files/${another.id}`);
  }
  await drop(tab, [await file('own.jws', receipt)], await middleOf(place));
  await verdict.getByText('It is the receipt of this file.').waitFor();
  assert.match(tab.url(), new RegExp(`/f/${record.id}$`), 'no drop left the page');
});

page('a file is dropped on the page of another one, or of its own', async (open) => {
  const content = Buffer.alloc(3 * 1024 * 1024 + 1, 'x');
  const record = await share('large.bin', content);
  const tab = await open(pageOf(record));
  await openChecks(tab);
  const place = tab.locator('div.drop-target');
  const verdict = verdictOn(tab, 'file');
  await drop(tab, [await file('same.bin', content)], await middleOf(place));
  await verdict.getByText('That is exactly this file.').waitFor();
  content[2_000_000] = 0;
  await drop(tab, [await file('other.bin', content)], await middleOf(place));
  await verdict.getByText('That is another file, or not all of it.').waitFor();
  // A drop that misses is no reason to leave: the browser hears, after all that the page does, that nothing is taken there.
  await tab.evaluate(() => {
    globalThis.said = null;
    window.addEventListener('dragover', (event) => (globalThis.said = [event.defaultPrevented, event.dataTransfer.dropEffect]));
  });
  await drop(tab, [await file('same.bin', content)], await middleOf(tab.locator('#card h1')));
  assert.deepEqual(await tab.evaluate(() => globalThis.said), [true, 'none']);
  assert.match(tab.url(), new RegExp(`/f/${record.id}$`));
  await isAccessible(tab, 'a file that was dropped');
});

test('on a page by plain http files are checked, and for a receipt there is a command', { timeout: 3 * LIMIT_MS }, async () => {
  const host = `http://classroom:${faultProxy.port}`;
  const record = await share('plain.txt', 'plain');
  const receipt = await receiptOf(record);
  await browser.visit({ origins: [host, ...origins] }, async (open) => {
    const tab = await open(pageOf(record, `${host}/`));
    assert.equal(await tab.evaluate(() => globalThis.isSecureContext), false);
    await openChecks(tab);
    await tab.locator('#card input[type="file"]').first().setInputFiles([await file('plain.txt', 'plain')]);
    await verdictOn(tab, 'file').getByText('That is exactly this file.').waitFor();
    await tab.getByLabel('Check a receipt').fill(receipt);
    const verdict = verdictOn(tab, 'receipt');
    await verdict.getByText('On a page that came by plain http').waitFor();
    assert.ok((await verdict.textContent()).endsWith(`fshare verify plain.txt.receipt.jws --server ${host}`));
    await tab.getByRole('button', { name: 'Receipt' }).click();
    await dialogOf(tab).getByText(host, { exact: true }).waitFor();
  });
});

page('where the keys can’t be had nothing is called wrong, and a receipt that can’t be had is said', async (open) => {
  const record = await share('away.txt', 'a');
  const receipt = await receiptOf(record);
  const tab = await open(pageOf(record));
  await openChecks(tab);
  const refused = {
    status: 503,
    headers: { 'Content-Type': 'application/problem+json' },
    body: JSON.stringify({ code: 'overloaded', detail: 'Too much at once' }),
  };
  faultProxy.next({ method: 'GET', path: /^\/v1\/receipts\/keys$/ }, { answer: refused });
  await tab.getByLabel('Check a receipt').fill(receipt);
  await verdictOn(tab, 'receipt').getByText('keys can’t be fetched right now').waitFor();
  const none = {
    status: 409,
    headers: { 'Content-Type': 'application/problem+json' },
    body: JSON.stringify({ code: 'receipts_unavailable', detail: 'this service has no key' }),
  };
  faultProxy.next({ method: 'GET', path: /\/receipt$/ }, { answer: none });
  await tab.getByRole('button', { name: 'Receipt' }).click();
  await tab.locator('.toast', { hasText: 'this service has no key' }).waitFor();
  assert.equal(await dialogOf(tab).count(), 0);
});

for (const [language, options, words] of [
  ['English', {}, ['Check a receipt', 'Genuine: this service has signed that', 'Choose its file', 'That is exactly this file.', 'Not genuine', 'That is another file', 'That isn’t a receipt']],
  ['German', { locale: 'de-DE', ...PHONE }, ['Einen Beleg prüfen', 'Echt: Dieser Dienst hat unterschrieben', 'Seine Datei wählen', 'Das ist genau diese Datei.', 'Nicht echt', 'Das ist eine andere Datei', 'Das ist kein Beleg']],
]) {
  page(
    `whoever was mailed a receipt checks it, and its file, on a page of its own, in ${language}`,
    async (open) => {
      const [heading, genuine, choose, same, wrong, different, none] = words;
      const record = await share(NAME, 'what was handed in');
      const receipt = await receiptOf(record);
      // Also once the file is gone.
      await api('DELETE', `/v1/files/${record.id}`);
      const tab = await open(`${faultProxy.base}receipt`);
      await tab.getByRole('heading', { name: heading }).waitFor();
      await looksRight(tab, `a page for receipts in ${language}`, `33-receipt-page-${language}`);
      const choosing = await chooser(tab, () => tab.getByRole('button', { name: choose }).click());
      await choosing.setFiles([await file('essay.receipt.jws', `${receipt}\n`)]);
      await tab.getByText(genuine).waitFor();
      await tab.locator('#facts').getByText(digest('what was handed in')).waitFor();
      await tab.locator('#facts').getByText(NAME, { exact: true }).waitFor();
      const compare = tab.locator('#file input[type="file"]');
      await compare.setInputFiles([await file('other.txt', 'what was handed 1n')]);
      await tab.getByText(different).waitFor();
      await compare.setInputFiles([await file('same.txt', 'what was handed in')]);
      await tab.getByText(same).waitFor();
      await looksRight(tab, `a receipt that was checked in ${language}`, `34-receipt-page-checked-${language}`);
      // What isn't genuine says nothing, and each time anew, of a receipt that did.
      const [header, claims, signature] = receipt.split('.');
      const said = JSON.parse(Buffer.from(claims, 'base64url'));
      const part = (text) => Buffer.from(text).toString('base64url');
      const [place, verdict] = [tab.locator('#receipt textarea'), tab.locator('#receipt [role="status"]')];
      for (const [changed, expected] of [
        [part(JSON.stringify({ ...said, late: true })), wrong],
        [part(JSON.stringify({ ...said, size: said.size + 1 })), wrong],
        [part(JSON.stringify(said).slice(1)), none],
      ]) {
        await place.fill(receipt);
        await verdict.getByText(genuine).waitFor();
        await tab.locator('#claims').waitFor();
        await place.fill([header, changed, signature].join('.'));
        await verdict.getByText(expected).waitFor();
        await tab.locator('#claims').waitFor({ state: 'hidden' });
      }
      await isAccessible(tab, `a receipt that isn’t genuine in ${language}`);
    },
    options,
  );
}

test('on a page of receipts that came by plain http there is a command for a terminal', { timeout: 3 * LIMIT_MS }, async () => {
  const host = `http://classroom:${faultProxy.port}`;
  const receipt = await receiptOf(await share('mailed.txt', 'plain'));
  await browser.visit({ origins: [host, ...origins] }, async (open) => {
    const tab = await open(`${host}/receipt`);
    await tab.locator('#receipt textarea').fill(receipt);
    const verdict = tab.locator('#receipt [role="status"]');
    await verdict.getByText('On a page that came by plain http').waitFor();
    assert.ok((await verdict.textContent()).endsWith(`fshare verify mailed.txt.receipt.jws --server ${host}`));
    await looksRight(tab, 'a receipt that can’t be checked there', '35-receipt-page-plain');
  });
});

async function middleOf(element) {
  await element.scrollIntoViewIfNeeded();
  const { x, y, width, height } = await element.boundingBox();
  return { x: x + width / 2, y: y + height / 2 };
}
