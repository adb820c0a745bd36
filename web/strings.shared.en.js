// What the pages of links say. The service writes most of them: so there is a text for one, and a text for several. What
// is said while all files are saved at once (web/shared_page.js) stands below `all`.
//
// Invariant: texts only. Numbers, sizes and times come in already formatted. A name in a sentence is set apart from it.

const isolated = (name) => `\u2068${name}\u2069`;

export const strings = {
  language: 'en',

  shared: {
    nothing: 'Nothing here any more',
    noFiles: 'All files were deleted',
    oneFile: '1 file',
    manyFiles: (count) => `${count} files`,
    summary: (files, size, until) => `${files}, ${size}, until ${until}`,
    download: 'Download',
    downloadOf: (name) => `Download ${isolated(name)}`,
    password: 'Password',
    all: {
      button: 'Download all as zip',
      stop: 'Stop',
      looking: 'Looking for what is there …',
      under: (done, all) => `In the archive: ${done} of ${all}`,
      saved: (count) => (count === '1' ? '1 file is in the archive.' : `${count} files are in the archive.`),
      names: (names, more) => [...names.map(isolated), more].filter(Boolean).join(', '),
      more: (count) => `${count} more`,
      // Why some aren’t in the archive.
      missing: {
        taken: (count, names) =>
          count === '1'
            ? `1 isn’t in it, since it can’t be taken any more: ${names}. It was taken as often as it may be.`
            : `${count} aren’t in it, since they can’t be taken any more: ${names}. They were taken as often as they may be.`,
        gone: (count, names) =>
          count === '1'
            ? `1 isn’t in it, since it isn’t there any more: ${names}.`
            : `${count} aren’t in it, since they aren’t there any more: ${names}.`,
        failed: (count, names) =>
          count === '1'
            ? `1 couldn’t be fetched and isn’t in it: ${names}. Try again, or take it by itself.`
            : `${count} couldn’t be fetched and aren’t in it: ${names}. Try again, or take them one by one.`,
      },
      missingName: '_missing.txt',
      // Why there is none.
      why: {
        stopped: 'Stopped. There is no archive.',
        tooLarge: 'All together is more than this browser can put together. Take the files one by one, or use Chrome or Edge on a computer.',
        offline: 'You are offline, so there is no archive. Try again when the network is back.',
        unread: 'The service can’t be reached right now, so there is no archive. Try again soon.',
        signedOut: 'You aren’t signed in any more, so there is no archive. Load the page again.',
        wrongPassword: 'That isn’t the password. There is no archive.',
        tooManyTries: 'The password was guessed too often, so there is no archive. Try again in a minute.',
        linkGone: 'This link is over, so there is no archive. Ask whoever sent it for a new one.',
        nothing: 'Nothing can be taken, so there is no archive: none of the files is there any more.',
        taken: 'Nothing can be taken any more, so there is no archive: each file was taken as often as it may be.',
        away: 'Several files in a row couldn’t be fetched, so it was given up. There is no archive. Try again later.',
        failed: 'The archive couldn’t be written. Is there room for it? Try again.',
      },
    },
    note: {
      pending: (size) => `${size} · on its way`,
      none: (size) => `${size} · was taken as often as it may be`,
      once: (size) => `${size} · can be taken once`,
      times: (size, count) => `${size} · can be taken ${count} times`,
      never: 'never arrived',
    },
    wrongPassword: 'That isn’t the password.',
    pending: 'This file is still on its way. Try again soon.',
    taken: 'This file was taken as often as it may be.',
    tooManyTries: 'The password was guessed too often. Try again in a minute.',
    signIn: 'Sign in',
    signInTitle: 'This link is for people who are signed in',
    signInText: 'Whoever passed it on wants to know that you belong here.',
    notFoundTitle: 'There is no such link',
    notFoundText: 'A part of the address may be missing: copy the whole link again, or ask whoever sent it.',
    goneTitle: 'This link is over',
    goneText: 'Its time ran out, or its owner ended it or gave it another address. Ask them for a new one.',
    busyTitle: 'The service is busy',
    busyText: 'Nothing is lost. Load this page again in a moment.',
    busyNow: 'More is asked of it at the moment than it answers. Nothing is lost.',
    busySoon: 'This page loads again by itself in a moment.',
    busyAgain: (seconds) => `This page loads again by itself in ${seconds} seconds.`,
  },
};
