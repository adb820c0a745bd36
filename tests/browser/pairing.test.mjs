// The page on which people let programs in, in real headless Chromium: with the code that a program shows, and with
// nothing else. Started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { browser, asking, faultProxy, page, setup } from './fixture.mjs';
import { isAccessible, until } from './browser.mjs';

const { key } = setup.asking;
const LOOK = { method: 'POST', path: /^\/v1\/pairings\/look$/ };
const APPROVE = { method: 'POST', path: /^\/v1\/pairings\/approve$/ };
const PAIR = () => `${asking.base}pair`;
const SIGNED_IN = () => `${PAIR()}#key=${key}`;
const CLIENT = 'fshare on a laptop';

const field = (tab) => tab.getByLabel('Code');
const goOn = (tab) => tab.getByRole('button', { name: 'Go on' });
const letIn = (tab) => tab.getByRole('button', { name: 'Let it in' });
const error = (tab) => tab.locator('#card').getByRole('alert');
const asked = (tab) => tab.getByRole('heading', { name: 'Let this program in?' }).waitFor();
const isDone = (tab) => tab.getByRole('heading', { name: 'It is let in' }).waitFor();

async function hasFocus(tab, locator) {
  await until('it has the focus', () => locator.evaluate((element) => element === document.activeElement));
}

// A call as the program's, from outside of the browser.
async function call(where, body, headers = {}) {
  const response = await fetch(new URL(where, setup.asking.base), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, json: response.status === 204 ? null : await response.json() };
}

const begin = async () => (await call('/v1/pairings', { client: CLIENT })).json;
const redeem = ({ deviceCode }) => call('/v1/pairings/redeem', { deviceCode });

