// What a box looks like in a line: where it stands, and its times.

import { words } from './box_words.js';
import { standingOf, timesOf } from './deadline.js';
import { h } from './dom.js';

const { boxes: said } = words;

export function standingOfBox(box, now) {
  return box.ended ? 'ended' : standingOf(timesOf(box), now);
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
