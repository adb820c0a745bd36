// The web page of a service with an issuer, in real headless Chromium: what it shows to nobody, to a guest, to a
// member and to an administrator, and how people get there and back. Started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { arrives, browser, choose, file, folder, listed, sending, setup } from './fixture.mjs';
import { LIMIT_MS, isAccessible, until } from './browser.mjs';
import { test } from 'node:test';

const { base, issuer, fshare } = setup.issuer;
const origins = [base, issuer].map((url) => new URL(url).origin);

function page(name, use, options = {}) {
  test(name, { timeout: 3 * LIMIT_MS }, async () => {
    await browser.visit({ origins, ...options }, use);
  });
}

const panel = (tab) => tab.getByRole('region', { name: 'Sign in' });
const way = (tab) => panel(tab).getByRole('link', { name: 'Sign in', exact: true });
const isIn = (tab) => tab.getByRole('button', { name: 'Sign out' }).waitFor();
const atIssuer = (tab, person) => tab.getByRole('button', { name: person, exact: true }).click();

async function signIn(tab, person) {
  await way(tab).click();
  await atIssuer(tab, person);
  await isIn(tab);
}

async function sees(tab, name, isThere) {
  await tab.locator('#files-loading').waitFor({ state: 'hidden' });
  await until(`${name} is ${isThere ? '' : 'not '}there`, async () => ((await listed(tab, name).count()) > 0) === isThere);
}

page('a member is led to the issuer and back to the same page, and sees files of their own', async (open) => {
  const tab = await open(`${base}/?from=here`);
  await panel(tab).waitFor();
  await until('the way in has the focus', () => way(tab).evaluate((element) => element === document.activeElement));
  for (const selector of ['#drop', '#files', '#uploads', 'footer', '#sign-out', '.for-guests', '#everybodys']) {
    assert.equal(await tab.locator(selector).locator('visible=true').count(), 0, selector);
  }
  await isAccessible(tab, 'the way to the issuer');
  await browser.picture(tab, '40-issuer-way');
  await tab.keyboard.press('Enter');
  await atIssuer(tab, 'bob');
  await isIn(tab);
  assert.equal(tab.url(), `${base}/?from=here`);
  await tab.locator('#who', { hasText: 'Bob Brown' }).waitFor();
  await tab.getByText('You and the administrators of this service').waitFor();
  assert.equal(await tab.locator('#everybodys').locator('visible=true').count(), 0);
  await choose(tab, [await file('bobs.txt', 'by bob')]);
  await arrives(tab, 'bobs.txt');
  await isAccessible(tab, 'a member');
  await browser.picture(tab, '41-member');
  await tab.reload();
  await arrives(tab, 'bobs.txt');
});

page('an administrator sees files of their own, and everybody’s when they ask for them', async (open) => {
  const tab = await open(base);
  await signIn(tab, 'alice');
  await tab.locator('#who', { hasText: 'Alice Adams' }).waitFor();
  await choose(tab, [await file('alices.txt', 'by alice')]);
  await arrives(tab, 'alices.txt');
  await sees(tab, 'bobs.txt', false);
  await tab.getByLabel('Everybody’s files').check();
  await sees(tab, 'bobs.txt', true);
  await sees(tab, 'alices.txt', true);
  await isAccessible(tab, 'an administrator');
  await browser.picture(tab, '42-administrator');
  await tab.getByLabel('Everybody’s files').uncheck();
  await sees(tab, 'bobs.txt', false);
});

