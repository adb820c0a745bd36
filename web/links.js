// What is passed on: a link that brings a file to people without an account, for a year.
//
// Invariant: a file that has such a link already gets no second one. What is copied goes on working when the service
// begins to ask who one is.

const DAY_MS = 24 * 60 * 60 * 1000;
const LIFETIME_MS = 365 * DAY_MS;
// With less than that a link is made anew: whoever gets it may need it for as long as a course takes.
const LONG_ENOUGH_MS = 180 * DAY_MS;
// What tells these links from others of the same file, to their owner too.
const LABEL = 'Copy link';
// How many are kept, so that copying again needs no answer.
const MAX_KEPT = 1000;
// For how many files they are asked for at once: soon there, and within what the service does at a time.
const AT_A_TIME = 6;

export class Links {
  #api;
  #now;
  #kept = new Map();

  constructor(api, now = Date.now) {
    this.#api = api;
    this.#now = now;
  }

  // → linked {url} | gone | refused {problem} | lost
  of(id) {
    const kept = this.#kept.get(id);
    if (kept) {
      return kept;
    }
    if (this.#kept.size >= MAX_KEPT) {
      this.#kept.clear();
    }
    const asked = this.#ask(id);
    this.#kept.set(id, asked);
    void asked.then(({ type }) => type === 'linked' || this.#kept.delete(id));
    return asked;
  }

  // Those of many. → linked {urls}, or what became of the first that can't be had
  async ofAll(ids) {
    const urls = [];
    for (let from = 0; from < ids.length; from += AT_A_TIME) {
      const made = await Promise.all(ids.slice(from, from + AT_A_TIME).map((id) => this.of(id)));
      const failed = made.find(({ type }) => type !== 'linked');
      if (failed) {
        return failed;
      }
      urls.push(...made.map(({ url }) => url));
    }
    return { type: 'linked', urls };
  }

  async #ask(id) {
    const there = await this.#api.linksOf(id);
    if (there.type !== 'links') {
      return there;
    }
    const fits = there.links.find((link) => this.#fits(link));
    if (fits) {
      return { type: 'linked', url: fits.url };
    }
    const expiresAt = new Date(this.#now() + LIFETIME_MS).toISOString();
    return this.#api.link({ files: [id], label: LABEL, expiresAt });
  }

  #fits({ label, files, hasPassword, maxDownloads, audience, expiresAt }) {
    const isPlain = !hasPassword && maxDownloads === null && audience === 'anyone';
    return label === LABEL && files.length === 1 && isPlain && Date.parse(expiresAt) - this.#now() >= LONG_ENOUGH_MS;
  }
}
