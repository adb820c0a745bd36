// What the pages of boxes know without a browser: where a box stands, what a form says, who counts in a table, and what a
// spreadsheet makes of it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standingOfBox } from '../../../web/box_parts.js';
import { countingOf, merged, peopleOf, shownOf, whoOf } from '../../../web/box_rows.js';
import { MIB, fieldsOf, localOf, wantedOf } from '../../../web/box_wanted.js';
import { csvOf } from '../../../web/csv.js';
import { SOON_MS, isLate, isTaking, leftOf, nextOf, standingOf, timesOf } from '../../../web/deadline.js';

const DUE = '2027-02-01T09:05:30.000Z';
const CLOSES = '2027-02-02T00:00:00.000Z';
const at = (text) => Date.parse(text);

test('a box stands where its times put it, to the millisecond', () => {
  const times = timesOf({ opensAt: '2027-01-01T00:00:00Z', dueAt: DUE, closesAt: CLOSES });
  for (const [now, standing, next] of [
    ['2026-12-31T23:59:59.999Z', 'notYet', 'opens'],
    ['2027-01-01T00:00:00Z', 'open', 'due'],
    ['2027-02-01T08:05:29.999Z', 'open', 'due'],
    ['2027-02-01T08:05:30Z', 'soon', 'due'],
    [DUE, 'soon', 'closes'],
    ['2027-02-01T09:05:30.001Z', 'late', 'closes'],
    ['2027-02-01T23:59:59.999Z', 'late', 'closes'],
    [CLOSES, 'closed', undefined],
  ]) {
    assert.equal(standingOf(times, at(now)), standing, now);
    assert.equal(nextOf(times, at(now))?.what, next, now);
  }
  assert.equal(standingOf(timesOf({}), 0), 'open');
  const closing = timesOf({ dueAt: null, closesAt: CLOSES });
  assert.equal(standingOf(closing, at(CLOSES) - SOON_MS), 'soon');
  assert.equal(standingOf(timesOf({ closesAt: 'nonsense' }), 0), 'open');
});

test('where somebody has an extension a box takes from them what it takes from nobody else', () => {
  const general = { dueAt: DUE, closesAt: CLOSES };
  const later = '2027-02-03T00:00:00.000Z';
  for (const [lastClosesAt, now, standing] of [
    [later, '2027-02-01T23:59:59.999Z', 'late'],
    [later, CLOSES, 'extended'],
    [later, '2027-02-02T23:59:59.999Z', 'extended'],
    [later, later, 'closed'],
    [DUE, CLOSES, 'closed'],
    [null, CLOSES, 'closed'],
    [undefined, CLOSES, 'closed'],
  ]) {
    assert.equal(standingOf(timesOf({ ...general, lastClosesAt }), at(now)), standing, `${lastClosesAt} ${now}`);
  }
  const times = timesOf({ ...general, lastClosesAt: later });
  assert.equal(nextOf(times, at(CLOSES)), null, 'when that is, is for those who have it');
  assert.deepEqual(['extended', 'closed', 'notYet'].map(isTaking), [true, false, false]);
  // For its owner, who has the extensions themselves.
  const one = (closesAt) => ({ submitter: 'Ada', dueAt: null, closesAt });
  const of = (overrides) => standingOfBox({ ...general, ended: false, overrides }, at(CLOSES));
  assert.deepEqual([of([one(null), one(later), one(DUE)]), of([one(null)]), of([])], ['extended', 'closed', 'closed']);
  assert.equal(standingOfBox({ ...general, ended: true, overrides: [one(later)] }, at(CLOSES)), 'ended');
});

test('the time that is left has the two parts that matter', () => {
  for (const [ms, expected] of [
    [3 * 86_400_000 + 2 * 3_600_000 + 59_000, { days: 3, hours: 2 }],
    [3_600_000, { hours: 1, minutes: 0 }],
    [3_599_001, { hours: 1, minutes: 0 }],
    [61_000, { minutes: 1, seconds: 1 }],
    [999, { seconds: 1 }],
    [-5, { seconds: 0 }],
  ]) {
    assert.deepEqual(leftOf(ms), expected, ms);
  }
});

test('late is what came after it was due, and nothing that was never due', () => {
  assert.ok(!isLate(DUE, DUE));
  assert.ok(isLate('2027-02-01T09:05:30.001Z', DUE));
  assert.ok(!isLate(DUE, null));
  assert.ok(!isLate(null, DUE));
});

const file = (id, submitter, uploadedAt, more = {}) => ({
  id,
  submitter,
  submitterId: null,
  displayName: `${id}.pdf`,
  status: uploadedAt === null ? 'pending' : 'available',
  uploadedAt,
  late: false,
  ...more,
});

