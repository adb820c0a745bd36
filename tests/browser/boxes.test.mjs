// The pages of boxes, in real headless Chromium, against the real programs: how people hand in on a phone and on a laptop,
// what they see where that can't be, and what whoever asked for it sees and does. Started by tests/it/web_page.rs, with a
// service that asks for its key beside the plain one.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { chooser, isAccessible, until } from './browser.mjs';
import { MIB, PHONE, api, asking, browser, bytesProxy, choose, digest, faultProxy, file, looksRight, page, sending, setup, unzipped } from './fixture.mjs';

const LAPTOP = { viewport: { width: 1280, height: 800 } };
const DEVICES = [
  ['phone', PHONE],
  ['laptop', LAPTOP],
];
const HOUR = 60 * 60 * 1000;
const from = (ms) => new Date(Date.now() + ms).toISOString();
const tokenOf = ({ url }) => url.split('/').at(-1);
const pageOf = (box, base = faultProxy.base) => `${base}b/${tokenOf(box)}`;
const standing = (tab, state) => tab.locator(`#card[data-state="${state}"]`).waitFor();
const own = (tab, name) => tab.locator('#own-list .row', { hasText: name });

async function make(wanted) {
  const { status, body } = await api('POST', '/v1/boxes', { title: 'Sheet 3', ...wanted });
  assert.equal(status, 201, JSON.stringify(body));
  return body;
}

// Closes a box for a page whose service can't do that by itself, as by the times that come of it; what the page asked for.
async function closing(tab, box) {
  const asked = [];
  await tab.route(`**/v1/boxes/${box.id}`, async (route) => {
    const request = route.request();
    if (request.method() !== 'PATCH' || request.postDataJSON().close !== true) {
      return route.fallback();
    }
    asked.push(request.postDataJSON());
    const response = await route.fetch();
    const now = from(0);
    const overrides = (of) => of.map((one) => ({ ...one, closesAt: now, dueAt: null }));
    const { dueAt, overrides: others } = (await api('GET', `/v1/boxes/${box.id}`)).body;
    const times = { closesAt: now, dueAt: dueAt && now, overrides: overrides(others) };
    return response.status() === 400 ? route.fulfill({ json: await change(box, times) }) : route.fulfill({ response });
  });
  return asked;
}

const change = async (box, fields) => (await api('PATCH', `/v1/boxes/${box.id}`, fields)).body;
// What was handed in, of so many pages.
async function filesOf({ id }, pages = 1) {
  const files = [];
  let cursor = '';
  for (let page = 0; page < pages && cursor !== null; page += 1) {
    const { body } = await api('GET', `/v1/boxes/${id}/files?limit=100&cursor=${cursor}`);
    files.push(...body.files);
    cursor = body.nextCursor ?? null;
  }
  return files;
}

// Hands in a file as somebody without a browser.
async function handIn(box, submitter, name, content = 'hello') {
  const declared = { filename: name, size: Buffer.byteLength(content), submitter };
  const { status, body } = await api('POST', `/v1/drop/${tokenOf(box)}/files`, declared);
  assert.equal(status, 201, JSON.stringify(body));
  const { url, headers } = body.upload;
  assert.equal((await fetch(url, { method: 'PUT', headers, body: content })).status, 200);
  await until('it is there', async () => (await api('GET', `/v1/files/${body.id}/metadata?wait=20`)).body.status === 'available');
  return body;
}

