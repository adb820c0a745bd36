// A sentence that stands in the page for a moment.
//
// Invariant: it covers nothing that can be clicked or typed into, as long as there is a place where it doesn't, also
// while one scrolls. Screen readers hear the sentence otherwise.

const SHOWN_MS = 2600;
const MARGIN = 16;
const STEP = 8;
const CONTROLS = 'button, .button, input, select, summary, [role="button"]';

export class Toast {
  #element;
  #timer = null;

  constructor(element) {
    this.#element = element;
    const move = () => element.classList.contains('is-shown') && requestAnimationFrame(() => this.#place());
    window.addEventListener('scroll', move, { passive: true });
    window.addEventListener('resize', move);
  }

  show(sentence) {
    const element = this.#element;
    // Above a dialog that is open, and above the last of several.
    ([...document.querySelectorAll('dialog[open]')].at(-1) ?? document.body).append(element);
    element.textContent = sentence;
    this.#place();
    element.classList.add('is-shown');
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => element.classList.remove('is-shown'), SHOWN_MS);
  }

  #place() {
    const { width, height } = this.#element.getBoundingClientRect();
    const taken = controls();
    const [high, wide] = [document.documentElement.clientHeight, document.documentElement.clientWidth];
    const columns = [(wide - width) / 2, MARGIN, wide - width - MARGIN];
    const rows = [];
    for (let top = high - height - 1.5 * MARGIN; top >= MARGIN; top -= STEP) {
      rows.push(top);
    }
    const places = rows.flatMap((top) => columns.map((left) => ({ left, top, right: left + width, bottom: top + height })));
    const { left, top } = places.find((place) => !taken.some((other) => overlap(place, other))) ?? places[0] ?? { left: MARGIN, top: MARGIN };
    this.#element.style.left = `${Math.max(0, left)}px`;
    this.#element.style.top = `${top}px`;
  }
}

// Where there is something to be clicked, as far as one sees it.
function controls() {
  return [...document.querySelectorAll(CONTROLS)]
    .map((control) => control.getBoundingClientRect())
    .filter(({ width, bottom, top }) => width > 0 && bottom > 0 && top < window.innerHeight);
}

function overlap(one, other) {
  return one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom;
}
