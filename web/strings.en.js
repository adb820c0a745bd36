// What most pages say, in English. A second language is a file like this one, and a line in language.js. What one page
// or dialog alone says stands in strings.*.en.js, and comes with its module: all that is here comes with the first page.
// The service writes some of them itself, before any script runs (src/web_page/words.rs): those may be texts, or functions
// that do no more than put their parameters into one.
//
// Invariant: texts only. Numbers, sizes and times come in already formatted. A name in a sentence is set apart from it.
// Absent on purpose: what the service says itself (the reason of a rejection, the detail of a problem).

// A name that reads from right to left mixes up what stands around it, unless it is set apart (UAX #9, 2.4).
const isolated = (name) => `\u2068${name}\u2069`;

export const strings = {
  language: 'en',
  units: ['bytes', 'KB', 'MB', 'GB'],
  oneByte: '1 byte',
  perSecond: (size) => `${size}/s`,
  secondsLeft: (n) => `${n} s left`,
  minutesLeft: (n) => `${n} min left`,
  hoursLeft: (hours, minutes) => `${hours} h ${minutes} min left`,
  justNow: 'just now',
  list: ' · ',

  product: 'File Share',
  skip: 'Skip to the files',
  boxesLink: 'Boxes',
  allFiles: 'All files',
  showTokens: 'Tokens',
  explorer: 'API',
  navigation: 'For developers',
  // The other language, in that language.
  switchTo: 'Deutsch',
  switchToTag: 'de',

  headline: 'Share a file.',
  promise: 'Send it, then pass on the link. Whoever opens it gets exactly what you sent.',
  dropTitle: 'Drop files or a folder here',
  dropTitleTouch: 'Add files',
  dropHint: (limit) => `or paste them · up to ${limit} each`,
  dropHintTouch: (limit) => `up to ${limit} each`,
  dropNow: 'Let go to send',
  chooseFiles: 'Choose files',
  chooseFolder: 'Choose a folder',
  pastedName: (time) => `pasted-${time}`,
  tooMany: (limit) => `Only the first ${limit} files were taken. Add the others when these are through.`,
  moreWaiting: (n) => (n === 1 ? '1 more file waits for its turn' : `${n} more files wait for their turn`),
  folderUnreadable: (name) => `The folder ${isolated(name)} can’t be read.`,
  nothingInside: 'There are no files inside.',

  sending: 'Sending',
  sent: 'Sent',
  notSent: 'Not sent',
  summary: (through, all) => `${through} of ${all} files`,
  percent: (percent) => `${percent} %`,
  title: (what) => `${isolated(what)} – File Share`,
  batchProgress: 'Sending all files',
  arrivedCount: (n) => (n === 1 ? '1 file arrived' : `${n} files arrived`),
  failedCount: (n) => (n === 1 ? '1 wasn’t sent' : `${n} weren’t sent`),
  cancelledCount: (n) => `${n} cancelled`,
  copyLinks: 'Copy links',
  share: 'Share',
  shareNamed: (name) => `Share ${isolated(name)}`,
  moreNamed: (name) => `More for ${isolated(name)}`,
  linksCopied: (n) => `${n} links copied`,
  copyReceipt: 'Copy receipt',
  receiptCopied: 'Receipt copied',
  receipt: ({ name, size, sha256, time, link }) => `${name}\n${size}, arrived ${time}\nSHA-256 ${sha256}\n${link}`,
  dismissBatch: 'Close this summary',
  cancelAll: 'Cancel all',
  clearDone: 'Clear what wasn’t sent',
  phase: {
    queued: 'Waiting for its turn',
    hashing: 'Getting ready',
    creating: 'Getting ready',
    sending: 'Sending',
    renewing: 'Getting a new permission to send',
    looking: 'Checking what arrived',
    waiting: 'No connection. Trying again soon',
    waitingOffline: 'You are offline. It goes on when you are back',
    waitingSignedOut: 'Kept. It goes on when you are signed in',
    waitingIntermediary: 'No answer from the service. Trying again soon',
    waitingLimited: 'The service asks to go slower. It goes on soon',
    confirming: 'Sent. Being checked',
    processing: 'Being processed',
    available: 'There',
    rejected: 'Refused',
    failed: 'Not sent',
    cancelled: 'Cancelled',
    refused: 'Not sent',
  },
  sentOf: (loaded, total) => `${loaded} of ${total}`,
  cancel: 'Cancel',
  cancelNamed: (name) => `Cancel ${isolated(name)}`,
  tryAgain: 'Try again',
  tryAgainNamed: (name) => `Try again: ${isolated(name)}`,
  dismiss: 'Remove from this list',
  dismissNamed: (name) => `Remove ${isolated(name)} from this list`,
  progressNamed: (name) => `Sending ${isolated(name)}`,
  leave: 'Files are still being sent.',

  interrupted: {
    title: 'Interrupted',
    hint: 'These weren’t through when the page was closed. Choose or drop the same files again, and they go on under the same links.',
    state: 'Interrupted: choose it again',
    checking: 'Looking at the file …',
    choose: 'Choose again',
    chooseNamed: (name) => `Choose again: ${isolated(name)}`,
    notBegun: (n, count, names) =>
      n === 1
        ? `1 file waited for its turn when the page was closed, and nothing of it was sent: ${names}. Choose it again.`
        : `${count} files waited for their turn when the page was closed, and nothing of them was sent: ${names}. Choose them again.`,
    said: (n) => (n === 1 ? '1 upload was interrupted' : `${n} uploads were interrupted`),
    why: {
      otherSize: (size, expected) =>
        `That is another file: it has ${size}, and this one has ${expected}. Choose the same one, or send the other as a new file.`,
      otherFile:
        'That is another file, or it was changed since: its bytes aren’t those that were announced. Nothing was sent. ' +
        'Choose the same one, or send the other as a new file.',
      unreadable: 'That file can’t be read. Choose it again.',
    },
  },

  why: {
    tooLarge: (size, limit) => `It is too large: ${size}, and the limit is ${limit}. Nothing was sent.`,
    nameTooLong: 'Its name is too long. Shorten it to at most 255 characters. Nothing was sent.',
    noName: 'It has no name that can be kept. Nothing was sent.',
    unreadable: 'It can’t be read, or it changed after it was chosen. Choose it again.',
    damaged: 'What arrived wasn’t what was sent. The file may have changed meanwhile: try again.',
    unreachable: 'The service couldn’t be reached for a while. Nothing is lost: try again.',
    full: 'The service has no room left. Whoever runs it has to make some.',
    quota:
      'It doesn’t fit into what you may have here. Delete files that nobody needs any more, or ask whoever runs the service ' +
      'for more room. Nothing was sent.',
    held: 'It is held: nobody can delete it until those who run this service end the hold.',
    retained: 'It has to be kept for a while.',
    keptUntil: (time) => `It has to be kept until ${time}.`,
    limited: 'The service asks to go slower. Nothing is lost: try again in a while.',
    store: (code) => `The store refused it (${code}).`,
    otherBytes:
      'Somebody else sent other bytes under this link first, so it doesn’t lead to your file: don’t pass it on. ' +
      'Try again to send yours under a link of its own.',
    deleted: 'It was deleted while it was being sent.',
    expired: 'The time to send it ran out again and again.',
    rejected: (reason) => `The service refused what arrived: ${reason}. Try again.`,
    otherContent: ({ detectedType }) =>
      `It was refused: its content is ${detectedType}, and its name says something else. Send the right file, or this one ` +
      'under a name that is true.',
    infected: 'There is a virus in it.',
    unscannable: 'It can’t be checked for viruses.',
    typeNotAllowed: ({ detail }) => `The service doesn’t take files of this kind: ${detail}. Nothing was sent.`,
    unsaid: 'it doesn’t say why',
    problem: (detail) => `The service refused it: ${detail}.`,
  },

  // What stands between the page and the service, in a sentence for whoever sees it, and in one for whoever
  // can change it.
  forOperator: 'For whoever runs the service',
  misdirected: {
    text: 'The service doesn’t answer under this address. Whoever runs it can change that.',
    operator: (origin) =>
      'The proxy before the service doesn’t pass on the host that the browser asked for. ' +
      `Let it do so (nginx: proxy_set_header Host $http_host;), and set PUBLIC_URL to where the page is: ${origin}`,
  },
  elsewhere: {
    text: (target) => `The service wants it sent to ${target}, which this page can’t reach.`,
    operator: (origin) =>
      'The service believes that this is its address. If a proxy stands before it, let that pass the host on ' +
      `(nginx: proxy_set_header Host $http_host;), or set PUBLIC_URL to where the page is: ${origin}`,
  },
  mixed: {
    text: (target) => `The service wants it sent to ${target}, which a page that came by https can’t do.`,
    operator: (origin) =>
      `Set PUBLIC_URL to where the page is: ${origin} Where the store has an address of its own, that has to be https too.`,
  },
  signedOut: {
    text: 'You have been signed out. What you began here is kept, and goes on when you are signed in again.',
    signIn: 'Sign in again',
    redirect: 'a redirect',
    operator: (what) =>
      `The proxy before the service answered a call of the page with ${what}. If signing in again changes ` +
      'nothing, its rules keep out what the page needs: /v1/ and, where files are kept beside the service, the bucket’s path.',
  },
  signIn: {
    title: 'Sign in',
    // With the name of a file in the middle.
    hint: [
      'Open the link that the service printed when it was first started, or give its key here, which is in the file ',
      'access-key',
      ' of its data directory.',
    ],
    key: 'Key',
    signIn: 'Sign in',
    signOut: 'Sign out',
    newTab: 'Signing in opens another tab. This one goes on by itself afterwards.',
    stillThere: 'You are signed out here, and may still be signed in where you came from.',
    signOutThere: 'Sign out there as well',
    done: 'You are signed in',
    first: 'Sign in first. Nothing was sent.',
    signOutFailed: 'You are still signed in, since the service couldn’t be reached. Try again.',
    why: {
      noKey: 'Give the key.',
      wrongKey: 'This isn’t the key of this service.',
      notKept:
        'The key is right, but the browser doesn’t keep that you are signed in: let it keep cookies of this page, and ' +
        'open the page under the address that the service printed.',
      unreachable: 'The service can’t be reached right now. Try again soon.',
    },
  },
  intermediary: {
    413: {
      text: () => 'Something between you and the service takes no files of this size, though the service does.',
      operator: () =>
        'A proxy answered 413 before the service was asked. Raise its limit above the service’s own, which is in ' +
        'MAX_UPLOAD_BYTES (nginx: client_max_body_size 21m;).',
    },
    421: {
      text: () => 'Something before the service doesn’t answer under this address.',
      operator: () =>
        'A proxy answered 421: it has no such host, or a connection was used for another one. Look at its names and certificates.',
    },
    403: {
      text: () => 'Something between you and the service refused this (403).',
      operator: () => 'It wasn’t the service. Look at the rules of the proxy, the firewall or the filter before it.',
    },
    away: {
      text: (status) => `The service isn’t there, only what stands before it (${status}).`,
      operator: (status) =>
        `A proxy answered ${status} in its place. Look whether the service runs, and whether the proxy knows its ` +
        'address (nginx: proxy_pass).',
    },
    other: {
      text: (status) => `Something other than the service answered (${status}). You may have to sign in to this network.`,
      operator: (status) =>
        `The answer ${status} is neither the service’s nor the store’s. Look at what the proxy does with this path, ` +
        'and whether it leads to the service at all.',
    },
  },

  files: 'Files',
  emptyTitle: 'Nothing here yet',
  emptyHint: 'Send a file, and it waits here under a link of its own.',
  loading: 'Looking for files …',
  loadMore: 'Show older files',
  loadingMore: 'Getting older files …',
  find: {
    label: 'Find by name',
    found: (some, all) => `${some} of ${all} files`,
    foundSoFar: (some, all) => `${some} of the newest ${all} files. Older ones weren’t looked through.`,
    sortedSoFar: (all) => `These are the newest ${all} files in this order. Older ones aren’t among them.`,
    older: 'Look through older files',
    looking: 'Looking through older files …',
  },
  order: 'Order',
  orders: { newest: 'Newest first', oldest: 'Oldest first', name: 'By name', largest: 'Largest first' },
  selection: {
    start: 'Select',
    tools: 'What is selected',
    named: (name) => `Select ${isolated(name)}`,
    count: (n) => `${n} selected`,
    all: 'Select all',
    copy: 'Copy links',
    remove: 'Delete',
    end: 'Done',
    names: (names, more) => [...names.map(isolated), more].filter(Boolean).join(', '),
    removeTitle: (n) => (n === '1' ? 'Delete this file?' : `Delete ${n} files?`),
    removeText: (names) => `Deleted for everybody, and their links stop working: ${names}. This can’t be undone.`,
    removeYes: (n) => (n === '1' ? 'Delete it' : `Delete ${n} files`),
    removed: (n) => (n === '1' ? '1 file is deleted' : `${n} files are deleted`),
    someHeld: 'What is held can’t be deleted until those who run this service end the hold.',
    someKept: 'Some have to be kept for a while.',
    notRemoved: (n, failed, names) => `${n} deleted. ${failed} couldn’t be deleted: ${names}. Try again.`,
  },
  listFull: (limit) => `These are the newest ${limit} files. Older ones are there under their links.`,
  listUnreachable: 'The list can’t be fetched right now. Trying again …',
  status: {
    pending: 'On its way',
    available: 'There',
    processing: 'Being processed',
    rejected: 'Refused',
    withdrawn: 'Withdrawn',
    expired: 'Never arrived',
    otherBytes: 'Not what you sent',
  },
  waitingSince: (time) => `Waiting for its bytes since ${time}`,
  statusWhy: {
    pending: 'Nothing has arrived yet, or it is being checked.',
    processing: 'The service is doing something with it. It can be fetched when that is done.',
    otherBytes: 'Somebody else sent other bytes under this link first.',
    rejected: (reason) => `What arrived was refused: ${reason}.`,
    otherContent: (type) => `It was refused: its content is ${type}, and its name says something else.`,
    withdrawn: 'A later scan for viruses found something in it.',
    expired: 'The time to send it ran out.',
  },
  held: {
    chip: 'Held',
    text: (reason) => (reason === null ? 'Nobody can delete it.' : `Nobody can delete it: ${isolated(reason)}`),
  },
  copyLink: 'Copy link',
  copyLinkNamed: (name) => `Copy link of ${isolated(name)}`,
  download: 'Download',
  downloadNamed: (name) => `Download ${isolated(name)}`,
  remove: 'Delete',
  removeNamed: (name) => `Delete ${isolated(name)}`,
  copied: 'Link copied',
  onlyHere: {
    text: 'Only this computer can open these links.',
    operator: (port) =>
      `To let others in the network open them, start the service with LISTEN=0.0.0.0:${port} while this computer is in ` +
      'that network. If they reach it under another address, set PUBLIC_URL to that.',
  },
  qr: {
    button: 'QR code',
    title: 'Scan to open',
    picture: 'QR code of the link below',
    tooLong: 'The link is too long for a QR code.',
    unreachable: 'The service can’t be reached right now. Try again soon.',
  },
  noLink: 'No link could be made. Try again.',
  digestCopied: 'SHA-256 copied',
  copyByHand: 'Copy this link',
  close: 'Close',
  removeTitle: 'Delete this file?',
  removeText: (name) => `${isolated(name)} is deleted for everybody, and its link stops working. This can’t be undone.`,
  keep: 'Keep it',
  removed: (name) => `${isolated(name)} is deleted`,
  removeRefused: (name, why) => `${isolated(name)} can’t be deleted. ${why}`,
  removeFailed: (name) => `${isolated(name)} couldn’t be deleted. Try again.`,

  said: {
    started: (n) => (n === 1 ? '1 file is being sent' : `${n} files are being sent`),
    progress: (percent, left) => `${percent} percent sent, ${left === 1 ? '1 file' : `${left} files`} to go`,
    // One sentence at the end of a batch; `why` is there if it is about a single file.
    finished: (counts, failed, why) => [counts, failed.map(isolated).join(', '), why].filter(Boolean).join('. '),
    more: (n) => `${n} more`,
  },

  everybodys: 'Everybody’s files',
  guest: {
    title: 'You are signed in as a guest',
    text: 'Guests see the files that others pass on to them by a link, and send none. Ask whoever runs this service if you should.',
    first: 'Guests send no files. Nothing was sent.',
  },
  foot: 'There is no sign-in: whoever can open this page can see, fetch and delete these files.',
  footKey: 'Whoever has the key of this service can see, fetch and delete these files.',
  footIssuer: 'You and the administrators of this service can see, fetch and delete these files.',
  guide: 'Share files from programs',
};