for (const [device, options] of DEVICES) {
  page(
    `a student hands in on a ${device}, sees when, has a receipt, and finds it there again`,
    async (open) => {
      const box = await make({ dueAt: from(3 * HOUR), closesAt: from(5 * HOUR), types: ['txt', 'pdf'] });
      const tab = await open(pageOf(box));
      await standing(tab, 'open');
      await tab.locator('#left', { hasText: /^2 h 59 min left$|^3 h 0 min left$/ }).waitFor();
      await tab.getByRole('heading', { name: 'Sheet 3' }).waitFor();
      await tab.getByText('pdf, txt, up to 20 MB each').waitFor();
      // With date, seconds and zone.
      assert.match(await tab.locator('#facts time').first().textContent(), /\d{4}.*\d{1,2}:\d\d:\d\d.*[A-Z]{3}/);
      await looksRight(tab, `an open box on a ${device}`, `70-box-open-${device}`);

      // Without a name nothing goes, and nothing that was chosen is lost.
      await choose(tab, [await file('my sheet.txt', 'my answers')]);
      await tab.getByText('Give your name first. Nothing was sent yet.').waitFor();
      await tab.getByText('1 file waits.').waitFor();
      assert.equal(await tab.evaluate(() => document.activeElement.id), 'name');
      assert.equal(faultProxy.count({ method: 'POST' }), 0);
      // What nobody can see is no name.
      await tab.getByLabel('Your name').fill('\u3164');
      await tab.getByRole('button', { name: 'Hand in', exact: true }).click();
      await tab.getByText('Nobody can see this name.').waitFor();
      assert.equal(faultProxy.count({ method: 'POST' }), 0);
      await looksRight(tab, `a name is asked for on a ${device}`, `71-box-name-${device}`);
      await tab.getByLabel('Your name').fill('Ada Lovelace');
      await tab.getByRole('button', { name: 'Hand in', exact: true }).click();

      const row = own(tab, 'my sheet.txt');
      await row.waitFor();
      assert.match(await row.locator('time').textContent(), /^Handed in: .*\d{4}.*\d{1,2}:\d\d:\d\d.*[A-Z]{3}/);
      await row.getByText('In time').waitFor();
      await row.getByText('Ada Lovelace').waitFor();
      await tab.locator('#said', { hasText: 'is handed in:' }).waitFor();
      await tab.getByText('the newest that isn’t late counts').waitFor();
      await looksRight(tab, `what was handed in on a ${device}`, `72-box-handed-in-${device}`);
      const [handed] = await filesOf(box);
      assert.deepEqual([handed.submitter, handed.sha256, handed.late], ['Ada Lovelace', digest('my answers'), false]);

      await row.getByRole('button', { name: /^Receipt for / }).click();
      const dialog = tab.locator('dialog.receipt');
      await dialog.getByText(digest('my answers')).waitFor();
      await isAccessible(tab, 'the receipt of a hand-in');
      const saving = tab.waitForEvent('download');
      await dialog.getByRole('button', { name: 'Save' }).click();
      assert.equal((await readFile(await (await saving).path(), 'utf8')).split('.').length, 3);
      await dialog.getByRole('button', { name: 'Close' }).click();

      // Again, which overwrites nothing, with the name that is known.
      await tab.getByRole('button', { name: 'Hand in again' }).waitFor();
      await choose(tab, [await file('my sheet.txt', 'better answers')]);
      await until('both are listed', async () => (await tab.locator('#own-list .row').count()) === 2);
      assert.equal((await filesOf(box)).length, 2);

      await tab.reload();
      await own(tab, 'my sheet.txt').first().waitFor();
      assert.equal(await tab.getByLabel('Your name').inputValue(), 'Ada Lovelace');
      const [newest] = await tab.locator('#own-list time').evaluateAll((all) => all.map(({ dateTime }) => dateTime));
      assert.equal(newest, (await filesOf(box))[0].uploadedAt);

      // On a computer that others use.
      await tab.getByRole('button', { name: 'Forget these on this device' }).click();
      await isAccessible(tab, 'the question whether to forget');
      await tab.getByRole('button', { name: 'Forget it' }).click();
      await tab.locator('#own').waitFor({ state: 'hidden' });
      await tab.reload();
      await standing(tab, 'open');
      assert.equal(await tab.locator('#own-list .row').count(), 0);
      assert.equal(await tab.getByLabel('Your name').inputValue(), '');
      assert.equal((await filesOf(box)).length, 2, 'it stays handed in');
    },
    options,
  );

  page(
    `a box says on a ${device} what it takes in each of its states`,
    async (open) => {
      for (const [state, wanted, text] of [
        ['notYet', { opensAt: from(HOUR), dueAt: from(2 * HOUR) }, 'Not open yet'],
        ['soon', { dueAt: from(HOUR / 2), closesAt: from(HOUR) }, 'Due soon'],
        ['late', { dueAt: from(-HOUR), closesAt: from(HOUR) }, 'is marked as late'],
        ['closed', { dueAt: from(-2 * HOUR), closesAt: from(-HOUR) }, 'Nothing is taken any more'],
      ]) {
        const tab = await open(pageOf(await make(wanted)));
        await standing(tab, state);
        await tab.locator('#standing', { hasText: text }).waitFor();
        const isOpen = state === 'soon' || state === 'late';
        await tab.locator('#clock', { hasText: 'clock of the service' }).waitFor();
        await tab.locator('#give').waitFor({ state: isOpen ? 'visible' : 'hidden' });
        await looksRight(tab, `a box that is ${state} on a ${device}`, `73-box-${state}-${device}`);
        await tab.close();
      }
      const tab = await open(`${faultProxy.base}b/${'x'.repeat(43)}`);
      await standing(tab, 'gone');
      await tab.getByRole('heading', { name: 'There is nothing to hand in here' }).waitFor();
      await looksRight(tab, `no box on a ${device}`, `73-box-gone-${device}`);
    },
    options,
  );
}

page('what is late is taken and marked, and what a box refuses is said at the file', async (open) => {
  const box = await make({ dueAt: from(-HOUR), types: ['txt'], maxFileBytes: 10, maxFiles: 1, keep: 'all' });
  const tab = await open(pageOf(box));
  await standing(tab, 'late');
  await tab.getByLabel('Your name').fill('Ada');
  await choose(tab, [await file('other.exe', 'x'), await file('long.txt', 'x'.repeat(11)), await file('late.txt', 'x')]);
  await sending(tab, 'other.exe').getByText('Only files of these kinds are taken: txt').waitFor();
  await sending(tab, 'long.txt').getByText('It is too large').waitFor();
  await own(tab, 'late.txt').getByText('Late', { exact: true }).waitFor();
  assert.deepEqual((await filesOf(box)).map(({ late, displayName }) => [late, displayName]), [[true, 'late.txt']]);
  await choose(tab, [await file('one too many.txt', 'y')]);
  await sending(tab, 'one too many').getByText('No more files fit in here').waitFor();
  await looksRight(tab, 'a box that is full', '74-box-full');
});

