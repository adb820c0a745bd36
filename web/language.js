// Which language the pages speak, and how they write numbers and dates.
//
// Invariant: the only module that chooses among languages. What somebody chose holds in this browser, before
// what the browser says they read.

import { strings as de } from './strings.de.js';
import { strings as en } from './strings.en.js';

const ALL = [en, de];
const KEPT_AS = 'file-share language';

const mainPart = (locale) => locale.toLowerCase().split('-')[0];

// The first of the reader's languages that there is, else English; numbers and dates in the reader's
// own variety of it.
export function chooseLanguage(wanted, all = ALL) {
  for (const locale of wanted) {
    const strings = all.find((one) => one.language === mainPart(locale));
    if (strings) {
      return { strings, locale };
    }
  }
  return { strings: all[0], locale: all[0].language };
}

// What was chosen comes first, in the variety that the reader has of it.
export function wantedLanguages(kept, read) {
  return kept === null ? read : [...read.filter((locale) => mainPart(locale) === kept), kept, ...read];
}

// From now on. Where nothing can be kept it holds for no page.
export function keepLanguage(language) {
  try {
    globalThis.localStorage.setItem(KEPT_AS, language);
  } catch {
    // The browser keeps nothing of this page.
  }
}

function keptLanguage() {
  try {
    return globalThis.localStorage?.getItem(KEPT_AS) ?? null;
  } catch {
    return null;
  }
}

const chosen = chooseLanguage(wantedLanguages(keptLanguage(), globalThis.navigator?.languages ?? []));
export const strings = chosen.strings;
export const locale = chosen.locale;

// Of texts that few pages have, those in the same language.
export const ofLanguage = (all) => all.find(({ language }) => language === strings.language) ?? all[0];
