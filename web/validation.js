// Whether a file may be sent at all, as far as the page can tell before it sends anything.
//
// Invariant: never stricter than the service, which has the last word.

// The longest name of a file anywhere, in characters, and what the service keeps of one, in bytes of UTF-8:
// it shortens what has more before its ending.
const MAX_NAME_CHARACTERS = 255;
const MAX_NAME_BYTES = 255;
// Letters and marks that nobody sees, which the service leaves out; so it does with joiners, except where a
// script is written with them.
const INVISIBLE = /(?=\p{DI})[\p{L}\p{M}\u180e]/gu;
const JOINING = '\u0600-\u109f\u1780-\u18af\u1900-\u1cff\ua800-\uaaff\u{10a00}-\u{11fff}';
const LETTER = `(?=[${JOINING}])\\p{L}`;
const IDLE_JOINER = new RegExp(`(?<!${LETTER}\\p{M}*)[\u200c\u200d]|[\u200c\u200d](?!${LETTER})`, 'gu');
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;

// The name as the service will keep it: every character that isn't a letter, mark or digit of any
// script, or one of `_ - .`, is `_`.
export function cleanName(name) {
  const visible = name.replace(INVISIBLE, '').replace(IDLE_JOINER, '');
  return visible.normalize('NFC').replace(/[^\u200d\u200c\p{L}\p{M}\p{Nd}_.-]/gu, '_');
}

// A file from a folder is named with its path, unless that is too long.
export function nameFor(path, name) {
  return path && fits(cleanName(path)) ? path : name;
}

// The browser's guess at a media type, if it is one.
export function mediaType(type) {
  return MEDIA_TYPE.test(type) ? type : undefined;
}

// Null, or why the file isn't allowed.
export function refusal({ name, size }, maxUploadBytes) {
  const clean = cleanName(name);
  if (clean === '' || clean === '.' || clean === '..') {
    return { code: 'noName' };
  }
  if ([...clean].length > MAX_NAME_CHARACTERS) {
    return { code: 'nameTooLong' };
  }
  if (size > maxUploadBytes) {
    return { code: 'tooLarge', size, limit: maxUploadBytes };
  }
  return null;
}

function fits(name) {
  return new TextEncoder().encode(name).length <= MAX_NAME_BYTES;
}
