// Whether a file may be sent at all, as far as the page can tell before it sends anything.
//
// Invariant: never stricter than the service, which has the last word.

// What the service keeps of a name, in bytes of UTF-8.
const MAX_NAME_BYTES = 255;
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+$/;

// The name as the service will keep it: every character that isn't a letter, mark or digit of any
// script, or one of `_ - .`, is `_`.
export function cleanName(name) {
  return name.normalize('NFC').replace(/[^\p{L}\p{M}\p{Nd}_.-]/gu, '_');
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
  if (!fits(clean)) {
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
