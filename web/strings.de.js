// What most pages say, in German. The keys and what takes parameters are those of strings.en.js; a test holds the two
// together. Whoever reads is addressed as Sie.
//
// Invariant: texts only. Numbers, sizes and times come in already formatted. A name in a sentence is set apart from it.

const isolated = (name) => `\u2068${name}\u2069`;

const rules = new Intl.PluralRules('de');
const counted = (n, one, other) => (rules.select(n) === 'one' ? one : other);

export const strings = {
  language: 'de',
  units: ['Bytes', 'KB', 'MB', 'GB'],
  oneByte: '1 Byte',
  perSecond: (size) => `${size}/s`,
  secondsLeft: (n) => `noch ${n} s`,
  minutesLeft: (n) => `noch ${n} min`,
  hoursLeft: (hours, minutes) => `noch ${hours} h ${minutes} min`,
  justNow: 'gerade eben',
  list: ' · ',

  product: 'File Share',
  skip: 'Zu den Dateien springen',
  boxesLink: 'Abgaben',
  allFiles: 'Alle Dateien',
  showTokens: 'Tokens',
  explorer: 'API',
  navigation: 'Für Entwickler',
  switchTo: 'English',
  switchToTag: 'en',
  share: 'Teilen',
  shareNamed: (name) => `Teilen: ${isolated(name)}`,
  moreNamed: (name) => `Mehr zu ${isolated(name)}`,

  headline: 'Datei teilen.',
  promise: 'Senden Sie eine Datei, und geben Sie den Link weiter. Wer ihn öffnet, bekommt genau das, was Sie gesendet haben.',
  dropTitle: 'Dateien oder einen Ordner hier ablegen',
  dropTitleTouch: 'Dateien hinzufügen',
  dropHint: (limit) => `oder einfügen · je bis zu ${limit}`,
  dropHintTouch: (limit) => `je bis zu ${limit}`,
  dropNow: 'Loslassen zum Senden',
  chooseFiles: 'Dateien auswählen',
  chooseFolder: 'Ordner auswählen',
  pastedName: (time) => `eingefügt-${time}`,
  tooMany: (limit) => `Nur die ersten ${limit} Dateien wurden genommen. Fügen Sie die anderen hinzu, wenn diese durch sind.`,
  moreWaiting: (n) => counted(n, `${n} weitere Datei wartet, bis sie dran ist`, `${n} weitere Dateien warten, bis sie dran sind`),
  folderUnreadable: (name) => `Der Ordner ${isolated(name)} kann nicht gelesen werden.`,
  nothingInside: 'Darin sind keine Dateien.',

  sending: 'Wird gesendet',
  sent: 'Gesendet',
  notSent: 'Nicht gesendet',
  summary: (through, all) => `${through} von ${all} Dateien`,
  percent: (percent) => `${percent} %`,
  title: (what) => `${isolated(what)} – File Share`,
  batchProgress: 'Alle Dateien senden',
  arrivedCount: (n) => counted(n, `${n} Datei ist angekommen`, `${n} Dateien sind angekommen`),
  failedCount: (n) => counted(n, `${n} wurde nicht gesendet`, `${n} wurden nicht gesendet`),
  cancelledCount: (n) => `${n} abgebrochen`,
  copyLinks: 'Links kopieren',
  linksCopied: (n) => `${n} Links kopiert`,
  copyReceipt: 'Beleg kopieren',
  receiptCopied: 'Beleg kopiert',
  receipt: ({ name, size, sha256, time, link }) => `${name}\n${size}, angekommen ${time}\nSHA-256 ${sha256}\n${link}`,
  dismissBatch: 'Diese Zusammenfassung schließen',
  cancelAll: 'Alle abbrechen',
  clearDone: 'Nicht Gesendetes entfernen',
  phase: {
    queued: 'Wartet, bis sie dran ist',
    hashing: 'Wird vorbereitet',
    creating: 'Wird vorbereitet',
    sending: 'Wird gesendet',
    renewing: 'Eine neue Erlaubnis zum Senden wird geholt',
    looking: 'Es wird geprüft, was angekommen ist',
    waiting: 'Keine Verbindung. Es wird gleich noch einmal versucht',
    waitingOffline: 'Keine Netzverbindung. Es geht weiter, sobald sie wieder da ist',
    waitingSignedOut: 'Bleibt erhalten. Es geht weiter, wenn Sie angemeldet sind',
    waitingIntermediary: 'Keine Antwort vom Dienst. Es wird gleich noch einmal versucht',
    waitingLimited: 'Der Dienst bittet um weniger Tempo. Es geht gleich weiter',
    confirming: 'Gesendet. Wird geprüft',
    processing: 'Wird verarbeitet',
    available: 'Da',
    rejected: 'Abgelehnt',
    failed: 'Nicht gesendet',
    cancelled: 'Abgebrochen',
    refused: 'Nicht gesendet',
  },
  sentOf: (loaded, total) => `${loaded} von ${total}`,
  cancel: 'Abbrechen',
  cancelNamed: (name) => `${isolated(name)} abbrechen`,
  tryAgain: 'Noch einmal versuchen',
  tryAgainNamed: (name) => `Noch einmal versuchen: ${isolated(name)}`,
  dismiss: 'Aus dieser Liste entfernen',
  dismissNamed: (name) => `${isolated(name)} aus dieser Liste entfernen`,
  progressNamed: (name) => `${isolated(name)} wird gesendet`,
  leave: 'Es werden noch Dateien gesendet.',

  interrupted: {
    title: 'Unterbrochen',
    hint: 'Diese Dateien waren nicht durch, als die Seite geschlossen wurde. Wählen Sie dieselben noch einmal aus, oder legen Sie sie hier ab: Sie gehen unter denselben Links weiter.',
    state: 'Unterbrochen: noch einmal auswählen',
    checking: 'Die Datei wird angesehen …',
    choose: 'Noch einmal auswählen',
    chooseNamed: (name) => `Noch einmal auswählen: ${isolated(name)}`,
    notBegun: (n, count, names) =>
      n === 1
        ? `1 Datei wartete noch, als die Seite geschlossen wurde, und nichts davon wurde gesendet: ${names}. Bitte wählen Sie sie noch einmal aus.`
        : `${count} Dateien warteten noch, als die Seite geschlossen wurde, und nichts davon wurde gesendet: ${names}. Bitte wählen Sie sie noch einmal aus.`,
    said: (n) => counted(n, `${n} Upload wurde unterbrochen`, `${n} Uploads wurden unterbrochen`),
    why: {
      otherSize: (size, expected) =>
        `Das ist eine andere Datei: Sie hat ${size}, und diese hat ${expected}. Wählen Sie dieselbe aus, oder senden Sie die andere als neue Datei.`,
      otherFile:
        'Das ist eine andere Datei, oder sie wurde seitdem geändert: Ihre Bytes sind nicht die angekündigten. Es wurde nichts ' +
        'gesendet. Wählen Sie dieselbe aus, oder senden Sie die andere als neue Datei.',
      unreadable: 'Diese Datei kann nicht gelesen werden. Bitte wählen Sie sie noch einmal aus.',
    },
  },

  why: {
    tooLarge: (size, limit) => `Sie ist zu groß: ${size}, und die Grenze ist ${limit}. Es wurde nichts gesendet.`,
    nameTooLong: 'Ihr Name ist zu lang. Kürzen Sie ihn auf höchstens 255 Zeichen. Es wurde nichts gesendet.',
    noName: 'Sie hat keinen Namen, der behalten werden kann. Es wurde nichts gesendet.',
    unreadable: 'Sie kann nicht gelesen werden, oder sie hat sich seit der Auswahl geändert. Bitte wählen Sie sie noch einmal aus.',
    damaged: 'Was ankam, war nicht, was gesendet wurde. Vielleicht hat sich die Datei inzwischen geändert: Bitte versuchen Sie es noch einmal.',
    unreachable: 'Der Dienst war eine Weile nicht erreichbar. Nichts ist verloren: Bitte versuchen Sie es noch einmal.',
    full: 'Der Dienst hat keinen Platz mehr. Wer ihn betreibt, muss welchen schaffen.',
    quota:
      'Sie passt nicht mehr in das, was Sie hier haben dürfen. Löschen Sie Dateien, die niemand mehr braucht, oder bitten Sie ' +
      'die Person, die den Dienst betreibt, um mehr Platz. Es wurde nichts gesendet.',
    held: 'Sie wird festgehalten: Niemand kann sie löschen, bis die Personen, die diesen Dienst betreiben, sie freigeben.',
    retained: 'Sie muss eine Zeit lang aufbewahrt werden.',
    keptUntil: (time) => `Sie muss bis ${time} aufbewahrt werden.`,
    limited: 'Der Dienst bittet um weniger Tempo. Nichts ist verloren: Bitte versuchen Sie es später noch einmal.',
    store: (code) => `Der Speicher hat sie abgelehnt (${code}).`,
    otherBytes:
      'Jemand anders hat zuerst andere Bytes unter diesem Link gesendet, er führt also nicht zu Ihrer Datei: Bitte geben Sie ' +
      'ihn nicht weiter. Versuchen Sie es noch einmal, dann hat Ihre Datei einen eigenen Link.',
    deleted: 'Sie wurde gelöscht, während sie gesendet wurde.',
    expired: 'Die Zeit zum Senden lief immer wieder ab.',
    rejected: (reason) => `Der Dienst hat abgelehnt, was ankam: ${reason}. Bitte versuchen Sie es noch einmal.`,
    otherContent: ({ detectedType }) =>
      `Sie wurde abgelehnt: Ihr Inhalt ist ${detectedType}, und ihr Name sagt etwas anderes. Senden Sie die richtige Datei, ` +
      'oder diese unter einem Namen, der stimmt.',
    infected: 'Sie enthält einen Virus.',
    unscannable: 'Sie lässt sich nicht auf Viren prüfen.',
    typeNotAllowed: ({ detail }) => `Der Dienst nimmt keine Dateien dieser Art an: ${detail}. Es wurde nichts gesendet.`,
    unsaid: 'er sagt nicht, warum',
    problem: (detail) => `Der Dienst hat sie abgelehnt: ${detail}.`,
  },

  forOperator: 'Für alle, die den Dienst betreiben',
  misdirected: {
    text: 'Der Dienst antwortet unter dieser Adresse nicht. Wer ihn betreibt, kann das ändern.',
    operator: (origin) =>
      'Der Proxy vor dem Dienst gibt den Host nicht weiter, nach dem der Browser gefragt hat. ' +
      `Stellen Sie das ein (nginx: proxy_set_header Host $http_host;), und setzen Sie PUBLIC_URL auf die Adresse der Seite: ${origin}`,
  },
  elsewhere: {
    text: (target) => `Der Dienst will sie nach ${target} gesendet haben, wohin diese Seite nicht reicht.`,
    operator: (origin) =>
      'Der Dienst hält das für seine Adresse. Steht ein Proxy davor, so lassen Sie ihn den Host weitergeben ' +
      `(nginx: proxy_set_header Host $http_host;), oder setzen Sie PUBLIC_URL auf die Adresse der Seite: ${origin}`,
  },
  mixed: {
    text: (target) => `Der Dienst will sie nach ${target} gesendet haben, was eine Seite, die über https kam, nicht kann.`,
    operator: (origin) =>
      `Setzen Sie PUBLIC_URL auf die Adresse der Seite: ${origin} Hat der Speicher eine eigene Adresse, so muss auch sie mit https beginnen.`,
  },
  signedOut: {
    text: 'Sie wurden abgemeldet. Was Sie hier begonnen haben, bleibt erhalten und geht weiter, wenn Sie wieder angemeldet sind.',
    signIn: 'Wieder anmelden',
    redirect: 'einer Weiterleitung',
    operator: (what) =>
      `Der Proxy vor dem Dienst hat einen Aufruf der Seite mit ${what} beantwortet. Ändert eine neue Anmeldung ` +
      'nichts, so halten seine Regeln auf, was die Seite braucht: /v1/ und, wo Dateien beim Dienst liegen, den Pfad des Buckets.',
  },
  signIn: {
    title: 'Anmelden',
    hint: [
      'Öffnen Sie den Link, den der Dienst beim ersten Start ausgegeben hat, oder geben Sie hier seinen Schlüssel an. Er steht in der Datei ',
      'access-key',
      ' in seinem Datenverzeichnis.',
    ],
    key: 'Schlüssel',
    signIn: 'Anmelden',
    signOut: 'Abmelden',
    newTab: 'Zum Anmelden öffnet sich ein anderer Tab. Dieser geht danach von selbst weiter.',
    stillThere: 'Hier sind Sie abgemeldet. Dort, wo Sie herkamen, sind Sie vielleicht noch angemeldet.',
    signOutThere: 'Auch dort abmelden',
    done: 'Sie sind angemeldet',
    first: 'Bitte melden Sie sich zuerst an. Es wurde nichts gesendet.',
    signOutFailed: 'Sie sind noch angemeldet, denn der Dienst war nicht erreichbar. Bitte versuchen Sie es noch einmal.',
    why: {
      noKey: 'Bitte geben Sie den Schlüssel an.',
      wrongKey: 'Das ist nicht der Schlüssel dieses Dienstes.',
      notKept:
        'Der Schlüssel stimmt, aber der Browser behält die Anmeldung nicht: Erlauben Sie ihm Cookies dieser Seite, und öffnen ' +
        'Sie die Seite unter der Adresse, die der Dienst ausgegeben hat.',
      unreachable: 'Der Dienst ist gerade nicht erreichbar. Bitte versuchen Sie es gleich noch einmal.',
    },
  },
  intermediary: {
    413: {
      text: () => 'Etwas zwischen Ihnen und dem Dienst nimmt keine Dateien dieser Größe an, der Dienst selbst schon.',
      operator: () =>
        'Ein Proxy hat mit 413 geantwortet, bevor der Dienst gefragt wurde. Heben Sie seine Grenze über die des Dienstes, die in ' +
        'MAX_UPLOAD_BYTES steht (nginx: client_max_body_size 21m;).',
    },
    421: {
      text: () => 'Etwas vor dem Dienst antwortet unter dieser Adresse nicht.',
      operator: () =>
        'Ein Proxy hat mit 421 geantwortet: Er hat keinen solchen Host, oder eine Verbindung wurde für einen anderen benutzt. Sehen Sie seine Namen und Zertifikate an.',
    },
    403: {
      text: () => 'Etwas zwischen Ihnen und dem Dienst hat das abgelehnt (403).',
      operator: () => 'Es war nicht der Dienst. Sehen Sie die Regeln des Proxys, der Firewall oder des Filters davor an.',
    },
    away: {
      text: (status) => `Der Dienst ist nicht da, nur das, was vor ihm steht (${status}).`,
      operator: (status) =>
        `Ein Proxy hat an seiner Stelle mit ${status} geantwortet. Sehen Sie nach, ob der Dienst läuft, und ob der Proxy seine ` +
        'Adresse kennt (nginx: proxy_pass).',
    },
    other: {
      text: (status) => `Etwas anderes als der Dienst hat geantwortet (${status}). Vielleicht müssen Sie sich bei diesem Netz anmelden.`,
      operator: (status) =>
        `Die Antwort ${status} ist weder vom Dienst noch vom Speicher. Sehen Sie nach, was der Proxy mit diesem Pfad ` +
        'macht, und ob er überhaupt zum Dienst führt.',
    },
  },

  files: 'Dateien',
  emptyTitle: 'Noch nichts da',
  emptyHint: 'Senden Sie eine Datei, und sie wartet hier unter einem eigenen Link.',
  loading: 'Dateien werden gesucht …',
  loadMore: 'Ältere Dateien zeigen',
  loadingMore: 'Ältere Dateien werden geholt …',
  listFull: (limit) => `Das sind die neuesten ${limit} Dateien. Ältere sind unter ihren Links da.`,
  listUnreachable: 'Die Liste kann gerade nicht geholt werden. Es wird noch einmal versucht …',
  status: {
    pending: 'Unterwegs',
    available: 'Da',
    processing: 'Wird verarbeitet',
    rejected: 'Abgelehnt',
    withdrawn: 'Zurückgezogen',
    expired: 'Nie angekommen',
    otherBytes: 'Nicht, was Sie gesendet haben',
  },
  waitingSince: (time) => `Wartet auf ihre Bytes seit ${time}`,
  statusWhy: {
    pending: 'Noch ist nichts angekommen, oder es wird geprüft.',
    processing: 'Der Dienst ist noch damit beschäftigt. Danach kann sie geholt werden.',
    otherBytes: 'Jemand anders hat zuerst andere Bytes unter diesem Link gesendet.',
    rejected: (reason) => `Was ankam, wurde abgelehnt: ${reason}.`,
    otherContent: (type) => `Sie wurde abgelehnt: Ihr Inhalt ist ${type}, und ihr Name sagt etwas anderes.`,
    withdrawn: 'Eine spätere Prüfung auf Viren hat etwas darin gefunden.',
    expired: 'Die Zeit zum Senden ist abgelaufen.',
  },
  held: {
    chip: 'Festgehalten',
    text: (reason) => (reason === null ? 'Niemand kann sie löschen.' : `Niemand kann sie löschen: ${isolated(reason)}`),
  },
  copyLink: 'Link kopieren',
  copyLinkNamed: (name) => `Link kopieren: ${isolated(name)}`,
  download: 'Herunterladen',
  downloadNamed: (name) => `${isolated(name)} herunterladen`,
  remove: 'Löschen',
  removeNamed: (name) => `${isolated(name)} löschen`,
  copied: 'Link kopiert',
  noLink: 'Es konnte kein Link erstellt werden. Bitte versuchen Sie es noch einmal.',
  digestCopied: 'SHA-256 kopiert',
  copyByHand: 'Diesen Link kopieren',
  close: 'Schließen',
  removeTitle: 'Diese Datei löschen?',
  removeText: (name) => `${isolated(name)} wird für alle gelöscht, und ihr Link führt ins Leere. Das lässt sich nicht rückgängig machen.`,
  keep: 'Behalten',
  removed: (name) => `${isolated(name)} ist gelöscht`,
  removeRefused: (name, why) => `${isolated(name)} lässt sich nicht löschen. ${why}`,
  removeFailed: (name) => `${isolated(name)} konnte nicht gelöscht werden. Bitte versuchen Sie es noch einmal.`,

  said: {
    started: (n) => counted(n, `${n} Datei wird gesendet`, `${n} Dateien werden gesendet`),
    progress: (percent, left) => `${percent} Prozent gesendet, noch ${counted(left, `${left} Datei`, `${left} Dateien`)}`,
    finished: (counts, failed, why) => [counts, failed.map(isolated).join(', '), why].filter(Boolean).join('. '),
    more: (n) => `${n} weitere`,
  },

  find: {
    label: 'Nach Namen suchen',
    found: (some, all) => `${some} von ${all} Dateien`,
    foundSoFar: (some, all) => `${some} der neuesten ${all} Dateien. Ältere wurden nicht durchsucht.`,
    sortedSoFar: (all) => `Das sind die neuesten ${all} Dateien in dieser Reihenfolge. Ältere sind nicht dabei.`,
    older: 'Ältere Dateien durchsuchen',
    looking: 'Ältere Dateien werden durchsucht …',
  },
  order: 'Reihenfolge',
  orders: { newest: 'Neueste zuerst', oldest: 'Älteste zuerst', name: 'Nach Namen', largest: 'Größte zuerst' },
  selection: {
    start: 'Auswählen',
    tools: 'Was ausgewählt ist',
    named: (name) => `${isolated(name)} auswählen`,
    count: (n) => `${n} ausgewählt`,
    all: 'Alle auswählen',
    copy: 'Links kopieren',
    remove: 'Löschen',
    end: 'Fertig',
    names: (names, more) => [...names.map(isolated), more].filter(Boolean).join(', '),
    removeTitle: (n) => (n === '1' ? 'Diese Datei löschen?' : `${n} Dateien löschen?`),
    removeText: (names) => `Sie werden für alle gelöscht, und ihre Links führen ins Leere: ${names}. Das lässt sich nicht rückgängig machen.`,
    removeYes: (n) => (n === '1' ? 'Löschen' : `${n} Dateien löschen`),
    removed: (n) => (n === '1' ? '1 Datei ist gelöscht' : `${n} Dateien sind gelöscht`),
    someKept: 'Manche müssen eine Zeit lang aufbewahrt werden.',
    someHeld: 'Was festgehalten wird, lässt sich erst löschen, wenn die Personen, die diesen Dienst betreiben, es freigeben.',
    notRemoved: (n, failed, names) => `${n} gelöscht. ${failed} ${failed === '1' ? 'konnte' : 'konnten'} nicht gelöscht werden: ${names}. Bitte versuchen Sie es noch einmal.`,
  },
  onlyHere: {
    text: 'Nur dieser Computer kann diese Links öffnen.',
    operator: (port) =>
      `Damit andere im Netz sie öffnen können, starten Sie den Dienst mit LISTEN=0.0.0.0:${port}, während dieser Computer in ` +
      'dem Netz ist. Erreichen sie ihn unter einer anderen Adresse, so setzen Sie PUBLIC_URL auf diese.',
  },
  qr: {
    button: 'QR-Code',
    title: 'Zum Öffnen scannen',
    picture: 'QR-Code des Links darunter',
    tooLong: 'Der Link ist zu lang für einen QR-Code.',
    unreachable: 'Der Dienst ist gerade nicht erreichbar. Bitte versuchen Sie es gleich noch einmal.',
  },

  everybodys: 'Dateien von allen',
  guest: {
    title: 'Sie sind als Gast angemeldet',
    text: 'Gäste sehen die Dateien, die andere ihnen mit einem Link weitergeben, und senden keine. Wenn Sie Dateien senden sollen, wenden Sie sich an die Person, die diesen Dienst betreibt.',
    first: 'Gäste senden keine Dateien. Es wurde nichts gesendet.',
  },
  foot: 'Eine Anmeldung gibt es nicht: Wer diese Seite öffnen kann, kann diese Dateien sehen, holen und löschen.',
  footKey: 'Wer den Schlüssel dieses Dienstes hat, kann diese Dateien sehen, holen und löschen.',
  footIssuer: 'Sie und alle, die diesen Dienst verwalten, können diese Dateien sehen, holen und löschen.',
  guide: 'Dateien aus Programmen teilen',
};