page('a guest is told what guests see, and sends nothing', async (open) => {
  const tab = await open(base);
  const calls = [];
  tab.on('request', (request) => calls.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await signIn(tab, 'carol');
  await tab.getByText('You are signed in as a guest').waitFor();
  for (const selector of ['#drop', '#files', 'footer', '#everybodys']) {
    assert.equal(await tab.locator(selector).locator('visible=true').count(), 0, selector);
  }
  await isAccessible(tab, 'a guest');
  await browser.picture(tab, '43-guest');
  assert.deepEqual(calls.filter((call) => call.includes('/v1/files')), []);
});

page('who has no role reads so on a page that leads nowhere by itself', async (open) => {
  const tab = await open(base);
  await way(tab).click();
  await atIssuer(tab, 'dave');
  await tab.getByRole('heading', { name: 'You may not use this service' }).waitFor();
  await isAccessible(tab, 'no role');
  await browser.picture(tab, '44-no-role');
  const { url } = { url: tab.url() };
  assert.ok(url.startsWith(`${base}/v1/session/callback`), 'where it ended');
  // Signing in as somebody else goes on from there, and the issuer asks as whom.
  await tab.getByRole('link', { name: 'Sign in as somebody else' }).click();
  await atIssuer(tab, 'bob');
  await isIn(tab);
});

// As a program without a browser does.
async function call(method, where, { body, token } = {}) {
  const response = await fetch(`${base}${where}`, {
    method,
    headers: { ...(body && { 'Content-Type': 'application/json' }), ...(token && { Authorization: `Bearer ${token}` }) },
    body: body && JSON.stringify(body),
  });
  return { status: response.status, json: await response.json() };
}

page('a person lets a program in after the issuer has led them back, and it acts for them alone', async (open) => {
  const { json: begun } = await call('POST', '/v1/pairings', { body: { client: 'fshare on a laptop' } });
  const tab = await open(`${base}/pair`);
  await signIn(tab, 'bob');
  assert.equal(tab.url(), `${base}/pair`);
  await tab.locator('#who', { hasText: 'Bob Brown' }).waitFor();
  await tab.getByLabel('Code').fill(begun.userCode);
  await tab.getByRole('button', { name: 'Go on' }).click();
  await tab.getByText('fshare on a laptop').waitFor();
  await isAccessible(tab, 'what asks, signed in at the issuer');
  await browser.picture(tab, '48-issuer-pair');
  await tab.getByRole('button', { name: 'Let it in' }).click();
  await tab.getByRole('heading', { name: 'It is let in' }).waitFor();
  const { status, json } = await call('POST', '/v1/pairings/redeem', { body: { deviceCode: begun.deviceCode } });
  assert.equal(status, 200);
  const { token } = json;
  const files = (await call('GET', '/v1/files', { token })).json.files.map(({ filename }) => filename);
  assert.ok(files.includes('bobs.txt') && !files.includes('alices.txt'), `${files}`);
  assert.equal((await call('GET', '/v1/files?owner=all', { token })).status, 403);
  const listed = (await call('GET', '/v1/tokens', { token })).json.tokens;
  assert.deepEqual(listed.map(({ label }) => label), ['fshare on a laptop']);
});

// fshare in a terminal of a machine that its person is connected to by SSH.
function overSsh(home, ...command) {
  const program = spawn('script', ['--quiet', '--return', '--flush', '--command', `${fshare} ${command.join(' ')}`, '/dev/null'], {
    cwd: home,
    env: {
      PATH: process.env.PATH, HOME: home, SHELL: '/bin/sh', FILE_SHARE_URL: base,
      SSH_CONNECTION: '192.0.2.7 50000 192.0.2.8 22',
    },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ran = { said: '', ended: null };
  program.stdout.on('data', (data) => { ran.said += data; });
  program.on('exit', (code) => { ran.ended = code; });
  return ran;
}

async function ends(ran) {
  await until('it ends', () => ran.ended !== null);
  return { code: ran.ended, said: ran.said };
}

page('fshare login is let in by the code that its person types, and acts for them until they log out', async (open) => {
  const home = await mkdtemp(path.join(folder, 'home-'));
  const refused = await ends(overSsh(home, 'list'));
  assert.ok(refused.code !== 0 && refused.said.includes('fshare login'), refused.said);
  const login = overSsh(home, 'login');
  const [, address, code] = await until('it shows a code', () => /Open +(\S+)\s+and type +(\S+)/.exec(login.said));
  assert.equal(address, `${base}/pair`);
  await until('it says until when', () => login.said.includes('Ctrl-C'));
  // Here it would open a browser where nobody sits.
  assert.ok(!login.said.includes('opens the page'), login.said);
  const tab = await open(address);
  await signIn(tab, 'bob');
  await tab.getByLabel('Code').fill(code.toLowerCase());
  await tab.getByRole('button', { name: 'Go on' }).click();
  await tab.getByText('fshare on ').waitFor();
  assert.equal(login.ended, null);
  await tab.getByRole('button', { name: 'Let it in' }).click();
  await tab.getByRole('heading', { name: 'It is let in' }).waitFor();
  const done = await ends(login);
  assert.ok(done.code === 0 && done.said.includes(`signed in at ${base}`), done.said);
  const tokens = path.join(home, '.config/fshare/tokens.json');
  assert.equal((await stat(tokens)).mode & 0o777, 0o600);
  assert.ok(!done.said.includes('fst_'));

  await writeFile(path.join(home, 'from-a-terminal.txt'), 'by bob');
  const sent = await ends(overSsh(home, 'upload', 'from-a-terminal.txt'));
  assert.equal(sent.code, 0, sent.said);
  const files = await ends(overSsh(home, 'list'));
  assert.ok(files.said.includes('bobs.txt') && files.said.includes('from-a-terminal.txt'), files.said);
  assert.ok(!files.said.includes('alices.txt'), files.said);
  await tab.goto(base);
  await arrives(tab, 'from-a-terminal.txt');

  const { servers } = JSON.parse(await readFile(tokens, 'utf8'));
  const { token } = servers[base];
  assert.equal((await call('GET', '/v1/files', { token })).status, 200);
  const out = await ends(overSsh(home, 'logout'));
  assert.ok(out.code === 0 && out.said.includes('signed out'), out.said);
  assert.equal((await call('GET', '/v1/files', { token })).status, 401);
  assert.notEqual((await ends(overSsh(home, 'list'))).code, 0);
});

page('two tabs that both go to the issuer both come back, and one session is left', async (open, context) => {
  const [one, other] = [await open(`${base}/?tab=1`), await open(`${base}/?tab=2`)];
  await way(one).click();
  await one.getByRole('button', { name: 'bob', exact: true }).waitFor();
  await way(other).click();
  await atIssuer(other, 'bob');
  await isIn(other);
  const first = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  await atIssuer(one, 'bob');
  await isIn(one);
  assert.deepEqual([one, other].map((tab) => new URL(tab.url()).search), ['?tab=1', '?tab=2']);
  const names = (await context.cookies()).map(({ name }) => name);
  assert.ok(!names.some((name) => name.includes('sign-in')), `${names}`);
  const before = await fetch(`${base}/v1/session`, { headers: { Cookie: first } });
  assert.equal((await before.json()).principal, null);
});

page('a guest reads that no program acts for them, and lets none in', async (open, context) => {
  const { json: begun } = await call('POST', '/v1/pairings', { body: { client: 'fshare on a laptop' } });
  const tab = await open(`${base}/pair`);
  await signIn(tab, 'carol');
  await tab.getByText('no program can act for you').waitFor();
  assert.equal(await tab.getByLabel('Code').count(), 0);
  await isAccessible(tab, 'a guest at the page for programs');
  const cookies = (await context.cookies()).map(({ name, value }) => `${name}=${value}`);
  for (const action of ['look', 'approve']) {
    const refused = await fetch(`${base}/v1/pairings/${action}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Cookie: cookies.join('; ') },
      body: JSON.stringify({ userCode: begun.userCode }),
    });
    assert.deepEqual([refused.status, (await refused.json()).code], [403, 'not_allowed'], action);
  }
  assert.equal((await call('POST', '/v1/pairings/redeem', { body: { deviceCode: begun.deviceCode } })).status, 202);
});

page('signing out ends the session in all tabs, and says where one may still be signed in', async (open) => {
  const tab = await open(base);
  await signIn(tab, 'bob');
  const other = await open(base);
  await arrives(other, 'bobs.txt');
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await panel(other).waitFor();
  const there = panel(tab).getByRole('link', { name: 'Sign out there as well' });
  await isAccessible(tab, 'signed out');
  await browser.picture(tab, '45-signed-out');
  assert.equal(await panel(other).getByRole('link', { name: 'Sign out there as well' }).count(), 0);
  await there.click();
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await until('it leads back', async () => tab.url() === `${base}/`);
  await panel(tab).waitFor();
});

page('what is under way when the session ends goes on after signing in in another tab', async (open, context) => {
  const tab = await open(base);
  await signIn(tab, 'bob');
  await arrives(tab, 'bobs.txt');
  const cookies = (await context.cookies()).map(({ name, value }) => `${name}=${value}`);
  const ended = await fetch(`${base}/v1/session/end`, { method: 'POST', headers: { Cookie: cookies.join('; ') } });
  assert.equal(ended.status, 200);
  await choose(tab, [await file('waits.txt', 'for bob')]);
  await panel(tab).getByText('You have been signed out.').waitFor();
  await browser.picture(tab, '46-session-over');
  const opened = context.waitForEvent('page');
  await way(tab).click();
  const another = await opened;
  // Where the issuer knows them still, it asks nobody.
  await atIssuer(another, 'bob');
  await isIn(another);
  await arrives(tab, 'waits.txt');
  assert.equal(await sending(tab, 'waits.txt').count(), 0);
});

page(
  'the way to the issuer fits a phone, in the dark',
  async (open) => {
    const tab = await open(base);
    await panel(tab).waitFor();
    await isAccessible(tab, 'the way to the issuer, dark');
    const width = await tab.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(width <= 320, `${width}`);
    await browser.picture(tab, '47-issuer-phone');
  },
  { viewport: { width: 320, height: 640 }, colorScheme: 'dark', isMobile: true, hasTouch: true },
);
