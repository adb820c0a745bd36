// The web page of a service that asks for its key, in real headless Chromium: with the link, by hand, when the session
// ends and when somebody ends it. Started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { arrives, asking, browser, choose, faultProxy, file, isolated, listed, page, sending, setup } from './fixture.mjs';
import { drop, isAccessible, until } from './browser.mjs';

const { key } = setup.asking;
const SESSION = /^\/v1\/session$/;
const FILES = { path: /^\/v1\/files/ };
const wrong = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`;
const withKey = (where, what = key) => `${where}#key=${what}`;

const panel = (tab) => tab.getByRole('region', { name: 'Sign in' });
const field = (tab) => panel(tab).getByLabel('Key');
const isIn = (tab) => tab.getByRole('button', { name: 'Sign out' }).waitFor();

async function signIn(tab) {
  await field(tab).fill(key);
  await panel(tab).getByRole('button', { name: 'Sign in' }).click();
  await isIn(tab);
}

// Nothing of the page but the way in.
async function isKeptOut(tab) {
  await panel(tab).waitFor();
  for (const selector of ['#drop', '#files', '#uploads', '#card', '.skip', 'footer', '#sign-out']) {
    assert.equal(await tab.locator(selector).locator('visible=true').count(), 0, selector);
  }
}

async function hasFocus(tab, locator) {
  await until('it has the focus', () => locator.evaluate((element) => element === document.activeElement));
}

// A call as the operator's, from outside of the browser.
async function call(method, where, body) {
  const headers = { Authorization: `Bearer ${key}`, ...(body && { 'Content-Type': 'application/json' }) };
  const response = await fetch(new URL(where, setup.asking.base), { method, headers, body: body && JSON.stringify(body) });
  return response.json();
}

const recordsOf = async (name) => (await call('GET', '/v1/files?limit=100')).files.filter(({ filename }) => filename === name);

async function share(name) {
  const { id, upload } = await call('POST', '/v1/files', { filename: name, size: 5 });
  await fetch(upload.url, { method: 'PUT', headers: upload.headers, body: 'hello' });
  await call('GET', `/v1/files/${id}/metadata?wait=20`);
  return id;
}

// The session ends at the service, as when it is started anew; the browser keeps a cookie that is worth nothing.
async function endSession(context) {
  const cookies = (await context.cookies()).map(({ name, value }) => `${name}=${value}`);
  const end = new URL('/v1/session/end', setup.asking.base);
  const response = await fetch(end, { method: 'POST', headers: { Cookie: cookies.join('; ') } });
  assert.equal(response.status, 200);
}

// Where a page could have left it.
async function everythingKept(tab, context) {
  const state = await context.storageState({ indexedDB: true });
  const inPage = await tab.evaluate(() => ({
    session: { ...sessionStorage },
    local: { ...localStorage },
    text: new XMLSerializer().serializeToString(document),
    fields: [...document.querySelectorAll('input, textarea')].map(({ value }) => value),
    address: location.href,
    state: history.state,
  }));
  return JSON.stringify([state, inPage]);
}

page('the link signs in, and its key is in no address, no step back and no request’s head', async (open) => {
  let release;
  asking.next({ method: 'POST', path: SESSION }, { hold: new Promise((resolve) => (release = resolve)) });
  const tab = await open(withKey(asking.base));
  await until('the key is shown to the service', () => asking.count({ method: 'POST', path: SESSION }) === 1);
  const address = () => tab.evaluate(() => location.href);
  assert.equal(await address(), asking.base, 'before anything is answered');
  release();
  await isIn(tab);
  await tab.getByText('Nothing here yet').waitFor();
  assert.equal(await panel(tab).count(), 0);
  assert.equal(await tab.locator('footer').textContent().then((text) => text.includes('Whoever has the key')), true);
  await tab.goBack();
  assert.ok(!(await address()).includes('key'), 'before the page');
  await tab.goForward();
  await isIn(tab);
  assert.equal(await address(), asking.base);
  const heads = JSON.stringify(asking.requests);
  assert.ok(!heads.includes(key));
});

page('the link that is opened where the page is already there signs in too', async (open) => {
  const tab = await open(asking.base);
  await isKeptOut(tab);
  await tab.evaluate((link) => location.assign(link), withKey(asking.base));
  await isIn(tab);
  assert.equal(tab.url(), asking.base);
  await tab.goBack();
  assert.ok(!(await tab.evaluate(() => location.href)).includes('key'));
});

page('a link with a wrong key says so and asks for the right one', async (open) => {
  const tab = await open(withKey(asking.base, wrong));
  await panel(tab).getByText('This isn’t the key of this service.').waitFor();
  await isKeptOut(tab);
  await hasFocus(tab, field(tab));
  assert.equal(tab.url(), asking.base);
  await signIn(tab);
});

