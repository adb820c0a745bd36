// The web page in real headless Chromium while it gets other answers than it hopes for: from a service of a
// later version, from somebody who was faster, from what stands between it and the service. Started by
// tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { LIMIT_MS, isAccessible, until } from './browser.mjs';
import {
  api,
  arrives,
  browser,
  bytesProxy,
  choose,
  create,
  digest,
  faultProxy,
  file,
  isolated,
  listed,
  origins,
  page,
  recordOf,
  send,
  sending,
  setup,
  share,
} from './fixture.mjs';
import { SignIn } from './sign_in.mjs';
import { FaultProxy } from './fault_proxy.mjs';

const JSON_TYPE = { 'Content-Type': 'application/json' };

// As the store's own answers let any page read them.
const crossOrigin = ({ headers, ...answer }) => ({ ...answer, headers: { ...headers, 'Access-Control-Allow-Origin': '*' } });

// What a service of a later version may answer about files whose bytes are there.
const UNKNOWN = [{ status: 'quarantined' }, { status: 'pending', stage: 'scanning' }];
const asUnknown = (unknown) => (json) =>
  json.files ? { ...json, files: json.files.map((record) => ({ ...record, ...unknown })) } : { ...json, ...unknown };

for (const unknown of UNKNOWN) {
  const what = unknown.stage ?? unknown.status;
  page(`a file that is ${what} is waited for, and neither deleted nor sent again`, async (open) => {
    const name = `${what}.txt`;
    const tab = await open(faultProxy.base);
    const records = { path: /^\/v1\/files\/[^/]+\/(metadata|complete)|^\/v1\/files\?/ };
    const settle = faultProxy.always(records, { rewrite: asUnknown(unknown) });
    // One upload hears of it in the answer to its hint, the other by looking after a lost answer.
    // The browser itself sends a request again whose connection breaks; then that answer is lost too.
    bytesProxy().next({ method: 'PUT' }, { loseAnswer: true });
    bytesProxy().next({ method: 'PUT' }, { loseAnswer: true });
    await choose(tab, [await file(name, 'x'), await file(`also-${name}`, 'y')]);
    for (const one of [name, `also-${name}`]) {
      await sending(tab, one).getByText('Being processed').first().waitFor();
    }
    const puts = bytesProxy().count({ method: 'PUT' });
    const elsewhere = await open(faultProxy.base);
    await listed(elsewhere, `also-${name}`).getByText('Being processed').waitFor();
    const { id } = await recordOf(name);
    const shared = await open(`${faultProxy.base}f/${id}`);
    await shared.locator('#card').getByText('Being processed').first().waitFor();
    await isAccessible(shared, 'a file that is being processed');
    await browser.picture(shared, `14-${what}`);
    await until('it was asked about some more', () => faultProxy.count({ path: new RegExp(`${id}/metadata`) }) >= 5);
    const downloading = shared.waitForEvent('download');
    settle();
    await arrives(tab, `also-${name}`);
    await listed(elsewhere, `also-${name}`).and(elsewhere.locator('[data-status="available"]')).waitFor();
    assert.equal(await readFile(await (await downloading).path(), 'utf8'), 'x');
    await until('both are there', async () => (await listed(tab, name).count()) === 2);
    assert.equal(faultProxy.count({ method: 'POST', path: /^\/v1\/files$/ }), 2, 'two creations');
    assert.equal(faultProxy.count({ method: 'DELETE' }), 0);
    assert.equal(bytesProxy().count({ method: 'PUT' }), puts);
  });
}

