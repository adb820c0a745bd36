// What is said of receipts, in English, beside strings.en.js. It comes with receipt.js.
//
// Invariant: texts only. Numbers, sizes and times come in already formatted. A name in a sentence is set apart from it.

const isolated = (name) => `\u2068${name}\u2069`;

export const strings = {
  language: 'en',

  receiptView: {
    title: 'Receipt',
    about: (where) =>
      `The service has signed what arrived and when. Whoever has this text can check it, at ${where} or with fshare verify, ` +
      'also once the file is gone.',
    name: 'File',
    size: 'Size',
    sha256: 'SHA-256',
    arrived: 'Arrived',
    by: 'Handed in by',
    into: 'Into',
    due: 'Due',
    isLate: 'after it was due',
    issuer: 'Signed by',
    issued: 'Signed on',
    text: 'The receipt',
    save: 'Save',
    print: 'Print',
    odd: 'What came isn’t a receipt.',
    check: 'Check a receipt',
    checkText:
      'Somebody gave you a receipt of this service? Here you see whether it is genuine, and whether a file is the one that it ' +
      'is about. Neither leaves this computer.',
    checkHint: 'Paste a receipt, or drop its file here',
    choose: 'Choose its file',
    says: 'What it says',
    compare: 'Is this the file?',
    checking: 'Looking at it …',
    genuine: (name, size, time) => `Genuine: this service has signed that ${isolated(name)} (${size}) arrived on ${time}.`,
    ofThis: 'It is the receipt of this file.',
    ofAnother: 'It is the receipt of another file.',
    notGenuine: 'Not genuine: this service hasn’t signed it, or it was changed.',
    noReceipt: 'That isn’t a receipt, or not all of one.',
    unreachable: 'The service’s keys can’t be fetched right now. Try again soon.',
    insecure: 'On a page that came by plain http a browser can’t check signatures. In a terminal this does: ',
    unsupported: 'This browser can’t check such signatures. In a terminal this does: ',
  },
};
