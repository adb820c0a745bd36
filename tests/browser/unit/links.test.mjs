// Links: which one is copied, and when a new one is made.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Links } from '../../../web/links.js';

const NOW = Date.parse('2027-01-01T00:00:00Z');
const plain = {
  url: 'http://service/s/a',
  files: ['a'],
  label: 'Copy link',
  hasPassword: false,
  maxDownloads: null,
  audience: 'anyone',
  expiresAt: '2027-12-01T00:00:00Z',
};

function over(there, made = { type: 'linked', url: 'http://service/s/new' }) {
  const asked = [];
  const api = {
    linksOf: async (id) => (asked.push(['linksOf', id]), there),
    link: async (wanted) => (asked.push(['link', wanted]), made),
  };
  return { asked, links: new Links(api, () => NOW) };
}

test('a link that the page made before is copied again, and asked for once', async () => {
  const { asked, links } = over({ type: 'links', links: [{ ...plain, maxDownloads: 1 }, plain] });
  assert.deepEqual(await links.of('a'), { type: 'linked', url: plain.url });
  assert.deepEqual(await links.of('a'), { type: 'linked', url: plain.url });
  assert.deepEqual(asked, [['linksOf', 'a']]);
});

test('a link that somebody made for something else, or that ends soon, is not passed on', async () => {
  for (const other of [
    { label: null },
    { label: 'for the press' },
    { files: ['a', 'b'] },
    { hasPassword: true },
    { maxDownloads: 3 },
    { audience: 'signed_in' },
    { audience: 'the_institute' },
    { expiresAt: '2027-03-01T00:00:00Z' },
  ]) {
    const { asked, links } = over({ type: 'links', links: [{ ...plain, ...other }] });
    assert.equal((await links.of('a')).url, 'http://service/s/new', JSON.stringify(other));
    const wanted = { files: ['a'], label: 'Copy link', expiresAt: '2028-01-01T00:00:00.000Z' };
    assert.deepEqual(asked.at(-1), ['link', wanted]);
  }
});

test('those of many are had a few at a time, in their order, and all or none', async () => {
  let [under, most] = [0, 0];
  const links = new Links({
    linksOf: async (id) => {
      most = Math.max(most, (under += 1));
      await Promise.resolve();
      under -= 1;
      return id === '13' ? { type: 'gone' } : { type: 'links', links: [{ ...plain, url: `http://service/s/${id}` }] };
    },
  }, () => NOW);
  const ids = Array.from({ length: 13 }, (_, at) => String(at));
  const urls = ids.map((id) => `http://service/s/${id}`);
  assert.deepEqual(await links.ofAll(ids), { type: 'linked', urls });
  assert.ok(most > 1 && most <= 6, String(most));
  assert.deepEqual(await links.ofAll(['1', '13']), { type: 'gone' });
});

test('what failed is asked for again, and says why', async () => {
  const lost = { type: 'lost' };
  const { asked, links } = over(lost);
  assert.deepEqual(await links.of('a'), lost);
  assert.deepEqual(await links.of('a'), lost);
  assert.equal(asked.length, 2);
  const refused = { type: 'refused', problem: { code: 'problem', detail: 'no' } };
  assert.deepEqual(await over({ type: 'links', links: [] }, refused).links.of('a'), refused);
});
