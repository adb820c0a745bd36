import type { SharedFile, Token, UploadError } from './index.js';

export interface DropWords {
  choose: string;
  drop: string;
  cancel: string;
  retry: string;
  remove: string;
  waiting: string;
  sending(percent: number): string;
  checking: string;
  done: string;
  failed(name: string, why: string): string;
  uploaded(name: string): string;
}

/** What it says by itself. */
export const WORDS: DropWords;

export type FileShareUploadedEvent = CustomEvent<SharedFile & { file: File }>;
export type FileShareFailedEvent = CustomEvent<{ file: File; error: UploadError }>;

/** `<file-share-drop base="…" multiple accept="…" disabled>`. */
export class FileShareDrop extends HTMLElement {
  base: string;
  token: Token | undefined;
  disabled: boolean;
  get words(): DropWords;
  set words(words: Partial<DropWords>);
  /** Sends these files, as if they had been dropped. */
  upload(files: Iterable<File>): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'file-share-drop': FileShareDrop;
  }
  interface HTMLElementEventMap {
    'file-share-uploaded': FileShareUploadedEvent;
    'file-share-failed': FileShareFailedEvent;
  }
}