page('a box with a password takes files from whoever knows it, and a wrong one is tried once', async (open) => {
  const box = await make({ password: 'right', keep: 'all' });
  const tab = await open(pageOf(box));
  await standing(tab, 'open');
  await tab.getByLabel('Your name').fill('Ada');
  await choose(tab, [await file('first.txt', '1'), await file('second.txt', '2')]);
  await tab.getByText('Give the password first. Nothing was sent yet.').waitFor();
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'password');
  await looksRight(tab, 'a box that asks for a password', '74-box-password');
  await tab.getByLabel('Password').fill('wrong');
  await tab.getByRole('button', { name: 'Hand in', exact: true }).click();
  for (const name of ['first.txt', 'second.txt']) {
    await sending(tab, name).getByText('That isn’t the password').waitFor();
  }
  await tab.locator('#password-error', { hasText: 'That isn’t the password' }).waitFor();
  const tried = faultProxy.count({ method: 'POST' });
  assert.ok(tried <= 2, `${tried} tries`);
  await sending(tab, 'first.txt').getByRole('button', { name: /^Try again/ }).click();
  await sending(tab, 'first.txt').getByText('That isn’t the password').waitFor();
  assert.equal(faultProxy.count({ method: 'POST' }), tried, 'the same isn’t tried again');
  // Nor by Return.
  await tab.getByLabel('Password').press('Enter');
  await tab.locator('#password-error', { hasText: 'That isn’t the password' }).waitFor();
  assert.equal(await tab.evaluate(() => document.activeElement.id), 'password');
  assert.equal(faultProxy.count({ method: 'POST' }), tried, 'nor by the keyboard');
  // Corrected, it goes on for all that it was asked for.
  await tab.getByLabel('Password').fill('right');
  await tab.getByLabel('Password').press('Enter');
  for (const name of ['first.txt', 'second.txt']) {
    await own(tab, name).waitFor();
  }
  const kept = await tab.evaluate(() => JSON.stringify({ ...localStorage }));
  assert.ok(!kept.includes('right'), kept);
});

for (const [device, options] of DEVICES) {
  page(
    `whoever hands in several files where one counts hears that on a ${device} before they are sent`,
    async (open) => {
      const box = await make({});
      const tab = await open(pageOf(box));
      await standing(tab, 'open');
      await tab.getByLabel('Your name').fill('Ada');
      const both = [await file('essay.txt', '1'), await file('data.txt', '2')];
      await choose(tab, both);
      await tab.getByText('One file of each person counts here').waitFor();
      await looksRight(tab, `the question whether to hand in several on a ${device}`, `79-box-several-${device}`);
      await tab.getByRole('button', { name: 'Choose again' }).click();
      assert.equal(faultProxy.count({ method: 'POST' }), 0);
      await choose(tab, both);
      await tab.getByRole('button', { name: 'Hand in all' }).click();
      await own(tab, 'essay.txt').waitFor();
      await own(tab, 'data.txt').waitFor();
      await choose(tab, [await file('alone.txt', '3')]);
      await own(tab, 'alone.txt').waitFor();
      assert.equal((await filesOf(box)).length, 3);
    },
    options,
  );
}

page('by the keyboard alone somebody hands in, and has the receipt', async (open) => {
  const box = await make({ password: 'right' });
  const tab = await open(pageOf(box));
  await standing(tab, 'open');
  await tab.locator('#give').waitFor();
  const focused = () => tab.evaluate(() => document.activeElement.id || document.activeElement.textContent);
  const reach = async (what) => {
    // As many as there can be between two things.
    for (let presses = 0; presses < 12 && (await focused()) !== what; presses += 1) {
      await tab.keyboard.press('Tab');
    }
    assert.equal(await focused(), what);
  };
  await reach('name');
  await tab.keyboard.type('Ada');
  await reach('password');
  await tab.keyboard.type('right');
  await reach('choose-files');
  const choosing = await chooser(tab, () => tab.keyboard.press('Enter'));
  await choosing.setFiles([await file('by hand.txt', 'x')]);
  await own(tab, 'by hand.txt').waitFor();
  await tab.evaluate(() => document.getElementById('title').focus());
  await reach('Receipt');
  await tab.keyboard.press('Enter');
  const dialog = tab.locator('dialog.receipt');
  await dialog.waitFor();
  await tab.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await focused(), 'Receipt');
});

page('a box that is extended, closed or ended while somebody looks says so', async (open) => {
  const box = await make({ dueAt: from(HOUR / 2), closesAt: from(HOUR / 2) });
  const tab = await open(pageOf(box));
  await standing(tab, 'soon');
  const look = () => tab.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
  await change(box, { dueAt: from(3 * HOUR), closesAt: null });
  await look();
  await standing(tab, 'open');
  await tab.getByText('still taken, and marked as late').waitFor();
  await change(box, { dueAt: from(-HOUR), closesAt: from(-HOUR) });
  // It is open to the page still.
  await tab.getByLabel('Your name').fill('Ada');
  await choose(tab, [await file('too late.txt', 'x')]);
  await sending(tab, 'too late.txt').getByText('It is closed: nothing is taken now.').waitFor();
  await standing(tab, 'closed');
  await tab.locator('#said', { hasText: 'Nothing is taken any more' }).waitFor();
  await api('DELETE', `/v1/boxes/${box.id}`);
  await look();
  await standing(tab, 'gone');
});

page('what was deleted since it was handed in is shown as that, and has no receipt', async (open) => {
  const box = await make({ keep: 'all' });
  const tab = await open(pageOf(box));
  await standing(tab, 'open');
  await tab.getByLabel('Your name').fill('Ada');
  await choose(tab, [await file('kept.txt', '1'), await file('deleted.txt', '2'), await file('deleted later.txt', '3')]);
  for (const one of ['kept.txt', 'deleted.txt', 'deleted later.txt']) {
    await own(tab, one).waitFor();
  }
  const idOf = async (name) => (await filesOf(box)).find(({ displayName }) => displayName === name).id;
  const later = await idOf('deleted later.txt');
  await api('DELETE', `/v1/files/${await idOf('deleted.txt')}`);
  await tab.reload();
  await own(tab, 'deleted.txt').getByText('The service no longer has it.').waitFor();
  assert.equal(await own(tab, 'deleted.txt').getByRole('button').count(), 0);
  await isAccessible(tab, 'a hand-in that was deleted');
  await api('DELETE', `/v1/files/${later}`);
  await own(tab, 'deleted later.txt').getByRole('button', { name: /^Receipt for / }).click();
  await own(tab, 'deleted later.txt').getByText('The service no longer has it.').waitFor();
  assert.equal(await tab.locator('#own-list .row[data-gone="true"]').count(), 2);
  assert.equal(await own(tab, 'kept.txt').getByRole('button').count(), 1);
});