test('of each person the newest counts that isn’t late, and a name in other capitals is the same person', () => {
  const files = [
    file('5', 'ADA', '2027-01-05T00:00:00Z', { late: true }),
    file('4', 'Ada', '2027-01-04T00:00:00Z'),
    file('3', 'ada', '2027-01-03T00:00:00Z'),
    file('2', 'Bob', '2027-01-02T00:00:00Z', { late: true }),
    file('1', 'Bob', '2027-01-01T00:00:00Z', { late: true }),
    file('0', 'Eve', null),
    // Who signed in as Ada is somebody else than who typed that.
    file('6', 'Ada', '2027-01-01T00:00:00Z', { submitterId: 'usr_1' }),
  ];
  assert.deepEqual([...countingOf(files, 'latest')].sort(), ['2', '4', '6']);
  assert.deepEqual([...countingOf(files, 'all')].sort(), ['1', '2', '3', '4', '5', '6']);
  assert.equal(peopleOf(files), 4);
  assert.equal(whoOf(file('x', 'Ame\u0301lie', null)), whoOf(file('y', 'am\u00e9lie', null)));
});

test('rows are found by parts of names, without capitals and accents, and by what is wanted', () => {
  const files = [
    file('a', 'Amélie Müller', '2027-01-01T00:00:00Z', { late: true, displayName: 'Sheet 3.pdf' }),
    file('b', 'Bob', '2027-01-01T00:00:00Z', { displayName: 'notes.txt' }),
    file('c', 'Cy', null),
  ];
  const counting = countingOf(files, 'latest');
  const ids = (query, show = 'all') => shownOf(files, { query, show, counting }).map(({ id }) => id).join('');
  for (const [query, show, expected] of [
    ['', 'all', 'abc'],
    ['muller sheet', 'all', 'a'],
    ['AMELIE', 'all', 'a'],
    ['bob sheet', 'all', ''],
    ['', 'late', 'a'],
    ['', 'open', 'c'],
    ['', 'counting', 'ab'],
    ['notes', 'counting', 'b'],
  ]) {
    assert.equal(ids(query, show), expected, `${query} ${show}`);
  }
});

test('a page of what is newest takes the place of what was known, and keeps the rest', () => {
  const known = [file('2', 'Bob', null), file('1', 'Ada', '2027-01-01T00:00:00Z')];
  const newer = [file('3', 'Cy', null), file('2', 'Bob', '2027-01-02T00:00:00Z')];
  assert.deepEqual(merged(known, newer).map(({ id, status }) => `${id} ${status}`), ['3 pending', '2 available', '1 available']);
});

test('no cell of a table is a formula, whatever ends a cell, and every cell is one cell', () => {
  assert.equal(csvOf([]), '\ufeff');
  assert.equal(csvOf([['a', 'b;c', 'd"e', 'f,g', 7, ' x ']]), '\ufeffa,"b;c","d""e","f,g",7," x "\r\n');
  // A spreadsheet in German takes a semicolon for the end of a cell, and one in English a comma: both are quoted always.
  assert.equal(csvOf([['a', 'b,c', 'd;e']], ';'), '\ufeffa;"b,c";"d;e"\r\n');
  for (const [given, safe] of [
    ['Ada Lovelace', 'Ada Lovelace'],
    ['a-b+c=d@e', 'a-b+c=d@e'],
    ['=cmd|\'/c calc\'!A1', '\'=cmd|\'/c calc\'!A1'],
    ['+1', '\'+1'],
    ['-1', '\'-1'],
    ['@SUM(1)', '\'@SUM(1)'],
    ['\t=1', '" \'=1"'],
    ['\r=1', '" \'=1"'],
    ['\n=1', '" \'=1"'],
    ['a\nb', 'a b'],
    ['  =1', '"  \'=1"'],
    ['\uff1d1+1', '\'\uff1d1+1'],
    ['"=1', '"""\'=1"'],
    ['a;=1+1;b', '"a;\'=1+1;b"'],
    ['a; "=1', '"a; ""\'=1"'],
    ['a|@x', 'a|\'@x'],
    ['a,-1', '"a,\'-1"'],
    ['a,=cmd|\'/c calc\'!A1,b', '"a,\'=cmd|\'/c calc\'!A1,b"'],
  ]) {
    for (const separator of [',', ';']) {
      assert.equal(csvOf([[given]], separator), `\ufeff${safe}\r\n`, JSON.stringify(given));
    }
  }
});

