// Sizes, speeds and times as people read them.
//
// Invariant: pure; says nothing that isn't in the strings of the language.
// Sizes count by 1024, as file managers on most students' machines and the service's own limit do.

const STEP = 1024;
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export class Format {
  #strings;
  #locale;
  #whole;
  #tenths;
  #relative;
  // By their options: making one takes longer than all that it writes for a list.
  #times = new Map();

  constructor({ strings, locale }) {
    this.#strings = strings;
    this.#locale = locale;
    this.#whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
    this.#tenths = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });
    this.#relative = new Intl.RelativeTimeFormat(locale);
  }

  size(bytes) {
    let value = bytes;
    let unit = 0;
    // Up to where rounding would show the next unit's 1 as 1,024 of this one.
    while (value >= STEP - 0.5 && unit < this.#strings.units.length - 1) {
      value /= STEP;
      unit += 1;
    }
    if (unit === 0) {
      return this.exactSize(bytes);
    }
    const number = value < 99.95 ? this.#tenths : this.#whole;
    return `${number.format(value)} ${this.#strings.units[unit]}`;
  }

  exactSize(bytes) {
    return bytes === 1 ? this.#strings.oneByte : `${this.#whole.format(bytes)} ${this.#strings.units[0]}`;
  }

  // Two sizes side by side: to the byte where they would look the same and aren't.
  sizes(one, other) {
    const [a, b] = [this.size(one), this.size(other)];
    return a === b && one !== other ? [this.exactSize(one), this.exactSize(other)] : [a, b];
  }

  count(number) {
    return this.#whole.format(number);
  }

  speed(bytesPerSecond) {
    return this.#strings.perSecond(this.size(Math.round(bytesPerSecond)));
  }

  // Coarser the longer it is, so that it doesn't flicker.
  timeLeft(seconds) {
    const whole = Math.max(1, Math.ceil(seconds));
    if (whole < 10) {
      return this.#strings.secondsLeft(whole);
    }
    if (whole <= 55) {
      return this.#strings.secondsLeft(Math.ceil(whole / 5) * 5);
    }
    const minutes = Math.ceil(whole / 60);
    return minutes < 60
      ? this.#strings.minutesLeft(minutes)
      : this.#strings.hoursLeft(Math.floor(minutes / 60), minutes % 60);
  }

  // A moment, seen from `now`; both in milliseconds. A clock that is a little behind sees no future.
  when(at, now) {
    const age = now - at;
    if (age < MINUTE) {
      return this.#strings.justNow;
    }
    if (age < HOUR) {
      return this.#ago(Math.floor(age / MINUTE), 'minute');
    }
    if (age < DAY) {
      return this.#ago(Math.floor(age / HOUR), 'hour');
    }
    const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
    const options = { day: 'numeric', month: 'short', ...(sameYear ? {} : { year: 'numeric' }) };
    return this.#time(at, options);
  }

  exactTime(at) {
    return this.#time(at, { dateStyle: 'full', timeStyle: 'long' });
  }

  // The same without the day of the week, where many stand below each other.
  moment(at) {
    return this.#time(at, { dateStyle: 'medium', timeStyle: 'long' });
  }

  timeOfEnd(at) {
    return this.#time(at, { dateStyle: 'medium', timeStyle: 'medium' });
  }

  date(at) {
    return this.#time(at, { dateStyle: 'medium' });
  }

  // The time of a moment, with its date if that isn't today's.
  since(at, now) {
    const isToday = new Date(at).toDateString() === new Date(now).toDateString();
    return this.#time(at, { ...(isToday ? {} : { dateStyle: 'medium' }), timeStyle: 'short' });
  }

  #ago(count, unit) {
    return this.#relative.format(-count, unit);
  }

  #time(at, options) {
    const which = Object.values(options).join();
    const known = this.#times.get(which);
    const format = known ?? new Intl.DateTimeFormat(this.#locale, options);
    if (!known) {
      this.#times.set(which, format);
    }
    return format.format(at);
  }
}
