// How much room the headline takes: less once there are files.
//
// Invariant: nothing moves under somebody's eyes by itself. Whether there were files is remembered for the next time
// that the page is opened; meanwhile only what a person does makes room.

const KEY = 'file-share:there-are-files';
const COMPACT = 'is-compact';

const root = document.documentElement;

// To be called before anything is shown.
export function beginHeadline() {
  root.classList.toggle(COMPACT, recall());
}

export function makeRoom() {
  root.classList.add(COMPACT);
}

export function rememberFiles(areThere) {
  if (areThere !== recall()) {
    remember(areThere);
  }
}

// Some browsers have nowhere to remember anything.
function recall() {
  try {
    return localStorage.getItem(KEY) !== null;
  } catch {
    return false;
  }
}

function remember(areThere) {
  try {
    if (areThere) {
      localStorage.setItem(KEY, '1');
    } else {
      localStorage.removeItem(KEY);
    }
  } catch {
    // Then the headline is large the next time.
  }
}