page('a box that was ended while somebody handed in is shown as that beside the refusal', async (open) => {
  const box = await make({});
  const tab = await open(pageOf(box));
  await standing(tab, 'open');
  await tab.getByLabel('Your name').fill('Ada');
  await api('DELETE', `/v1/boxes/${box.id}`);
  await choose(tab, [await file('too late.txt', 'x')]);
  await sending(tab, 'too late.txt').getByText('Nothing is handed in here any more').waitFor();
  await standing(tab, 'gone');
});

page('the deadline passes on the page by itself, by the clock of the service', async (open) => {
  const box = await make({ dueAt: from(15_000), closesAt: from(HOUR) });
  const tab = await open(pageOf(box));
  await tab.locator('#left', { hasText: /^\d+ s left$/ }).waitFor();
  await standing(tab, 'late');
  await tab.locator('#left', { hasText: /until nothing is taken any more$/ }).waitFor();
  await tab.locator('#said', { hasText: 'The deadline has passed' }).waitFor();
});

page('nobody sees what others handed in, and no URL of a box is anywhere but in the address', async (open, context) => {
  const box = await make({ dueAt: from(HOUR) });
  await handIn(box, 'Bob', 'bobs work.txt');
  const tab = await open(pageOf(box));
  await standing(tab, 'soon');
  const html = await (await context.request.get(pageOf(box), { headers: { Accept: 'text/html' } })).text();
  assert.ok(!html.includes(tokenOf(box)) && !html.includes('Bob') && !html.includes('bobs work'));
  assert.ok(html.includes('<meta property="og:title" content="Sheet 3">'), html.slice(0, 2000));
  assert.ok(!(await tab.locator('body').textContent()).includes('Bob'));
  await tab.getByLabel('Your name').fill('Ada');
  await choose(tab, [await file('adas work.txt', 'a')]);
  await own(tab, 'adas work.txt').waitFor();
  const kept = await tab.evaluate(() => JSON.stringify([{ ...localStorage }, document.cookie]));
  assert.ok(!kept.includes(tokenOf(box)) && kept.includes('adas work'), kept);
  for (const { headers } of faultProxy.requests) {
    assert.equal(headers.referer, undefined, 'no address goes along');
  }
  // A program is led to the call that says what the box takes.
  const answer = await fetch(pageOf(box), { headers: { Accept: '*/*' } });
  assert.equal((await answer.json()).title, 'Sheet 3');
});

page(
  'without scripts a box says what it asks for and until when, and that handing in needs them',
  async (open) => {
    const dueAt = '2090-02-01T09:05:30.000Z';
    const tab = await open(pageOf(await make({ dueAt, closesAt: dueAt, types: ['pdf'] })));
    await tab.getByRole('heading', { name: 'Sheet 3' }).waitFor();
    await tab.getByText('2090-02-01 09:05:30 UTC').waitFor();
    await tab.getByText('nothing is taken').waitFor();
    assert.match(await tab.locator('.noscript').innerText(), /Handing in needs JavaScript/);
    assert.equal(await tab.getByRole('button').filter({ visible: true }).count(), 0);
    await browser.picture(tab, '75-box-without-scripts');
  },
  { javaScriptEnabled: false, ...PHONE },
);

page(
  'a box is shown in German to whoever reads that',
  async (open) => {
    const tab = await open(pageOf(await make({ dueAt: from(HOUR * 50) })));
    await standing(tab, 'open');
    await tab.locator('#left', { hasText: /^Noch 2 Tage [12] Std\.$/ }).waitFor();
    await tab.getByLabel('Ihr Name').fill('Ada');
    await choose(tab, [await file('blatt.txt', 'x')]);
    await own(tab, 'blatt.txt').getByText(/^Abgegeben: .*\d\d:\d\d:\d\d/).waitFor();
    await looksRight(tab, 'a box in German', '76-box-german');
  },
  { locale: 'de-DE', ...PHONE },
);

page('a hand-in that the page was closed over goes on with the same file', async (open) => {
  const box = await make({});
  const content = randomBytes(3 * MIB);
  const place = await file('interrupted.bin', content);
  const forget = bytesProxy().always({ method: 'PUT' }, { bytesPerSecond: MIB / 2 });
  const first = await open(pageOf(box));
  await first.getByLabel('Your name').fill('Ada');
  await choose(first, [place]);
  await first.locator('#uploads-list .row[data-phase="sending"]').waitFor();
  const isKept = () =>
    first.evaluate(
      () =>
        new Promise((resolve) => {
          const opening = indexedDB.open('file-share');
          opening.onsuccess = () => {
            const counting = opening.result.transaction('uploads').objectStore('uploads').count();
            counting.onsuccess = () => {
              opening.result.close();
              resolve(counting.result > 0);
            };
          };
        }),
    );
  await until('it is remembered', isKept);
  await first.close();
  forget();
  const tab = await open(pageOf(box));
  await tab.locator('#interrupted-list').getByText('Interrupted: choose it again').waitFor();
  await looksRight(tab, 'a hand-in that was interrupted', '77-box-interrupted');
  await choose(tab, [place]);
  await own(tab, 'interrupted.bin').waitFor();
  const files = await filesOf(box);
  assert.deepEqual(files.map(({ status, sha256 }) => [status, sha256]), [['available', digest(content)]]);
});