page('who isn’t signed in sees the way in, and nothing about files is asked for', async (open) => {
  const tab = await open(asking.base);
  await isKeptOut(tab);
  await hasFocus(tab, field(tab));
  assert.equal(await field(tab).getAttribute('type'), 'password');
  await panel(tab).getByText('access-key of its data directory').waitFor();
  await isAccessible(tab, 'signing in');
  await browser.picture(tab, '30-sign-in');
  await drop(tab, [await file('too-early.txt', 'x')], { x: 100, y: 100 });
  await tab.locator('.toast', { hasText: 'Sign in first' }).waitFor();
  assert.equal(asking.count(FILES), 0);
  await panel(tab).getByRole('button', { name: 'Sign in' }).click();
  await panel(tab).getByText('Give the key.').waitFor();
  await hasFocus(tab, field(tab));
});

page('the key is typed, with a keyboard alone, and nothing keeps it afterwards', async (open, context) => {
  await share('after-the-key.txt');
  const tab = await open(asking.base);
  await hasFocus(tab, field(tab));
  await tab.keyboard.type(wrong);
  await tab.keyboard.press('Enter');
  const error = panel(tab).getByRole('alert');
  await error.getByText('This isn’t the key of this service.').waitFor();
  assert.equal(await field(tab).getAttribute('aria-invalid'), 'true');
  const described = await field(tab).getAttribute('aria-describedby');
  assert.ok(described.split(' ').includes(await error.getAttribute('id')));
  await isAccessible(tab, 'a wrong key');
  await browser.picture(tab, '31-wrong-key');
  // What is wrong is selected, so that typing replaces it. The whole link is as good as its key.
  await tab.keyboard.insertText(withKey(asking.base));
  await tab.keyboard.press('Tab');
  await tab.keyboard.press('Enter');
  await arrives(tab, 'after-the-key.txt');
  await isAccessible(tab, 'signed in');
  await browser.picture(tab, '32-signed-in');
  const kept = await everythingKept(tab, context);
  assert.ok(kept.includes('after-the-key.txt'), 'it was looked at');
  assert.ok(!kept.includes(key.slice(4)) && !kept.includes(wrong));
  const [cookie] = await context.cookies();
  assert.deepEqual([cookie.httpOnly, cookie.sameSite], [true, 'Strict']);

  await tab.reload();
  await arrives(tab, 'after-the-key.txt');
  for (let presses = 0; presses < 10; presses += 1) {
    await tab.keyboard.press('Tab');
    if (await tab.evaluate(() => document.activeElement.id === 'sign-out')) {
      break;
    }
  }
  await tab.keyboard.press('Enter');
  await isKeptOut(tab);
  await hasFocus(tab, field(tab));
});

page('what is under way when the session ends waits, and goes on after signing in, once', async (open, context) => {
  const tab = await open(withKey(asking.base));
  await isIn(tab);
  let release;
  asking.next({ method: 'PUT' }, { hold: new Promise((resolve) => (release = resolve)) });
  await choose(tab, [await file('under-way.txt', 'x')]);
  await until('the bytes are on their way', () => asking.count({ method: 'PUT' }) === 1);
  await endSession(context);
  await choose(tab, [await file('begun-after.txt', 'y')]);
  await panel(tab).getByText('You have been signed out.').waitFor();
  await isKeptOut(tab);
  await hasFocus(tab, field(tab));
  await isAccessible(tab, 'a session that has ended');
  await browser.picture(tab, '33-session-over');
  const asked = asking.count(FILES);
  release();
  const again = asking.count({ method: 'POST', path: /^\/v1\/files$/ });
  await signIn(tab);
  await arrives(tab, 'under-way.txt');
  await arrives(tab, 'begun-after.txt');
  assert.ok(asked >= 1 && again === 2);
  for (const name of ['under-way.txt', 'begun-after.txt']) {
    assert.equal((await recordsOf(name)).length, 1, name);
  }
  assert.equal(asking.count({ method: 'PUT' }), 2, 'nothing is sent twice');
  assert.equal(await sending(tab, 'under-way.txt').count(), 0);
});

page('a question about a file goes with the session, and deletes nothing', async (open, context) => {
  const id = await share('asked-about.txt');
  const tab = await open(withKey(asking.base));
  await listed(tab, 'asked-about.txt').getByRole('button', { name: `Delete ${isolated('asked-about.txt')}` }).click();
  await tab.getByRole('dialog').waitFor();
  await endSession(context);
  await isKeptOut(tab);
  assert.equal(await tab.getByRole('dialog').count(), 0);
  await signIn(tab);
  await arrives(tab, 'asked-about.txt');
  assert.equal((await call('GET', `/v1/files/${id}/metadata`)).status, 'available');
});

