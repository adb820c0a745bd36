// What is wrong with a name under which somebody wants to hand in.
//
// Invariant: pure. As the service judges it (src/domain/hand_in.rs), so that nobody waits for that: blanks in a row are one,
// what steers text isn't counted, and a name has something in it that can be seen.

const MAX_CHARACTERS = 100;
// Controls, ends of lines, what turns the direction of text, and deprecated formats.
const STEERS = /[\p{Cc}\u2028-\u202e\u2066-\u206f\ufff9-\ufffb\ufeff]/gu;
const IS_UNSEEN = /^[\p{White_Space}\p{Cf}\p{Default_Ignorable_Code_Point}]*$/u;

// '', or what is wrong: noName, unseenName or longName.
export function faultOf(text) {
  if (text.trim() === '') {
    return 'noName';
  }
  const kept = text.replace(/\p{White_Space}/gu, ' ').replace(STEERS, '').normalize('NFC');
  const name = kept.replace(/ +/g, ' ').trim();
  if (IS_UNSEEN.test(name)) {
    return 'unseenName';
  }
  return [...name].length > MAX_CHARACTERS ? 'longName' : '';
}
