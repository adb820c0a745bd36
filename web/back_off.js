// How long to wait before the service is asked again.
//
// Invariant: never shorter than FIRST_PAUSE_MS, twice as long each time, never longer than LONGEST_PAUSE_MS.
// One person's page asks about a handful of things, so pauses aren't scattered as fshare's and the worker's are.

export const FIRST_PAUSE_MS = 1000;
export const LONGEST_PAUSE_MS = 30_000;

export function backOff(doublings) {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** doublings);
}
