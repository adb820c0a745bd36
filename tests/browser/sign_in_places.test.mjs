// Signing in wherever people reach a service: by a name in their network over plain http, by https behind a proxy, and
// below a path; at an issuer and with the key. In real headless Chromium, started by tests/it/web_page.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { arrives, browser, choose, file, listed, setup } from './fixture.mjs';
import { LIMIT_MS, until } from './browser.mjs';
import { test } from 'node:test';

const { issuer, all } = setup.places;
const HTML = 'text/html,application/xhtml+xml';

const panel = (tab) => tab.getByRole('region', { name: 'Sign in' });
const isIn = (tab) => tab.getByRole('button', { name: 'Sign out' }).waitFor();

// Asks as the page does, with what the browser has.
const status = (tab, base, path) => tab.evaluate(async (url) => (await fetch(url)).status, `${base}${path}`);

// The way in and nothing else, whatever is asked for.
async function isKeptOut(tab, base) {
  await panel(tab).waitFor();
  for (const selector of ['#drop', '#files', '#uploads', 'footer', '#sign-out']) {
    assert.equal(await tab.locator(selector).locator('visible=true').count(), 0, selector);
  }
  for (const path of ['/v1/files', '/v1/files?owner=all', '/v1/tokens']) {
    assert.equal(await status(tab, base, path), 401, path);
  }
}

async function signIn(open, { base, key }) {
  if (key) {
    // The link that the first start shows.
    const tab = await open(`${base}/#key=${key}`);
    await isIn(tab);
    assert.equal(tab.url(), `${base}/`);
    return tab;
  }
  const tab = await open(`${base}/`);
  await panel(tab).getByRole('link', { name: 'Sign in', exact: true }).click();
  await tab.getByRole('button', { name: 'bob', exact: true }).click();
  await isIn(tab);
  assert.equal(tab.url(), `${base}/`);
  await tab.locator('#who', { hasText: 'Bob Brown' }).waitFor();
  return tab;
}

for (const place of all) {
  const { name, base } = place;
  const isSecure = base.startsWith('https:');
  const origins = [base, issuer].map((url) => new URL(url).origin);
  // The proxy's certificate is its own.
  const options = { origins, ignoreHTTPSErrors: true };

  test(`${name}: who signs in stays in, sends and fetches, and another browser sees nothing`, { timeout: 4 * LIMIT_MS }, async () => {
    await browser.visit(options, async (open, context) => {
      const tab = await signIn(open, place);
      await choose(tab, [await file(`${name}.txt`, `of ${name}`)]);
      const row = await arrives(tab, `${name}.txt`);
      // The browser keeps the cookie: over http one that is only for https would be dropped without a word.
      await tab.reload();
      await arrives(tab, `${name}.txt`);
      const cookies = await context.cookies(base);
      const session = cookies.find((it) => it.sameSite === 'Strict');
      assert.deepEqual([session.secure, session.httpOnly, session.path], [isSecure, true, '/']);
      assert.equal(session.name.startsWith('__Host-'), isSecure, session.name);
      assert.ok(session.domain && !session.domain.startsWith('.'), 'for this host alone');

      const link = await row.locator('a[href*="f/"]').first().evaluate((a) => a.href);
      assert.ok(link.startsWith(`${base}/f/`), link);
      const own = await open(link);
      await own.getByText(`${name}.txt`).first().waitFor();

      await browser.visit(options, async (openThird) => {
        const third = await openThird(`${base}/`);
        await isKeptOut(third, base);
        await third.goto(link);
        await panel(third).waitFor();
        assert.ok(!(await third.content()).includes(`${name}.txt`));
        const id = link.split('/').pop();
        assert.equal(await status(third, base, `/v1/files/${id}/metadata`), 401);
        const page = await third.evaluate(
          async ([url, accept]) => (await fetch(url, { headers: { Accept: accept } })).text(), [link, HTML],
        );
        assert.ok(!page.includes(`${name}.txt`));
      });

      await tab.bringToFront();
      await tab.getByRole('button', { name: 'Sign out' }).click();
      await isKeptOut(tab, base);
      await tab.reload();
      await isKeptOut(tab, base);
      assert.equal(await listed(tab, `${name}.txt`).count(), 0);
      await until('no session is kept', async () => !(await context.cookies(base)).some(({ value }) => value === session.value));
    });
  });
}
