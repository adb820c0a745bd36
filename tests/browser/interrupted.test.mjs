// Uploads that the page was closed over, in real headless Chromium: what is said of them, and how they go on.
// Started by tests/it/web_page.rs, with a service that asks for its key beside the plain one.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { stat, utimes, writeFile } from 'node:fs/promises';
import { chooser, isAccessible, until } from './browser.mjs';
import { MIB, api, arrives, asking, browser, bytesProxy, choose, digest, faultProxy, file, isolated, listed, page, recordOf, sending, setup } from './fixture.mjs';

const rows = (tab) => tab.locator('#interrupted-list .row');
const interrupted = (tab, name) => rows(tab).filter({ hasText: name });
const CREATE = { method: 'POST', path: /^\/v1\/files$/ };

// Opens the page, begins to send these, and closes it as a crash would: nothing is asked, nothing is said.
async function crashWhile(open, paths, address = faultProxy.base) {
  const tab = await open(address);
  // Until it is known who this is, the page takes nothing.
  await tab.waitForFunction(() => ['open', 'in'].includes(document.documentElement.dataset.session));
  await choose(tab, paths);
  await until('the records are there', async () => (await tab.locator('#uploads-list .row[data-phase="sending"]').count()) === paths.length);
  await until('they are remembered', async () => (await remembered(tab)).length === paths.length);
  await tab.close();
}

// What the page has kept in this browser.
const remembered = (tab) =>
  tab.evaluate(
    () =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open('file-share');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const database = opening.result;
          const getting = database.transaction('uploads').objectStore('uploads').getAll();
          getting.onsuccess = () => {
            database.close();
            resolve(getting.result);
          };
        };
      }),
  );

// As if the page had kept it.
const remember = (tab, entry) =>
  tab.evaluate(
    (one) =>
      new Promise((resolve, reject) => {
        const opening = indexedDB.open('file-share');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const changing = opening.result.transaction('uploads', 'readwrite');
          changing.objectStore('uploads').put(one);
          changing.oncomplete = () => {
            opening.result.close();
            resolve();
          };
        };
      }),
    entry,
  );

page('what was interrupted says so, takes the same bytes under the same link, and no others', async (open) => {
  const content = randomBytes(3 * MIB);
  const place = await file('interrupted.bin', content);
  const forget = bytesProxy().always({ method: 'PUT' }, { bytesPerSecond: MIB / 2 });
  await crashWhile(open, [place]);
  forget();
  const { id } = await recordOf('interrupted.bin');

  const tab = await open(faultProxy.base);
  const row = interrupted(tab, 'interrupted.bin');
  await row.getByText('Interrupted: choose it again').waitFor();
  assert.match(await row.textContent(), /3 MB · Waiting for its bytes since \d\d:\d\d/);
  assert.equal(await listed(tab, 'interrupted.bin').count(), 0, 'it is shown once');
  await tab.locator('#said', { hasText: '1 upload was interrupted' }).waitFor();
  await isAccessible(tab, 'an upload that was interrupted');
  await browser.picture(tab, '30-interrupted');
  const text = JSON.stringify(await remembered(tab));
  assert.ok(!/X-Amz|http/.test(text), text);

  const offer = async (path) => {
    const button = row.getByRole('button', { name: /^Choose again: .interrupted\.bin.$/ });
    await (await chooser(tab, () => button.click())).setFiles([path]);
  };
  await offer(await file('shorter.bin', 'x'));
  await row.getByText('That is another file: it has 1 byte, and this one has 3 MB').waitFor();
  await offer(await file('as-long.bin', randomBytes(3 * MIB)));
  await row.getByText('it was changed since').waitFor();
  await isAccessible(tab, 'another file');
  await browser.picture(tab, '31-other-file');
  assert.equal(faultProxy.count({ method: 'PUT' }), 1, 'nothing was sent');

  await offer(place);
  await arrives(tab, 'interrupted.bin');
  await tab.locator('#interrupted').waitFor({ state: 'hidden' });
  const record = (await api('GET', `/v1/files/${id}/metadata`)).body;
  assert.deepEqual([record.status, record.sha256], ['available', digest(content)]);
  assert.equal(faultProxy.count(CREATE), 1, 'one record, one link');
  await until('it is forgotten', async () => (await remembered(tab)).length === 0);
});

page('what was interrupted goes on when the same files are dropped again, and a changed one is new', async (open) => {
  const same = await file('dropped-again.txt', 'the same');
  const changed = await file('changed.txt', 'before!!');
  const forget = bytesProxy().always({ method: 'PUT' }, { hold: new Promise(() => {}) });
  await crashWhile(open, [same, changed]);
  forget();
  const before = { same: (await recordOf('dropped-again.txt')).id, changed: (await recordOf('changed.txt')).id };
  const tab = await open(faultProxy.base);
  await until('both are interrupted', async () => (await rows(tab).count()) === 2);
  // Of the same length and time, as a build leaves it.
  const { mtime, atime } = await stat(changed);
  await writeFile(changed, 'after!!!');
  await utimes(changed, atime, mtime);
  await choose(tab, [same, changed]);
  await arrives(tab, 'dropped-again.txt');
  await arrives(tab, 'changed.txt');
  assert.equal((await recordOf('dropped-again.txt')).id, before.same);
  assert.notEqual((await recordOf('changed.txt')).id, before.changed);
  await interrupted(tab, 'changed.txt').getByText('Interrupted: choose it again').waitFor();
  await interrupted(tab, 'changed.txt').getByRole('button', { name: `Delete ${isolated('changed.txt')}` }).click();
  await tab.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await tab.locator('#interrupted').waitFor({ state: 'hidden' });
  assert.equal((await api('GET', `/v1/files/${before.changed}/metadata`)).status, 404);
});