async function cookies(context) {
  return (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
}

async function type(tab, code) {
  await field(tab).fill(code);
  await goOn(tab).click();
}

// A code that nobody shows. Few of them, since ten have everybody wait who types them.
const unknown = ({ userCode }) => (userCode.startsWith('B') ? 'CCCC-CCCC' : 'BBBB-BBBB');

page('a link fills in no code, whatever it brings along, and lets nobody in', async (open) => {
  const begun = await begin();
  const { userCode } = begun;
  const bare = userCode.replace('-', '');
  for (const more of [
    `?code=${userCode}&userCode=${userCode}&user_code=${bare}`,
    `?${bare}#${userCode}`,
    `#code=${userCode}`,
    `#key=${key}&code=${userCode}`,
  ]) {
    const tab = await open(SIGNED_IN());
    await hasFocus(tab, field(tab));
    await tab.goto('about:blank');
    await tab.goto(`${PAIR()}${more}`);
    await hasFocus(tab, field(tab));
    assert.equal(await field(tab).inputValue(), '', more);
    assert.equal(await letIn(tab).count(), 0);
    await tab.close();
  }
  assert.equal(asking.count(LOOK) + asking.count(APPROVE), 0);
  assert.equal((await redeem(begun)).status, 202);
});

page('who isn’t signed in signs in first, then types the code and lets it in, with a keyboard alone', async (open) => {
  const begun = await begin();
  const tab = await open(PAIR());
  const panel = tab.getByRole('region', { name: 'Sign in' });
  await panel.waitFor();
  assert.equal(await tab.locator('#card:visible').count(), 0);
  await hasFocus(tab, panel.getByLabel('Key'));
  await tab.keyboard.type(key);
  await tab.keyboard.press('Enter');
  await hasFocus(tab, field(tab));
  await isAccessible(tab, 'the code is asked for');
  await browser.picture(tab, '40-pair-code');
  await tab.keyboard.type(begun.userCode.toLowerCase().replace('-', ' '));
  await tab.keyboard.press('Enter');
  await asked(tab);
  await tab.getByText(CLIENT).waitFor();
  await tab.getByText('127.0.0.1').waitFor();
  await tab.getByText('just now', { exact: true }).waitFor();
  await isAccessible(tab, 'what asks is shown');
  await browser.picture(tab, '41-pair-program');
  // One press too many of the key that sent the code.
  await tab.keyboard.press('Enter');
  assert.equal(asking.count(APPROVE), 0);
  assert.equal((await redeem(begun)).status, 202);
  await tab.keyboard.press('Tab');
  await hasFocus(tab, tab.getByRole('button', { name: 'Don’t' }));
  await tab.keyboard.press('Tab');
  await hasFocus(tab, letIn(tab));
  await tab.keyboard.press('Enter');
  await isDone(tab);
  await isAccessible(tab, 'it is let in');
  await browser.picture(tab, '42-pair-done');
  const { status, json } = await redeem(begun);
  assert.deepEqual([status, json.label], [200, CLIENT]);
  const content = await tab.content();
  assert.ok(!content.includes(begun.userCode) && !content.includes(json.token));
  const addresses = asking.requests.map(({ path }) => path).join(' ');
  assert.ok(!addresses.includes(begun.userCode) && !tab.url().includes(begun.userCode));
});

page('who changes their mind lets nobody in', async (open) => {
  const begun = await begin();
  const tab = await open(SIGNED_IN());
  await type(tab, begun.userCode);
  await asked(tab);
  await tab.getByRole('button', { name: 'Don’t' }).click();
  await hasFocus(tab, field(tab));
  assert.equal(await field(tab).inputValue(), '');
  assert.equal(asking.count(APPROVE), 0);
  assert.equal((await redeem(begun)).status, 202);
});

page('what is wrong with a code is said at its field, and a right one leads on', async (open) => {
  const begun = await begin();
  const tab = await open(SIGNED_IN());
  for (const typed of ['', 'BCDF', 'AEIO-UAEI', `${begun.userCode}B`]) {
    await type(tab, typed);
    await error(tab).getByText('A code has eight letters').waitFor();
    await hasFocus(tab, field(tab));
    assert.equal(await field(tab).getAttribute('aria-invalid'), 'true');
  }
  assert.equal(asking.count(LOOK), 0, 'what can’t be a code is no try');
  await type(tab, unknown(begun));
  await error(tab).getByText('No program waits with this code').waitFor();
  await hasFocus(tab, field(tab));
  const described = await field(tab).getAttribute('aria-describedby');
  assert.ok(described.split(' ').includes(await error(tab).getAttribute('id')));
  await isAccessible(tab, 'a wrong code');
  await browser.picture(tab, '43-pair-wrong');
  await type(tab, begun.userCode);
  await asked(tab);
  assert.equal(await error(tab).count(), 0);
});

page('who has typed too many codes hears for how long, and a service that is away can be asked again', async (open) => {
  const begun = await begin();
  const tab = await open(SIGNED_IN());
  await field(tab).waitFor();
  const body = JSON.stringify({ code: 'too_many_tries', detail: 'too many' });
  const headers = { 'Content-Type': 'application/problem+json', 'Retry-After': '301' };
  asking.next(LOOK, { answer: { status: 429, headers, body } });
  await type(tab, begun.userCode);
  await error(tab).getByText('Try again in 6 minutes.').waitFor();
  // All of them, since a browser sends again by itself what a connection that it had kept has lost.
  let isBack = asking.always(LOOK, { drop: true });
  await type(tab, begun.userCode);
  await error(tab).getByText('The service can’t be reached right now.').waitFor();
  isBack();
  asking.next(LOOK, { answer: { status: 502, headers: { 'Content-Type': 'text/html' }, body: '<p>gone</p>' } });
  await type(tab, begun.userCode);
  await error(tab).getByText('only what stands before it (502)').waitFor();
  await type(tab, begun.userCode);
  await asked(tab);
  isBack = asking.always(APPROVE, { loseAnswer: true });
  await letIn(tab).click();
  await error(tab).getByText('The service can’t be reached right now.').waitFor();
  isBack();
  // It was done, and doing it again changes nothing.
  await letIn(tab).click();
  await isDone(tab);
  assert.equal((await redeem(begun)).status, 200);
});

page('a code that is over when somebody says yes leads back to the field and says so', async (open, context) => {
  const begun = await begin();
  const tab = await open(SIGNED_IN());
  await type(tab, begun.userCode);
  await asked(tab);
  // In another tab of theirs, and the program has taken its token.
  const session = { Cookie: await cookies(context) };
  const { status } = await call('/v1/pairings/approve', { userCode: begun.userCode }, session);
  assert.deepEqual([status, (await redeem(begun)).status], [204, 200]);
  await letIn(tab).click();
  await error(tab).getByText('No program waits with this code').waitFor();
  await hasFocus(tab, field(tab));
});

page('a session that ends before the yes is asked for again, and what was typed is still there', async (open, context) => {
  const begun = await begin();
  const tab = await open(SIGNED_IN());
  await type(tab, begun.userCode);
  await asked(tab);
  await call('/v1/session/end', {}, { Cookie: await cookies(context) });
  await letIn(tab).click();
  const panel = tab.getByRole('region', { name: 'Sign in' });
  await panel.waitFor();
  assert.equal(await tab.locator('#card:visible').count(), 0);
  assert.equal((await redeem(begun)).status, 202);
  await panel.getByLabel('Key').fill(key);
  await panel.getByRole('button', { name: 'Sign in' }).click();
  await asked(tab);
  await letIn(tab).click();
  await isDone(tab);
});

page('however often somebody presses, one call is made', async (open) => {
  const begun = await begin();
  const tab = await open(SIGNED_IN());
  await field(tab).fill(begun.userCode);
  let release;
  asking.next(LOOK, { hold: new Promise((resolve) => (release = resolve)) });
  await goOn(tab).click();
  await goOn(tab).click();
  await until('it was asked', () => asking.count(LOOK) === 1);
  release();
  await asked(tab);
  asking.next(APPROVE, { hold: new Promise((resolve) => (release = resolve)) });
  await letIn(tab).click();
  await letIn(tab).click();
  await until('it was sent', () => asking.count(APPROVE) === 1);
  release();
  await isDone(tab);
  assert.deepEqual([asking.count(LOOK), asking.count(APPROVE)], [1, 1]);
});

page('what a program calls itself is text, and steers nothing', async (open) => {
  const client = '<b>fshare</b> from your administrator & friends, who are longer than any line of a page is wide';
  const begun = (await call('/v1/pairings', { client })).json;
  const tab = await open(SIGNED_IN());
  await type(tab, begun.userCode);
  await asked(tab);
  await tab.getByText(client, { exact: true }).waitFor();
  assert.equal(await tab.locator('#card b').count(), 0);
});

page(
  'it fits a phone with text of twice the size, in the dark, and is accessible',
  async (open) => {
    const begun = await begin();
    const tab = await open(SIGNED_IN());
    await type(tab, unknown(begun));
    await error(tab).getByText('No program waits').waitFor();
    await fits(tab);
    await isAccessible(tab, 'the code, dark');
    await browser.picture(tab, '44-pair-phone');
    await type(tab, begun.userCode);
    await asked(tab);
    await fits(tab);
    await isAccessible(tab, 'what asks, dark');
    await browser.picture(tab, '45-pair-phone-program');
    await tab.evaluate(() => (document.documentElement.style.fontSize = '200%'));
    await fits(tab);
    await letIn(tab).tap();
    await isDone(tab);
    await fits(tab);
  },
  { viewport: { width: 320, height: 640 }, colorScheme: 'dark', isMobile: true, hasTouch: true },
);

async function fits(tab) {
  const sticksOut = await tab.locator('body *:visible').evaluateAll((elements) =>
    elements.filter((element) => element.getBoundingClientRect().right > 320.5).map(({ tagName, className }) => `${tagName} ${className}`),
  );
  assert.deepEqual(sticksOut, []);
}

page('where the service asks nobody the page says that nothing has to be let in', async (open) => {
  const tab = await open(`${faultProxy.base}pair`);
  await tab.getByText('This service asks nobody who they are').waitFor();
  assert.equal(await field(tab).count(), 0);
  await isAccessible(tab, 'nothing to let in');
});
