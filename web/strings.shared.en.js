// What the pages of links say. The service writes them, and no script reads this: so there is a text for one, and a
// text for several.

export const strings = {
  language: 'en',

  shared: {
    nothing: 'Nothing here any more',
    noFiles: 'All files were deleted',
    oneFile: '1 file',
    manyFiles: (count) => `${count} files`,
    summary: (files, size, until) => `${files}, ${size}, until ${until}`,
    download: 'Download',
    downloadOf: (name) => `Download ${name}`,
    password: 'Password',
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
  },
};