// Calls the service that asks for its key, as whoever has that.
async function asOwner(method, where, body) {
  const headers = { Authorization: `Bearer ${setup.asking.key}`, 'Content-Type': 'application/json' };
  const response = await fetch(new URL(where, setup.asking.base), { method, headers, body: body && JSON.stringify(body) });
  return response.json();
}

page('where the service asks who one is, whoever has the URL of a box hands in all the same, and of a box for people who signed in hears that', async (open) => {
  const box = await asOwner('POST', '/v1/boxes', { title: 'Open to all' });
  const tab = await open(pageOf(box, asking.base));
  await standing(tab, 'open');
  await tab.getByLabel('Your name').fill('Ada');
  await choose(tab, [await file('no account.txt', 'x')]);
  await own(tab, 'no account.txt').waitFor();
  await own(tab, 'no account.txt').getByRole('button', { name: /^Receipt for / }).click();
  await tab.locator('dialog.receipt').getByText(digest('x')).waitFor();
  const { files } = await asOwner('GET', `/v1/boxes/${box.id}/files`);
  assert.deepEqual(files.map(({ submitter, status }) => [submitter, status]), [['Ada', 'available']]);

  // With its key alone nobody has a name of their own to hand in by.
  const none = await asOwner('POST', '/v1/boxes', { title: 'For members', submitter: 'signed_in' });
  assert.deepEqual([none.code, none.errors.map(({ field }) => field)], ['invalid_request', ['submitter']]);
  const other = await open('about:blank');
  await other.route('**/v1/drop/*', (route) =>
    route.fulfill({ status: 401, contentType: 'application/problem+json', body: '{"code": "sign_in_required"}' }),
  );
  await other.goto(pageOf(box, asking.base));
  await standing(other, 'signIn');
  await other.getByRole('heading', { name: 'Sign in to hand in' }).waitFor();
  await looksRight(other, 'a box for people who signed in', '78-box-sign-in');
});

// ---- for whoever asked for it ----

const row = (tab, text) => tab.locator('.handed tbody tr', { hasText: text });

