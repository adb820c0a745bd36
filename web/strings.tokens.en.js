// What is said of tokens, in English, beside strings.en.js. It comes with the dialog that shows them.
//
// Invariant: texts only. Times come in already formatted.

const isolated = (name) => `\u2068${name}\u2069`;

export const strings = {
  language: 'en',

  tokens: {
    title: 'Tokens',
    hint: 'Programs show these to act for you. Whoever has a token can do what it allows until it ends.',
    loading: 'Looking for tokens …',
    none: 'No program has a token of yours.',
    unreachable: 'The service can’t be reached right now. Try again soon.',
    scopes: { read: 'see and fetch', write: 'send', delete: 'delete', admin: 'everybody’s files' },
    may: (scopes) => `May: ${scopes.join(', ')}`,
    lastUsed: (time) => `Last used ${time}`,
    neverUsed: 'Never used',
    until: (time) => `Holds until ${time}`,
    end: 'End',
    endNamed: (label) => `End ${isolated(label)}`,
    endTitle: 'End this token?',
    endText: (label) => `${isolated(label)} lets nobody in any more. The program that has it needs another one. This can’t be undone.`,
    endYes: 'End it',
    ended: (label) => `${isolated(label)} is ended.`,
  },
};
