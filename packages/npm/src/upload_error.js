// What ended an upload, by a name that stays the same and a sentence for people.
//
// Invariant: every code has a sentence, and none has a token or a presigned URL in it.

const SENTENCES = {
  damaged: 'The file’s bytes were damaged on their way, again and again.',
  deleted: 'Somebody deleted the file while it was sent.',
  expired: 'The file took longer than an upload may take.',
  full: 'The service has no room left.',
  intermediary: 'Something between here and the service answered in its place.',
  limited: 'The service asked again and again to go slower.',
  misdirected: 'The service doesn’t answer to this address.',
  mixed: 'A page that came by https can’t send to an address with http.',
  nameTooLong: 'The file’s name is too long.',
  noName: 'The file has no name.',
  otherBytes: 'Somebody else filled this upload with other bytes.',
  otherContent: 'The file’s content isn’t what its name says.',
  quota: 'It doesn’t fit into what you may have at the service.',
  rejected: 'The service refused the file’s bytes.',
  signedOut: 'The service asks for a token, or doesn’t take this one.',
  store: 'The store refused the file.',
  tooMany: 'There are too many files at a time.',
  typeNotAllowed: 'The service doesn’t take files of this kind.',
  unconfirmed: 'The bytes arrived, and the service hasn’t got round to checking them.',
  unreachable: 'The service can’t be reached.',
  unreadable: 'The file can’t be read.',
};

export class UploadError extends Error {
  // problem: {code, detail?, status?, reason?}, as the state machine has it; id: the file's, if it has one.
  constructor(problem, id = null) {
    const { code, detail, status, reason } = problem;
    // What the service itself says is a sentence.
    super(code === 'problem' ? detail : (SENTENCES[code] ?? 'The file couldn’t be sent.'));
    this.name = 'UploadError';
    this.code = code;
    this.id = id;
    this.detail = detail ?? reason ?? null;
    this.status = status ?? null;
  }
}
