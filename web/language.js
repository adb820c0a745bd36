// Which language the pages speak, and how they write numbers and dates.
//
// Invariant: the only module that knows which languages there are.

import { strings as en } from './strings.en.js';

const ALL = [en];

// The first of the reader's languages that there is, else English; numbers and dates in the reader's
// own variety of it.
export function chooseLanguage(wanted, all = ALL) {
  for (const locale of wanted) {
    const strings = all.find((one) => one.language === locale.toLowerCase().split('-')[0]);
    if (strings) {
      return { strings, locale };
    }
  }
  return { strings: all[0], locale: all[0].language };
}

const chosen = chooseLanguage(globalThis.navigator?.languages ?? []);
export const strings = chosen.strings;
export const locale = chosen.locale;
