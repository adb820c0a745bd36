// A table as CSV (RFC 4180), to be opened by a spreadsheet.
//
// Invariant: pure. No cell is a formula to a spreadsheet, whatever people called themselves and their files: what begins as
// one is put behind an apostrophe. All else stays as it is. UTF-8 with a mark at its beginning, by which Excel knows it.

const MARK = '\ufeff';
// What begins a formula, or can lead to one (OWASP, CSV injection). The wide forms are taken for the same.
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;

export function csvOf(rows, separator = ',') {
  return MARK + rows.map((row) => row.map((cell) => cellOf(String(cell), separator)).join(separator) + '\r\n').join('');
}

function cellOf(text, separator) {
  const harmless = FORMULA.test(text) ? `'${text}` : text;
  return [separator, '"', '\r', '\n', '\t', ';'].some((one) => harmless.includes(one)) || harmless !== harmless.trim()
    ? `"${harmless.replaceAll('"', '""')}"`
    : harmless;
}
