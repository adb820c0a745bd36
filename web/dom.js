// Small helpers for the document.
//
// Invariant: text goes in as text. Nothing here, or anywhere in these pages, makes HTML of a string.

const SVG = 'http://www.w3.org/2000/svg';

// Lines on a grid of 24.
const ICONS = {
  link: 'M9.5 14.5l5-5M8 11l-2.2 2.200a3.700 3.700 0 0 0 5.200 5.200L13 16.300M11 7.700l2-2.100a3.700 3.700 0 0 1 5.200 5.200L16 13',
  download: 'M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 19.500h14',
  remove: 'M5 7h14M10 4h4M7 7l.8 12a1 1 0 0 0 1 1h6.400a1 1 0 0 0 1-1L17 7M10.200 11v5M13.800 11v5',
  close: 'M6.500 6.500l11 11M17.500 6.500l-11 11',
  more: 'M5.500 12h.01M12 12h.01M18.500 12h.01',
  share: 'M12 15V4M8 7.500l4-4 4 4M6 11.500v7a1.500 1.500 0 0 0 1.500 1.500h9a1.500 1.500 0 0 0 1.500-1.500v-7',
  again: 'M19 12a7 7 0 1 1-2.300-5.200M19.500 4v4.500H15',
};

// An element. `properties` are its properties, or attributes where the name has a dash; a handler is
// `onclick`; data goes in as {dataset: {…}}.
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'dataset') {
      Object.assign(element.dataset, value);
    } else if (name.includes('-')) {
      element.setAttribute(name, value);
    } else {
      element[name] = value;
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A picture of one path.
export function svg(viewBox, d, attributes) {
  const picture = document.createElementNS(SVG, 'svg');
  for (const [name, value] of Object.entries({ viewBox, ...attributes })) {
    picture.setAttribute(name, value);
  }
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', d);
  picture.append(path);
  return picture;
}

export function icon(name) {
  return svg('0 0 24 24', ICONS[name], { class: 'icon', 'aria-hidden': 'true' });
}

export function byId(id) {
  return document.getElementById(id);
}

// Changes a text only if it differs, so that screen readers and selections aren't disturbed.
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

// Puts the texts of the language where the page has places for them. Mostly the service has done so.
export function fillIn(strings) {
  const find = (path) => path.split('.').reduce((place, key) => place[key], strings);
  document.documentElement.lang = strings.language;
  for (const element of document.querySelectorAll('[data-text]')) {
    setText(element, find(element.dataset.text));
  }
  for (const element of document.querySelectorAll('[data-label]')) {
    element.setAttribute('aria-label', find(element.dataset.label));
  }
}

// What an element with a file's name has. A name has a direction of its own, whatever stands around it.
export function nameProperties(name) {
  return { className: 'name', dir: 'auto', title: name };
}

const LONGEST_NAME = 80;
const LAST_OF_NAME = 24;

// The name without its middle if it is too long, since what tells files apart is mostly at the end.
export function shortened(name) {
  const letters = [...name];
  return letters.length <= LONGEST_NAME
    ? name
    : [...letters.slice(0, LONGEST_NAME - LAST_OF_NAME - 1), '…', ...letters.slice(-LAST_OF_NAME)].join('');
}

// A file's name, that may go on in the next line after `_`, `-` and `.` rather than anywhere.
export function breakable(name) {
  return shortened(name).split(/(?<=[_.-])(?=[^_.-])/).flatMap((part, at) => (at === 0 ? [part] : [h('wbr'), part]));
}

const SHORT_NAME = 20;
const ENDING = 12;
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
// What belongs to the letter before it.
const JOINED = /[\p{M}\p{Emoji_Modifier}\u200c\u200d]/u;

// A file's name on one line, in two parts of which the second one stays: what tells files apart is mostly at the end.
export function oneLine(name) {
  const letters = [...name];
  const at = letters.length <= SHORT_NAME ? 0 : endingOf(letters, name);
  const [head, tail] = [letters.slice(0, at).join(''), letters.slice(at).join('')];
  return at <= 0
    ? [h('span', { className: 'name-head' }, name)]
    : [h('span', { className: 'name-head' }, head), h('span', { className: 'name-tail' }, tail)];
}

// Where the part begins that stays; 0 for nowhere. Letters that are written from right to left aren't taken apart,
// which would change their order.
function endingOf(letters, name) {
  if (RIGHT_TO_LEFT.test(name)) {
    const dot = letters.lastIndexOf('.');
    return letters.length - dot <= ENDING ? dot : 0;
  }
  let at = letters.length - ENDING;
  while (at > 0 && (JOINED.test(letters[at]) || letters[at - 1] === '\u200d')) {
    at -= 1;
  }
  return at;
}

// A sheet of paper with the ending of the file's name on it, in the colour of its kind.
export function tile(name, type) {
  const ending = /\.([A-Za-z0-9]{1,5})$/.exec(name)?.[1] ?? '';
  return h('span', { className: 'tile', 'aria-hidden': 'true', dataset: { kind: kind(type, ending) } }, ending);
}

const DOCUMENTS = /pdf|msword|officedocument\.word|opendocument\.text|rtf|epub/;
const TABLES = /spreadsheet|excel|csv/;
const SLIDES = /presentation|powerpoint/;
const ARCHIVES = /zip|tar|rar|7z|gzip|compressed/;

function kind(type = '', ending) {
  const main = type.split('/')[0];
  if (['image', 'audio', 'video'].includes(main)) {
    return main === 'image' ? 'image' : 'sound';
  }
  const known = [
    [ARCHIVES, 'archive'],
    [TABLES, 'table'],
    [SLIDES, 'slides'],
    [DOCUMENTS, 'document'],
  ].find(([pattern]) => pattern.test(type) || pattern.test(ending.toLowerCase()));
  return known?.[1] ?? 'other';
}
