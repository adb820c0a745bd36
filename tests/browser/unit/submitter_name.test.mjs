// What the page of a box knows of a name before the service is asked.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultOf } from '../../../web/submitter_name.js';

test('a name has something in it that can be seen, and at most 100 characters, as the service counts them', () => {
  for (const [name, fault] of [
    ['Ada Lovelace', ''],
    ['\u0633\u0627\u0631\u0627', ''],
    ['\u{1f389}', ''],
    ['\u{1f389}'.repeat(100), ''],
    ['\u{1f389}'.repeat(101), 'longName'],
    ['', 'noName'],
    ['  \n', 'noName'],
    // Nobody sees these: a filler of Hangul, joiners, variation selectors, marks of direction, a mark of byte order.
    ['\u3164', 'unseenName'],
    ['\u200b\u200d', 'unseenName'],
    ['\ufe0f', 'unseenName'],
    ['\u115f\u1160\uffa0', 'unseenName'],
    ['\u202e\u2066', 'unseenName'],
    ['\ufeff', 'noName'],
    ['\u0007', 'unseenName'],
    ['\u3164a', ''],
    // Blanks in a row are one, and what steers text isn't counted.
    [`a${' '.repeat(200)}b`, ''],
    ['\u202e'.repeat(200) + 'a', ''],
    [`${'e\u0301'.repeat(100)}`, ''],
  ]) {
    assert.equal(faultOf(name), fault, JSON.stringify(name));
  }
});
