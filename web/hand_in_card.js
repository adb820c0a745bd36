// What a box asks for, until when, and how much time is left.
//
// Invariant: times are by the clock of the service, and written with date, seconds and zone. The same elements in the same
// places as the service makes of them (src/web_page/box_page.rs), so that nothing moves. What changes every second is read
// aloud by nobody.

import { words } from './box_words.js';
import { leftOf, nextOf, standingOf, timesOf } from './deadline.js';
import { byId, h, setText } from './dom.js';

const { handIn } = words;

// `ms` as people say it.
export function spanOf(ms) {
  const { days, hours, minutes, seconds } = leftOf(ms);
  if (days !== undefined) {
    return handIn.days(days, hours);
  }
  if (hours !== undefined) {
    return handIn.hours(hours, minutes);
  }
  return minutes === undefined ? handIn.seconds(seconds) : handIn.minutes(minutes, seconds);
}

export class HandInCard {
  #format;
  #drop = null;
  #times = null;
  // How far the clock of the service is ahead of performance.now().
  #ahead = 0;
  #standing = null;
  #onStanding;

  // onStanding(standing, isFirst) is told what the box takes now, whenever that has changed.
  constructor(format, onStanding) {
    this.#format = format;
    this.#onStanding = onStanding;
  }

  get now() {
    return this.#ahead + performance.now();
  }

  // What the service has just said.
  show(drop) {
    const isOther = JSON.stringify({ ...drop, now: '' }) !== JSON.stringify({ ...this.#drop, now: '' });
    this.#ahead = Date.parse(drop.now) - performance.now();
    this.#drop = drop;
    this.#times = timesOf(drop);
    if (isOther) {
      setText(byId('title'), drop.title);
      byId('facts').replaceChildren(...this.#facts().flatMap(([term, value]) => [h('dt', {}, term), h('dd', {}, ...value)]));
    }
    byId('facts').hidden = false;
    this.tick();
  }

  // A second has passed, maybe more.
  tick() {
    if (this.#drop === null) {
      return;
    }
    const { now } = this;
    const standing = standingOf(this.#times, now);
    if (standing !== this.#standing) {
      const isFirst = this.#standing === null;
      this.#standing = standing;
      byId('card').dataset.state = standing;
      setText(byId('standing'), handIn.standing[standing]);
      this.#onStanding(standing, isFirst);
    }
    setText(byId('left'), this.#left(standing, now));
    setText(byId('clock'), handIn.clock(this.#format.moment(now)));
  }

  // In place of all that: a title and a sentence, and a way on.
  say(state, title, text, ...more) {
    this.#drop = null;
    this.#standing = null;
    byId('card').dataset.state = state;
    setText(byId('title'), title);
    setText(byId('standing'), text);
    setText(byId('left'), '');
    setText(byId('clock'), '');
    byId('facts').hidden = true;
    byId('way-on').replaceChildren(...more);
  }

  #left(standing, now) {
    const next = nextOf(this.#times, now);
    if (next === null || standing === 'closed') {
      return '';
    }
    const left = spanOf(next.at - now);
    if (next.what === 'opens') {
      return handIn.opensIn(left);
    }
    return next.what === 'due' ? handIn.leftUntilDue(left) : handIn.leftUntilClosed(left);
  }

  #facts() {
    const { opensAt, dueAt, closesAt, types, maxFileBytes } = this.#drop;
    const time = (at) => h('time', { dateTime: at }, this.#format.exactTime(Date.parse(at)));
    const facts = [];
    if (standingOf(this.#times, this.now) === 'notYet') {
      facts.push([handIn.opens, [time(opensAt)]]);
    }
    if (dueAt !== null) {
      facts.push([handIn.due, [time(dueAt)]], [handIn.lateOnes, [this.#afterwards(dueAt, closesAt)]]);
    } else if (closesAt !== null) {
      facts.push([handIn.closes, [time(closesAt)]]);
    }
    const kinds = types.length === 0 ? handIn.anyType : types.join(', ');
    facts.push([handIn.files, [`${kinds}, ${handIn.limit(this.#format.size(maxFileBytes))}`]]);
    return facts;
  }

  #afterwards(dueAt, closesAt) {
    if (closesAt === null) {
      return handIn.lateTaken;
    }
    return closesAt === dueAt ? handIn.lateNone : handIn.lateUntil(this.#format.exactTime(Date.parse(closesAt)));
  }
}
