// Everything that the pages say, in German. The keys and what takes parameters are those of strings.en.js; a test holds
// the two together.
//
// Invariant: texts only. Numbers, sizes and times come in already formatted.

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
  explorer: 'API',
  navigation: 'Für Entwickler',
  switchTo: 'English',
  switchToTag: 'en',
  share: 'Teilen',
  shareNamed: (name) => `Teilen: ${isolated(name)}`,
  moreNamed: (name) => `Mehr zu ${isolated(name)}`,

  headline: 'Datei teilen.',
  promise: 'Senden und den Link weitergeben. Wer ihn öffnet, bekommt genau das, was gesendet wurde.',
  dropTitle: 'Dateien oder einen Ordner hier ablegen',
  dropTitleTouch: 'Dateien hinzufügen',
  dropHint: (limit) => `oder einfügen · je bis zu ${limit}`,
  dropHintTouch: (limit) => `je bis zu ${limit}`,
  dropNow: 'Loslassen zum Senden',
  chooseFiles: 'Dateien auswählen',
  chooseFolder: 'Ordner auswählen',
  pastedName: (time) => `eingefuegt-${time}`,
  tooMany: (limit) => `Nur die ersten ${limit} Dateien wurden genommen. Die anderen hinzufügen, wenn diese durch sind.`,
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
    waiting: 'Keine Verbindung. Gleich noch ein Versuch',
    waitingOffline: 'Keine Netzverbindung. Geht weiter, sobald sie wieder da ist',
    waitingSignedOut: 'Bleibt erhalten. Geht nach der Anmeldung weiter',
    waitingIntermediary: 'Keine Antwort vom Dienst. Gleich noch ein Versuch',
    waitingLimited: 'Der Dienst bittet um weniger Tempo. Geht gleich weiter',
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
  cancelNamed: (name) => `${name} abbrechen`,
  tryAgain: 'Noch einmal versuchen',
  tryAgainNamed: (name) => `Noch einmal versuchen: ${name}`,
  dismiss: 'Aus dieser Liste entfernen',
  dismissNamed: (name) => `${name} aus dieser Liste entfernen`,
  progressNamed: (name) => `${name} wird gesendet`,
  leave: 'Es werden noch Dateien gesendet.',

  interrupted: {
    title: 'Unterbrochen',
    hint: 'Diese waren nicht durch, als die Seite geschlossen wurde. Dieselben Dateien noch einmal auswählen oder ablegen, und sie gehen unter denselben Links weiter.',
    state: 'Unterbrochen: noch einmal auswählen',
    checking: 'Die Datei wird angesehen …',
    choose: 'Noch einmal auswählen',
    chooseNamed: (name) => `Noch einmal auswählen: ${isolated(name)}`,
    notBegun: (n, count, names) =>
      n === 1
        ? `1 Datei wartete noch, als die Seite geschlossen wurde, und nichts davon wurde gesendet: ${names}. Bitte noch einmal auswählen.`
        : `${count} Dateien warteten noch, als die Seite geschlossen wurde, und nichts davon wurde gesendet: ${names}. Bitte noch einmal auswählen.`,
    said: (n) => counted(n, `${n} Upload wurde unterbrochen`, `${n} Uploads wurden unterbrochen`),
    why: {
      otherSize: (size, expected) =>
        `Das ist eine andere Datei: sie hat ${size}, und diese hat ${expected}. Bitte dieselbe auswählen, oder die andere als neue Datei senden.`,
      otherFile:
        'Das ist eine andere Datei, oder sie wurde seitdem geändert: ihre Bytes sind nicht die angekündigten. Nichts wurde gesendet. ' +
        'Bitte dieselbe auswählen, oder die andere als neue Datei senden.',
      unreadable: 'Diese Datei kann nicht gelesen werden. Bitte noch einmal auswählen.',
    },
  },

  why: {
    tooLarge: (size, limit) => `Sie ist zu groß: ${size}, und die Grenze ist ${limit}. Nichts wurde gesendet.`,
    nameTooLong: 'Ihr Name ist zu lang. Höchstens 255 Zeichen gehen. Nichts wurde gesendet.',
    noName: 'Sie hat keinen Namen, der behalten werden kann. Nichts wurde gesendet.',
    unreadable: 'Sie kann nicht gelesen werden, oder sie hat sich seit der Auswahl geändert. Bitte neu auswählen.',
    damaged: 'Was ankam, war nicht, was gesendet wurde. Vielleicht hat sich die Datei inzwischen geändert: noch einmal versuchen.',
    unreachable: 'Der Dienst war eine Weile nicht erreichbar. Nichts ist verloren: noch einmal versuchen.',
    full: 'Der Dienst hat keinen Platz mehr. Wer ihn betreibt, muss welchen schaffen.',
    limited: 'Der Dienst bittet um weniger Tempo. Nichts ist verloren: später noch einmal versuchen.',
    store: (code) => `Der Speicher hat sie abgelehnt (${code}).`,
    otherBytes:
      'Jemand anders hat zuerst andere Bytes unter diesem Link gesendet, er führt also nicht zu dieser Datei: bitte nicht ' +
      'weitergeben. Noch ein Versuch sendet sie unter einem eigenen Link.',
    deleted: 'Sie wurde gelöscht, während sie gesendet wurde.',
    expired: 'Die Zeit zum Senden lief immer wieder ab.',
    rejected: (reason) => `Der Dienst hat abgelehnt, was ankam: ${reason}. Noch einmal versuchen.`,
    otherContent: ({ detectedType }) =>
      `Sie wurde abgelehnt: Ihr Inhalt ist ${detectedType}, und ihr Name sagt etwas anderes. Senden Sie die richtige Datei, ` +
      'oder diese unter einem Namen, der stimmt.',
    typeNotAllowed: ({ detail }) => `Der Dienst nimmt keine Dateien dieser Art an: ${detail}. Es wurde nichts gesendet.`,
    unsaid: 'er sagt nicht, warum',
    problem: (detail) => `Der Dienst hat sie abgelehnt: ${detail}.`,
  },

  forOperator: 'Für alle, die den Dienst betreiben',
  misdirected: {
    text: 'Der Dienst antwortet unter dieser Adresse nicht. Wer ihn betreibt, kann das ändern.',
    operator: (origin) =>
      'Der Proxy vor dem Dienst gibt den Host nicht weiter, nach dem der Browser gefragt hat. ' +
      `Das lässt sich einstellen (nginx: proxy_set_header Host $http_host;), und PUBLIC_URL soll sagen, wo die Seite ist: ${origin}`,
  },
  elsewhere: {
    text: (target) => `Der Dienst will sie nach ${target} gesendet haben, wohin diese Seite nicht reicht.`,
    operator: (origin) =>
      'Der Dienst hält das für seine Adresse. Steht ein Proxy davor, so soll er den Host weitergeben ' +
      `(nginx: proxy_set_header Host $http_host;), oder PUBLIC_URL soll sagen, wo die Seite ist: ${origin}`,
  },
  mixed: {
    text: (target) => `Der Dienst will sie nach ${target} gesendet haben, was eine Seite, die über https kam, nicht kann.`,
    operator: (origin) =>
      `PUBLIC_URL soll sagen, wo die Seite ist: ${origin} Hat der Speicher eine eigene Adresse, so muss auch die https sein.`,
  },
  signedOut: {
    text: 'Die Anmeldung ist abgelaufen. Was hier angefangen wurde, bleibt erhalten und geht nach der nächsten weiter.',
    signIn: 'Wieder anmelden',
    redirect: 'einer Weiterleitung',
    operator: (what) =>
      `Der Proxy vor dem Dienst hat einen Aufruf der Seite mit ${what} beantwortet. Ändert eine neue Anmeldung ` +
      'nichts, so halten seine Regeln auf, was die Seite braucht: /v1/ und, wo Dateien beim Dienst liegen, den Pfad des Buckets.',
  },
  signIn: {
    title: 'Anmelden',
    hint: [
      'Den Link öffnen, den der Dienst beim ersten Start ausgegeben hat, oder hier seinen Schlüssel angeben. Er steht in der Datei ',
      'access-key',
      ' in seinem Datenverzeichnis.',
    ],
    key: 'Schlüssel',
    signIn: 'Anmelden',
    signOut: 'Abmelden',
    newTab: 'Zum Anmelden öffnet sich ein anderer Tab. Dieser geht danach von selbst weiter.',
    stillThere: 'Hier ist niemand mehr angemeldet, dort, wo die Anmeldung herkam, vielleicht noch.',
    signOutThere: 'Auch dort abmelden',
    done: 'Angemeldet',
    first: 'Bitte zuerst anmelden. Nichts wurde gesendet.',
    signOutFailed: 'Noch angemeldet, denn der Dienst war nicht erreichbar. Noch einmal versuchen.',
    why: {
      noKey: 'Bitte den Schlüssel angeben.',
      wrongKey: 'Das ist nicht der Schlüssel dieses Dienstes.',
      notKept:
        'Der Schlüssel stimmt, aber der Browser behält die Anmeldung nicht: Cookies dieser Seite erlauben und die Seite ' +
        'unter der Adresse öffnen, die der Dienst ausgegeben hat.',
      unreachable: 'Der Dienst ist gerade nicht erreichbar. Gleich noch einmal versuchen.',
    },
  },
  intermediary: {
    413: {
      text: () => 'Etwas vor dem Dienst nimmt keine Dateien dieser Größe an, der Dienst selbst schon.',
      operator: () =>
        'Ein Proxy hat mit 413 geantwortet, bevor der Dienst gefragt wurde. Seine Grenze muss über der des Dienstes liegen, ' +
        'die in MAX_UPLOAD_BYTES steht (nginx: client_max_body_size 21m;).',
    },
    421: {
      text: () => 'Etwas vor dem Dienst antwortet unter dieser Adresse nicht.',
      operator: () =>
        'Ein Proxy hat mit 421 geantwortet: er hat keinen solchen Host, oder eine Verbindung wurde für einen anderen benutzt. Seine Namen und Zertifikate ansehen.',
    },
    403: {
      text: () => 'Etwas vor dem Dienst hat das abgelehnt (403).',
      operator: () => 'Es war nicht der Dienst. Die Regeln des Proxys, der Firewall oder des Filters davor ansehen.',
    },
    away: {
      text: (status) => `Der Dienst ist nicht da, nur das, was vor ihm steht (${status}).`,
      operator: (status) =>
        `Ein Proxy hat an seiner Stelle mit ${status} geantwortet. Läuft der Dienst, und kennt der Proxy seine ` +
        'Adresse (nginx: proxy_pass)?',
    },
    other: {
      text: (status) => `Etwas anderes als der Dienst hat geantwortet (${status}). Vielleicht verlangt dieses Netz eine Anmeldung.`,
      operator: (status) =>
        `Die Antwort ${status} ist weder vom Dienst noch vom Speicher. Was macht der Proxy mit diesem Pfad, ` +
        'und führt er überhaupt zum Dienst?',
    },
  },

  files: 'Dateien',
  emptyTitle: 'Noch nichts da',
  emptyHint: 'Eine gesendete Datei wartet hier unter ihrem eigenen Link.',
  loading: 'Dateien werden gesucht …',
  loadMore: 'Ältere Dateien zeigen',
  loadingMore: 'Ältere Dateien werden geholt …',
  listFull: (limit) => `Das sind die neuesten ${limit} Dateien. Ältere sind unter ihren Links da.`,
  listUnreachable: 'Die Liste kann gerade nicht geholt werden. Noch ein Versuch …',
  status: {
    pending: 'Unterwegs',
    available: 'Da',
    processing: 'Wird verarbeitet',
    rejected: 'Abgelehnt',
    expired: 'Nie angekommen',
    otherBytes: 'Nicht das Gesendete',
  },
  waitingSince: (time) => `Wartet auf ihre Bytes seit ${time}`,
  statusWhy: {
    pending: 'Noch ist nichts angekommen, oder es wird geprüft.',
    processing: 'Der Dienst ist noch damit beschäftigt. Danach kann sie geholt werden.',
    otherBytes: 'Jemand anders hat zuerst andere Bytes unter diesem Link gesendet.',
    rejected: (reason) => `Was ankam, wurde abgelehnt: ${reason}.`,
    otherContent: (type) => `Sie wurde abgelehnt: Ihr Inhalt ist ${type}, und ihr Name sagt etwas anderes.`,
    expired: 'Die Zeit zum Senden ist abgelaufen.',
  },
  copyLink: 'Link kopieren',
  copyLinkNamed: (name) => `Link kopieren: ${name}`,
  download: 'Herunterladen',
  downloadNamed: (name) => `${name} herunterladen`,
  remove: 'Löschen',
  removeNamed: (name) => `${name} löschen`,
  copied: 'Link kopiert',
  noLink: 'Es konnte kein Link erstellt werden. Bitte noch einmal versuchen.',
  digestCopied: 'SHA-256 kopiert',
  copyByHand: 'Diesen Link kopieren',
  close: 'Schließen',
  removeTitle: 'Diese Datei löschen?',
  removeText: (name) => `${isolated(name)} wird für alle gelöscht, und ihr Link führt ins Leere. Das lässt sich nicht zurücknehmen.`,
  keep: 'Behalten',
  removed: (name) => `${isolated(name)} ist gelöscht`,
  removeFailed: (name) => `${isolated(name)} konnte nicht gelöscht werden. Noch einmal versuchen.`,

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
    removeText: (names) => `Für alle gelöscht, und ihre Links führen ins Leere: ${names}. Das lässt sich nicht zurücknehmen.`,
    removeYes: (n) => (n === '1' ? 'Löschen' : `${n} Dateien löschen`),
    removed: (n) => (n === '1' ? '1 Datei ist gelöscht' : `${n} Dateien sind gelöscht`),
    notRemoved: (n, failed, names) => `${n} gelöscht. ${failed} ${failed === '1' ? 'konnte' : 'konnten'} nicht gelöscht werden: ${names}. Noch einmal versuchen.`,
  },
  onlyHere: {
    text: 'Nur dieser Computer kann diese Links öffnen.',
    operator: (port) =>
      `Damit andere im Netz sie öffnen können, den Dienst mit LISTEN=0.0.0.0:${port} starten, während dieser Computer in ` +
      'dem Netz ist. Erreichen sie ihn unter einer anderen Adresse, so soll PUBLIC_URL sie nennen.',
  },
  qr: {
    button: 'QR-Code',
    title: 'Zum Öffnen scannen',
    picture: 'QR-Code des Links darunter',
    tooLong: 'Der Link ist zu lang für einen QR-Code.',
    unreachable: 'Der Dienst ist gerade nicht erreichbar. Gleich noch einmal versuchen.',
  },
  tokens: {
    title: 'Tokens',
    hint: 'Programme zeigen sie vor, um für Sie zu handeln. Wer ein Token hat, kann tun, was es erlaubt, bis es endet.',
    loading: 'Tokens werden gesucht …',
    none: 'Kein Programm hat ein Token von Ihnen.',
    unreachable: 'Der Dienst ist gerade nicht erreichbar. Gleich noch einmal versuchen.',
    scopes: { read: 'sehen und holen', write: 'senden', delete: 'löschen', admin: 'Dateien von allen' },
    may: (scopes) => `Darf: ${scopes.join(', ')}`,
    lastUsed: (time) => `Zuletzt benutzt ${time}`,
    neverUsed: 'Nie benutzt',
    until: (time) => `Gilt bis ${time}`,
    end: 'Beenden',
    endNamed: (label) => `${isolated(label)} beenden`,
    endTitle: 'Dieses Token beenden?',
    endText: (label) => `${isolated(label)} lässt niemanden mehr herein. Das Programm, das es hat, braucht ein anderes. Das lässt sich nicht zurücknehmen.`,
    endYes: 'Beenden',
    ended: (label) => `${isolated(label)} ist beendet.`,
  },

  noScript: {
    send: 'Diese Seite braucht JavaScript. Ohne geht es im Terminal, mit dem Programm dieses Dienstes:',
    curl:
      'Oder mit curl in zwei Schritten: der erste sagt dem Dienst unter der Adresse dieser Seite, welche Datei kommt, und die ' +
      'Antwort hat die UPLOAD_URL für den zweiten.',
    links: 'Links zu Dateien gehen ohne JavaScript.',
    signIn: 'Dieser Dienst fragt, wer da ist, und seine Seite braucht dazu JavaScript.',
    pending: 'Ohne JavaScript merkt diese Seite das nicht: später neu laden.',
    pair: 'Diese Seite braucht JavaScript.',
    checkText: 'Die Datei hat diesen SHA-256. Er sollte der sein, den der eigene Rechner für den Download nennt:',
  },

  everybodys: 'Dateien von allen',
  guest: {
    title: 'Angemeldet als Gast',
    text: 'Gäste sehen die Dateien, die andere ihnen mit einem Link weitergeben, und senden keine. Wer den Dienst betreibt, kann das ändern.',
    first: 'Gäste senden keine Dateien. Nichts wurde gesendet.',
  },
  foot: 'Eine Anmeldung gibt es nicht: Wer diese Seite öffnen kann, kann diese Dateien sehen, holen und löschen.',
  footKey: 'Wer den Schlüssel dieses Dienstes hat, kann diese Dateien sehen, holen und löschen.',
  footIssuer: 'Diese Dateien sehen, holen und löschen kann, wem sie gehören, und wer diesen Dienst verwaltet.',
  guide: 'Dateien aus Programmen teilen',

  pair: {
    title: 'Ein Programm hereinlassen',
    hint: 'Den Code eingeben, den das Programm zeigt, etwa fshare im Terminal. Nie einen eingeben, der von jemand anderem kommt.',
    code: 'Code',
    next: 'Weiter',
    question: 'Dieses Programm hereinlassen?',
    client: 'Es nennt sich',
    from: 'Es fragt von',
    fromUnknown: 'einer unbekannten Adresse',
    began: 'Es begann',
    consequence: 'Es kann dann wie Sie Dateien sehen, holen, senden und löschen, 90 Tage lang oder bis sein Token widerrufen wird.',
    warning: 'Nur weitermachen, wenn Sie es gerade eben selbst gestartet haben.',
    yes: 'Hereinlassen',
    no: 'Nicht',
    done: 'Es ist hereingelassen',
    goBack: ' macht von selbst weiter. Dieser Tab kann zu.',
    notForGuests:
      'Gäste holen, was andere ihnen weitergeben, und kein Programm kann für sie handeln. Wer den Dienst betreibt, weiß mehr.',
    notNeeded: 'Dieser Dienst fragt niemanden, wer da ist, also brauchen Programme hier kein Token.',
    why: {
      noCode: 'Ein Code hat acht Buchstaben, etwa BCDF-GHJK. Bitte mit dem vergleichen, was das Programm zeigt.',
      unknown: 'Kein Programm wartet mit diesem Code. Bitte mit dem vergleichen, was das Programm zeigt, oder dort neu anfangen.',
      tooMany: (minutes) =>
        `Zu viele Codes waren falsch. ${counted(minutes, 'In einer Minute noch einmal versuchen.', `In ${minutes} Minuten noch einmal versuchen.`)}`,
      unreachable: 'Der Dienst ist gerade nicht erreichbar. Gleich noch einmal versuchen.',
    },
  },

  file: {
    all: 'Alle Dateien',
    pendingTitle: 'Unterwegs',
    pendingText: 'Der Download beginnt von selbst, sobald alles da ist.',
    started: 'Der Download hat begonnen.',
    processingTitle: 'Wird verarbeitet',
    processingText: 'Der Dienst ist noch damit beschäftigt. Danach beginnt der Download von selbst.',
    rejectedTitle: 'Diese Datei wurde abgelehnt',
    rejectedText: (reason) => `Was ankam, ist nicht, was angekündigt war: ${reason}. Sie muss noch einmal gesendet werden.`,
    otherContentText: (type) => `Ihr Inhalt ist ${type}, und ihr Name sagt etwas anderes. Bitten Sie um die richtige Datei.`,
    expiredTitle: 'Diese Datei ist nie angekommen',
    expiredText: 'Die Zeit zum Senden ist abgelaufen. Sie muss noch einmal gesendet werden.',
    goneTitle: 'Es gibt keine solche Datei',
    goneText: 'Der Link ist nicht vollständig, oder die Datei wurde gelöscht.',
    unreachableTitle: 'Der Dienst ist nicht erreichbar',
    unreachableText: 'Noch ein Versuch …',
    loading: 'Wird gesucht …',
    shared: (when) => `gesendet ${when}`,
    deletedOn: (time) => `wird gelöscht: ${time}`,
    check: 'Ist sie vollständig?',
    checkText: 'Die Datei hat diesen SHA-256. Er sollte der sein, den der eigene Rechner für den Download nennt; diese Seite kann das auch prüfen:',
    checkCommand: (name) => `sha256sum ${name}`,
    copyDigest: 'SHA-256 kopieren',
    compare: 'Eine Datei prüfen',
    comparing: 'Wird angesehen …',
    same: 'Das ist genau diese Datei.',
    different: 'Das ist eine andere Datei, oder nicht die ganze.',
    unreadable: 'Diese Datei kann nicht gelesen werden.',
    orDrop: 'oder hier ablegen. Sie bleibt auf diesem Computer.',
  },

  receiptView: {
    button: 'Beleg',
    title: 'Beleg',
    about: (where) =>
      `Der Dienst hat unterschrieben, was wann angekommen ist. Wer diesen Text hat, kann ihn prüfen, unter ${where} oder mit fshare verify, auch wenn die Datei nicht mehr da ist.`,
    name: 'Datei',
    size: 'Größe',
    sha256: 'SHA-256',
    arrived: 'Angekommen',
    by: 'Abgegeben von',
    into: 'Für',
    due: 'Frist',
    isLate: 'nach der Frist',
    issuer: 'Unterschrieben von',
    issued: 'Unterschrieben am',
    text: 'Der Beleg',
    save: 'Speichern',
    print: 'Drucken',
    odd: 'Was kam, ist kein Beleg.',
    check: 'Einen Beleg prüfen',
    checkText: 'Jemand hat Ihnen einen Beleg dieses Dienstes gegeben? Hier sehen Sie, ob er echt ist und ob eine Datei die ist, von der er spricht. Beides bleibt auf diesem Computer.',
    checkHint: 'Einen Beleg einfügen oder seine Datei hier ablegen',
    choose: 'Seine Datei wählen',
    says: 'Was darin steht',
    compare: 'Ist das die Datei?',
    checking: 'Wird angesehen …',
    genuine: (name, size, time) => `Echt: Dieser Dienst hat unterschrieben, dass ${isolated(name)} (${size}) angekommen ist, ${time}.`,
    ofThis: 'Es ist der Beleg dieser Datei.',
    ofAnother: 'Es ist der Beleg einer anderen Datei.',
    notGenuine: 'Nicht echt: Dieser Dienst hat ihn nicht unterschrieben, oder er wurde geändert.',
    noReceipt: 'Das ist kein Beleg, oder kein ganzer.',
    unreachable: 'Die Schlüssel des Dienstes können gerade nicht geholt werden. Gleich noch einmal versuchen.',
    insecure: (command) =>
      `Auf einer Seite, die über http kam, kann ein Browser keine Unterschriften prüfen. Im Terminal geht es: ${command}`,
    unsupported: (command) => `Dieser Browser kann solche Unterschriften nicht prüfen. Im Terminal geht es: ${command}`,
  },
};