page('a service that asks to go slower is waited for, and the row says why', async (open) => {
  const tab = await open(faultProxy.base);
  const creation = { method: 'POST', path: /^\/v1\/files$/ };
  const headers = { 'Content-Type': 'application/problem+json', 'Retry-After': '2' };
  const body = JSON.stringify({ code: 'rate_limited', detail: 'this is one call too many for now' });
  const relax = faultProxy.always(creation, { answer: { status: 429, headers, body } });
  const name = 'hurried.txt';
  await choose(tab, [await file(name, 'hurried')]);
  const row = sending(tab, name);
  await row.getByText('The service asks to go slower').first().waitFor();
  await isAccessible(tab, 'an upload that was asked to go slower');
  await browser.picture(tab, '14-slower');
  relax();
  await arrives(tab, name);
  assert.ok(faultProxy.count(creation) <= 4, 'it isn’t pressed');
});

page('bytes that somebody else sent first are not passed on as one’s own', async (open) => {
  const tab = await open(faultProxy.base);
  // As at a store that doesn't compare what it is sent with what was declared.
  const name = 'filled-by-others.txt';
  const made = await fetch(new URL('v1/files', faultProxy.base), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ filename: name, size: 4 }),
  });
  const undeclared = await made.json();
  const declared = [];
  faultProxy.next({ method: 'POST', path: /^\/v1\/files$/ }, { rewrite: ({ id }) => declared.push(id) && undeclared });
  let release;
  bytesProxy().next({ method: 'PUT' }, { hold: new Promise((resolve) => (release = resolve)) });
  await choose(tab, [await file(name, 'mine')]);
  await until('the PUT is on its way', () => bytesProxy().count({ method: 'PUT' }) === 1);
  await api('DELETE', `/v1/files/${declared[0]}`);
  const { id } = undeclared;
  await send((await api('POST', `/v1/files/${id}/upload`)).body, 'evil');
  release();
  const row = sending(tab, name);
  await row.getByText('Somebody else sent other bytes under this link first').waitFor();
  assert.equal(await row.getByRole('button', { name: /^Copy/ }).count(), 0);
  assert.equal(await row.getByRole('link').count(), 0);
  // The record whose ID the page never got may be seen until the list hears that it is gone: on its way, if at all.
  assert.equal(await listed(tab, name).and(tab.locator('[data-status="available"]')).count(), 0);
  await isAccessible(tab, 'other bytes');
  await row.getByRole('button', { name: `Try again: ${isolated(name)}` }).click();
  await arrives(tab, name);
  const theirs = tab.locator('#files-list .row[data-status="otherBytes"]');
  await theirs.getByText('Not what you sent').waitFor();
  assert.equal(await theirs.getByRole('button', { name: /^Copy/ }).count(), 0);
  assert.equal((await recordOf(name)).sha256, digest('mine'));
  assert.equal((await api('GET', `/v1/files/${id}/metadata`)).body.sha256, digest('evil'), 'it isn’t ours to delete');
});

page('a list that comes in pages without files is shown all the same', async (open) => {
  await share('behind-an-empty-page.txt');
  const empty = (cursor) => ({ status: 200, headers: JSON_TYPE, body: JSON.stringify({ files: [], nextCursor: cursor }) });
  faultProxy.next({ path: /^\/v1\/files\?/ }, { answer: empty('one') });
  faultProxy.next({ path: /cursor=one/ }, { rewrite: (json) => json, path: (at) => at.replace(/&cursor=one/, '') });
  const tab = await open(faultProxy.base);
  await arrives(tab, 'behind-an-empty-page.txt');
});

page('a server whose list never ends is asked a bounded number of times', async (open) => {
  let n = 0;
  const endless = () => ({ files: [], nextCursor: String((n += 1)) });
  faultProxy.always({ path: /^\/v1\/files\?/ }, { rewrite: endless, path: () => '/v1/files?limit=1' });
  const tab = await open(faultProxy.base);
  await tab.getByRole('button', { name: 'Show older files' }).waitFor();
  const once = await until('it comes to rest', async () => {
    const before = n;
    await tab.waitForResponse((response) => response.url().includes('/v1/files?'), { timeout: 2000 }).catch(() => {});
    return n === before && n;
  });
  assert.ok(once <= 60, `${once} requests`);
});

