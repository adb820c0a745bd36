// Was über Belege gesagt wird, auf Deutsch. Wie strings.receipt.en.js.

const isolated = (name) => `\u2068${name}\u2069`;

export const strings = {
  language: 'de',

  receiptView: {
    title: 'Beleg',
    about: (where) =>
      `Der Dienst hat unterschrieben, was wann angekommen ist. Wer diesen Text hat, kann ihn prüfen, unter ${where} oder mit fshare verify, ` +
      'auch wenn die Datei nicht mehr da ist.',
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
    checkText:
      'Jemand hat Ihnen einen Beleg dieses Dienstes gegeben? Hier sehen Sie, ob er echt ist, und ob eine Datei die ist, von der ' +
      'er spricht. Beides bleibt auf diesem Computer.',
    checkHint: 'Fügen Sie einen Beleg ein, oder legen Sie seine Datei hier ab',
    choose: 'Seine Datei wählen',
    says: 'Was darin steht',
    compare: 'Ist das die Datei?',
    checking: 'Wird angesehen …',
    genuine: (name, size, time) => `Echt: Dieser Dienst hat unterschrieben, dass ${isolated(name)} (${size}) am ${time} angekommen ist.`,
    ofThis: 'Es ist der Beleg dieser Datei.',
    ofAnother: 'Es ist der Beleg einer anderen Datei.',
    notGenuine: 'Nicht echt: Dieser Dienst hat ihn nicht unterschrieben, oder er wurde geändert.',
    noReceipt: 'Das ist kein Beleg, oder kein ganzer.',
    unreachable: 'Die Schlüssel des Dienstes können gerade nicht geholt werden. Bitte versuchen Sie es gleich noch einmal.',
    insecure: 'Auf einer Seite, die über http kam, kann ein Browser keine Unterschriften prüfen. Im Terminal geht es: ',
    unsupported: 'Dieser Browser kann solche Unterschriften nicht prüfen. Im Terminal geht es: ',
  },
};
