// The web page of a service with the limits on calls that it has by itself, in real headless Chromium. Started by
// tests/it/default_limits.rs.
//
// Invariant: waits for what a person would see, with a limit, and never for a time.

import assert from 'node:assert/strict';
import { asking, choose, file, page, setup } from './fixture.mjs';

const { key, base } = setup.asking;
const MANY = 30;

page('30 files that somebody sends at once arrive, each under its name', async (open) => {
  const tab = await open(`${asking.base}#key=${key}`);
  await tab.getByRole('button', { name: 'Sign out' }).waitFor();
  const names = Array.from({ length: MANY }, (_, at) => `sheet-${at}.txt`);
  await choose(tab, await Promise.all(names.map((name) => file(name, `what is in ${name}`))));
  await tab.locator('#uploads-summary', { hasText: new RegExp(`^${MANY} files arrived`) }).waitFor();
  const headers = { Authorization: `Bearer ${key}` };
  const { files } = await (await fetch(new URL('/v1/files?limit=100&status=available', base), { headers })).json();
  assert.deepEqual(files.map(({ displayName }) => displayName).sort(), [...names].sort());
});
