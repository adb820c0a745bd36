// What the service writes for browsers without scripts, in English. No script reads it.
//
// Invariant: texts only.

export const strings = {
  language: 'en',

  noScript: {
    send: 'This page needs JavaScript. Without it, files are sent from a terminal, with the program of this service:',
    curl:
      'Or with curl, in two steps: the first tells the service of the file, at the address of this page, and answers with ' +
      'the UPLOAD_URL for the second.',
    links: 'Links to files work without JavaScript.',
    signIn: 'This service asks who you are, and its page needs JavaScript for that.',
    pending: 'Without JavaScript this page doesn’t notice when that changes: load it again later.',
    pair: 'This page needs JavaScript.',
    checkText: 'The file has this SHA-256. Compare it with what your computer says of the download:',
  },
};
