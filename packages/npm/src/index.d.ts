/** What a token is: itself, or who gives one. It is asked again, with `isRefused`, where the service doesn't take one. */
export type Token = string | ((asked: { isRefused: boolean }) => string | undefined | Promise<string | undefined>);

export interface Where {
  /** The service's address, also under a path; in a page left out: the page's own origin. */
  base?: string | URL | undefined;
  /** Whoever uses a page can read it: give each user their own. */
  token?: Token | undefined;
}

export interface UploadOptions extends Where {
  /** The file's name for others; else the file's own. */
  name?: string | undefined;
  /** What the service keeps with the file: up to 16 texts by name, a KiB in all. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** Gives the upload up. Bytes that have arrived stay at the service. */
  signal?: AbortSignal | undefined;
  /** In bytes. `loaded` falls back where the bytes are sent again; in Node it is told at the end. */
  onProgress?: ((progress: { loaded: number; total: number }) => void) | undefined;
}

export interface SharedFile {
  id: string;
  /** The file's page. */
  url: string;
  /** Brings the bytes. */
  downloadUrl: string;
  /** 64 hex digits: those of the very bytes that were sent. */
  sha256: string;
  /** In characters that every file system takes. */
  filename: string;
  /** As it was given. */
  displayName: string;
  /** In bytes. */
  size: number;
  contentType: string;
}

/** Sends a file, and resolves once the service has checked it. Rejects with an UploadError, or the signal's reason. */
export function upload(file: Blob, options?: UploadOptions): Promise<SharedFile>;

export interface LinkOptions extends Where {
  title?: string | undefined;
  label?: string | undefined;
  /** RFC 3339; in 30 days if it isn't given. */
  expiresAt?: string | undefined;
  maxDownloads?: number | undefined;
  password?: string | undefined;
  audience?: 'anyone' | 'signed_in' | undefined;
}

/** A URL that passes files on, by their IDs, to people without an account. It is a secret. */
export function createLink(files: string | readonly string[], options?: LinkOptions): Promise<{ url: string }>;

export type UploadProblem =
  | 'damaged'
  | 'deleted'
  | 'expired'
  | 'full'
  | 'intermediary'
  | 'limited'
  | 'misdirected'
  | 'mixed'
  | 'nameTooLong'
  | 'noName'
  | 'otherBytes'
  | 'otherContent'
  | 'problem'
  | 'quota'
  | 'rejected'
  | 'signedOut'
  | 'store'
  | 'tooMany'
  | 'typeNotAllowed'
  | 'unconfirmed'
  | 'unreachable'
  | 'unreadable';

export class UploadError extends Error {
  private constructor();
  readonly code: UploadProblem;
  /** The file's, where there is one. */
  readonly id: string | null;
  /** What the service or the store said. */
  readonly detail: string | null;
  /** The HTTP status, or `redirect`, where that says something. */
  readonly status: number | 'redirect' | null;
}