page('of a batch that was interrupted also those are named that never had their turn', async (open) => {
  bytesProxy().always({ method: 'PUT' }, { hold: new Promise(() => {}) });
  const paths = await Promise.all(Array.from({ length: 8 }, (_, at) => file(`of-eight-${at}.txt`, `${at}`)));
  const first = await open(faultProxy.base);
  await choose(first, paths);
  await until('they are remembered', async () => {
    const kept = await remembered(first);
    return kept.filter(({ sha256 }) => sha256).length === 3 && kept.some(({ count }) => count === 5);
  });
  await first.close();
  faultProxy.clear();
  bytesProxy().clear();
  const tab = await open(faultProxy.base);
  const notice = tab.locator('#not-begun');
  await notice.getByText(/^5 files waited for their turn .* nothing of them was sent: .of-eight-3\.txt., .of-eight-4\.txt., .of-eight-5\.txt., 2 more\. Choose them again\.$/).waitFor();
  await until('three are interrupted', async () => (await rows(tab).count()) === 3);
  await isAccessible(tab, 'a batch that was interrupted');
  await browser.picture(tab, '32-not-begun');
  await choose(tab, paths);
  for (let at = 0; at < 8; at += 1) {
    await arrives(tab, `of-eight-${at}.txt`);
  }
  await tab.locator('#interrupted').waitFor({ state: 'hidden' });
  assert.equal(faultProxy.count(CREATE), 5, 'those that had a record keep it');
  await until('all is forgotten', async () => (await remembered(tab)).length === 0);
});

page('what another tab is sending is not interrupted, and what arrived meanwhile is neither', async (open, context) => {
  let release;
  bytesProxy().next({ method: 'PUT' }, { hold: new Promise((resolve) => (release = resolve)) });
  const sender = await open(faultProxy.base);
  await choose(sender, [await file('by-the-other-tab.txt', 'x')]);
  await until('it is remembered', async () => (await remembered(sender)).length === 1);
  const looking = context.waitForEvent('response', (response) => response.url().endsWith('/metadata'));
  const other = await open(faultProxy.base);
  await listed(other, 'by-the-other-tab.txt').getByText(/Waiting for its bytes since \d\d:\d\d/).waitFor();
  // It has looked for what was interrupted, and drawn what it found.
  await (await looking).finished();
  await other.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.ok(await other.locator('#interrupted').isHidden());
  release();
  await arrives(other, 'by-the-other-tab.txt');

  // The answer to the last byte was lost together with the page.
  bytesProxy().next({ method: 'PUT' }, { loseAnswer: true });
  faultProxy.always({ path: /metadata|complete/ }, { hold: new Promise(() => {}) });
  await choose(sender, [await file('arrived-meanwhile.txt', 'x')]);
  await until('it was sent', () => bytesProxy().count({ method: 'PUT' }) >= 2);
  await sender.close();
  faultProxy.clear();
  const tab = await open(faultProxy.base);
  await arrives(tab, 'arrived-meanwhile.txt');
  await until('it looked, and forgot it', async () => (await remembered(tab)).length === 0);
  assert.ok(await tab.locator('#interrupted').isHidden());
});

page('what fails for good leaves no record that everybody would wait for', async (open) => {
  const tab = await open(faultProxy.base);
  const body = '<?xml version="1.0"?><Error><Code>InsufficientStorage</Code></Error>';
  bytesProxy().next({ method: 'PUT' }, { answer: { status: 507, headers: { 'Access-Control-Allow-Origin': '*' }, body } });
  const created = tab.waitForResponse((response) => response.status() === 201);
  await choose(tab, [await file('for-good.txt', 'x')]);
  const { id } = await (await created).json();
  await sending(tab, 'for-good.txt').getByText('The service has no room left').waitFor();
  await until('its record is gone', async () => (await api('GET', `/v1/files/${id}/metadata`)).status === 404);
  assert.deepEqual(await remembered(tab), []);
});

page('what was interrupted belongs to whoever was signed in', async (open) => {
  const { key } = setup.asking;
  const at = asking.base;
  asking.always({ method: 'PUT' }, { hold: new Promise(() => {}) });
  await crashWhile(open, [await file('of-the-operator.txt', 'x')], `${at}#key=${key}`);
  asking.clear();
  // Somebody else, whose uploads on this browser have another owner.
  const somebodyElse = ({ principal, ...rest }) => ({ ...rest, principal: { ...principal, id: 'u_somebody-else', kind: 'user', role: 'member' } });
  asking.always({ method: 'GET', path: /^\/v1\/session$/ }, { rewrite: somebodyElse });
  const theirs = await open(at);
  await theirs.getByRole('button', { name: 'Sign out' }).waitFor();
  // One of theirs, of a file that never was, and behind the other one: when it is gone, both were looked at.
  const [{ id, place }] = await remembered(theirs);
  const never = 'ffffffff-ffff-7fff-bfff-ffffffffffff';
  await remember(theirs, { id: never, name: 'm', size: 1, lastModified: 0, sha256: '0'.repeat(64), place, owner: 'u_somebody-else', keptAt: Date.now() });
  await theirs.reload();
  await until('it looked', async () => (await remembered(theirs)).length === 1);
  assert.ok(await theirs.locator('#interrupted').isHidden());
  assert.equal(asking.count({ path: new RegExp(`${id}/metadata$`) }), 0, 'not even the record is asked about');
  await theirs.close();
  asking.clear();
  const own = await open(at);
  await interrupted(own, 'of-the-operator.txt').waitFor();
});
