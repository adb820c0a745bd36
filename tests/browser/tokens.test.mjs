// The tokens of whoever is signed in, in real headless Chromium: what the page shows of them, and how one ends.
// Started by tests/it/web_page.rs, with a service that asks for its key beside the plain one.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { isAccessible, until } from './browser.mjs';
import { asking, browser, faultProxy, page, setup } from './fixture.mjs';

const { key } = setup.asking;
const TOKENS = /^\/v1\/tokens/;

async function call(method, where, { body, token = key } = {}) {
  const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) };
  const response = await fetch(new URL(where, setup.asking.base), { method, headers, body: body && JSON.stringify(body) });
  return { status: response.status, json: response.status === 204 ? null : await response.json() };
}

const make = async (label, scopes) => (await call('POST', '/v1/tokens', { body: { label, scopes } })).json;
const dialog = (tab) => tab.getByRole('dialog', { name: 'Tokens' });

async function openTokens(open) {
  const tab = await open(`${asking.base}#key=${key}`);
  await tab.getByRole('button', { name: 'Sign out' }).waitFor();
  assert.equal(asking.count({ path: TOKENS }), 0, 'nothing is asked for before somebody looks');
  await tab.getByRole('button', { name: 'Tokens' }).click();
  return tab;
}

page('the page lists what programs may do, and ends one of them', async (open) => {
  const used = await make('backup of the lecture', ['read']);
  await call('GET', '/v1/files', { token: used.token });
  const other = await make('سكربت <b>', ['read', 'write', 'delete']);
  const tab = await openTokens(open);
  const row = (label) => dialog(tab).getByRole('listitem').filter({ hasText: label });
  await row('backup of the lecture').getByText(/^Last used \d+ \w+ \d{4}, \d\d:\d\d:\d\d$/).waitFor();
  await row('backup of the lecture').getByText('May: see and fetch', { exact: true }).waitFor();
  await row('backup of the lecture').getByText(/^Holds until \d+ \w+ \d{4}/).waitFor();
  await row('سكربت <b>').getByText('May: see and fetch, send, delete').waitFor();
  await row('سكربت <b>').getByText('Never used').waitFor();
  assert.ok(!(await tab.content()).includes(other.token));
  await isAccessible(tab, 'the tokens');
  await browser.picture(tab, '60-tokens');

  const end = row('backup of the lecture').getByRole('button', { name: /^End .backup of the lecture/ });
  await end.click();
  const question = tab.getByRole('dialog', { name: 'End this token?' });
  await isAccessible(tab, 'the question about a token');
  await question.getByRole('button', { name: 'Keep it' }).click();
  assert.equal(asking.count({ method: 'DELETE', path: TOKENS }), 0);
  await end.click();
  asking.next({ method: 'DELETE', path: TOKENS }, { answer: { status: 503 } });
  await question.getByRole('button', { name: 'End it' }).click();
  await dialog(tab).getByRole('status').getByText('The service').waitFor();
  assert.equal((await call('GET', '/v1/files', { token: used.token })).status, 200, 'what isn’t ended isn’t said to be');
  await end.click();
  await question.getByRole('button', { name: 'End it' }).click();
  await row('backup of the lecture').waitFor({ state: 'detached' });
  await until('it lets nobody in', async () => (await call('GET', '/v1/files', { token: used.token })).status === 401);
  assert.equal((await call('GET', '/v1/files', { token: other.token })).status, 200);
  // Somebody else was faster.
  await call('DELETE', `/v1/tokens/${other.id}`);
  await row('سكربت').getByRole('button').click();
  await question.getByRole('button', { name: 'End it' }).click();
  await dialog(tab).getByRole('status').getByText(/is ended\. No program has a token of yours\./).waitFor();
  await tab.keyboard.press('Escape');
  await dialog(tab).waitFor({ state: 'detached' });
});

page('where nobody signs in there are no tokens to be seen, and none are asked for', async (open) => {
  const tab = await open(faultProxy.base);
  await tab.locator('#files-loading').waitFor({ state: 'hidden' });
  assert.ok(await tab.locator('#show-tokens').isHidden());
  assert.equal(faultProxy.count({ path: TOKENS }), 0);
});

page(
  'tokens fit a phone, and go with the session',
  async (open, context) => {
    await make('a-program-with-a-name-that-goes-on-and-on-without-any-end', ['read', 'write', 'delete']);
    const tab = await openTokens(open);
    await dialog(tab).getByRole('listitem').waitFor();
    const { x, width } = await dialog(tab).boundingBox();
    assert.ok(x >= 0 && x + width <= 390);
    const isCut = await dialog(tab).evaluate((element) => element.scrollWidth > element.clientWidth);
    assert.ok(!isCut, 'nothing leaves its box');
    await browser.picture(tab, '61-phone-tokens');
    await context.clearCookies();
    await tab.evaluate(() => window.dispatchEvent(new Event('online')));
    await tab.getByRole('region', { name: 'Sign in' }).waitFor();
    assert.equal(await dialog(tab).count(), 0);
    await isAccessible(tab, 'signed out');
  },
  { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true },
);
