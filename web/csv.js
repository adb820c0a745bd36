// A table as CSV (RFC 4180), to be opened by a spreadsheet.
//
// Invariant: pure. No cell is a formula to a spreadsheet of any language, whatever people called themselves and their
// files: what begins as one, in a cell or behind a character that some take for the end of a cell, is put behind an
// apostrophe. All else stays as it is, apart from controls, which are blanks. UTF-8 with a mark at its beginning, by which
// Excel knows it.

const MARK = '\ufeff';
// What begins a formula (OWASP, CSV injection). The wide forms are taken for the same.
const BEGINS_FORMULA = /[=+\-@\uff1d\uff0b\uff0d\uff20]/;
const ENDS_CELL = /[,;|]/;
// What a spreadsheet may pass over at the beginning of a cell.
const IS_SKIPPED = /[\s"']/;
const HAS_TO_BE_QUOTED = /[",;]|^\s|\s$/;

export function csvOf(rows, separator = ',') {
  return MARK + rows.map((row) => row.map((cell) => cellOf(String(cell))).join(separator) + '\r\n').join('');
}

function cellOf(text) {
  const safe = harmless(text);
  return HAS_TO_BE_QUOTED.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function harmless(text) {
  let isStart = true;
  let safe = '';
  for (const one of text.replace(/\p{Cc}/gu, ' ')) {
    safe += isStart && BEGINS_FORMULA.test(one) ? `'${one}` : one;
    isStart = ENDS_CELL.test(one) || (isStart && IS_SKIPPED.test(one));
  }
  return safe;
}
