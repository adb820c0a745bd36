// Which rows of a long list there have to be: those that one sees, and some around them.
//
// Invariant: what there is of a list doesn't grow with its length, once that is above ALL_UP_TO. The rows that are
// left out keep their place, by their height.

// Below that all of them are there, so that the browser's own search finds them too.
const ALL_UP_TO = 300;
// Rows come and go so many at a time.
const STEP = 25;
// How much there is above and below what one sees, in heights of the window.
const AHEAD = 1;
// Until the first row was measured, in pixels.
const USUAL_HEIGHT = 80;

export class RowWindow {
  #height = USUAL_HEIGHT;

  // Of so many rows those from `from` up to before `to`. look() is asked only if that matters, since measuring costs:
  // `top` is how far below the window's upper edge the list begins, and `seen` how high the window is; in pixels.
  range(length, look) {
    if (length <= ALL_UP_TO) {
      return { from: 0, to: length };
    }
    const { top, seen } = look();
    const at = (pixels) => Math.min(length, Math.max(0, pixels / this.#height));
    const from = Math.floor(at(-top - AHEAD * seen) / STEP) * STEP;
    const to = Math.ceil(at(-top + (1 + AHEAD) * seen) / STEP) * STEP;
    // A list that is far away still has its first or its last rows.
    return { from: Math.min(from, Math.max(0, length - STEP)), to: Math.min(length, Math.max(to, STEP)) };
  }

  // How high so many rows are that aren't there, in pixels.
  heightOf(rows) {
    return Math.round(rows * this.#height);
  }

  // These rows are so high together. Whether that changes where the others are.
  measure(rows, pixels) {
    const height = rows > 0 ? pixels / rows : 0;
    const isNews = height > 0 && Math.abs(height - this.#height) > 1;
    if (isNews) {
      this.#height = height;
    }
    return isNews;
  }
}