// As nginx words it.
const nginx = (status, words) => ({
  status,
  headers: { 'Content-Type': 'text/html' },
  body: `<html><head><title>${status} ${words}</title></head><body><center><h1>${status} ${words}</h1></center></body></html>`,
});

page('what a proxy answers is named, with what its operator has to change', async (open) => {
  const tab = await open(faultProxy.base);
  bytesProxy().next({ method: 'PUT' }, { answer: crossOrigin(nginx(413, 'Request Entity Too Large')) });
  await choose(tab, [await file('proxied.txt', 'x')]);
  const row = sending(tab, 'proxied.txt');
  await row.getByText('Something between you and the service takes no files of this size').waitFor();
  const folded = row.getByText('client_max_body_size');
  assert.ok(!(await folded.isVisible()), 'folded away');
  await row.getByText('For whoever runs the service').click();
  await folded.waitFor();
  await isAccessible(tab, 'a proxy’s refusal');
  await browser.picture(tab, '15-proxy');
  const away = faultProxy.always({ path: /^\/v1\/files/ }, { answer: nginx(502, 'Bad Gateway') });
  await row.getByRole('button', { name: `Try again: ${isolated('proxied.txt')}` }).click();
  await row.getByText('No answer from the service').waitFor();
  await row.getByText('The service isn’t there, only what stands before it (502).').waitFor();
  const other = await open(faultProxy.base);
  await other.locator('#list-notice').getByText('only what stands before it (502)').waitFor();
  const shared = await open(`${faultProxy.base}f/01a20c20-0000-7000-8000-000000000000`);
  await shared.locator('#card').getByText('only what stands before it (502)').waitFor();
  await shared.locator('#card').getByText('For whoever runs the service').click();
  await shared.locator('#card').getByText('proxy_pass').waitFor();
  away();
  await arrives(tab, 'proxied.txt');
  await shared.locator('#card').getByText('There is no such file').waitFor();
  await other.locator('#list-notice').waitFor({ state: 'hidden' });
  assert.equal(faultProxy.count({ method: 'POST', path: /^\/v1\/files$/ }), 1, 'with the same record');
});

page('a page of a proxy’s own is no answer of the service', async (open) => {
  const { id } = await share('kept.txt');
  const tab = await open(faultProxy.base);
  await arrives(tab, 'kept.txt');
  const moved = faultProxy.always({ path: /^\/v1\/files/ }, { answer: nginx(404, 'Not Found') });
  await listed(tab, 'kept.txt').getByRole('button', { name: `Delete ${isolated('kept.txt')}` }).click();
  await tab.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await tab.locator('.toast', { hasText: 'couldn’t be deleted' }).waitFor();
  const shared = await open(`${faultProxy.base}f/${id}`);
  await shared.locator('#card').getByText('Something other than the service answered (404)').waitFor();
  moved();
  await shared.getByRole('heading', { name: 'kept.txt' }).waitFor();
  assert.equal(await listed(tab, 'kept.txt').count(), 1);
});

page('what a proxy answers is not saved as the file', async (open) => {
  const { id } = await share('genuine.txt', 'genuine');
  const tab = await open(faultProxy.base);
  const shared = await open(`${faultProxy.base}f/${id}`);
  await arrives(tab, 'genuine.txt');
  await shared.getByRole('heading', { name: 'genuine.txt' }).waitFor();
  const saved = [];
  [tab, shared].forEach((one) => one.on('download', (download) => saved.push(download)));
  const portal = faultProxy.always({ path: /^\/v1\/files\/[^?]*$/ }, { answer: nginx(200, 'Sign in') });
  for (const one of [listed(tab, 'genuine.txt'), shared]) {
    await one.getByRole('link', { name: /^Download/ }).click();
  }
  for (const one of [tab, shared]) {
    await one.locator('.toast', { hasText: 'Something other than the service answered (200)' }).waitFor();
  }
  assert.equal(saved.length, 0);
  portal();
  for (const one of [listed(tab, 'genuine.txt'), shared]) {
    await one.getByRole('link', { name: /^Download/ }).click();
  }
  await until('both are saved', () => saved.length === 2);
  for (const download of saved) {
    assert.equal(await readFile(await download.path(), 'utf8'), 'genuine');
  }
});

