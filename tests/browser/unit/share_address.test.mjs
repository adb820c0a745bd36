// Which address links name that are passed on to others.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ShareAddress, meansThisComputer } from '../../../web/share_address.js';

const HERE = 'http://localhost:8000/';

// A page at `own` of a service that says this, and how often it heard of it.
async function addressAt(own, ...answers) {
  let changes = 0;
  const address = new ShareAddress(new URL(own), async () => answers.shift(), () => (changes += 1));
  const said = answers.length;
  for (let asked = 0; asked < said; asked += 1) {
    await address.look();
  }
  return { address, changes };
}

const OPERATOR = { kind: 'operator' };
const session = (shareBase, who = OPERATOR) => ({ type: 'session', who, shareBase });

test('names and addresses that mean the computer of whoever asks are told from all others', () => {
  for (const host of ['localhost', 'LOCALHOST.', 'a.localhost', '127.0.0.1', '127.9.9.9', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0']) {
    assert.ok(meansThisComputer(new URL(`http://${host}:8000/`)), host);
  }
  for (const host of ['192.168.1.7', '[fd00::2]', 'laptop', 'localhost.example', 'notlocalhost', '10.127.0.1', '[::2]']) {
    assert.ok(!meansThisComputer(new URL(`http://${host}:8000/`)), host);
  }
});

test('links name what the service says, under its path too, and else the page’s own address', async () => {
  for (const [own, said, link, isForNobodyElse] of [
    [HERE, 'http://192.168.1.7:8000', 'http://192.168.1.7:8000/f/1', false],
    [HERE, 'http://[fd00::2]:8000', 'http://[fd00::2]:8000/f/1', false],
    [HERE, 'https://files.example/course', 'https://files.example/course/f/1', false],
    [HERE, null, 'http://localhost:8000/f/1', true],
    ['http://192.168.1.7:8000/', null, 'http://192.168.1.7:8000/f/1', false],
    ['http://192.168.1.7:8000/', 'https://files.example', 'https://files.example/f/1', false],
    // An operator's word, though it helps nobody.
    ['http://192.168.1.7:8000/', 'http://localhost:8000', 'http://localhost:8000/f/1', true],
  ]) {
    const { address, changes } = await addressAt(own, session(said));
    assert.deepEqual([address.pageOf(1), address.isForNobodyElse, changes], [link, isForNobodyElse, 1]);
    assert.equal(address.linkOf('http://localhost:8000/s/TOKEN'), link.replace('f/1', 's/TOKEN'));
  }
});

test('until the service has said something nothing is claimed, and nonsense changes nothing', async () => {
  const { address, changes } = await addressAt(HERE, { type: 'lost' }, { type: 'refused' });
  assert.deepEqual([address.pageOf(1), address.isForNobodyElse, changes], [`${HERE}f/1`, false, 0]);
  for (const said of [undefined, '', 'javascript:alert(1)', 'nonsense', {}, 8000]) {
    const { address: kept } = await addressAt(HERE, session(said));
    assert.equal(kept.pageOf(1), `${HERE}f/1`);
  }
});

test('a computer that has moved to another network, or to none, is known by what the service says now', async () => {
  const moved = [session('http://192.168.1.7:8000'), session('http://10.0.0.7:8000')];
  assert.equal((await addressAt(HERE, ...moved)).address.pageOf(1), 'http://10.0.0.7:8000/f/1');
  const { address } = await addressAt(HERE, moved[1], session(null));
  assert.deepEqual([address.pageOf(1), address.isForNobodyElse], [`${HERE}f/1`, true]);
});

test('whoever is signed out meanwhile hears nothing, and keeps what was known', async () => {
  const { address, changes } = await addressAt(HERE, session('http://192.168.1.7:8000'), session(null, null));
  assert.deepEqual([address.pageOf(1), changes], ['http://192.168.1.7:8000/f/1', 1]);
});