test('what a form says is what the service is told, and nothing changes by opening it', () => {
  const box = {
    title: 'Sheet 3',
    dueAt: '2027-02-01T09:05:30.123Z',
    closesAt: '2027-02-02T00:00:00.000Z',
    types: ['docx', 'pdf'],
    maxFileBytes: 5 * MIB,
    maxFiles: 10_000,
    submitter: 'named',
    keep: 'all',
  };
  const again = (one, typed = {}) => wantedOf({ ...fieldsOf(one), ...typed }, { maxBytes: 20 * MIB, box: one });
  for (const [closesAt, after] of [[null, 'open'], [box.dueAt, 'none'], [box.closesAt, 'until']]) {
    assert.equal(fieldsOf({ ...box, closesAt }).after, after);
    assert.deepEqual(again({ ...box, closesAt }), { wanted: {}, wrong: [] });
  }
  const fresh = { ...fieldsOf(null), title: ' Essay ', due: '2027-02-01T10:00', after: 'none', types: '.PDF, *.docx;txt', size: '1,5', count: '30' };
  const { wanted, wrong } = wantedOf(fresh, { maxBytes: 20 * MIB });
  const dueAt = new Date('2027-02-01T10:00').toISOString();
  assert.deepEqual(wrong, []);
  assert.deepEqual(wanted, {
    title: 'Essay',
    dueAt,
    closesAt: dueAt,
    types: ['pdf', 'docx', 'txt'],
    maxFileBytes: 1.5 * MIB,
    maxFiles: 30,
    submitter: 'named',
    keep: 'latest',
  });
  assert.equal(new Date(localOf(DUE)).toISOString(), DUE);
  // Nobody sees the password that there is, so it stays unless another one is typed or it is to go.
  const passwordOf = (fields) => wantedOf({ ...fieldsOf(box), ...fields }, { maxBytes: 20 * MIB, box }).wanted.password;
  assert.deepEqual([passwordOf({}), passwordOf({ password: 'p' }), passwordOf({ noPassword: true })], [undefined, 'p', null]);
});

test('of a box that there is, what was changed is sent and nothing else, so that what others change stays', () => {
  const box = {
    title: 'Sheet 3',
    dueAt: '2027-02-01T09:05:30.123Z',
    closesAt: '2027-02-02T00:00:00.000Z',
    types: ['docx', 'pdf'],
    maxFileBytes: 5 * MIB,
    maxFiles: 10_000,
    submitter: 'named',
    keep: 'all',
  };
  const due = '2027-01-30T10:00';
  const dueAt = new Date(due).toISOString();
  for (const [typed, wanted, of = box] of [
    [{}, {}],
    [{ title: ' Sheet 4' }, { title: 'Sheet 4' }],
    [{ title: ' Sheet 3 ', types: 'docx pdf' }, {}],
    [{ due }, { dueAt }],
    [{ due: '' }, { dueAt: null }],
    [{ after: 'open' }, { closesAt: null }],
    // What closes with the deadline goes on doing so.
    [{ due }, { dueAt, closesAt: dueAt }, { ...box, closesAt: box.dueAt }],
    [{ types: '', size: '', count: '7', keep: 'latest' }, { types: [], maxFileBytes: null, maxFiles: 7, keep: 'latest' }],
    [{ count: '' }, { maxFiles: null }, { ...box, maxFiles: 7 }],
    [{ password: 'p' }, { password: 'p' }],
    [{ noPassword: true }, { password: null }],
  ]) {
    assert.deepEqual(wantedOf({ ...fieldsOf(of), ...typed }, { maxBytes: 20 * MIB, box: of }), { wanted, wrong: [] }, JSON.stringify(typed));
  }
});

test('a new box takes no time that is over, and one that there is may be given one', () => {
  const now = Date.parse('2027-02-01T12:00:00.000Z');
  const at = (ms) => localOf(new Date(now + ms).toISOString());
  const wrongOf = (fields, box = null) => wantedOf({ ...fieldsOf(box), title: 'Essay', ...fields }, { maxBytes: 20 * MIB, box, now }).wrong;
  assert.deepEqual(wrongOf({ due: at(0) }), [['due', 'past']]);
  assert.deepEqual(wrongOf({ due: at(1000) }), []);
  assert.deepEqual(wrongOf({ due: at(-2000), after: 'until', closes: at(9000) }), [['due', 'past']]);
  assert.deepEqual(wrongOf({ after: 'until', closes: at(-1000) }), [['closes', 'past']]);
  const box = { title: 'Essay', dueAt: DUE, closesAt: null, types: [], maxFileBytes: MIB, maxFiles: 1, submitter: 'named', keep: 'all' };
  assert.deepEqual(wrongOf({ due: at(-1000) }, box), []);
});

test('what a person can’t have meant is said at its field', () => {
  const wrongOf = (fields) => wantedOf({ ...fieldsOf(null), title: 'Essay', ...fields }, { maxBytes: 20 * MIB }).wrong.map(([field]) => field);
  for (const [fields, expected] of [
    [{ title: '  ' }, ['title']],
    [{ title: 'x'.repeat(101) }, ['title']],
    [{ title: '🎉'.repeat(100) }, []],
    [{ after: 'until' }, ['closes']],
    [{ due: '2027-02-01T10:00', after: 'until', closes: '2027-02-01T09:59' }, ['closes']],
    [{ types: 'tar.gz' }, ['types']],
    [{ types: 'p/df' }, ['types']],
    [{ size: '0' }, ['size']],
    [{ size: '20.1' }, ['size']],
    [{ size: 'x' }, ['size']],
    [{ count: '0' }, ['count']],
    [{ count: '1.5' }, ['count']],
    [{ count: '10001' }, ['count']],
    [{ password: 'x'.repeat(129) }, ['password']],
    [{ size: '20', count: '10000', types: '' }, []],
  ]) {
    assert.deepEqual(wrongOf(fields), expected, JSON.stringify(fields));
  }
});