if (setup.mode === 'local') {
  test('behind a proxy that hides the host it is said what the proxy has to pass on', { timeout: 3 * LIMIT_MS }, async () => {
    const { host } = new URL(setup.plain);
    const hiding = await FaultProxy.open(setup.plain, { host });
    try {
      await browser.visit({ origins: [`http://127.0.0.1:${hiding.port}`] }, async (open) => {
        const tab = await open(hiding.base);
        await choose(tab, [await file('nowhere.txt', 'x')]);
        const row = sending(tab, 'nowhere.txt');
        await row.getByText('proxy_set_header Host').waitFor();
        await row.getByText('PUBLIC_URL').waitFor();
      });
    } finally {
      hiding.close();
    }
  });
}

for (const how of [302, 401, 403]) {
  test(`whoever a proxy signs out with ${how} is told so, signs in elsewhere, and goes on`, { timeout: 3 * LIMIT_MS }, async () => {
    const signIn = await SignIn.open(how);
    const guarded = await FaultProxy.open(setup.plain, { intercept: (...one) => signIn.intercept(...one) });
    const here = [guarded.base, signIn.base].map((base) => new URL(base).origin);
    try {
      await browser.visit({ origins: [...origins, ...here] }, async (open) => {
        const tab = await open(guarded.base);
        await tab.getByRole('link', { name: 'Sign in' }).click();
        await tab.getByRole('button', { name: 'Choose files' }).waitFor();
        guarded.always({ path: /wait=/ }, { path: (at) => at.replace(/wait=\d+/, 'wait=1') });
        const shared = await open(`${guarded.base}f/${(await create(`waited-for-${how}.txt`, 1)).id}`);
        await shared.locator('#card').getByText('On its way').waitFor();
        // One is under way when the session ends, and one begins after that.
        let release;
        bytesProxy(guarded).next({ method: 'PUT' }, { hold: new Promise((resolve) => (release = resolve)) });
        await choose(tab, [await file(`under-way-${how}.txt`, 'x')]);
        await until('the bytes are on their way', () => bytesProxy(guarded).count({ method: 'PUT' }) === 1);
        signIn.expire();
        release();
        await choose(tab, [await file(`begun-${how}.txt`, 'y')]);
        await sending(tab, `begun-${how}.txt`).getByText('Kept. It goes on when you are signed in').waitFor();
        await tab.locator('#session').getByText('You have been signed out.').waitFor();
        await isAccessible(tab, 'signed out');
        await browser.picture(tab, `16-signed-out-${how}`);
        await shared.locator('#session').getByText('You have been signed out.').waitFor();
        const opening = tab.waitForEvent('popup');
        await tab.getByRole('link', { name: 'Sign in again' }).click();
        const popup = await opening;
        await popup.getByRole('link', { name: 'Sign in' }).click();
        await popup.getByRole('button', { name: 'Choose files' }).waitFor();
        await popup.close();
        for (const name of ['under-way', 'begun']) {
          await arrives(tab, `${name}-${how}.txt`);
          const { body } = await api('GET', '/v1/files?limit=100');
          assert.equal(body.files.filter(({ filename }) => filename === `${name}-${how}.txt`).length, 1);
        }
        await tab.locator('#session').waitFor({ state: 'hidden' });
        await shared.locator('#session').waitFor({ state: 'hidden' });
        assert.equal(bytesProxy(guarded).count({ method: 'PUT' }), 2, 'nothing is sent twice');
      });
    } finally {
      guarded.close();
      signIn.close();
    }
  });
}