page('a lecturer makes a box, passes on its link, and sees who handed in what and when', async (open) => {
  const start = await open(faultProxy.base);
  await start.getByRole('link', { name: 'Boxes' }).click();
  const tab = start;
  await tab.getByRole('heading', { name: 'Boxes', exact: true }).waitFor();
  await tab.getByRole('button', { name: 'Make a box' }).click();
  const form = tab.locator('dialog');
  await form.getByRole('button', { name: 'Make it' }).click();
  await form.getByText('Give it a title.').waitFor();
  await isAccessible(tab, 'the form of a box with something wrong');
  await form.getByLabel('Title').fill('Essay 1');
  await form.getByLabel('Deadline', { exact: true }).fill('2020-01-01T12:00:00');
  await form.getByRole('button', { name: 'Make it' }).click();
  await form.getByText('That is over already.').waitFor();
  assert.equal(faultProxy.count({ method: 'POST' }), 0);
  const soon = new Date(Date.now() + 2 * HOUR);
  soon.setSeconds(0, 0);
  const local = new Date(soon.getTime() - soon.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
  await form.getByLabel('Deadline', { exact: true }).fill(local);
  await form.getByLabel('Kinds of files').fill('.TXT, pdf');
  await looksRight(tab, 'the form of a box', '80-box-form');
  await form.getByRole('button', { name: 'Make it' }).click();
  await tab.getByRole('heading', { name: 'Essay 1' }).waitFor();
  await tab.getByText('Nothing was handed in yet').waitFor();
  const { boxes } = (await api('GET', '/v1/boxes')).body;
  const box = boxes.find(({ title }) => title === 'Essay 1');
  assert.deepEqual([box.dueAt, box.closesAt, box.types], [soon.toISOString(), null, ['pdf', 'txt']]);

  await tab.getByRole('button', { name: 'Copy link' }).click();
  await tab.locator('.toast', { hasText: 'Link copied' }).waitFor();
  assert.equal(await tab.evaluate(() => navigator.clipboard.readText()), pageOf(box));
  await tab.getByRole('button', { name: 'QR code' }).click();
  await tab.locator('.qr-code').waitFor();
  await tab.locator('dialog.qr').getByRole('button', { name: 'Close' }).click();

  await handIn(box, 'Ada', 'first.txt', 'one');
  await handIn(box, 'ada', 'second.txt', 'two');
  await handIn(box, '=cmd|\'/c calc\'!A1', 'formula.txt', 'three');
  await tab.getByRole('button', { name: 'Look again' }).click();
  await row(tab, 'formula.txt').waitFor();
  assert.match(await row(tab, 'second.txt').locator('time').textContent(), /\d{4}.*\d{1,2}:\d\d:\d\d.*[A-Z]{3}/);
  await row(tab, 'first.txt').getByText('Replaced by a newer one').waitFor();
  await tab.getByText('3 files of 2 people').waitFor();
  await looksRight(tab, 'the table of a box', '81-box-table');

  await tab.getByRole('searchbox').fill('ADA sec');
  await until('one is shown', async () => (await tab.locator('.handed tbody tr').count()) === 1);
  await tab.getByText('1 of 3 shown').waitFor();
  await tab.getByRole('searchbox').fill('');
  await tab.getByLabel('Show').selectOption('counting');
  await until('what counts is shown', async () => (await tab.locator('.handed tbody tr').count()) === 2);
  await tab.getByLabel('Show').selectOption('all');

  const fetching = tab.waitForEvent('download');
  await row(tab, 'second.txt').getByRole('link', { name: /^Download/ }).click();
  assert.equal(await readFile(await (await fetching).path(), 'utf8'), 'two');

  const saving = tab.waitForEvent('download');
  await tab.getByRole('button', { name: 'Table as CSV' }).click();
  const saved = await saving;
  assert.equal(saved.suggestedFilename(), 'Essay 1.csv');
  const lines = (await readFile(await saved.path(), 'utf8')).slice(1).trimEnd().split('\r\n');
  assert.equal(lines.length, 4);
  assert.ok(lines[1].startsWith('\'=cmd|\'/c calc\'!A1,,formula.txt,5,'), lines[1]);
  assert.match(lines[2], /^ada,,second\.txt,3,[0-9a-f]{64},\d{4}-.*Z,no,yes,There,/);

  // Closed: nothing more comes. Opened again by another deadline.
  const asked = await closing(tab, box);
  await tab.getByRole('button', { name: 'Close now' }).click();
  await tab.getByText('may arrive for up to 15 minutes').waitFor();
  await isAccessible(tab, 'the question whether to close');
  await tab.getByRole('button', { name: 'Close it' }).click();
  await tab.locator('#one-head .chip[data-standing="closed"]').waitFor();
  assert.deepEqual(asked, [{ close: true }], 'by the clock of the service');
  assert.equal((await filesOf(box)).filter(({ late }) => late).length, 0);
  const refused = await api('POST', `/v1/drop/${tokenOf(box)}/files`, { filename: 'a.txt', size: 1, submitter: 'Eve' });
  assert.equal(refused.body.code, 'box_closed');
  await tab.getByRole('button', { name: 'Change' }).click();
  await form.getByLabel('Deadline', { exact: true }).fill(local);
  await form.getByLabel('After the deadline').selectOption('open');
  await form.getByRole('button', { name: 'Save' }).click();
  await tab.locator('#one-head .chip[data-standing="open"]').waitFor();

  await tab.getByRole('button', { name: 'New link' }).click();
  await tab.locator('dialog').getByRole('button', { name: 'New link' }).click();
  await tab.locator('.toast', { hasText: 'It has a new link' }).waitFor();
  assert.equal((await fetch(pageOf(box), { headers: { Accept: 'text/html' } })).status, 404);
  await tab.getByText(`${faultProxy.base}b/`).waitFor();

  // A reload leads back to it.
  await tab.reload();
  await tab.getByRole('heading', { name: 'Essay 1' }).waitFor();
  await row(tab, 'second.txt').waitFor();
  await tab.getByRole('link', { name: 'All boxes' }).click();
  await tab.locator('.box-row', { hasText: 'Essay 1' }).waitFor();
  await looksRight(tab, 'the list of boxes', '82-boxes');
  await tab.locator('.box-row').getByRole('link', { name: 'Essay 1' }).click();
  await tab.getByRole('button', { name: 'End', exact: true }).click();
  await tab.getByRole('button', { name: 'End it' }).click();
  await until('it is gone', async () => (await tab.locator('.box-row', { hasText: 'Essay 1' }).count()) === 0 && (await tab.locator('#all').isVisible()));
  assert.equal((await api('GET', `/v1/boxes/${box.id}`)).status, 404);
});

page(
  'on a phone the table is one that can be read, to the eye and to a screen reader',
  async (open) => {
    const box = await make({ title: `Sheet ${'with a long title '.repeat(4)}`, dueAt: from(-HOUR) });
    await handIn(box, 'Ada Augusta King, Countess of Lovelace', `${'a-very-long-name-of-a-file-'.repeat(5)}.txt`);
    const tab = await open(`${faultProxy.base}boxes#${box.id}`);
    await row(tab, 'Ada Augusta').getByText('Late', { exact: true }).waitFor();
    assert.equal(await tab.getByRole('table').getByRole('row').count(), 2);
    assert.equal(await tab.getByRole('cell').count(), 5);
    await looksRight(tab, 'the table of a box on a phone', '83-box-table-phone');
    await tab.getByRole('button', { name: 'Change' }).tap();
    await tab.locator('dialog').getByLabel('Title').waitFor();
    await looksRight(tab, 'the form of a box on a phone', '84-box-form-phone');
  },
  PHONE,
);

page('a box’s page that is opened at once passes on the address that others reach', async (open) => {
  const base = 'http://192.168.1.7:8000';
  faultProxy.always({ method: 'GET', path: /^\/v1\/session$/ }, { rewrite: (json) => ({ ...json, shareBase: base }) });
  const box = await make({});
  const tab = await open(`${faultProxy.base}boxes#${box.id}`);
  await tab.locator('.box-link', { hasText: `${base}/b/${tokenOf(box)}` }).waitFor();
});

page('whoever has an extension is shown to the owner, and closing ends that too', async (open) => {
  const box = await make({ title: 'Extended', dueAt: from(-2 * HOUR), closesAt: from(-HOUR) });
  await change(box, { overrides: [{ submitter: 'Ada', dueAt: null, closesAt: from(2 * HOUR) }] });
  const tab = await open(`${faultProxy.base}boxes#${box.id}`);
  await tab.locator('#one-head .chip[data-standing="extended"]').waitFor();
  await tab.getByText('1 person has times of their own').click();
  await tab.locator('.extensions li', { hasText: /^Ada.*taken until .*\d{1,2}:\d\d:\d\d/ }).waitFor();
  await tab.getByRole('button', { name: 'Look again' }).click();
  await looksRight(tab, 'a box with an extension', '85-box-extended');
  assert.ok(await tab.locator('.extensions').evaluate(({ open: isOpen }) => isOpen), 'what was opened stays so');
  // What the form doesn't change stays.
  await tab.getByRole('button', { name: 'Change' }).click();
  await change(box, { maxFiles: 7 });
  await tab.locator('dialog').getByLabel('Title').fill('Renamed');
  await tab.locator('dialog').getByRole('button', { name: 'Save' }).click();
  await tab.getByRole('heading', { name: 'Renamed' }).waitFor();
  const { maxFiles, overrides } = (await api('GET', `/v1/boxes/${box.id}`)).body;
  assert.deepEqual([maxFiles, overrides.length], [7, 1]);
  await closing(tab, box);
  await tab.getByRole('button', { name: 'Close now' }).click();
  await tab.getByRole('button', { name: 'Close it' }).click();
  await tab.locator('#one-head .chip[data-standing="closed"]').waitFor();
});

page('somebody with an extension hands in after the general close, and somebody else hears that there is none', async (open) => {
  const box = await make({ dueAt: from(-2 * HOUR), closesAt: from(-HOUR) });
  const lastClosesAt = from(HOUR);
  await change(box, { overrides: [{ submitter: 'Ada', dueAt: lastClosesAt, closesAt: lastClosesAt }] });
  const tab = await open('about:blank');
  await tab.route(`**/v1/drop/${tokenOf(box)}`, async (route) => {
    const response = await route.fetch();
    return route.fulfill({ response, json: { lastClosesAt, ...(await response.json()) } });
  });
  await tab.goto(pageOf(box));
  await standing(tab, 'extended');
  await tab.getByText('Files are taken only with an extension').waitFor();
  await tab.getByText('As whoever gave you the extension knows you.').waitFor();
  await looksRight(tab, 'a box that takes files only with an extension', '75-box-extended');
  await tab.getByLabel('Your name').fill('Bob');
  await choose(tab, [await file('bobs.txt', 'b')]);
  await sending(tab, 'bobs.txt').getByText('there is no extension for this name').waitFor();
  await tab.getByLabel('Your name').fill('ada');
  await choose(tab, [await file('adas.txt', 'a')]);
  await own(tab, 'adas.txt').getByText('In time').waitFor();
  assert.deepEqual((await filesOf(box)).map(({ displayName, late }) => [displayName, late]), [['adas.txt', false]]);
});

page('all files of a box are one archive, made in the browser of what the store has', async (open) => {
  const box = await make({ title: 'Sheet: 3/4' });
  for (const [who, name, content] of [['Ada', 'work.txt', 'one'], ['ADA', 'WORK.txt', 'two'], ['Bob', '../CON.txt', 'three']]) {
    await handIn(box, who, name, content);
  }
  const tab = await open(`${faultProxy.base}boxes#${box.id}`);
  const saving = tab.waitForEvent('download');
  await tab.evaluate(() => (globalThis.showSaveFilePicker = undefined));
  await tab.getByRole('button', { name: 'Download 3 as zip' }).click();
  const saved = await saving;
  assert.equal(saved.suggestedFilename(), 'Sheet_ 3_4.zip');
  const found = unzipped(await saved.path());
  const folder = 'Sheet_ 3_4/';
  assert.equal(found[`${folder}ADA – WORK.txt`], 'two');
  assert.equal(found[`${folder}Ada – work (2).txt`], 'one');
  assert.equal(found[`${folder}Bob – .._CON.txt`], 'three');
  // The table says which file of the archive is whose.
  const lines = found[`${folder}hand-ins.csv`].trimEnd().split('\r\n').map((line) => line.split(','));
  assert.equal(lines[0].at(-1), 'In the zip');
  assert.deepEqual(lines.slice(1).map((line) => [line[0], line.at(-1)]), [
    ['Bob', `${folder}Bob – .._CON.txt`],
    ['ADA', `${folder}ADA – WORK.txt`],
    ['Ada', `${folder}Ada – work (2).txt`],
  ]);
  assert.equal(Object.keys(found).length, 4);
  await tab.getByText('3 files are in the archive').waitFor();
  await isAccessible(tab, 'a box whose archive was saved');

  // What breaks off goes on where it did.
  const first = (await filesOf(box)).find(({ submitter }) => submitter === 'Bob');
  bytesProxy().next({ method: 'GET', path: new RegExp(`/uploads/${first.id}`) }, { cutAnswerAfter: 3 });
  const again = tab.waitForEvent('download');
  await tab.getByRole('button', { name: 'Download 3 as zip' }).click();
  assert.equal(unzipped(await (await again).path())[`${folder}Bob – .._CON.txt`], 'three');
  const ranges = faultProxy.requests.filter(({ path }) => path.includes(`/uploads/${first.id}`)).map(({ headers }) => headers.range);
  assert.deepEqual(ranges.slice(-2), [undefined, 'bytes=3-']);

  // Where the browser can write to a file it does so; what isn't as the service says it is, is named.
  await tab.evaluate(async () => {
    const folder = await navigator.storage.getDirectory();
    globalThis.showSaveFilePicker = ({ suggestedName }) => folder.getFileHandle(suggestedName, { create: true });
  });
  const [{ id }] = await filesOf(box);
  bytesProxy().always({ method: 'GET', path: new RegExp(`/uploads/${id}`) }, { answer: { status: 200, headers: {}, body: 'THREE' } });
  await tab.getByRole('button', { name: 'Download 3 as zip' }).click();
  await tab.getByText('2 files are in the archive. 1 couldn’t be fetched and isn’t in it').waitFor();
  const text = await tab.evaluate(async () => {
    const folder = await navigator.storage.getDirectory();
    const bytes = new Uint8Array(await (await (await folder.getFileHandle('Sheet_ 3_4.zip')).getFile()).arrayBuffer());
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  });
  const written = unzipped(await file('written.zip', Buffer.from(text, 'latin1')));
  assert.ok(written[`${folder}_missing.txt`].startsWith('Bob – .._CON.txt'), JSON.stringify(written));
  assert.equal(Object.keys(written).length, 4);
});

page('a long table is right after all that can happen to it, and nothing is saved of what can’t be read', async (open) => {
  const box = await make({ title: 'Long', dueAt: from(HOUR) });
  const begin = async (number) =>
    (await api('POST', `/v1/drop/${tokenOf(box)}/files`, { filename: `${number}.txt`, size: 5, submitter: `Student ${number}` })).body;
  const oldest = await begin(0);
  await handIn(box, 'Early', 'early.txt');
  await handIn(box, 'Deleted', 'deleted.txt');
  // With the oldest as many as one address may leave open in a box, and a page and a bit.
  for (let number = 1; number <= 99; number += 1) {
    await begin(number);
  }
  const tab = await open(`${faultProxy.base}boxes#${box.id}`);
  await tab.getByText('102 files of 102 people').waitFor();
  await row(tab, 'Student 0').getByText('On its way').waitFor();

  // The second page is away: neither the table nor an archive looks whole.
  const there = faultProxy.always(
    { method: 'GET', path: /\/files\?.*cursor=/ },
    { answer: { status: 503, headers: { 'Content-Type': 'application/problem+json' }, body: '{"code":"store_unavailable","detail":"away"}' } },
  );
  let isSaved = false;
  tab.on('download', () => (isSaved = true));
  await tab.evaluate(() => (globalThis.showSaveFilePicker = undefined));
  await tab.getByRole('button', { name: 'Table as CSV' }).click();
  await tab.locator('.toast', { hasText: 'Nothing was saved: the list couldn’t be read to its end' }).waitFor();
  await tab.getByRole('button', { name: 'Download 2 as zip' }).click();
  await tab.locator('#one-table [role="status"]', { hasText: 'Nothing was saved' }).waitFor();
  await isAccessible(tab, 'a table that couldn’t be saved');
  assert.ok(!isSaved);
  there();

  // The oldest arrives, one of the old is deleted, and the deadline is another.
  const { url, headers } = oldest.upload;
  assert.equal((await fetch(url, { method: 'PUT', headers, body: 'hello' })).status, 200);
  await until('it is there', async () => (await filesOf(box, 2)).some(({ id, status }) => id === oldest.id && status === 'available'));
  const early = (await filesOf(box, 2)).find(({ submitter }) => submitter === 'Deleted');
  await api('DELETE', `/v1/files/${early.id}`);
  await change(box, { dueAt: from(-HOUR) });
  await tab.getByRole('button', { name: 'Look again' }).click();
  await row(tab, '0.txt').and(tab.locator(`[data-id="${oldest.id}"]`)).getByText('Late', { exact: true }).waitFor();
  await row(tab, 'early.txt').getByText('Late', { exact: true }).waitFor();
  assert.equal(await row(tab, 'deleted.txt').count(), 0);
  await tab.getByText('101 files of 101 people').waitFor();
  const saving = tab.waitForEvent('download');
  await tab.getByRole('button', { name: 'Download 2 as zip' }).click();
  const found = unzipped(await (await saving).path());
  assert.deepEqual(Object.keys(found).sort(), ['Long/Early – early.txt', 'Long/Student 0 – 0.txt', 'Long/hand-ins.csv']);
  assert.equal(found['Long/hand-ins.csv'].trimEnd().split('\r\n').length, 102);

  // Whoever isn't signed in any more hears that, at once.
  const refused = { answer: { status: 401, headers: { 'Content-Type': 'application/problem+json' }, body: '{"code":"sign_in_required","detail":"who"}' } };
  faultProxy.always({ method: 'GET', path: /\/v1\/files\/[^/]+$/ }, refused);
  await tab.getByRole('button', { name: 'Download 2 as zip' }).click();
  await tab.getByText('You aren’t signed in any more, so there is no archive.').waitFor();
  assert.equal(faultProxy.count({ method: 'GET', path: /\/v1\/files\/[^/]+$/ }), 3, 'two files, and one that was refused');
});

page('where the service can’t be had the page of boxes says so, and goes on when it is back', async (open) => {
  await make({ title: 'There all the time' });
  const forget = faultProxy.always({ method: 'GET', path: /^\/v1\/boxes/ }, { answer: { status: 503, headers: { 'Content-Type': 'application/problem+json' }, body: '{"code":"store_unavailable","detail":"away"}' } });
  const tab = await open(`${faultProxy.base}boxes`);
  await tab.getByText('The service can’t be reached right now. Try again.').waitFor();
  await isAccessible(tab, 'boxes that can’t be had');
  forget();
  await tab.getByRole('button', { name: 'Try again' }).click();
  await tab.locator('.box-row', { hasText: 'There all the time' }).first().waitFor();
});

page('where the service asks who one is, boxes are shown to whoever signed in', async (open) => {
  const box = await asOwner('POST', '/v1/boxes', { title: 'Behind the key' });
  const tab = await open(`${asking.base}boxes#${box.id}`);
  await tab.getByLabel('Key').fill(setup.asking.key);
  await tab.getByRole('button', { name: 'Sign in' }).click();
  await tab.getByRole('heading', { name: 'Behind the key' }).waitFor();
  await isAccessible(tab, 'a box of somebody who signed in');
});