page('signing out in one tab shows the way in in all of them, and signing in brings them back', async (open) => {
  const id = await share('in-all-tabs.txt');
  const tab = await open(withKey(asking.base));
  await isIn(tab);
  const other = await open(asking.base);
  const shared = await open(`${asking.base}f/${id}`);
  await arrives(other, 'in-all-tabs.txt');
  await shared.getByRole('heading', { name: 'in-all-tabs.txt' }).waitFor();
  await tab.getByRole('button', { name: 'Sign out' }).click();
  for (const one of [tab, other, shared]) {
    await isKeptOut(one);
  }
  assert.equal(await shared.title(), 'File Share', 'no name in the tab');
  await signIn(other);
  for (const one of [tab, other]) {
    await arrives(one, 'in-all-tabs.txt');
  }
  await shared.getByRole('heading', { name: 'in-all-tabs.txt' }).waitFor();
  assert.match(await shared.title(), /in-all-tabs/);
});

page('a link to a file asks for the key first and then shows the file, and says nothing of it before', async (open) => {
  const id = await share('behind-the-key.txt');
  const tab = await open(`${asking.base}f/${id}`);
  await isKeptOut(tab);
  assert.ok(!(await tab.content()).includes('behind-the-key'));
  await isAccessible(tab, 'signing in at a file');
  await browser.picture(tab, '34-sign-in-file');
  assert.equal(asking.count(FILES), 0);
  await signIn(tab);
  await tab.getByRole('heading', { name: 'behind-the-key.txt' }).waitFor();
  const downloading = tab.waitForEvent('download');
  await tab.getByRole('link', { name: 'Download' }).click();
  await (await downloading).path();
});

page('the key in a link to a file signs in as well', async (open) => {
  const id = await share('by-its-own-link.txt');
  const tab = await open(withKey(`${asking.base}f/${id}`));
  await tab.getByRole('heading', { name: 'by-its-own-link.txt' }).waitFor();
  assert.equal(tab.url(), `${asking.base}f/${id}`);
});

page('a browser that keeps no session is told so, and a service that is away is asked again', async (open) => {
  // As if the browser hadn’t taken the cookie.
  asking.next({ method: 'POST', path: SESSION }, { answer: { status: 204 } });
  const tab = await open(withKey(asking.base));
  await panel(tab).getByText('let it keep cookies').waitFor();
  const away = asking.always({ path: SESSION }, { drop: true });
  await tab.reload();
  await panel(tab).getByText('The service can’t be reached right now.').waitFor();
  away();
  await panel(tab).getByText('The service can’t be reached right now.').waitFor({ state: 'hidden' });
  await signIn(tab);
});

page(
  'the way in fits a phone with text of twice the size, in the dark, and is accessible',
  async (open) => {
    const tab = await open(withKey(asking.base, wrong));
    await panel(tab).getByRole('alert').waitFor();
    const [red, green, blue] = await panel(tab).evaluate((element) =>
      getComputedStyle(element).backgroundColor.match(/\d+/g).map(Number),
    );
    assert.ok(red + green + blue < 120, 'the background is dark');
    await isAccessible(tab, 'signing in, dark');
    await browser.picture(tab, '35-sign-in-phone');
    await tab.evaluate(() => (document.documentElement.style.fontSize = '200%'));
    await fits(tab);
    await browser.picture(tab, '36-sign-in-large');
    await tab.evaluate(() => (document.documentElement.style.fontSize = ''));
    await signIn(tab);
    await fits(tab);
    await isAccessible(tab, 'signed in, dark');
  },
  { viewport: { width: 320, height: 640 }, colorScheme: 'dark', isMobile: true, hasTouch: true },
);

async function fits(tab) {
  const sticksOut = await tab.locator('body *:visible').evaluateAll((elements) =>
    elements.filter((element) => element.getBoundingClientRect().right > 320.5).map(({ tagName, className }) => `${tagName} ${className}`),
  );
  assert.deepEqual(sticksOut, []);
}

page('where the service asks nobody nothing of this is to be seen or asked for', async (open) => {
  const tab = await open(`${faultProxy.base}#key=${key}`);
  await tab.getByText('Nothing here yet').waitFor();
  assert.equal(tab.url(), faultProxy.base, 'a key belongs into no address');
  const shared = await open(`${faultProxy.base}f/01a20c20-0000-7000-8000-000000000000`);
  await shared.getByText('There is no such file').waitFor();
  for (const one of [tab, shared]) {
    assert.equal(await panel(one).count(), 0);
    assert.equal(await one.getByRole('button', { name: 'Sign out' }).count(), 0);
  }
  await tab.getByText('There is no sign-in').waitFor();
  assert.equal(faultProxy.count({ method: 'POST', path: SESSION }), 0);
  // Before it asks how links for others begin.
  assert.match(faultProxy.requests.find(({ path: at }) => at.startsWith('/v1/')).path, /^\/v1\/files\?/);
});
