// What the page of a file says, in English, beside strings.en.js. The service writes some of it itself
// (src/web_page/file_page.rs).
//
// Invariant: texts only. Numbers, sizes and times come in already formatted.

export const strings = {
  language: 'en',

  file: {
    pendingTitle: 'On its way',
    pendingText: 'The download starts by itself as soon as everything is here.',
    started: 'The download has started.',
    processingTitle: 'Being processed',
    processingText: 'The service is doing something with it. The download starts by itself when that is done.',
    rejectedTitle: 'This file was refused',
    rejectedText: (reason) => `What arrived isn’t what was announced: ${reason}. Ask for it to be sent again.`,
    otherContentText: (type) => `Its content is ${type}, and its name says something else. Ask for the right file.`,
    withdrawnTitle: 'This file was withdrawn',
    withdrawnText: (reason) => `A later scan for viruses has something against it: ${reason}. If you have fetched it, delete it.`,
    expiredTitle: 'This file never arrived',
    expiredText: 'The time to send it ran out. Ask for it to be sent again.',
    goneTitle: 'There is no such file',
    goneText: 'The link isn’t complete, or the file was deleted.',
    unreachableTitle: 'The service can’t be reached',
    unreachableText: 'Trying again …',
    loading: 'Looking for it …',
    shared: (when) => `sent ${when}`,
    deletedOn: (time) => `will be deleted on ${time}`,
    check: 'Is it complete?',
    checkText: 'The file has this SHA-256. Compare it with what your computer says of the download, or let this page do it:',
    checkCommand: (name) => `sha256sum ${name}`,
    copyDigest: 'Copy SHA-256',
    receipt: 'Receipt',
  },
};
