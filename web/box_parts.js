// What a box looks like to its owner: where it stands, its times, and who has others.

import { words } from './box_words.js';
import { standingOf, timesOf } from './deadline.js';
import { h } from './dom.js';

const { boxes: said } = words;

export function standingOfBox(box, now) {
  const ends = (box.overrides ?? []).map(({ closesAt }) => closesAt).filter(Boolean);
  const last = ends.sort((one, other) => Date.parse(one) - Date.parse(other)).at(-1);
  return box.ended ? 'ended' : standingOf(timesOf({ ...box, lastClosesAt: last }), now);
}

export function chipOf(box, now) {
  const standing = standingOfBox(box, now);
  return h('span', { className: 'chip', dataset: { standing } }, said.standing[standing]);
}

// Until when, to the second and with the zone.
export function timesLine({ dueAt, closesAt }, format) {
  const time = (at) => format.exactTime(Date.parse(at));
  const due = dueAt === null ? said.noDue : said.due(time(dueAt));
  return closesAt === null || closesAt === dueAt ? due : [due, said.until(time(closesAt))].join(', ');
}

// Who has times of their own, and which; null where nobody has.
export function extensionsOf({ overrides = [] }, isShown, format) {
  if (overrides.length === 0) {
    return null;
  }
  const time = (at) => format.exactTime(Date.parse(at));
  const row = ({ submitter, dueAt, closesAt }) => {
    const times = [dueAt && said.due(time(dueAt)), closesAt && said.until(time(closesAt))].filter(Boolean).join(', ');
    return h('li', {}, h('bdi', {}, submitter), h('span', { className: 'soft' }, times));
  };
  return h(
    'details',
    { className: 'extensions', open: isShown },
    h('summary', { dataset: { what: 'extensions' } }, said.extensions(format.count(overrides.length))),
    h('ul', {}, ...overrides.map(row)),
  );
}
